#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <holdfast/delivery/delivery_events.hpp>

namespace holdfast::test {

/// Keeps every delivery event of one process, and checks what `DeliveryEvents` promises of them by
/// themselves: their order, that none comes twice, and one end for each message.
class EventRecord final : public delivery::DeliveryEvents {
 public:
  /// Notes what was heard of one message.
  struct Heard {
    MessageId id;
    std::string caller;
    bool is_accepted = false;  ///< in this process, `redriven` too
    bool is_redriven = false;
    bool is_stored = false;
    std::string end;  ///< `acknowledged`, `expired`, `deleted`, `rejected`, or why it is dead
    std::string connection{};
    std::optional<delivery::Proof> proof{};
  };
  using Key = std::pair<UserId, Sequence>;

  void accepted(const delivery::MessageEvent& message) override { begin(message, false); }
  void redriven(const delivery::MessageEvent& message) override { begin(message, true); }
  void stored(const delivery::MessageEvent& message) override {
    Heard& heard = of(message, "stored");
    if (!heard.is_accepted || heard.is_stored || !heard.end.empty()) fault("stored", message);
    heard.is_stored = true;
    tell("stored", message);
  }
  void acknowledged(const delivery::MessageEvent& message, delivery::Proof proof,
                    std::string_view connection) override {
    if (!connections.contains(std::string(connection))) fault("acknowledged by nobody", message);
    Heard& heard = of(message, "acknowledged");
    heard.proof = proof;
    heard.connection = connection;
    end(heard, message, "acknowledged");
  }
  void expired(const delivery::MessageEvent& message) override { leave(message, "expired"); }
  void deleted(const delivery::MessageEvent& message) override { leave(message, "deleted"); }
  void dead(const delivery::MessageEvent& message, std::string_view reason) override {
    leave(message, reason);
  }
  void rejected(const delivery::MessageEvent& message) override {
    Heard& heard = of(message, "rejected");
    if (!heard.is_accepted || heard.is_stored) fault("rejected", message);
    end(heard, message, "rejected");
  }
  void attached(const delivery::ConnectionEvent& connection) override {
    const bool is_new = connections.emplace(connection.connection, connection.user).second;
    if (!is_new) fault("attached twice: " + std::string(connection.connection));
  }
  void detached(const delivery::ConnectionEvent& connection,
                const delivery::ConnectionEnd& how) override {
    if (connections.erase(std::string(connection.connection)) == 0) {
      fault("detached, and not attached: " + std::string(connection.connection));
    }
    ends.emplace_back(connection.connection, how);
  }

  /// nullptr when nothing was heard of it.
  [[nodiscard]] const Heard* find(const UserId& user, Sequence sequence) const {
    const auto found = messages.find({user, sequence});
    return found == messages.end() ? nullptr : &found->second;
  }

  std::map<Key, Heard> messages;
  std::map<std::string, UserId, std::less<>> connections;  ///< attached, and not detached
  std::vector<std::pair<std::string, delivery::ConnectionEnd>> ends;
  std::vector<std::string> names;  ///< of all that was heard of messages, in order
  std::optional<std::string> broken;
  /// Hears of each event of a message when it is noted.
  std::function<void(std::string_view, const delivery::MessageEvent&)> on_event;

 private:
  void begin(const delivery::MessageEvent& message, bool is_redriven) {
    const Heard heard{.id = message.id,
                      .caller = std::string(message.caller),
                      .is_accepted = true,
                      .is_redriven = is_redriven,
                      .is_stored = false,
                      .end = {}};
    if (!messages.emplace(Key(message.user, message.sequence), heard).second) {
      fault("accepted twice", message);
    }
    const auto above = messages.upper_bound({message.user, message.sequence});
    if (above != messages.end() && above->first.first == message.user) fault("order", message);
    tell(is_redriven ? "redriven" : "accepted", message);
  }
  // A message of a former process has no beginning here.
  Heard& of(const delivery::MessageEvent& message, std::string_view what) {
    Heard& heard = messages[{message.user, message.sequence}];
    if (!heard.is_accepted && heard.end.empty()) heard.id = message.id;
    if (heard.id != message.id) fault("another id: " + std::string(what), message);
    return heard;
  }
  void leave(const delivery::MessageEvent& message, std::string_view how) {
    if (how == "damaged") return tell(how, message);  // it may be another's name
    Heard& heard = of(message, how);
    if (heard.is_accepted && !heard.is_stored) fault("dead, and never stored", message);
    end(heard, message, how);
  }
  void end(Heard& heard, const delivery::MessageEvent& message, std::string_view how) {
    if (!heard.end.empty()) fault(std::string(how) + " after " + heard.end, message);
    heard.end = how;
    tell(how, message);
  }
  void tell(std::string_view what, const delivery::MessageEvent& message) {
    names.emplace_back(what);
    if (on_event) on_event(what, message);
  }
  void fault(const std::string& what, const delivery::MessageEvent& message) {
    fault(what + ": " + std::to_string(message.sequence));
  }
  void fault(const std::string& what) {
    if (!broken) broken = "event " + what;
  }
};

}  // namespace holdfast::test
