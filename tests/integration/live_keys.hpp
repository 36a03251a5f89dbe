#pragma once

#include <initializer_list>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include <holdfast/base/json.hpp>

#include "support/base/manual_clock.hpp"
#include "support/base/temp_dir.hpp"
#include "support/gateway/inbox.hpp"
#include "support/gateway/raw_subscriber.hpp"
#include "support/gateway/test_gateway.hpp"

namespace holdfast::test {

/// A gateway whose configuration is reloaded, and what asks it how it behaves.
class ReloadedGateway {
 public:
  struct Options {
    std::vector<std::string> settings{};
    bool by_manual_clock = false;
  };
  explicit ReloadedGateway(Options options);

  [[nodiscard]] TestGateway& gateway() { return *gateway_; }
  /// Lets time pass, where the gateway has a clock of the test's.
  void advance(Seconds by);

  struct Answer {
    int status = 0;
    mutable Json body;  ///< an absent member is null
    [[nodiscard]] std::string error() const { return body.value("__type", ""); }
  };
  /// An operation of the user pool for its client, unsigned.
  [[nodiscard]] Answer of_client(const std::string& operation, Json input);
  /// An operation of the user pool for its administrator, signed.
  [[nodiscard]] Answer admin(const std::string& operation, Json input);
  [[nodiscard]] Answer log_in(const std::string& name,
                              const std::string& password = TestGateway::kPassword);
  [[nodiscard]] Answer sign_up(const std::string& name);
  [[nodiscard]] Answer confirm_sign_up(const std::string& name, const std::string& code);
  /// The code that was sent last; waits for it.
  [[nodiscard]] std::string sent_code() const;
  /// Gives a new user this password. Returns AWS's name of the refusal; empty: accepted.
  [[nodiscard]] std::string refusal_of_password(const std::string& password);

  /// Waits as long for an effect that may take a moment, and to see that there is none.
  static constexpr Milliseconds kSoon{1'500};

  /// The status of the answer to these bytes; 0: none came in time.
  [[nodiscard]] int status_of(std::string_view bytes) const;
  int publish(const std::string& text, const std::string& user = "u");
  /// The sum of a metric over its labels.
  [[nodiscard]] double metric(std::string_view name);
  /// The ids of the open connections, once as many are admitted.
  [[nodiscard]] std::vector<std::string> connections(std::size_t count);
  /// Another listener, whose socket keeps little that nobody reads.
  [[nodiscard]] std::string unix_address() const { return "unix:" + dir_.file("gateway.sock"); }

 private:
  [[nodiscard]] Answer call(const std::string& operation, const Json& input, bool is_signed);

  TempDir dir_;
  std::string code_file_ = dir_.file("code");
  std::optional<ManualClock> clock_;
  std::optional<TestGateway> gateway_;
};

/// A key that a reload brings to a running gateway, and how one sees that it did.
struct LiveKey {
  std::string key;
  std::string value;
  /// Returns whether the gateway behaves as this value says, and as no default does.
  bool (*is_in_force)(ReloadedGateway& gateway);
  std::vector<std::string> companions{};  ///< reloaded with it, and without it
  std::vector<std::string> start{};       ///< of the start, besides
  bool by_manual_clock = false;
  void (*prepare)(ReloadedGateway& gateway) = nullptr;  ///< before the reload; null: nothing

  friend void PrintTo(const LiveKey& key, std::ostream* out) { *out << key.key; }
};
/// Returns the keys of all lists, one behind the other.
[[nodiscard]] std::vector<LiveKey> joined(std::initializer_list<std::vector<LiveKey>> lists);

[[nodiscard]] std::vector<LiveKey> live_keys_of_limits();
[[nodiscard]] std::vector<LiveKey> live_keys_of_delivery();
[[nodiscard]] std::vector<LiveKey> live_keys_of_users();
[[nodiscard]] std::vector<LiveKey> live_keys_of_the_instance();

}  // namespace holdfast::test
