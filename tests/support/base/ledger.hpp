#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::test {

/// Records what producers and clients saw, so that the promises can be checked. Texts are unique.
/// Any thread.
class Ledger {
 public:
  using ConnectionNumber = std::size_t;

  /// Before the request leaves, each time that it does.
  void sent(const std::string& user, const std::string& text) {
    const std::lock_guard lock(mutex_);
    Message& message = messages_[text];
    message.user = user;
    ++message.attempts;
  }
  /// The producer has read its 200.
  void acknowledged(const std::string& text, std::int64_t sequence) {
    const std::lock_guard lock(mutex_);
    Message& message = messages_[text];
    if (!message.acknowledged) ++acknowledged_;
    if (!message.acknowledged && !message.received) ++missing_;
    message.acknowledged = true;
    message.sequence = sequence;
  }
  /// A client of the user's has been upgraded.
  [[nodiscard]] ConnectionNumber open(const std::string& user) {
    const std::lock_guard lock(mutex_);
    connections_.push_back({.user = user, .arrivals = {}});
    return connections_.size() - 1;
  }
  /// `sequence` where the frame tells it.
  void received(ConnectionNumber connection, const std::string& text,
                std::optional<std::int64_t> sequence = std::nullopt) {
    const std::lock_guard lock(mutex_);
    connections_[connection].arrivals.push_back({.text = text, .sequence = sequence});
    ++received_;
    const auto found = messages_.find(text);
    if (found == messages_.end()) return;
    if (found->second.acknowledged && !found->second.received) --missing_;
    found->second.received = true;
  }

  [[nodiscard]] std::size_t acknowledged_count() const { return locked(acknowledged_); }
  [[nodiscard]] std::size_t received_count() const { return locked(received_); }
  [[nodiscard]] std::size_t connection_count() const {
    const std::lock_guard lock(mutex_);
    return connections_.size();
  }
  /// Acknowledged and not received yet.
  [[nodiscard]] std::size_t missing_count() const { return locked(missing_); }
  [[nodiscard]] std::size_t arrivals(ConnectionNumber connection) const {
    const std::lock_guard lock(mutex_);
    return connections_[connection].arrivals.size();
  }

  /// Returns the broken promises in words; none if all were kept. Lost: acknowledged and not
  /// received. Invented: received without being sent, or by another user. Reordered: behind a later
  /// one on one connection. Repeated: twice on one connection; on a later one it is allowed.
  [[nodiscard]] std::vector<std::string> check() const {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> problems;
    for (const auto& [text, message] : messages_) {
      if (message.acknowledged && !message.received) {
        problems.push_back("lost: " + brief(text) + " of " + message.user);
      }
    }
    for (std::size_t i = 0; i < connections_.size(); ++i) check_connection(i, problems);
    return problems;
  }

 private:
  struct Message {
    std::string user;
    int attempts = 0;
    bool acknowledged = false;
    bool received = false;
    std::int64_t sequence = 0;
  };
  struct Arrival {
    std::string text;
    std::optional<std::int64_t> sequence;
  };
  struct Connection {
    std::string user;
    std::vector<Arrival> arrivals;
  };

  [[nodiscard]] std::size_t locked(const std::size_t& count) const {
    const std::lock_guard lock(mutex_);
    return count;
  }
  static std::string brief(const std::string& text) { return text.substr(0, 60); }

  void check_connection(std::size_t number, std::vector<std::string>& problems) const {
    const Connection& connection = connections_[number];
    const std::string where = " on connection " + std::to_string(number) + " of " + connection.user;
    std::set<std::string_view> seen;
    std::int64_t highest = 0;
    std::string highest_text;
    for (const Arrival& arrival : connection.arrivals) {
      const auto found = messages_.find(arrival.text);
      if (found == messages_.end() || found->second.attempts == 0 ||
          found->second.user != connection.user) {
        problems.push_back("invented: " + brief(arrival.text) + where);
        continue;
      }
      if (!seen.insert(arrival.text).second) {
        problems.push_back("repeated: " + brief(arrival.text) + where);
        continue;
      }
      const auto sequence = arrival.sequence ? arrival.sequence : sequence_of(found->second);
      if (!sequence) continue;
      if (*sequence <= highest) {
        problems.push_back("reordered: " + brief(arrival.text) + " behind " + brief(highest_text) +
                           where);
        continue;
      }
      highest = *sequence;
      highest_text = arrival.text;
    }
  }
  // One that was sent again may have been accepted twice, under two sequences.
  static std::optional<std::int64_t> sequence_of(const Message& message) {
    if (!message.acknowledged || message.attempts != 1) return std::nullopt;
    return message.sequence;
  }

  mutable std::mutex mutex_;
  std::map<std::string, Message, std::less<>> messages_;
  std::vector<Connection> connections_;
  std::size_t acknowledged_ = 0;
  std::size_t received_ = 0;
  std::size_t missing_ = 0;
};

}  // namespace holdfast::test
