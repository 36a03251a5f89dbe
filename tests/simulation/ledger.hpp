#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <holdfast/delivery/message_store.hpp>

namespace holdfast::simulation {

/// A moment of a run: its step, and the life of the machine's memory that it lies in. A life ends
/// with a crash, which may undo what was not on the disk.
struct Moment {
  std::uint64_t step = 0;
  int life = 0;
};

/// One text that a producer sent, under a key or not, as often as it was sent.
struct Text {
  std::string user;
  std::string body;  ///< no other text has it
  std::optional<std::string> key;
  std::vector<delivery::Receipt> receipts;
  std::optional<Moment> acknowledged;  ///< first, in the newest life that knows of it
  int attempts = 0;
  int unanswered = 0;
  int received = 0;
  /// A crash came between a send and its answer, or an operator sent it again: it may exist twice.
  bool may_repeat = false;
  /// An attempt was refused: it may have been received all the same, and the next is received anew.
  bool attempt_refused = false;
  /// What it must not be unless an attempt that is not answered yet will be refused.
  std::string unless_refused;
  bool letter_destroyed = false;
  /// Something happened that makes a dead letter of what is pending.
  bool may_die = false;
  int ends = 0;          ///< of its user's connections since it was sent
  bool refused = false;  ///< by a client that takes nothing so long
};

/// One connection as its client sees it.
struct Seen {
  Moment opened;
  std::vector<Text*> texts;         ///< received, in order
  std::vector<Sequence> sequences;  ///< of those; 0 where the frame does not tell
  std::size_t acknowledged = 0;     ///< of `texts`
  Sequence last = 0;
};

/// What is left when everything has come to rest.
struct Rest {
  std::map<MessageId, std::string> letters;  ///< with their reasons
  bool evicted = false;                      ///< there may have been more dead letters
  int poison_attempts = 0;
};

/// Everything that was promised, checked from outside: what producers were answered, what clients
/// received and acknowledged, and what is on the disk in the end. Keeps the first broken promise.
class Ledger {
 public:
  Text& new_text(std::string user, std::string body, std::optional<std::string> key);
  [[nodiscard]] Text* find(std::string_view body);
  [[nodiscard]] std::deque<Text>& texts() noexcept { return texts_; }

  void sent(Text& text) { ++text.attempts, ++text.unanswered; }
  /// `at_once`: nothing lies between the decision and this call.
  void answered(Text& text, const delivery::SendOutcome& outcome, bool at_once, Moment now);
  void received(Seen& seen, const std::string& user, std::string_view body, Sequence sequence,
                Moment now);
  void acknowledged(Seen& seen, std::size_t count, Moment now);
  /// The machine's memory is gone: what was not answered may exist or not.
  void crashed();
  /// What was sent under a key so far may be accepted once more.
  void forget_keys();
  /// Likewise of what waits for its answer.
  void forget_keys_under_way();
  /// Everything has come to rest, every user was connected and acknowledged everything.
  void finish(const Rest& rest);
  /// What this user was sent so far may become dead letters.
  void may_die(const std::string& user);
  /// A connection of this user ends, perhaps at a message; `refused`: for its length.
  void ended(const std::string& user, bool refused);

  void broken(std::string what, Moment now);
  [[nodiscard]] const std::optional<std::string>& first_broken() const noexcept { return broken_; }

 private:
  std::deque<Text> texts_;
  std::map<std::string, Text*, std::less<>> by_body_;
  std::optional<std::string> broken_;
};

}  // namespace holdfast::simulation
