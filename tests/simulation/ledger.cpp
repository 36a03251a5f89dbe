#include "simulation/ledger.hpp"

#include <algorithm>
#include <utility>

namespace holdfast::simulation {

using delivery::DeliveryStatus;

void Ledger::broken(std::string what, Moment now) {
  if (!broken_) broken_ = std::move(what) + " (step " + std::to_string(now.step) + ")";
}

Text& Ledger::new_text(std::string user, std::string body, std::optional<std::string> key) {
  Text& text = texts_.emplace_back();
  text.user = std::move(user);
  text.body = std::move(body);
  text.key = std::move(key);
  by_body_.emplace(text.body, &text);
  return text;
}

Text* Ledger::find(std::string_view body) {
  const auto found = by_body_.find(body);
  return found == by_body_.end() ? nullptr : found->second;
}

void Ledger::answered(Text& text, const delivery::SendOutcome& outcome, bool at_once, Moment now) {
  --text.unanswered;
  if (!outcome) {
    text.attempt_refused = true;
    text.unless_refused.clear();
    const bool alone = at_once && text.attempts == 1 && !text.may_repeat;
    if (alone && text.acknowledged && text.acknowledged->life == now.life) {
      broken("refused, though acknowledged: " + text.body, now);
    }
    return;
  }
  if (outcome->status == DeliveryStatus::delivered && !text.acknowledged) {
    broken("DELIVERED, acknowledged by nobody: " + text.body, now);
  }
  for (const delivery::Receipt& earlier : text.receipts) {
    if (text.key && !text.may_repeat &&
        (earlier.id != outcome->id || earlier.sequence != outcome->sequence ||
         earlier.status != outcome->status)) {
      broken("two answers under one deduplicationId: " + text.body, now);
    }
  }
  text.receipts.push_back(*outcome);
  if (text.unanswered == 0 && !text.unless_refused.empty() && !text.may_repeat) {
    broken(std::move(text.unless_refused), now);
  }
}

void Ledger::received(Seen& seen, const std::string& user, std::string_view body, Sequence sequence,
                      Moment now) {
  Text* const text = find(body);
  if (text == nullptr) {
    broken("received what nobody sent: " + std::string(body), now);
    return;
  }
  if (text->user != user) broken("received another user's text: " + text->body, now);
  const bool once =
      !text->may_repeat && (text->attempts == 1 || (text->key && !text->attempt_refused));
  const auto must_not = [&](const std::string& what) {
    if (text->attempts > 1 && text->unanswered > 0) {
      text->unless_refused = what + text->body;
    } else {
      broken(what + text->body, now);
    }
  };
  if (sequence == 0 && once && text->receipts.size() == 1 && text->attempts == 1) {
    sequence = text->receipts.front().sequence;
  }
  if (sequence != 0) {
    if (sequence <= seen.last) broken("out of order: " + text->body, now);
    seen.last = sequence;
  }
  if (once && std::ranges::find(seen.texts, text) != seen.texts.end()) {
    must_not("twice on one connection: ");
  }
  if (once && text->acknowledged && text->acknowledged->life == now.life &&
      seen.opened.step > text->acknowledged->step) {
    must_not("received again after its acknowledgement: ");
  }
  ++text->received;
  seen.texts.push_back(text);
  seen.sequences.push_back(sequence);
}

void Ledger::acknowledged(Seen& seen, std::size_t count, Moment now) {
  for (; seen.acknowledged < count; ++seen.acknowledged) {
    Text& text = *seen.texts[seen.acknowledged];
    if (!text.acknowledged || text.acknowledged->life != now.life) text.acknowledged = now;
  }
}

void Ledger::crashed() {
  for (Text& text : texts_) {
    if (text.unanswered > 0) text.may_repeat = true;
    text.unanswered = 0;
  }
}

void Ledger::forget_keys() {
  for (Text& text : texts_) text.may_repeat = text.may_repeat || text.key.has_value();
}

void Ledger::forget_keys_under_way() {
  for (Text& text : texts_) text.may_repeat = text.may_repeat || (text.key && text.unanswered > 0);
}

void Ledger::may_die(const std::string& user) {
  for (Text& text : texts_) text.may_die = text.may_die || text.user == user;
}

void Ledger::ended(const std::string& user, bool refused) {
  for (Text& text : texts_) {
    if (text.user != user) continue;
    text.may_die = true;
    ++text.ends;
    text.refused = text.refused || refused;
  }
}

void Ledger::finish(const Rest& rest) {
  const Moment end{};
  for (const Text& text : texts_) {
    const std::string who = text.body.substr(0, 8) + " of " + text.user;
    if (text.unanswered > 0) broken("unanswered: " + who, end);
    const std::string* reason = nullptr;
    for (const delivery::Receipt& receipt : text.receipts) {
      const auto letter = rest.letters.find(receipt.id);
      if (letter != rest.letters.end()) reason = &letter->second;
    }
    if (reason != nullptr && !text.may_die) broken("dead for no reason: " + who, end);
    const bool enough = text.refused || text.ends >= rest.poison_attempts;
    if (reason != nullptr && *reason == "undeliverable" && !enough) {
      broken("given up after " + std::to_string(text.ends) + " attempts: " + who, end);
    }
    if (text.receipts.empty() || text.acknowledged || text.letter_destroyed) continue;
    if (reason == nullptr && !(rest.evicted && text.may_die)) broken("lost: " + who, end);
  }
}

}  // namespace holdfast::simulation
