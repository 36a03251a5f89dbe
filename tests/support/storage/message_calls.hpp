#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <holdfast/delivery/message_store.hpp>

#include "support/storage/pump_executor.hpp"

namespace holdfast::test {

inline constexpr WallTime kTestTime{Microseconds(1'769'076'000'000'000)};

[[nodiscard]] inline delivery::MessagePtr make_message(const std::string& user, Sequence sequence,
                                                       std::string payload = "text",
                                                       Microseconds lifetime = Seconds(3600)) {
  delivery::Message message;
  message.user = UserId(user);
  message.id = MessageId::generate(kTestTime);
  message.sequence = sequence;
  message.accepted_at = kTestTime;
  message.expires_at = kTestTime + lifetime;
  message.payload = std::move(payload);
  return std::make_shared<const delivery::Message>(std::move(message));
}

/// The message store's calls, each waited for.
class MessageCalls {
 public:
  MessageCalls(delivery::MessageStore& store, PumpExecutor& executor)
      : store_(store), executor_(executor) {}

  [[nodiscard]] delivery::Insert as_insert(delivery::MessagePtr message) {
    auto reservation = store_.reserve(message->payload.size());
    if (!reservation) throw std::runtime_error("no reservation");
    delivery::Insert insert;
    insert.message = std::move(message);
    insert.reservation = std::move(*reservation);
    return insert;
  }
  Result<void> insert(const std::vector<delivery::MessagePtr>& messages) {
    std::vector<delivery::Insert> inserts;
    for (const auto& message : messages) inserts.push_back(as_insert(message));
    return insert(std::move(inserts));
  }
  Result<void> insert(std::vector<delivery::Insert> inserts) {
    return executor_.await<Result<void>>(
        [&](auto done) { store_.insert(std::move(inserts), std::move(done)); });
  }
  Result<void> record(std::optional<delivery::DeduplicationRecord> record,
                      std::optional<MessageId> dead_letter = {}) {
    return executor_.await<Result<void>>(
        [&](auto done) { store_.record(std::move(record), dead_letter, {}, std::move(done)); });
  }
  Result<delivery::PendingTotals> erase(const std::string& user, Sequence above, Sequence up_to) {
    return executor_.await<Result<delivery::PendingTotals>>(
        [&](auto done) { store_.erase(UserId(user), above, up_to, std::move(done)); });
  }
  Result<delivery::Page> read(delivery::PageQuery query) {
    return executor_.await<Result<delivery::Page>>(
        [&](auto done) { store_.read_page(std::move(query), std::move(done)); });
  }
  /// All of a user's rows, expired or not.
  std::vector<Sequence> sequences(const std::string& user) {
    delivery::PageQuery query;
    query.user = UserId(user);
    query.up_to = INT64_MAX;
    query.messages = SIZE_MAX;
    query.bytes = SIZE_MAX;
    std::vector<Sequence> out;
    for (bool end = false; !end;) {
      const auto page = read(query);
      end = page->end;
      for (const auto& message : page->messages) out.push_back(message->sequence);
      if (!out.empty()) query.above = out.back();
    }
    return out;
  }
  Result<delivery::Moved> expire(const std::string& user, Sequence above, Sequence up_to,
                                 WallTime now) {
    return executor_.await<Result<delivery::Moved>>(
        [&](auto done) { store_.expire(UserId(user), above, up_to, now, std::move(done)); });
  }
  Result<delivery::Moved> move_to_dead_letters(const std::string& user, Sequence above,
                                               Sequence up_to, const delivery::DeathCause& cause) {
    return executor_.await<Result<delivery::Moved>>([&](auto done) {
      store_.move_to_dead_letters(UserId(user), above, up_to, cause, kTestTime, std::move(done));
    });
  }
  delivery::ExpiryPage find_expired(delivery::ExpiryQuery query) {
    return executor_
        .await<Result<delivery::ExpiryPage>>(
            [&](auto done) { store_.find_expired(std::move(query), std::move(done)); })
        .value();
  }
  /// All users of all homes who may have expired rows, read in pages.
  std::vector<std::string> find_expired(WallTime now, std::size_t limit = 100) {
    delivery::ExpiryQuery query;
    query.now = now;
    query.limit = limit;
    std::vector<std::string> out;
    do {
      const delivery::ExpiryPage page = find_expired(query);
      for (const UserId& user : page.users) out.push_back(user.str());
      query.after = page.next;
    } while (query.after);
    return out;
  }
  Result<void> end_purge(const std::string& user, Sequence up_to) {
    return executor_.await<Result<void>>(
        [&](auto done) { store_.end_purge(UserId(user), up_to, std::move(done)); });
  }
  Result<void> move_lifetimes(delivery::LifetimeMove move) {
    return executor_.await<Result<void>>(
        [&](auto done) { store_.move_lifetimes(move, std::move(done)); });
  }
  Result<void> remember_time(WallTime now) {
    return executor_.await<Result<void>>(
        [&](auto done) { store_.remember_time(now, std::move(done)); });
  }
  Result<void> extend_ceiling(Sequence ceiling) {
    return executor_.await<Result<void>>(
        [&](auto done) { store_.extend_ceiling(ceiling, std::move(done)); });
  }
  Result<void> forget_deduplication(WallTime before) {
    return executor_.await<Result<void>>(
        [&](auto done) { store_.forget_deduplication(before, std::move(done)); });
  }
  struct UserTotals {
    std::string user;
    std::int64_t messages;
    std::int64_t bytes;
    friend bool operator==(const UserTotals&, const UserTotals&) = default;
  };
  std::vector<UserTotals> list_pending(const std::string& after = {}, std::size_t limit = 1'000) {
    using Listed = std::vector<std::pair<UserId, delivery::PendingTotals>>;
    const auto listed = executor_.await<Result<Listed>>(
        [&](auto done) { store_.list_pending(UserId(after), limit, std::move(done)); });
    std::vector<UserTotals> out;
    for (const auto& [user, totals] : listed.value()) {
      out.push_back({user.str(), totals.messages, totals.bytes});
    }
    return out;
  }
  std::vector<delivery::DeadLetter> list_dead_letters(std::optional<std::string> user = {},
                                                      std::optional<MessageId> after = {},
                                                      std::size_t limit = 1'000) {
    delivery::DeadLetterQuery query;
    if (user) query.user.emplace(*user);
    query.after = after;
    query.limit = limit;
    std::vector<delivery::DeadLetter> out;
    for (const auto& info : list_dead_letters(std::move(query)).letters) {
      out.push_back(find_dead_letter(info.id).value());
    }
    return out;
  }
  delivery::DeadLetterPage list_dead_letters(delivery::DeadLetterQuery query) {
    return executor_
        .await<Result<delivery::DeadLetterPage>>(
            [&](auto done) { store_.list_dead_letters(std::move(query), std::move(done)); })
        .value();
  }
  std::optional<Sequence> find_pending(const std::string& user, const MessageId& id) {
    return executor_
        .await<Result<std::optional<Sequence>>>(
            [&](auto done) { store_.find_pending(UserId(user), id, std::move(done)); })
        .value();
  }
  std::optional<delivery::DeadLetter> find_dead_letter(const MessageId& id) {
    return executor_
        .await<Result<std::optional<delivery::DeadLetter>>>(
            [&](auto done) { store_.find_dead_letter(id, std::move(done)); })
        .value();
  }
  std::vector<MessageId> delete_dead_letters(std::vector<MessageId> ids) {
    return executor_
        .await<Result<std::vector<MessageId>>>(
            [&](auto done) { store_.delete_dead_letters(std::move(ids), std::move(done)); })
        .value();
  }

 private:
  delivery::MessageStore& store_;
  PumpExecutor& executor_;
};

}  // namespace holdfast::test
