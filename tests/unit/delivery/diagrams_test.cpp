// The state diagrams of docs/design.md against the machines that they show.

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "delivery/send_message.hpp"
#include "delivery/send_unsent_messages.hpp"

namespace holdfast::delivery {
namespace {

using Lines = std::set<std::string>;

struct SendMessageNames {
  static constexpr std::array<std::string_view, SendMessage::kStates> states = {
      "Received",  "LookUpConnection", "Sending",   "AwaitingAck", "Storing", "AckedStoring",
      "Recording", "Failed",           "Delivered", "Stored",      "Rejected"};
  static constexpr std::array<std::string_view, SendMessage::kEvents> events = {
      "accepted",  "connection ready", "no connection",   "sent",         "sent slowly",
      "not sent",  "overtaken",        "connection lost", "timed out",    "acknowledged",
      "committed", "commit failed",    "recorded",        "record failed"};
  static constexpr std::array<std::string_view, 10> actions = {"",
                                                               "look up",
                                                               "send",
                                                               "await ack",
                                                               "store",
                                                               "record",
                                                               "await last ack",
                                                               "answer delivered",
                                                               "answer stored",
                                                               "reject"};
};

struct SendUnsentMessagesNames {
  static constexpr std::array<std::string_view, SendUnsentMessages::kStates> states = {
      "CaughtUp", "ReadingPage", "SendingPage", "AwaitingPageAck", "Deleting", "ConnectionClosed"};
  static constexpr std::array<std::string_view, SendUnsentMessages::kEvents> events = {
      "fell behind",  "page arrived",   "read failed",  "page sent", "credit used up",
      "acknowledged", "deletes handed", "reached tail", "closed"};
  static constexpr std::array<std::string_view, 7> actions = {
      "", "begin and read", "read", "read later", "send page", "erase", "finish"};
};

/// The arrows of a machine as the diagram writes them.
template <class Names>
class Arrows {
 public:
  void add(std::size_t from, std::size_t to, std::size_t action, std::string event) {
    const auto arrow = std::tuple(from, to, action);
    const auto same = std::ranges::find(arrows_, arrow, &Arrow::first);
    if (same == arrows_.end()) {
      arrows_.emplace_back(arrow, std::move(event));
    } else {
      same->second += ", " + event;
    }
  }
  [[nodiscard]] Lines lines() const {
    Lines out;
    for (const auto& [arrow, events] : arrows_) {
      const auto [from, to, action] = arrow;
      std::ostringstream line;
      line << Names::states.at(from) << " --> " << Names::states.at(to) << ": " << events;
      if (action != 0) line << " / " << Names::actions.at(action);
      out.insert(line.str());
    }
    return out;
  }

 private:
  using Arrow = std::pair<std::tuple<std::size_t, std::size_t, std::size_t>, std::string>;
  std::vector<Arrow> arrows_;
};

struct Step {
  std::size_t to;
  std::size_t action;
  bool operator==(const Step&) const = default;
};

/// Returns the effect of an event in a state; nullopt when it means nothing there.
template <class Machine>
std::optional<Step> step(Machine machine, std::size_t event) {
  const auto before = machine.state();
  const auto action = machine.on(static_cast<typename Machine::Event>(event));
  if (machine.state() == before && action == Machine::Action::none) return std::nullopt;
  return Step{static_cast<std::size_t>(machine.state()), static_cast<std::size_t>(action)};
}

Lines machine_of_send_message() {
  Arrows<SendMessageNames> arrows;
  Lines ends = {"[*] --> Received"};
  for (std::size_t from = 0; from < SendMessage::kStates; ++from) {
    const auto state = static_cast<SendMessage::State>(from);
    if (SendMessage(false, state).finished()) {
      ends.insert(std::string(SendMessageNames::states.at(from)) + " --> [*]");
    }
    for (std::size_t event = 0; event < SendMessage::kEvents; ++event) {
      const auto plain = step(SendMessage(false, state), event);
      const auto remembered = step(SendMessage(true, state), event);
      const std::string name(SendMessageNames::events.at(event));
      if (plain) arrows.add(from, plain->to, plain->action, name);
      if (remembered && remembered != plain) {
        arrows.add(from, remembered->to, remembered->action, name + " [remembered]");
      }
    }
  }
  ends.merge(arrows.lines());
  return ends;
}

Lines machine_of_send_unsent_messages() {
  Arrows<SendUnsentMessagesNames> arrows;
  for (std::size_t from = 0; from < SendUnsentMessages::kStates; ++from) {
    const auto state = static_cast<SendUnsentMessages::State>(from);
    for (std::size_t event = 0; event < SendUnsentMessages::kEvents; ++event) {
      const auto next = step(SendUnsentMessages(state), event);
      if (next) {
        arrows.add(from, next->to, next->action,
                   std::string(SendUnsentMessagesNames::events.at(event)));
      }
    }
  }
  Lines out = {"[*] --> CaughtUp", "CaughtUp --> [*]", "ConnectionClosed --> [*]"};
  out.merge(arrows.lines());
  return out;
}

/// The arrows of the first diagram behind a heading.
Lines drawn_under(const std::string& heading) {
  std::ifstream file(HOLDFAST_SOURCE_DIR "/docs/design.md");
  std::string line;
  while (std::getline(file, line) && line != heading) {
  }
  while (std::getline(file, line) && line != "stateDiagram-v2") {
  }
  Lines out;
  while (std::getline(file, line) && line != "```") {
    const std::string arrow = line.substr(std::min(line.size(), line.find_first_not_of(' ')));
    EXPECT_TRUE(out.insert(arrow).second) << "drawn twice: " << arrow;
  }
  return out;
}

TEST(Diagrams, ShowSendMessageAsItIs) {
  EXPECT_THAT(drawn_under("### SendMessage"), testing::ContainerEq(machine_of_send_message()));
}

TEST(Diagrams, ShowSendUnsentMessagesAsItIs) {
  EXPECT_THAT(drawn_under("### SendUnsentMessages"),
              testing::ContainerEq(machine_of_send_unsent_messages()));
}

}  // namespace
}  // namespace holdfast::delivery
