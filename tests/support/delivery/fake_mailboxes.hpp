#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <holdfast/delivery/mailboxes.hpp>

namespace holdfast::test {

/// Mailboxes that answer as they are told and remember what they were asked: for tests of what
/// stands in front of them.
class FakeMailboxes final : public delivery::Mailboxes {
 public:
  struct Attached {
    delivery::ConnectionInfo info;
    delivery::ProtocolPtr protocol;
    std::shared_ptr<delivery::Connection> connection;
  };
  struct Closed {
    ConnectionId id;
    delivery::CloseReason reason{};
  };

  void send(delivery::SendRequest request, Completion<delivery::SendOutcome> done) override {
    done(take(std::move(request)));
  }
  void send_all(std::vector<delivery::SendRequest> requests,
                Completion<std::vector<delivery::SendOutcome>> done) override {
    std::vector<delivery::SendOutcome> out;
    for (delivery::SendRequest& request : requests) out.push_back(take(std::move(request)));
    done(std::move(out));
  }
  void attach(delivery::ConnectionInfo info, delivery::ProtocolPtr protocol,
              std::shared_ptr<delivery::Connection> connection) override {
    attached.push_back({std::move(info), std::move(protocol), std::move(connection)});
  }
  void start_delivery(const ConnectionId& id) override { admitted.push_back(id); }
  std::optional<delivery::ConnectionInfo> find_connection(const ConnectionId& id) const override {
    for (const delivery::ConnectionInfo& info : told_connections) {
      if (info.id == id) return info;
    }
    return std::nullopt;
  }
  Result<void> post_text(const ConnectionId& id, std::string_view text) override {
    if (told_post && !*told_post) return *told_post;
    if (!find_connection(id)) return fail(Errc::not_found, "No such connection");
    posted.emplace_back(id, text);
    return {};
  }
  bool close(const ConnectionId& id, delivery::CloseReason reason, std::string_view) override {
    closed.push_back({id, reason});
    return true;
  }
  void close_logins(const UserId&, const Logins&, delivery::CloseReason,
                    std::string_view) override {}
  void move_to_dead_letters(const UserId&, std::string) override {}
  void delete_pending(const UserId& user, std::optional<MessageId> id, std::string reason,
                      Completion<Result<delivery::Deletion>> done) override {
    deletions.push_back({user, id, std::move(reason)});
    done(told_deletion);
  }
  void redrive(const UserId& user, const MessageId& id, std::optional<Seconds> ttl,
               Completion<delivery::SendOutcome> done) override {
    redriven.emplace_back(user, id);
    redriven_for.push_back(ttl);
    if (redrive_fails) return done(std::unexpected(*redrive_fails));
    done(delivery::Receipt{
        .id = id, .sequence = next_sequence_++, .status = delivery::DeliveryStatus::stored});
  }
  void delete_dead_letters(std::vector<MessageId> ids,
                           Completion<Result<std::vector<MessageId>>> done) override {
    deleted_letters.insert(deleted_letters.end(), ids.begin(), ids.end());
    done(std::move(ids));
  }
  void tick() override {}
  const delivery::MailboxMetrics& metrics() const noexcept override { return told_metrics; }
  std::vector<delivery::ConnectionInfo> connections(
      const delivery::ConnectionQuery& query) const override {
    std::vector<delivery::ConnectionInfo> out;
    for (const delivery::ConnectionInfo& info : told_connections) {
      if (query.user && info.user != *query.user) continue;
      if (query.after && std::pair(info.connected_at, info.id.str()) <=
                             std::pair(query.after->first, query.after->second.str())) {
        continue;
      }
      out.push_back(info);
    }
    std::ranges::sort(out, {}, [](const delivery::ConnectionInfo& info) {
      return std::pair(info.connected_at, info.id.str());
    });
    if (out.size() > query.limit) out.resize(query.limit);
    return out;
  }
  std::vector<delivery::Execution> executions(const delivery::ExecutionFilter& filter,
                                              std::size_t limit) const override {
    std::vector<delivery::Execution> out;
    for (const delivery::Execution& execution : told_executions) {
      if (filter.user && execution.user != *filter.user) continue;
      if (filter.id && execution.id != *filter.id) continue;
      if (out.size() < limit) out.push_back(execution);
    }
    return out;
  }
  delivery::PendingTotals pending(const UserId& user) const override {
    return user == told_pending.first ? told_pending.second : delivery::PendingTotals{};
  }
  void change_limits(const delivery::Limits& limits) override { told_limits = limits; }
  void close_gradually(Microseconds /*window*/, Task done) override { done(); }
  void drain(Task done) override { done(); }
  void close_connections(Task done) override { done(); }

  // ---- the test's side

  /// Decides each message; without it every one is STORED under a rising sequence.
  std::function<delivery::SendOutcome(const delivery::SendRequest&)> decide;
  std::vector<delivery::SendRequest> sent;
  delivery::Limits told_limits;
  std::vector<Attached> attached;
  std::vector<ConnectionId> admitted;
  std::vector<Closed> closed;
  std::vector<std::pair<ConnectionId, std::string>> posted;
  std::optional<Result<void>> told_post;  ///< an error refuses every text
  struct AskedDeletion {
    UserId user;
    std::optional<MessageId> id;
    std::string reason;
  };
  std::vector<AskedDeletion> deletions;
  Result<delivery::Deletion> told_deletion;
  std::vector<std::pair<UserId, MessageId>> redriven;
  std::vector<std::optional<Seconds>> redriven_for;
  std::optional<Error> redrive_fails;
  std::vector<MessageId> deleted_letters;
  delivery::MailboxMetrics told_metrics;
  std::vector<delivery::ConnectionInfo> told_connections;
  std::vector<delivery::Execution> told_executions;
  std::pair<UserId, delivery::PendingTotals> told_pending;

 private:
  delivery::SendOutcome take(delivery::SendRequest request) {
    delivery::SendOutcome out =
        decide ? decide(request)
               : delivery::SendOutcome(delivery::Receipt{
                     .id = MessageId::generate(wall_from_micros(1'769'076'000'000'000)),
                     .sequence = next_sequence_++,
                     .status = delivery::DeliveryStatus::stored});
    sent.push_back(std::move(request));
    return out;
  }

  Sequence next_sequence_ = 1'769'076'000'000'001;
};

}  // namespace holdfast::test
