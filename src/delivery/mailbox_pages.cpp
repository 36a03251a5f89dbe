// Lets a connection that stands below the floor catch up: page by page from the store.

#include <algorithm>
#include <utility>

#include <holdfast/base/assert.hpp>

#include "mailbox.hpp"

namespace holdfast::delivery {

void Mailbox::catch_up(Cursor& cursor) {
  using Unsent = SendUnsentMessages;
  switch (cursor.unsent.state()) {
    case Unsent::State::caught_up:
      if (cursor.has_credit()) advance(cursor, Unsent::Event::fell_behind);
      break;
    case Unsent::State::reading_page:
      request_page(cursor);
      break;
    case Unsent::State::sending_page:
      advance(cursor,
              cursor.has_credit() ? Unsent::Event::page_sent : Unsent::Event::credit_used_up);
      break;
    case Unsent::State::awaiting_page_ack:
      if (cursor.has_credit()) advance(cursor, Unsent::Event::acknowledged);
      break;
    case Unsent::State::deleting:
    case Unsent::State::connection_closed:
      break;
  }
}

void Mailbox::advance(Cursor& cursor, SendUnsentMessages::Event event, const ArrivedPage* page) {
  using Action = SendUnsentMessages::Action;
  const Action action = cursor.unsent.on(event);
  if (action == Action::begin_and_read) shard_.events.begins_to_catch_up(cursor);
  shard_.events.moved_on(cursor);
  switch (action) {
    case Action::none:
      return;
    case Action::begin_and_read:
    case Action::read:
      request_page(cursor);
      break;
    case Action::read_later:
      read_later();
      break;
    case Action::send_page:
      HOLDFAST_ASSERT(page != nullptr, "cursor.sends_a_page_that_arrived");
      send_page(cursor, *page);
      break;
    case Action::erase:
      erase_settled();
      advance(cursor, SendUnsentMessages::Event::deletes_handed);
      break;
    case Action::finish:
      shard_.events.caught_up(cursor);
      break;
  }
}

void Mailbox::read_later() {
  row_access_.wait_to_read();
  retry_later();
}

void Mailbox::request_page(Cursor& cursor) {
  // One page read at a time; and a sweep that may run late must not expire what a page brought.
  if (!row_access_.can_read()) return;
  // Ranges join when what lies between them is acknowledged and erased.
  if (const PassedOverRows* const rows = passed_over(); rows && rows->ranges.is_full()) return;
  PageQuery query;
  query.user = user_;
  query.above = cursor.position();
  query.up_to = log_.floor();
  query.messages = cursor.credit_messages();
  query.bytes = cursor.page_bytes();
  query.now = shard_.wall_now();
  if (shard_.may_expire()) {
    query.expire_above = furthest_position();
  }
  const bool judges = query.expire_above.has_value();
  if (judges) ++shard_.judging;
  row_access_.begin_read(
      static_cast<std::size_t>(std::ranges::find(cursors_, &cursor) - cursors_.begin()));
  shard_.store.read_page(std::move(query), [pass = enter(), judges, serial = cursor.serial(),
                                            mark = log_.floor()](Result<Page> result) mutable {
    Mailbox& mailbox = pass.leave();
    if (judges) mailbox.shard_.end_judging();
    mailbox.on_page(serial, mark, std::move(result));
  });
}

void Mailbox::on_page(std::uint64_t serial, Sequence mark, Result<Page> result) {
  const ShardContext::Turn turn(shard_);
  row_access_.end_read();
  const auto found =
      std::ranges::find_if(cursors_, [&](const Cursor* c) { return c->serial() == serial; });
  Cursor* const cursor = found == cursors_.end() ? nullptr : *found;
  if (!result) {
    if (cursor != nullptr) {
      advance(*cursor, SendUnsentMessages::Event::read_failed);
    } else {
      read_later();
    }
    shard_.changed(*this);
    return;
  }
  shard_.add_rows(rows_, -result->expired.messages, -result->expired.bytes);
  shard_.add_rows(rows_, -result->damaged.messages, -result->damaged.bytes);
  shard_.events.expired(user_, result->expired);
  shard_.events.damaged(user_, result->damaged);
  if (cursor != nullptr && shard_.sends() && receives(*cursor)) {
    pass_over(*result);
    const ArrivedPage arrived{.mark = mark, .page = *result};
    advance(*cursor, SendUnsentMessages::Event::page_arrived, &arrived);
  }
  shard_.changed(*this);
}

void Mailbox::send_page(Cursor& cursor, const ArrivedPage& arrived) {
  for (const MessagePtr& message : arrived.page.messages) {
    const bool is_past = message->sequence <= std::max(cursor.position(), log_.settled());
    if (is_past || was_passed_over(message->sequence)) {
      cursor.move_to(message->sequence);
      continue;
    }
    if (!cursor.has_credit()) return;  // frames are longer than payloads: the rest is read again
    cursor.send(*message, Cursor::Source::store);
    shard_.events.sent_from_page(cursor, message->sequence);
  }
  if (arrived.page.end) cursor.move_to(arrived.mark);
}

}  // namespace holdfast::delivery
