// One connection: sends it messages and fences, and settles what it acknowledges.

#include "cursor.hpp"

#include <algorithm>
#include <chrono>

#include <holdfast/base/assert.hpp>

#include "frame.hpp"
#include "mailbox.hpp"
#include "shard_context.hpp"

namespace holdfast::delivery {
namespace {

/// Unrecognized texts: so many at once, and so many a second, before it is a flood.
constexpr std::uint32_t kTextsAtOnce = 64;
constexpr std::uint32_t kTextsPerSecond = 8;
/// Acknowledged fences that are counted: doubled so often, any first distance is far enough.
constexpr std::uint8_t kFencesCounted = 16;
/// Texts that are no messages may wait for a slow client up to this part of its credit.
constexpr std::size_t kPostedShare = 4;
/// Limits each text that a client says of itself.
constexpr std::size_t kDetailBytes = 128;

std::string_view cut(std::string_view text) { return text.substr(0, kDetailBytes); }

/// Scatters the idle Pings of connections that were opened together over the last quarter.
Microseconds jittered(Milliseconds period, std::uint64_t seed) noexcept {
  const std::uint64_t scattered = (seed * 0x9e3779b97f4a7c15U) >> 54;  // 0 to 1023
  const auto quarter = Microseconds(period).count() / 4;
  return Microseconds(period) - Microseconds(quarter * static_cast<std::int64_t>(scattered) / 1024);
}

}  // namespace

Cursor::Cursor(ShardContext& shard, Mailbox& mailbox, const ConnectionInfo& info,
               ProtocolPtr protocol, std::shared_ptr<Connection> connection)
    : shard_(shard),
      mailbox_(&mailbox),
      connection_(std::move(connection)),
      protocol_(std::move(protocol)),
      connected_at_(info.connected_at),
      serial_(shard.next_serial++),
      page_bytes_(static_cast<std::uint32_t>(shard.limits.first_page_bytes)),
      opened_s_(static_cast<std::uint32_t>(
          std::chrono::floor<Seconds>(shard.boot_now().time_since_epoch()).count())),
      active_ms_(now_ms()) {
  HOLDFAST_ASSERT(connection_->can_fence() || protocol_->proof() == Proof::client,
                  "cursor.can_be_acknowledged");
  std::string packed;
  for (const std::string* const part :
       {&info.id.str(), &info.username, &info.remote_address, &info.user_agent, &info.login}) {
    packed.push_back(static_cast<char>(cut(*part).size()));
    packed.append(cut(*part));
  }
  details_ = std::make_unique_for_overwrite<char[]>(packed.size());
  std::ranges::copy(packed, details_.get());
}

std::string_view Cursor::detail(int n) const noexcept {
  const char* at = details_.get();
  for (; n > 0; --n) at += 1 + static_cast<unsigned char>(*at);
  return {at + 1, static_cast<unsigned char>(*at)};
}

ConnectionInfo Cursor::info() const {
  ConnectionInfo out;
  out.id = ConnectionId(std::string(id()));
  out.user = mailbox_->user();
  out.username = detail(1);
  out.remote_address = detail(2);
  out.user_agent = detail(3);
  out.login = login();
  out.connected_at = connected_at_;
  out.last_active_at =
      std::max(connected_at_, shard_.wall_now() - Milliseconds(now_ms() - active_ms_));
  return out;
}

const UserId& Cursor::user() const noexcept { return mailbox_->user(); }

Cursor::Window& Cursor::window() {
  if (!window_) window_ = std::make_unique<Window>(identifier_u64(), connection_->bytes_sent());
  return *window_;
}

std::size_t Cursor::unacked_messages() const noexcept {
  return window_ ? window_->unacked.size() : 0;
}

std::size_t Cursor::unacked_bytes() const noexcept { return window_ ? window_->unacked_bytes : 0; }

std::size_t Cursor::fences() const noexcept { return window_ ? window_->fences.outstanding() : 0; }

/// The last one at or below `sequence` that is not acknowledged.
const Cursor::Unacked* Cursor::last_up_to(Sequence sequence) const noexcept {
  const std::size_t above = window_ ? first_above(window_->unacked, sequence) : 0;
  return above == 0 ? nullptr : &window_->unacked[above - 1];
}

void Cursor::on_fence(std::string_view bytes) {
  const ShardContext::Turn turn(shard_);
  if (state == State::ended) return;
  active_ms_ = now_ms();
  if (!window_) return;
  const auto fence = window_->fences.match(bytes);
  if (!fence) return;
  shard_.metrics.fence_round_trip.record(now_us() - fence->sent_us);
  if (fences_back_ < kFencesCounted) ++fences_back_;
  progress_at_ = shard_.steady_now();
  taken_known_ = false;
  window_->answered = fence->end;
  if (protocol_->proof() == Proof::fence) mailbox_->acknowledge(*this, fence->sequence);
  // Texts that found all fences in flight get their own now, even when there is no more to send.
  if (unfenced_) mark_dirty();
  if (state == State::close_pending && quiet()) shard_.send_close(*this);
}

void Cursor::on_text(std::string_view text) {
  const ShardContext::Turn turn(shard_);
  if (state == State::ended) return;
  active_ms_ = now_ms();
  const bool delivered = protocol_->delivers();
  Frames answer;
  const ClientText said = protocol_->read(text, context(), answer);
  if (said.unrecognized && is_flood()) {
    return close_for_violation(CloseReason::policy_violation, "too many messages");
  }
  if (said.violation) return close_for_violation(said.violation->reason, said.violation->text);
  write(answer);
  if (said.acknowledges) on_ack(*said.acknowledges);
  look_at_delivery(delivered);
}

void Cursor::on_closed(const ConnectionEnd& end) {
  const ShardContext::Turn turn(shard_);
  if (state != State::ended) mailbox_->detach(*this, end);
  shard_.on_connection_gone(this);
}

void Cursor::on_ack(Sequence sequence) {
  const Unacked* const newest = last_up_to(sequence);
  const bool written = newest == nullptr || newest->end <= connection_->bytes_sent();
  if (sequence > sent_ || !written) {
    close_for_violation(CloseReason::policy_violation, "acknowledges what was not sent");
    return;
  }
  mailbox_->acknowledge(*this, sequence);
  if (state == State::close_pending && quiet()) shard_.send_close(*this);
}

bool Cursor::is_flood() {
  shard_.metrics.foreign_texts.add();
  const std::uint32_t now = now_ms();
  const std::uint32_t forgiven = (now - texts_since_ms_) / (1000 / kTextsPerSecond);
  if (forgiven > 0) {
    texts_ -= std::min(texts_, forgiven);
    texts_since_ms_ = now;
  }
  return ++texts_ > kTextsAtOnce;
}

ProtocolContext Cursor::context() const noexcept {
  return {.connection_id = id(), .now = shard_.steady_now()};
}

void Cursor::write(const Frames& frames) {
  if (frames.empty() || state != State::open || !shard_.sends()) return;
  for (const std::string& frame : frames) write_text(frame);
  mark_dirty();
}

std::uint64_t Cursor::write_text(std::string_view text) {
  const WriteResult written = connection_->write_text(text);
  // The client reads too little of what it is sent. What it has not acknowledged stays pending.
  if (written.state == WriteResult::State::backpressure) connection_->abort();
  return written.end;
}

void Cursor::look_at_delivery(bool delivered) {
  if (state != State::ended && protocol_->delivers() != delivered) mailbox_->on_delivers(*this);
}

void Cursor::greet() {
  Frames greeting;
  protocol_->open(context(), greeting);
  write(greeting);
}

void Cursor::tick() {
  const bool delivered = protocol_->delivers();
  Frames due;
  if (const auto violation = protocol_->tick(context(), due)) {
    return close_for_violation(violation->reason, violation->text);
  }
  write(due);
  look_at_delivery(delivered);
}

void Cursor::close_for_violation(CloseReason reason, std::string_view text) {
  shard_.events.broke_rules(*this, text);
  if (state == State::closing) {
    connection_->abort();  // its Close is sent already
  } else {
    connection_->close(reason, text);
  }
  mailbox_->detach(*this, {.by = ConnectionEnd::By::client, .code = ConnectionEnd::kViolation});
}

void Cursor::detach() noexcept {
  state = State::ended;
  mailbox_ = nullptr;
}

bool Cursor::one_by_one() const noexcept {
  if (!window_) return false;
  const Ring<Unacked>& unacked = window_->unacked;
  return (unacked.empty() ? position_ : unacked.front().sequence - 1) < window_->alone_to;
}

bool Cursor::has_credit() const noexcept {
  if (one_by_one()) return unacked_messages() == 0;
  return unacked_messages() < shard_.limits.credit_messages &&
         unacked_bytes() < shard_.limits.credit_bytes;
}

std::size_t Cursor::credit_messages() const noexcept {
  if (one_by_one()) return 1;
  return shard_.limits.credit_messages - unacked_messages();
}

std::size_t Cursor::page_bytes() const noexcept {
  const std::size_t credit = shard_.limits.credit_bytes;
  return std::min<std::size_t>(page_bytes_, credit - std::min(credit, unacked_bytes()));
}

bool Cursor::is_unacked(Sequence sequence) const noexcept {
  const Unacked* const newest = last_up_to(sequence);
  return newest != nullptr && newest->sequence == sequence;
}

void Cursor::send(const Message& message, Source source) {
  HOLDFAST_ASSERT(message.sequence > position_, "cursor.sends_in_order");
  const std::string_view frame = shard_.encoder.encode(message, *protocol_);
  const auto bytes = static_cast<std::uint32_t>(frame.size());
  // A message that has arrived is not to wait for the acknowledgement of a long one behind it.
  if (unfenced_ && unfenced_bytes_ + bytes > fence_bytes()) fence();
  Window& under_way = window();
  const std::uint64_t end = under_way.written = write_text(frame);
  position_ = sent_ = message.sequence;
  active_ms_ = now_ms();
  under_way.unacked.push_back({.sequence = message.sequence,
                               .end = end,
                               .accepted_at = message.accepted_at,
                               .bytes = bytes,
                               .from_store = source == Source::store,
                               .sent_ms = active_ms_,
                               .id = message.id});
  under_way.unacked_bytes += bytes;
  unfenced_ = true;
  unfenced_bytes_ += bytes;
  if (unfenced_bytes_ >= fence_bytes()) fence();
  mark_dirty();
}

std::uint64_t Cursor::posted_bytes_waiting() const noexcept {
  const std::uint64_t sent = connection_->bytes_sent();
  return window_ && window_->posted > sent ? window_->posted - sent : 0;
}

bool Cursor::post(std::string_view text) {
  const std::uint64_t waiting = posted_bytes_waiting();
  // Messages have the connection's credit; this is beside it, and must not end the connection.
  if (waiting > 0 && waiting + text.size() > shard_.limits.credit_bytes / kPostedShare) {
    return false;
  }
  Window& under_way = window();
  under_way.posted = under_way.written = write_text(text);
  active_ms_ = now_ms();
  mark_dirty();
  return true;
}

Sequence Cursor::settle(Sequence sequence, Sequence known) {
  if (!window_) return 0;
  Unacked last;
  Ring<Unacked>& unacked = window_->unacked;
  while (!unacked.empty() && unacked.front().sequence <= sequence) {
    last = unacked.front();
    HOLDFAST_ASSERT(last.bytes <= window_->unacked_bytes, "cursor.counts_unacknowledged_bytes");
    window_->unacked_bytes -= last.bytes;
    longest_taken_ = std::max<std::uint32_t>(longest_taken_, last.bytes);
    if (last.sequence > known) count_acknowledged(last);
    unacked.pop_front();
  }
  if (last.sequence == 0) return 0;
  HOLDFAST_ASSERT(last.sequence <= sent_ && sent_ <= position_, "cursor.settles_what_it_was_sent");
  measure(last.sent_ms);
  page_bytes_ = static_cast<std::uint32_t>(
      std::min<std::size_t>(std::size_t{2} * page_bytes_, shard_.limits.credit_bytes));
  return last.sequence;
}

void Cursor::mark_rejected(Sequence sequence) noexcept {
  const std::size_t above = window_ ? first_above(window_->unacked, sequence) : 0;
  if (above == 0) return;
  Unacked& newest = window_->unacked[above - 1];
  if (newest.sequence == sequence) newest.rejected = 1;
}

void Cursor::count_acknowledged(const Unacked& message) noexcept {
  const std::int64_t took_us = (shard_.wall_now() - message.accepted_at).count();
  if (message.from_store != 0) {
    shard_.metrics.held_acknowledgement.record(took_us);
  } else {
    shard_.metrics.acknowledgement.record(took_us);
  }
}

void Cursor::measure(std::uint32_t sent_ms) noexcept {
  // One long silence must not keep every later message on the disk for long.
  const auto longest = static_cast<std::uint32_t>(2 * shard_.limits.ack_wait.count());
  const std::uint32_t sample = std::min(now_ms() - sent_ms, longest);
  round_trip_ms_x8_ = round_trip_ms_x8_ - round_trip_ms_x8_ / 8 + sample;
}

bool Cursor::slow() const noexcept {
  return round_trip_ms_x8_ / 8 > shard_.limits.ack_wait.count() / 2;
}

void Cursor::fence(bool idle) {
  if (!unfenced_ && !idle) return;
  if (state != State::open && state != State::close_pending) return;
  if (!connection_->can_fence()) {
    unfenced_ = false;
    unfenced_bytes_ = 0;
    return;
  }
  if (fences() >= shard_.limits.fences || !shard_.sends()) return;
  if (fences() == 0) {
    progress_at_ = shard_.steady_now();
    taken_known_ = false;
  }
  Window& under_way = window();
  const std::uint64_t before = std::max(under_way.written, connection_->bytes_sent());
  connection_->write_fence(under_way.fences.add(sent_, now_us(), before).view());
  HOLDFAST_ASSERT(fences() <= shard_.limits.fences, "cursor.fences_in_flight_are_bounded");
  unfenced_ = false;
  unfenced_bytes_ = 0;
  ping_at_ =
      shard_.steady_now() +
      jittered(shard_.limits.idle_ping,
               serial_ ^ static_cast<std::uint64_t>(progress_at_.time_since_epoch().count()));
}

// The first fences of a connection stand close, the next ones ever further apart: over a link that
// never lasts for a whole page, every connection still acknowledges part of what it received.
std::size_t Cursor::fence_bytes() const noexcept {
  const std::size_t doublings = fences_back_ + fences();
  return std::min(
      shard_.limits.fence_bytes,
      shard_.limits.first_fence_bytes << std::min<std::size_t>(kFencesCounted, doublings));
}

bool Cursor::quiet() const noexcept { return unacked_messages() == 0 && fences() == 0; }

bool Cursor::sweep() {
  if (state == State::open) tick();
  if (state == State::attached || state == State::ended) return false;
  const SteadyTime now = shard_.steady_now();
  if (fences() == 0) {
    if (unacked_messages() == 0 && posted_bytes_waiting() == 0 && !one_by_one()) window_.reset();
    if (state == State::open && now >= ping_at_) {
      fence(true);
      mark_dirty();
    }
    return false;
  }
  if (now - progress_at_ < shard_.limits.ack_timeout / 4) return false;
  const std::uint64_t taken = connection_->bytes_taken();
  const bool compared = std::exchange(taken_known_, true);
  const bool moved = std::exchange(bytes_taken_, taken) != taken;
  if (!compared) return false;  // the first look only learns where the peer stands
  if (moved) progress_at_ = now;
  return now - progress_at_ >= patience(connection_->bytes_arrived());
}

// Bytes in the peer's kernel may still be on their way: a proxy takes all at once and passes it on
// as slowly as its link is. What is still here has progress of its own, so that a peer that
// vanished is not waited for longer on its account.
Microseconds Cursor::patience(std::uint64_t arrived) const noexcept {
  const std::uint64_t on_its_way = arrived > window_->answered ? arrived - window_->answered : 0;
  const std::uint64_t rate = std::max<std::uint64_t>(1, shard_.limits.least_bytes_per_second);
  const auto extra = static_cast<std::int64_t>(on_its_way * 1'000'000 / rate);
  return shard_.limits.ack_timeout + Microseconds(extra);
}

void Cursor::begin_at(Sequence position) noexcept {
  HOLDFAST_ASSERT(state == State::attached, "cursor.begins_once");
  position_ = position;
  state = State::open;
  progress_at_ = shard_.steady_now();
  ping_at_ = connection_->can_fence() ? progress_at_ + jittered(shard_.limits.idle_ping, serial_)
                                      : SteadyTime::max();
}

void Cursor::take_care(Sequence alone_to) {
  window().alone_to = alone_to;
  careful_ = true;
  fence(true);
  mark_dirty();
}

std::optional<MessageId> Cursor::id_of(Sequence sequence) const {
  const Unacked* const found = last_up_to(sequence);
  if (found == nullptr || found->sequence != sequence) return std::nullopt;
  return found->id;
}

Sequence Cursor::first_unacked(Sequence settled) const noexcept {
  if (!window_) return 0;
  const std::size_t at = first_above(window_->unacked, settled);
  return at == window_->unacked.size() ? 0 : window_->unacked[at].sequence;
}

std::optional<EndedAt> Cursor::ended_at(const ConnectionEnd& end, Sequence settled) const {
  if (!window_) return std::nullopt;
  const Ring<Unacked>& unacked = window_->unacked;
  const std::uint64_t sent = connection_->bytes_sent();
  std::size_t at = first_above(unacked, settled);
  if (at == unacked.size()) return std::nullopt;
  const Unacked& first = unacked[at];
  const bool by_client = end.by == ConnectionEnd::By::client;
  // A client may refuse a frame by its header. Without its word, it must have had the whole.
  const bool reached = by_client ? first.end - first.bytes < sent || first.end <= sent
                                 : first.end <= connection_->bytes_arrived();
  if (!reached) return std::nullopt;
  EndedAt out{.first = first.sequence,
              .last = first.sequence,
              .bytes = first.bytes,
              .alone = true,
              .longest = true,
              .heard = fences_back_ > 0,
              .by_client = by_client,
              .code = end.code,
              .next_serial = shard_.next_serial};
  const Sequence fenced = window_->fences.first_behind(first.sequence).value_or(sent_);
  for (++at; at < unacked.size() && unacked[at].end - unacked[at].bytes < sent; ++at) {
    out.alone = false;
    out.longest = out.longest && unacked[at].bytes <= first.bytes;
    if (unacked[at].sequence <= fenced) out.last = unacked[at].sequence;
  }
  return out;
}

void Cursor::flush() {
  fence();
  connection_->flush();
}

void Cursor::mark_dirty() { shard_.flush_later(*this); }

std::uint32_t Cursor::now_us() const noexcept {
  return static_cast<std::uint32_t>(shard_.steady_now().time_since_epoch().count());
}

std::uint32_t Cursor::now_ms() const noexcept {
  return static_cast<std::uint32_t>(shard_.steady_now().time_since_epoch().count() / 1000);
}

}  // namespace holdfast::delivery
