#pragma once

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include <holdfast/control/service.hpp>

#include "support/base/fake_audit.hpp"
#include "support/base/manual_clock.hpp"
#include "support/base/manual_executor.hpp"
#include "support/delivery/fake_mailboxes.hpp"
#include "support/delivery/fake_message_store.hpp"

namespace holdfast::test {

class FakeAccessKeys final : public iam::AccessKeys {
 public:
  iam::AccessKeyPtr find(std::string_view id) const override {
    const auto found = keys.find(std::string(id));
    return found == keys.end() ? nullptr : found->second;
  }
  std::vector<iam::AccessKeyPtr> list() const override {
    std::vector<iam::AccessKeyPtr> out;
    for (const auto& [id, key] : keys) out.push_back(key);
    return out;
  }
  void create(NewKey wanted, Completion<Result<Created>> done) override {
    const std::string& name = wanted.name;
    if (name == "taken") return done(fail(Errc::already_exists, "the name has a key", "name"));
    auto parsed = iam::parse_policy(wanted.policy);
    if (!parsed) return done(std::unexpected(parsed.error()));
    auto key = std::make_shared<iam::AccessKey>();
    key->id = "AKIA" + name;
    key->name = name;
    key->arn = "arn:aws:iam::000000000000:user/" + name;
    key->secret = "the-secret";
    key->policy = *parsed;
    key->rate = wanted.rate;
    keys[key->id] = key;
    done(Created{key->id, key->secret});
  }
  void change(const std::string& id, iam::AccessKeyChange change,
              Completion<Result<void>> done) override {
    const auto found = keys.find(id);
    if (found == keys.end()) return done(fail(Errc::not_found, "no such key"));
    auto key = std::make_shared<iam::AccessKey>(*found->second);
    if (change.enabled) key->enabled = *change.enabled;
    if (change.rate) key->rate = *change.rate;
    if (change.policy) {
      auto parsed = iam::parse_policy(*change.policy);
      if (!parsed) return done(std::unexpected(parsed.error()));
      key->policy = *parsed;
    }
    found->second = std::move(key);
    done({});
  }
  void remove(const std::string& id, Completion<Result<void>> done) override {
    if (keys.erase(id) == 0) return done(fail(Errc::not_found, "no such key"));
    done({});
  }
  Result<NewTemporaryCredentials> make_temporary_credentials(
      std::string_view id, Seconds lifetime, const std::optional<std::string>& policy) override {
    if (!find(id)) return fail(Errc::not_found, "no such key");
    if (!find(id)->enabled) return fail(Errc::conflict, "disabled");
    session_policy = policy;
    return NewTemporaryCredentials{.id = "ASIA1",
                                   .secret = "session-secret",
                                   .token = "the-token",
                                   .expires_at = wall_from_micros(0) + lifetime};
  }
  Result<iam::TemporaryCredentialsPtr> open_temporary_credentials(std::string_view) const override {
    return fail(Errc::unauthenticated, "not in this test");
  }

  std::map<std::string, iam::AccessKeyPtr> keys;
  std::optional<std::string> session_policy;
};

class FakeKeyRing final : public identity::KeyRing {
 public:
  Result<std::string> seal(std::string_view, std::string_view) override { return std::string(); }
  Result<std::string> open(std::string_view, std::string_view) const override {
    return std::string();
  }
  void rotate(Completion<Result<std::uint32_t>> done) override {
    if (broken) return done(fail(Errc::unavailable, "the disk is full"));
    done(++id);
  }
  void maintain() override {}

  std::uint32_t id = 1;
  bool broken = false;
};

class FakeTokenSigner final : public identity::TokenSigner {
 public:
  std::string sign(std::string_view) const override { return {}; }
  std::string jwks() const override { return {}; }
  identity::VerifyingKeysPtr keys() const override { return nullptr; }
  void rotate(Completion<Result<std::uint32_t>> done) override {
    if (full) return done(fail(Errc::conflict, "too many keys"));
    done(++id);
  }
  void maintain() override {}

  std::uint32_t id = 6;
  bool full = false;
};

/// The service of the control socket with two shards around it, without a socket.
class ControlSocketParts {
 public:
  /// Nothing when no answer came.
  std::optional<net::Response> try_ask(std::string method, std::string target, std::string body) {
    net::Request request;
    request.head.method = std::move(method);
    request.head.target = std::move(target);
    request.head.shard = 1;
    request.head.actor = "uid:1000";
    request.head.remote_address = "unix";
    request.body = std::move(body);
    auto screened = service_->screen(request.head);
    if (auto* refused = std::get_if<net::Response>(&screened)) return std::move(*refused);
    std::optional<net::Response> out;
    service_->handle(std::move(request),
                     [&](net::Response response) { out = std::move(response); });
    while (std::ranges::any_of(executors_, [](auto& executor) { return !executor.idle(); })) {
      for (ManualExecutor& executor : executors_) executor.run();
    }
    return out;
  }
  /// Puts a pending message into the database.
  void hold(const std::string& user, Sequence sequence, const std::string& text) {
    auto message = std::make_shared<delivery::Message>();
    message->user = UserId(user);
    message->id = MessageId::generate(clock_.wall_now());
    message->sequence = sequence;
    message->accepted_at = clock_.wall_now();
    message->expires_at = clock_.wall_now() + Seconds(60);
    message->payload = text;
    database_->tables.messages[message->user][sequence] = message;
  }
  delivery::Execution execution(const std::string& user, std::int64_t at_us) {
    delivery::Execution out;
    out.id = MessageId::generate(clock_.wall_now());
    out.user = UserId(user);
    out.sequence = at_us;
    out.steps[0] = {delivery::ExecutionState::received, at_us};
    out.steps[1] = {delivery::ExecutionState::stored, at_us + 1500};
    out.step_count = 2;
    out.finished = true;
    return out;
  }

  ManualClock clock_;
  std::array<ManualExecutor, 3> executors_;  // two shards and the keys'
  std::array<FakeMailboxes, 2> mailboxes_;
  delivery::Router router_{{{&executors_[0], &mailboxes_[0]}, {&executors_[1], &mailboxes_[1]}}};
  std::shared_ptr<FakeDatabase> database_ = std::make_shared<FakeDatabase>();
  std::array<FakeMessageStore, 2> messages_{FakeMessageStore(database_, executors_[0]),
                                            FakeMessageStore(database_, executors_[1])};
  std::shared_ptr<FakeAccessKeys> keys_ = std::make_shared<FakeAccessKeys>();
  std::shared_ptr<FakeKeyRing> ring_ = std::make_shared<FakeKeyRing>();
  std::shared_ptr<FakeTokenSigner> signer_ = std::make_shared<FakeTokenSigner>();
  control::ProcessStatus process_;
  MetricSet store_;
  std::shared_ptr<FakeAudit> audit_ = std::make_shared<FakeAudit>();
  std::shared_ptr<net::HttpService> service_ =
      control::make_local_control_service({clock_,
                                           router_,
                                           {&messages_[0], &messages_[1]},
                                           keys_,
                                           ring_,
                                           signer_,
                                           executors_[2],
                                           [] { return control::State::ready; },
                                           [this] { return process_; },
                                           {},
                                           {},
                                           nullptr,
                                           [] { return std::size_t{128} << 10; },
                                           std::make_shared<SenderQuota>("operator"),
                                           nullptr,
                                           audit_,
                                           {},
                                           {},
                                           [this](MetricCollector& out) { store_.collect(out); }});
};

}  // namespace holdfast::test
