// A random schedule around one mailbox, with the promises that it checks.

#include "unit/delivery/mailbox_world.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <iostream>
#include <random>

namespace holdfast::delivery {
namespace {

constexpr std::int64_t kToleranceUs = 60'000'000;
constexpr Seconds kHold{600};
constexpr std::int64_t kSecondUs = 1'000'000;

template <class T, std::size_t N>
T choose(test::Choices& random, const std::array<T, N>& from) {
  return from[random() % N];
}

Sequence sequence_in(std::string_view frame) {
  const std::string_view name = R"("sequence":)";
  const std::size_t at = frame.find(name);
  return at == std::string_view::npos
             ? 0
             : std::strtoll(std::string(frame.substr(at + name.size(), 20)).c_str(), nullptr, 10);
}

std::string_view payload_in(std::string_view frame) {
  for (const std::string_view name : {R"("payload":")", R"({"Payload":")"}) {
    const std::size_t at = frame.find(name);
    if (at == std::string_view::npos) continue;
    frame.remove_prefix(at + name.size());
    return frame.substr(0, frame.size() - 2);
  }
  return frame;
}

}  // namespace

bool MailboxWorld::Peer::open() const noexcept {
  const bool expelled =
      connection->closing && connection->close_reason == CloseReason::policy_violation;
  return !closed && !connection->aborted && !expelled;
}

MailboxWorld::MailboxWorld(test::Choices choices, Faults faults)
    : random_(choices), faults_(faults) {
  limits_.tail_messages = choose<std::size_t>(random_, std::array<std::size_t, 4>{1, 2, 3, 3});
  limits_.credit_messages = choose<std::size_t>(random_, std::array<std::size_t, 3>{2, 2, 3});
  limits_.credit_bytes = choose<std::size_t>(random_, std::array<std::size_t, 3>{8, 1000, 1000});
  limits_.first_page_bytes = choose<std::size_t>(random_, std::array<std::size_t, 2>{1, 1000});
  limits_.fences = choose<std::size_t>(random_, std::array<std::size_t, 3>{1, 2, 2});
  limits_.fence_bytes = choose<std::size_t>(random_, std::array<std::size_t, 2>{1, 1000});
  limits_.first_fence_bytes = choose<std::size_t>(random_, std::array<std::size_t, 2>{1, 1000});
  limits_.connections_per_user = 2;
  limits_.pending_messages = choose<std::int64_t>(random_, std::array<std::int64_t, 3>{5, 9, 14});
  limits_.policy = random_() % 3 == 0 ? Policy::latest : Policy::all;
  limits_.executions = 64;
  slots_ = choose<std::size_t>(random_, std::array<std::size_t, 3>{16, 48, 96});
  for (const Weighted& action : actions()) {
    const double factor = action.fault ? choose<double>(random_, std::array{0., .2, .6, 2.})
                                       : choose<double>(random_, std::array{.3, 1., 2.});
    weights_.push_back(action.weight * factor);
  }
  boot();
}

MailboxWorld::~MailboxWorld() = default;

const std::vector<MailboxWorld::Weighted>& MailboxWorld::actions() {
  using W = MailboxWorld;
  static const std::vector<Weighted> table = {
      {"post", 14, false, &W::do_post},        {"open", 2.5, true, &W::do_open},
      {"client", 40, false, &W::do_client},    {"uplink", 40, false, &W::do_uplink},
      {"leave", .7, true, &W::do_leave},       {"mode", 1, true, &W::do_mode},
      {"block", 1, true, &W::do_block},        {"evil", 1, true, &W::do_evil},
      {"ack", 6, false, &W::do_ack},           {"tick", 2, false, &W::do_tick},
      {"take", 14, false, &W::do_take},        {"commit", 14, false, &W::do_commit},
      {"fail", 1.5, true, &W::do_fail},        {"retry", 4, false, &W::do_retry},
      {"deliver", 60, false, &W::do_deliver},  {"refuse", .3, true, &W::do_refuse},
      {"redrive", 1.5, true, &W::do_redrive},  {"close", .3, true, &W::do_close},
      {"delete", .8, true, &W::do_delete},     {"delete letter", .2, true, &W::do_delete_letter},
      {"advance", .8, true, &W::do_advance},   {"step", .4, true, &W::do_step},
      {"crash", .4, true, &W::do_crash},       {"restart", 9, false, &W::do_restart},
      {"shutdown", .3, true, &W::do_shutdown}, {"down", 8, false, &W::do_down},
  };
  return table;
}

// ---- the process

void MailboxWorld::boot() {
  phase_ = 0;
  accepted_seen_ = 0;
  time_ = {offset_us(), std::nullopt, clock_.steady_now()};
  caller_ = std::make_shared<SenderQuota>("caller");
  store_ = std::make_unique<test::FakeMessageStore>(database_, executor_, Mode::manual, slots_);
  connection_store_ = std::make_unique<test::FakeConnectionStore>();
  store_->on_insert_result = [this](const Message& m, bool ok) { on_insert_result(m, ok); };
  store_->on_expired = [this](const Message& m) { on_expired(m); };
  store_->on_moved = [this](const Message& m) { on_moved(m); };
  record_ = std::make_unique<test::EventRecord>();
  record_->on_event = [this](std::string_view what, const MessageEvent& e) { on_event(what, e); };
  booted_ = step_;
  StartState begin = database_->start(clock_.wall_now());
  MailboxesOptions options;
  options.limits = limits_;
  options.counter_start = begin.counter_start;
  options.ceiling = begin.ceiling;
  options.pending = std::move(begin.pending);
  options.deduplication = std::move(begin.deduplication);
  options.listeners = {record_.get()};
  mailboxes_ = std::make_unique<ShardMailboxes>(std::move(options), clock_, executor_, *store_,
                                                *connection_store_);
}

void MailboxWorld::wipe(bool crash) {
  check_events(false);
  if (crash) ++epoch_;
  ++life_;
  redriving_.clear();
  peers_.clear();
  mailboxes_.reset();
  executor_ = {};
  store_.reset();
  caller_.reset();
  if (crash && faults_.lose_last_commit) database_->lose_last_commit();
  check_disk();
  for (Accepted& message : all_) {
    if (message.status == Status::live && !message.answer && !message.acked && !on_disk(message)) {
      message.status = Status::gone;
    }
  }
}

// ---- what may happen next

bool MailboxWorld::do_post(std::uint64_t r) {
  if (!mailboxes_) return false;
  const std::size_t count = posts_.size();
  if (r % 3 != 0 || count == 0) {
    Post post;
    post.body = "m" + std::to_string(count);
    const std::size_t kind = r / 3 % 5;
    if (kind == 2 || kind == 3) post.key = "k" + std::to_string(count);
    if (kind == 4) post.key = "k" + std::to_string(count / 2);
    const std::size_t life = r / 15 % 4;
    if (life == 2) post.ttl = Seconds(50);
    if (life == 3) post.ttl = Seconds(200);
    posts_.push_back(post);
    send(post);
  } else {
    const Post again = posts_[count - 1 - r / 60 % std::min<std::size_t>(count, 6)];
    const bool ambiguous = std::ranges::any_of(all_, [&](const Accepted& message) {
      return message.post.body == again.body && around(message) &&
             now_us() - message.born_us > 170 * kSecondUs;
    });
    if (again.key && !ambiguous) send(again);
  }
  return true;
}

void MailboxWorld::send(const Post& post) {
  Call& call = calls_.emplace_back();
  call.post = post;
  SendRequest request;
  request.user = user_;
  request.payload = post.body;
  request.deduplication_id = post.key;
  request.ttl = post.ttl;
  request.caller = caller_;
  calling_ = &call;
  mailboxes_->send(std::move(request),
                   [this, &call](SendOutcome outcome) { on_answer(call, std::move(outcome)); });
  observe();
  calling_ = nullptr;
}

bool MailboxWorld::do_open(std::uint64_t r) {
  if (!mailboxes_ || phase_ > 0) return false;
  Peer& peer = peers_.emplace_back();
  peer.number = ++number_;
  peer.id = ConnectionId("c" + std::to_string(peer.number));
  peer.protocol = choose(
      random_, std::array{holdfast_v1_protocol, payload_protocol, raw_protocol, raw_protocol});
  peer.opened_step = step_;
  peer.connection = std::make_shared<test::FakeConnection>();
  peer.connection->on_text_written = [this, &peer](std::string_view f) { on_written(peer, f); };
  peer.connection->on_ping_written = [&peer](std::string_view bytes) {
    peer.pings.emplace_back(bytes);
  };
  ConnectionInfo info;
  info.id = peer.id;
  info.user = user_;
  mailboxes_->attach(info, peer.protocol(), peer.connection);
  if (r % 8 != 0) mailboxes_->start_delivery(peer.id);
  return true;
}

MailboxWorld::Peer* MailboxWorld::pick(std::uint64_t r, bool (*wanted)(const Peer&)) {
  std::vector<Peer*> found;
  for (Peer& peer : peers_) {
    if (!peer.closed && wanted(peer)) found.push_back(&peer);
  }
  return found.empty() ? nullptr : found[r % found.size()];
}

bool MailboxWorld::do_client(std::uint64_t r) {
  Peer* const peer = pick(
      r / 8, [](const Peer& p) { return !p.connection->sent.empty() && p.mode != Reading::slow; });
  if (peer == nullptr) return false;
  const std::size_t frames = r % 4 == 0 ? peer->connection->sent.size() : 1;
  for (std::size_t i = 0; i < frames; ++i) take_frame(*peer, r / 4 % 2 == 0);
  return true;
}

void MailboxWorld::take_frame(Peer& peer, bool skip_older_pings) {
  auto& sent = peer.connection->sent;
  const auto frame = std::move(sent.front());
  sent.pop_front();
  const bool deaf = peer.left || peer.mode == Reading::half_open;
  if (!deaf) peer.connection->take_bytes(frame.bytes.size() + 2);
  switch (frame.kind) {
    case test::FakeConnection::Kind::text: {
      Accepted* const message = peer.under_way.front();
      peer.under_way.pop_front();
      if (!deaf && message != nullptr) on_received(peer, *message);
      break;
    }
    case test::FakeConnection::Kind::ping: {
      // A client's stack may answer only the latest of several Pings.
      const bool newer = std::ranges::any_of(
          sent, [](const auto& f) { return f.kind == test::FakeConnection::Kind::ping; });
      if (deaf || (skip_older_pings && newer)) break;
      peer.up.push_back({Up::Kind::pong, frame.bytes, peer.received.size(), 0});
      break;
    }
    case test::FakeConnection::Kind::close:
      if (deaf) break;
      peer.left = true;
      peer.up.push_back({Up::Kind::closed, {}, 0, 0});
      break;
  }
}

bool MailboxWorld::do_uplink(std::uint64_t r) {
  Peer* const peer = pick(r, [](const Peer& p) { return !p.up.empty() || p.connection->aborted; });
  if (peer == nullptr) return false;
  feed(*peer);
  return true;
}

void MailboxWorld::feed(Peer& peer) {
  Up event{Up::Kind::closed, {}, 0, 0};
  if (!peer.up.empty()) {
    event = std::move(peer.up.front());
    peer.up.pop_front();
  }
  switch (event.kind) {
    case Up::Kind::pong: {
      const auto ping = std::ranges::find(peer.pings, event.bytes);
      if (ping != peer.pings.end()) {
        if (!peer.v1() && peer.open()) mark_acked(peer, event.received);
        peer.old_pings.push_back(event.bytes);
        peer.pings.erase(peer.pings.begin(), ping + 1);
      }
      peer.connection->pong(event.bytes);
      break;
    }
    case Up::Kind::text:
      feed_ack(peer, event);
      break;
    case Up::Kind::closed:
      if (!peer.connection->started()) break;
      peer.closed = true;
      peer.connection->end();
      break;
  }
  observe();
}

void MailboxWorld::feed_ack(Peer& peer, const Up& event) {
  if (peer.open() && peer.v1() && event.sequence > 0) {
    std::size_t count = 0;
    while (count < peer.received.size() && peer.received[count]->sequence <= event.sequence) {
      ++count;
    }
    mark_acked(peer, count);
  }
  peer.connection->text(event.bytes);
}

bool MailboxWorld::do_leave(std::uint64_t r) {
  Peer* const peer =
      pick(r / 2, [](const Peer& p) { return !p.left && p.mode != Reading::half_open; });
  if (peer == nullptr) return false;
  if (r % 2 == 0) peer->up.clear();  // a reset takes unread frames along
  peer->left = true;
  peer->up.push_back({Up::Kind::closed, {}, 0, 0});
  return true;
}

bool MailboxWorld::do_mode(std::uint64_t r) {
  Peer* const peer = pick(r / 8, [](const Peer& p) { return p.mode != Reading::half_open; });
  if (peer == nullptr) return false;
  peer->mode = std::array{Reading::well, Reading::slow, Reading::half_open, Reading::well,
                          Reading::slow}[r % 5];
  return true;
}

bool MailboxWorld::do_block(std::uint64_t r) {
  Peer* const peer = pick(r / 2, [](const Peer&) { return true; });
  if (peer == nullptr) return false;
  peer->connection->set_blocked(r % 2 == 0);
  return true;
}

bool MailboxWorld::do_evil(std::uint64_t r) {
  Peer* const peer = pick(r / 8, [](const Peer& p) {
    return p.connection->started() && !p.left && p.mode != Reading::half_open;
  });
  if (peer == nullptr) return false;
  const bool unsent = peer->connection->blocked && peer->connection->sent.empty() &&
                      !peer->written.empty() && peer->settled < peer->written.size() &&
                      peer->received.size() < peer->written.size();
  switch (r % 8) {
    case 0:
      peer->up.push_back({Up::Kind::pong, "forged", 0, 0});
      break;
    case 1:
    case 2:
      if (peer->old_pings.empty()) return false;
      peer->up.push_back({Up::Kind::pong, peer->old_pings[r / 8 % peer->old_pings.size()], 0, 0});
      break;
    case 3: {
      if (peer->pings.empty()) return false;
      std::string other = peer->pings.back();  // an outstanding one, but for a byte
      char& byte = other[r / 64 % other.size()];
      byte = byte == '0' ? '1' : '0';
      peer->up.push_back({Up::Kind::pong, other, 0, 0});
      break;
    }
    case 4:
      peer->up.push_back({Up::Kind::text, "hello", 0, 0});
      break;
    case 5:
      peer->up.push_back({Up::Kind::text, R"({"type":"ack","sequence":9007199254740991})", 0, 0});
      break;
    default:  // written, but not to the kernel
      if (!peer->v1() || !unsent) return false;
      peer->connection->text(R"({"type":"ack","sequence":)" +
                             std::to_string(peer->written.back()->sequence) + "}");
      coverage_["acknowledged before it was sent"]++;
      break;
  }
  return true;
}

bool MailboxWorld::do_ack(std::uint64_t r) {
  Peer* const peer = pick(r / 2, [](const Peer& p) {
    return p.v1() && !p.received.empty() && p.mode == Reading::well && !p.left;
  });
  if (peer == nullptr) return false;
  const std::size_t back = r % std::min<std::size_t>(2, peer->received.size());
  const Sequence sequence = peer->received[peer->received.size() - 1 - back]->sequence;
  peer->up.push_back({Up::Kind::text,
                      R"({"type":"ack","sequence":)" + std::to_string(sequence) + "}", 0,
                      sequence});
  return true;
}

bool MailboxWorld::do_tick(std::uint64_t r) {
  if (!mailboxes_) return false;
  clock_.advance(Milliseconds(std::array{1, 10, 60, 150}[r % 4]));
  mailboxes_->tick();
  observe();
  return true;
}

bool MailboxWorld::do_take(std::uint64_t r) {
  if (!store_) return false;
  return r % 4 == 2 ? store_->take_reads() : store_->take(r % 4 == 1);
}

bool MailboxWorld::do_commit(std::uint64_t) {
  if (!store_ || !store_->commit()) return false;
  check_disk();
  return true;
}

bool MailboxWorld::do_fail(std::uint64_t r) {
  // A stopping store is not seen to give a delete up: its disk would have to fail for seconds.
  const bool give_up_erases = r % 3 == 0 && phase_ == 0;
  if (!store_ || !store_->fail(give_up_erases, r % 5 == 0)) return false;
  coverage_["batch failed"]++;
  failed_since_closing_ = true;
  return true;
}

bool MailboxWorld::do_retry(std::uint64_t r) { return store_ && store_->retry(r % 2 == 0); }

bool MailboxWorld::do_deliver(std::uint64_t) {
  const bool ran = executor_.run_one();
  if (ran) observe();
  return ran;
}

bool MailboxWorld::do_refuse(std::uint64_t r) {
  if (store_) store_->refuse_reservations(r % 4 == 0);
  return store_ != nullptr;
}

bool MailboxWorld::do_redrive(std::uint64_t r) {
  if (!mailboxes_ || phase_ > 0 || database_->tables.dead_letters.empty()) return false;
  const auto& letters = database_->tables.dead_letters;
  const auto letter = std::next(letters.begin(), static_cast<std::ptrdiff_t>(r % letters.size()));
  Call& call = calls_.emplace_back();
  call.post.body = letter->second.message->payload;
  const MessageId id = letter->second.message->id;
  const bool first = redriving_.try_emplace(id, &call).second;
  mailboxes_->redrive(user_, id, {}, [this, &call, id, first](SendOutcome outcome) {
    observe();
    if (first) redriving_.erase(id);
    if (call.accepted != nullptr) on_answer(call, std::move(outcome));
  });
  return true;
}

bool MailboxWorld::do_delete(std::uint64_t r) {
  if (!mailboxes_ || phase_ > 0) return false;
  std::optional<MessageId> id;
  if (r % 3 != 0) {
    if (all_.empty()) return false;
    id = all_[all_.size() - 1 - r / 3 % std::min<std::size_t>(all_.size(), 8)].id;
  }
  mailboxes_->delete_pending(user_, id, "deleted", [this](const Result<Deletion>& deleted) {
    observe();
    if (!deleted) {
      ++coverage_[std::string("deletion refused ") + to_string(deleted.error().code)];
    } else if (deleted->moved.messages > 0) {
      ++coverage_["deleted"];
    }
  });
  return true;
}

bool MailboxWorld::do_delete_letter(std::uint64_t r) {
  const auto& letters = database_->tables.dead_letters;
  if (!mailboxes_ || phase_ > 0 || letters.empty()) return false;
  const MessageId id =
      std::next(letters.begin(), static_cast<std::ptrdiff_t>(r % letters.size()))->first;
  mailboxes_->delete_dead_letters({id}, [this](const Result<std::vector<MessageId>>& deleted) {
    observe();
    if (deleted) on_letters_deleted(*deleted);
  });
  given_up_letters_.insert(id);
  return true;
}

bool MailboxWorld::do_close(std::uint64_t r) {
  Peer* const peer = pick(r / 2, [](const Peer& p) { return p.receives(); });
  if (peer == nullptr || phase_ > 0) return false;
  if (r % 2 == 0) {
    mailboxes_->close(peer->id, CloseReason::access_ended, "closed");
  } else {
    mailboxes_->close_logins(user_, Logins::all(), CloseReason::access_ended, "closed");
  }
  return true;
}

bool MailboxWorld::do_advance(std::uint64_t r) {
  const Seconds time(std::array{1, 5, 40, 200, 200, 700}[r % 6]);
  if (r / 6 % 4 == 0) {
    clock_.suspend(time);
  } else {
    clock_.advance(time);
  }
  if (mailboxes_) mailboxes_->tick();
  watch_time();
  observe();
  return true;
}

bool MailboxWorld::do_step(std::uint64_t r) {
  ++clock_steps_;
  clock_.step_wall(Seconds(std::array{30, -30, 3600, -3600}[r % 4]));
  if (mailboxes_) mailboxes_->tick();
  watch_time();
  observe();
  return true;
}

// The process may go by one time: the one that it began with, until another has held for ten
// minutes of its life, whatever steps of less than a minute there were in these.
void MailboxWorld::watch_time() {
  const auto near = [this](std::int64_t other) {
    return std::llabs(offset_us() - other) <= kToleranceUs;
  };
  if (near(time_.offset_us)) {
    if (std::exchange(time_.other_us, std::nullopt)) move_lifetimes();
  } else if (!time_.other_us || !near(*time_.other_us)) {
    time_.other_us = offset_us();
    time_.other_since = clock_.steady_now();
  } else if (clock_.steady_now() - time_.other_since >= kHold) {
    time_ = {offset_us(), std::nullopt, clock_.steady_now()};
    coverage_["another time held"]++;
    move_lifetimes();
  }
}

// A message accepted by another time ends by this one from here on, or, with a crash, by either.
void MailboxWorld::move_lifetimes() {
  for (Accepted& message : all_) message.moved = true;
}

bool MailboxWorld::do_crash(std::uint64_t r) {
  if (!mailboxes_) return false;
  // A commit under way: nobody is answered, and it is on the disk or not.
  if (r % 3 != 0) store_->commit_unanswered(r % 3 == 1);
  coverage_["crash"]++;
  wipe(true);
  return true;
}

bool MailboxWorld::do_restart(std::uint64_t) {
  if (mailboxes_) return false;
  boot();
  return true;
}

bool MailboxWorld::do_shutdown(std::uint64_t) {
  if (!mailboxes_ || phase_ > 0) return false;
  phase_ = 1;
  mailboxes_->drain([this] { phase_ = 2; });
  return true;
}

// The next step of a shutdown under way.
bool MailboxWorld::do_down(std::uint64_t) {
  if (!mailboxes_ || phase_ == 0) return false;
  clock_.advance(Milliseconds(20));
  mailboxes_->tick();
  if (phase_ == 2) {
    for (const Accepted& message : all_) {
      if (!message.answer && message.life == life_) {
        broken("6 unanswered after draining: " + message.post.body);
      }
    }
    phase_ = 3;
    failed_since_closing_ = false;
    mailboxes_->close_connections([this] { phase_ = 4; });
  }
  if (phase_ == 4) stop_store();
  return true;
}

// Stops the store as the daemon does when it has heard that the mailboxes are closed: what was
// handed over is committed, and its completions find nobody.
void MailboxWorld::stop_store() {
  store_->commit();
  store_->retry();
  if (store_->take()) store_->commit();
  for (const Accepted& message : all_) {
    if (!failed_since_closing_ && message.acked && message.acked->epoch == epoch_ &&
        on_disk(message) && message.status == Status::live) {
      broken("3 acknowledged, and on the disk after a clean stop: " + message.post.body);
    }
  }
  coverage_["clean stop"]++;
  wipe(false);
}

// ---- what the world sees, and the promises

void MailboxWorld::broken(std::string what) {
  if (!broken_) broken_ = std::move(what) + " (step " + std::to_string(step_) + ")";
}

void MailboxWorld::say(const std::string& what) const {
  if (!faults_.trace) return;
  std::cout << "      " << now_us() / kSecondUs << " s, " << offset_us() / kSecondUs % 100'000
            << " off: " << what << "\n";
}

std::int64_t MailboxWorld::now_us() const { return clock_.boot_now().time_since_epoch().count(); }
std::int64_t MailboxWorld::offset_us() const {
  return clock_.wall_now().time_since_epoch().count() - now_us();
}
bool MailboxWorld::offset_near(std::int64_t offset_us) const {
  return std::llabs(offset_us - time_.offset_us) <= kToleranceUs;
}

// Acceptances, as the executions show them: before anything of them is sent, since whoever hears
// of a frame asks first.
void MailboxWorld::observe() {
  if (!mailboxes_) return;
  const std::uint64_t accepted = mailboxes_->metrics().accepted.read();
  if (accepted == accepted_seen_) return;
  std::vector<Execution> fresh;
  for (Execution& execution : mailboxes_->executions({}, limits_.executions)) {
    if (execution.workflow != Workflow::send_message) continue;
    if (fresh.size() == accepted - accepted_seen_) break;
    fresh.push_back(std::move(execution));
  }
  accepted_seen_ = accepted;
  for (std::size_t i = fresh.size(); i-- > 0;) on_accepted(fresh[i]);
}

void MailboxWorld::on_accepted(const Execution& execution) {
  if (!all_.empty() && execution.sequence <= all_.back().sequence) {
    broken("2 order: accepted with a sequence that is not higher");
  }
  if (execution.sequence > database_->tables.ceiling) broken("2 order: above the ceiling");
  Accepted message;
  message.id = execution.id;
  message.life = life_;
  message.sequence = execution.sequence;
  message.born_us = now_us();
  message.offset_us = offset_us();
  message.clock_steps = clock_steps_;
  if (calling_ != nullptr) {
    message.post = calling_->post;
    check_deduplication(message);
  } else {
    message.redrive = true;
    coverage_["redrive"]++;
    for (const Accepted& old : all_) {
      if (old.id == message.id) message.post = old.post;
    }
    message.post.key.reset();
  }
  for (const Accepted& old : all_) {
    // Two of one text under way could not be told apart: such a schedule ends here.
    if (old.post.body == message.post.body && around(old)) given_up_ = true;
  }
  say("accepted " + message.post.body + " @" + std::to_string(message.sequence) + " " +
      message.post.key.value_or(""));
  all_.push_back(std::move(message));
  Call* call = calling_;
  if (call == nullptr) call = redriving_.at(all_.back().id);
  call->accepted = &all_.back();
}

void MailboxWorld::check_deduplication(const Accepted& message) {
  if (!message.post.key) return;
  for (const Accepted& earlier : all_) {
    if (earlier.post.key != message.post.key) continue;
    const std::int64_t window_us = Microseconds(limits_.deduplication_window).count();
    if (earlier.recorded_us && now_us() - *earlier.recorded_us < window_us - 2 * kToleranceUs &&
        offset_near(earlier.recorded_offset_us)) {
      broken("5 accepted twice under one deduplicationId: " + message.post.body);
    }
  }
}

void MailboxWorld::on_written(Peer& peer, std::string_view frame) {
  observe();
  if (frame.find(R"("message":"Forbidden")") != std::string_view::npos) {
    peer.under_way.push_back(nullptr);
    return;
  }
  Accepted* const message = attribute(peer, frame);
  peer.under_way.push_back(message);
  if (message == nullptr) {
    broken("0 sent what was never accepted: " + std::string(frame));
    return;
  }
  if (phase_ > 0) broken("9 written during the shutdown");
  if (message->status == Status::rejected) {
    broken("4 sent after its commit failed: " + message->post.body);
  }
  if (message->status == Status::dead) broken("1 dead letter and sent: " + message->post.body);
  if (!peer.written.empty() && message->sequence <= peer.written.back()->sequence) {
    broken("2 order: " + message->post.body + " behind " + peer.written.back()->post.body);
  }
  say("sent " + message->post.body + " to " + peer.id.str());
  check_passes(peer, *message);
  ++coverage_[message->inserted || message->answer ? "sent later" : "sent at once"];
  peer.written.push_back(message);
}

// Frames without a sequence: the message of that text that may come next. There is only one, for
// `on_accepted` sees to it.
MailboxWorld::Accepted* MailboxWorld::attribute(const Peer& peer, std::string_view frame) {
  if (peer.v1()) return by_sequence(sequence_in(frame));
  const std::string_view body = payload_in(frame);
  Accepted* newest = nullptr;
  for (Accepted& message : all_) {
    if (message.post.body != body) continue;
    if (around(message)) return &message;
    newest = &message;
  }
  return newest;
}

// It may still be sent to somebody.
bool MailboxWorld::around(const Accepted& message) const {
  if (message.status != Status::live) return false;
  return !message.acked || message.acked->epoch == epoch_ || on_disk(message);
}

void MailboxWorld::check_passes(const Peer& peer, const Accepted& next) {
  const Sequence last = peer.written.empty() ? 0 : peer.written.back()->sequence;
  for (const Accepted& message : all_) {
    if (message.sequence <= last || message.sequence >= next.sequence) continue;
    if (message.status == Status::live && !message.acked) {
      broken("1 gap: " + next.post.body + " sent, " + message.post.body + " stepped over");
    }
  }
}

void MailboxWorld::on_received(Peer& peer, Accepted& message) {
  peer.received.push_back(&message);
  if (message.acked && message.acked->epoch == epoch_ && peer.opened_step > message.acked->step) {
    broken("3 received again after its acknowledgement: " + message.post.body);
  }
}

void MailboxWorld::mark_acked(Peer& peer, std::size_t count) {
  for (std::size_t i = peer.settled; i < count; ++i) {
    Accepted& message = *peer.received[i];
    if (message.status == Status::dead) {
      broken("1 acknowledged and dead letter: " + message.post.body);
    }
    say("acknowledged " + message.post.body + " by " + peer.id.str());
    if (!message.acked || message.acked->epoch != epoch_) message.acked = Ack{step_, epoch_};
  }
  peer.settled = std::max(peer.settled, count);
}

void MailboxWorld::on_answer(Call& call, SendOutcome outcome) {
  observe();
  if (call.accepted == nullptr) {
    check_repeat(call, outcome);
    return;
  }
  Accepted& message = *call.accepted;
  if (message.answer) broken("6 answered twice: " + message.post.body);
  message.answer = std::move(outcome);
  check_answer(message);
}

void MailboxWorld::check_answer(Accepted& message) {
  const SendOutcome& answer = *message.answer;
  say("answered " + message.post.body + " " +
      (answer ? to_string(answer->status) : to_string(answer.error().code)));
  if (!answer) {
    coverage_["503 after acceptance"]++;
    if (message.acked) broken("4 503 though acknowledged: " + message.post.body);
    const bool waited = now_us() >= message.failed_us + Microseconds(limits_.ack_timeout).count();
    if (held(message) && phase_ == 0 && !waited) {
      broken("4 503 while an open connection has it: " + message.post.body);
    }
    return;
  }
  if (answer->id != message.id || answer->sequence != message.sequence) {
    broken("0 another message's receipt: " + message.post.body);
  }
  // Past its window, or committed under a clock that is set right again, the record may be
  // forgotten before the answer is on its way.
  const std::int64_t window_us = Microseconds(limits_.deduplication_window).count();
  if (message.post.key && message.clock_steps == clock_steps_ && offset_near(offset_us()) &&
      now_us() - message.born_us < window_us - kToleranceUs) {
    const auto found = database_->tables.deduplication.find({"caller", user_, *message.post.key});
    if (found == database_->tables.deduplication.end() || found->second.receipt.id != message.id ||
        found->second.receipt.status != answer->status) {
      broken("5 200, and not remembered as answered: " + message.post.body);
    }
  }
  if (message.redrive && database_->tables.dead_letters.contains(message.id) &&
      message.status != Status::dead) {
    broken("5 redriven, and still a dead letter: " + message.post.body);
  }
  if (answer->status == DeliveryStatus::delivered) {
    coverage_[message.inserted ? "DELIVERED, stored too" : "DELIVERED, elided"]++;
    if (!message.acked) broken("1 DELIVERED, acknowledged by nobody: " + message.post.body);
  } else {
    coverage_["STORED"]++;
    if (!message.acked && !on_disk(message) && message.status != Status::dead) {
      broken("1 STORED, and not on the disk: " + message.post.body);
    }
  }
}

void MailboxWorld::check_repeat(const Call& call, const SendOutcome& outcome) {
  if (!outcome) {
    coverage_[std::string("refused ") + to_string(outcome.error().code)]++;
    return;
  }
  coverage_["repeat answered"]++;
  for (const Accepted& first : all_) {
    if (first.id != outcome->id) continue;
    if (first.post.key != call.post.key || first.post.body != call.post.body) {
      broken("5 answered as another's repeat: " + call.post.body);
    }
    if (first.answer && *first.answer && (**first.answer).status != outcome->status) {
      broken("5 repeat answered differently: " + call.post.body);
    }
    return;
  }
  broken("5 repeat answered with an unknown receipt: " + call.post.body);
}

void MailboxWorld::on_insert_result(const Message& row, bool ok) {
  observe();
  Accepted* const message = by_sequence(row.sequence);
  if (message == nullptr) return;
  message->inserted = true;
  say("insert of " + message->post.body + (ok ? " committed" : " failed"));
  if (ok || message->acked) return;
  coverage_[held(*message) ? "insert failed, sent already" : "insert failed"]++;
  message->status = Status::rejected;
  message->failed_us = now_us();
}

void MailboxWorld::on_expired(const Message& row) {
  Accepted* const message = by_sequence(row.sequence);
  if (message == nullptr) return;
  coverage_["expired"]++;
  say("expired " + message->post.body);
  if (message->acked && message->acked->epoch == epoch_) {
    broken("1 dead letter though acknowledged: " + message->post.body);
  }
  const std::int64_t ttl_us = Microseconds(message->post.ttl.value_or(limits_.message_ttl)).count();
  if (now_us() - message->born_us < ttl_us - 2 * kToleranceUs && offset_near(message->offset_us) &&
      !message->moved) {
    broken("1 expired too early: " + message->post.body);
  }
  message->status = Status::dead;
  message->died_life = life_;
  message->expired = true;
}

void MailboxWorld::on_moved(const Message& row) {
  Accepted* const message = by_sequence(row.sequence);
  if (message == nullptr) return;
  say("deleted " + message->post.body);
  if (message->acked && message->acked->epoch == epoch_) {
    broken("1 deleted though acknowledged: " + message->post.body);
  }
  if (held(*message)) broken("1 deleted under delivery: " + message->post.body);
  message->status = Status::dead;
  message->died_life = life_;
}

// Against what the world knows at that moment.
void MailboxWorld::on_event(std::string_view what, const MessageEvent& event) {
  if (what == "accepted" || what == "redriven") {
    if (event.at != clock_.wall_now()) broken("10 an event of another moment");
    if ((what == "accepted") != (calling_ != nullptr)) broken("10 redriven and accepted mistaken");
    if (event.caller != (calling_ != nullptr ? "caller" : "")) broken("10 another caller");
    return;
  }
  observe();
  const Accepted* const message = by_sequence(event.sequence);
  if (message == nullptr || message->id != event.id) return broken("10 an event of no message");
  const std::string& body = message->post.body;
  ++coverage_["event " + std::string(what)];
  say("event " + std::string(what) + " of " + body);
  if (what == "stored") {
    if (!on_disk(*message)) broken("10 stored, and not on the disk: " + body);
  } else if (what == "acknowledged") {
    if (!message->acked || message->acked->step < booted_) {
      broken("10 acknowledged by nobody: " + body);
    }
    const auto& heard = record_->messages.at({user_, event.sequence});
    const auto by =
        std::ranges::find(peers_, heard.connection, [](const Peer& peer) { return peer.id.str(); });
    const bool had_it =
        by != peers_.end() && std::ranges::find(by->received, message) != by->received.end();
    if (!had_it) broken("10 acknowledged by one that has not received it: " + body);
    if (had_it && (heard.proof == Proof::client) != by->v1()) broken("10 another proof: " + body);
  } else if (what == "rejected") {
    if (message->status != Status::rejected) broken("10 rejected without a reason: " + body);
  } else {
    const bool is_right = message->died_life == life_ && message->expired == (what == "expired") &&
                          message->expired != (what == "deleted");
    if (!is_right) broken("10 no dead letter of that kind: " + body);
  }
}

// Each message that this process accepted, and what became of it so far. `at_rest`: nothing that
// happened is on its way any more.
void MailboxWorld::check_events(bool at_rest) {
  if (!record_ || !mailboxes_) return;
  if (record_->broken) broken("10 " + *record_->broken);
  for (const Accepted& message : all_) {
    const auto* const heard = record_->find(user_, message.sequence);
    const std::string& body = message.post.body;
    if (message.life == life_ && (heard == nullptr || !heard->is_accepted)) {
      broken("10 accepted, and no event: " + body);
    }
    if (message.life == life_ && heard != nullptr && heard->is_redriven != message.redrive) {
      broken("10 redriven or not: " + body);
    }
    const std::string end = heard == nullptr ? "" : heard->end;
    const bool acked = message.acked && message.acked->step >= booted_;
    const bool answered_stored = message.life == life_ && message.answer && *message.answer &&
                                 (**message.answer).status == DeliveryStatus::stored;
    if (answered_stored && heard != nullptr && !heard->is_stored && end.empty()) {
      broken("10 answered STORED, and no event: " + body);
    }
    if (!at_rest) continue;
    const bool rejected = message.life == life_ && message.answer && !*message.answer;
    const bool died = message.status == Status::dead && message.died_life == life_;
    if (rejected ? end != "rejected"
        : died   ? end != (message.expired ? "expired" : "deleted")
                 : (end == "acknowledged") != acked) {
      broken("10 ended otherwise than as '" + end + "': " + body);
    }
  }
}

void MailboxWorld::on_letters_deleted(const std::vector<MessageId>& ids) {
  for (const MessageId& id : ids) {
    ++coverage_["dead letter deleted"];
    for (const Accepted& message : all_) {
      // A redrive that a client acknowledged before a crash may have left its letter: its record
      // was not committed.
      const bool redriven = message.life == life_ || !message.acked;
      if (message.id == id && message.status == Status::live && redriven) {
        broken("1 dead letter deleted, and redriven: " + message.post.body);
      }
    }
  }
}

// After every commit, and after a crash: what was answered and is acknowledged by nobody is there.
void MailboxWorld::check_disk() {
  for (Accepted& message : all_) {
    const bool answered = message.answer && *message.answer;
    if (answered && !message.acked && message.status == Status::live && !on_disk(message)) {
      broken("1 lost: " + message.post.body);
    }
    if (message.post.key) check_record(message);
  }
}

void MailboxWorld::check_record(Accepted& message) {
  const auto found = database_->tables.deduplication.find({"caller", user_, *message.post.key});
  const bool there =
      found != database_->tables.deduplication.end() && found->second.receipt.id == message.id;
  if (there && !message.recorded_us) {
    // Otherwise the clock was set since.
    const std::int64_t true_us = unix_micros(found->second.committed_at) - offset_us();
    if (true_us >= message.born_us && true_us <= now_us()) {
      message.recorded_us = true_us;
      message.recorded_offset_us = offset_us();
    }
  }
  // A process that was started under a clock that is far off forgets by that clock.
  if (!there && message.recorded_us && !offset_near(message.recorded_offset_us)) {
    message.recorded_us.reset();
  }
}

void MailboxWorld::check_bounds() {
  if (!mailboxes_) return;
  if (record_->broken) broken("10 " + *record_->broken);
  const std::size_t share = std::max<std::size_t>(1, slots_ / 8);
  if (store_->open_reads() > 1) broken("7 page reads");
  if (store_->reserved() > slots_ || caller_->in_flight > share) broken("7 reservations");
  const PendingTotals pending = mailboxes_->pending(user_);
  if (pending.messages > limits_.pending_messages || pending.messages < 0 || pending.bytes < 0) {
    broken("7 pending bound");
  }
  std::size_t open = 0;
  for (const Peer& peer : peers_) {
    if (!peer.open()) continue;
    if (peer.written.size() - peer.settled > limits_.credit_messages) broken("7 credit");
    if (peer.pings.size() > limits_.fences) broken("7 fences");
  }
  const Mailbox* const mailbox = mailboxes_->find(user_);
  if (mailbox == nullptr && !record_->connections.empty()) broken("10 connections");
  if (mailbox == nullptr) return;
  for (const Cursor* const cursor : mailbox->cursors()) {
    open +=
        cursor->state == Cursor::State::open || cursor->state == Cursor::State::attached ? 1 : 0;
  }
  if (open > limits_.connections_per_user) broken("7 connections");
  if (mailbox->cursors().size() != record_->connections.size()) broken("10 connections");
  if (mailbox->cursors().size() > 2 * limits_.connections_per_user) broken("7 leaving connections");
  if (mailbox->tail_size() > limits_.tail_messages + share) broken("7 tail");
}

bool MailboxWorld::held(const Accepted& message) const {
  return std::ranges::any_of(peers_, [&](const Peer& peer) {
    if (!peer.open()) return false;
    const auto found = std::ranges::find(peer.written, &message);
    return found != peer.written.end() &&
           static_cast<std::size_t>(found - peer.written.begin()) >= peer.settled;
  });
}

bool MailboxWorld::on_disk(const Accepted& message) const {
  const auto rows = database_->tables.messages.find(user_);
  return rows != database_->tables.messages.end() && rows->second.contains(message.sequence);
}

MailboxWorld::Accepted* MailboxWorld::by_sequence(Sequence sequence) {
  const auto found = std::ranges::lower_bound(all_, sequence, {}, &Accepted::sequence);
  return found == all_.end() || found->sequence != sequence ? nullptr : &*found;
}

// ---- coming to rest

void MailboxWorld::schedule() {
  const int steps = choose(random_, std::array{100, 300, 500});
  std::discrete_distribution<std::size_t> next(weights_.begin(), weights_.end());
  for (std::uint64_t i = 1 + random_() % 2; i > 0; --i) do_open(random_());
  int done = 0;
  for (int tries = 0; done < steps && tries < 4 * steps && !broken_ && !given_up_; ++tries) {
    ++step_;
    const Weighted& action = actions()[next(random_)];
    if (!(this->*action.action)(random_())) continue;
    if (faults_.trace) std::cout << step_ << " " << action.name << "\n";
    ++done;
    check_bounds();
  }
}

// Takes the next step of a perfect client and its network.
bool MailboxWorld::serve(Peer& peer) {
  peer.connection->set_blocked(false);
  if (!peer.up.empty() || (peer.connection->aborted && peer.connection->started())) {
    feed(peer);
    return true;
  }
  if (peer.mode != Reading::well || peer.left) return false;
  if (!peer.connection->sent.empty()) {
    take_frame(peer, false);
    return true;
  }
  if (!peer.v1() || peer.settled == peer.received.size()) return false;
  const Sequence last = peer.received.back()->sequence;
  peer.up.push_back(
      {Up::Kind::text, R"({"type":"ack","sequence":)" + std::to_string(last) + "}", 0, last});
  return true;
}

bool MailboxWorld::settle_once(bool everyone) {
  bool moved = false;
  for (Peer& peer : peers_) {
    if (peer.closed) continue;
    if (!peer.connection->started() && mailboxes_) mailboxes_->start_delivery(peer.id);
    if (everyone && peer.mode == Reading::slow) peer.mode = Reading::well;
    while (!peer.closed && serve(peer)) moved = true;
    if (everyone && !peer.closed && (peer.left || peer.mode == Reading::half_open)) {
      peer.up.push_back({Up::Kind::closed, {}, 0, 0});
      moved = true;
    }
  }
  if (store_) {
    store_->refuse_reservations(false);
    moved = do_retry(0) || moved;
    moved = do_take(0) || moved;
    moved = do_commit(0) || moved;
  }
  while (executor_.run_one()) moved = true;
  observe();
  return moved;
}

// No more faults: until nothing moves any more, waits that must end included. Without `everyone`,
// slow and half-open clients stay as they are.
void MailboxWorld::settle(bool everyone) {
  constexpr int enough = 30;
  int quiet = 0;
  for (int round = 0; !broken_; ++round) {
    ++step_;
    if (settle_once(everyone)) {
      quiet = 0;
    } else if (quiet++ == enough) {
      return;
    } else {
      clock_.advance(Milliseconds(100));
      if (mailboxes_) mailboxes_->tick();
      if (mailboxes_ && phase_ > 0) do_down(0);
    }
    check_bounds();
    if (round > 3000) broken("6 never comes to rest");
  }
}

std::vector<MailboxWorld::Peer*> MailboxWorld::living() {
  std::vector<Peer*> out;
  for (Peer& peer : peers_) {
    if (peer.receives()) out.push_back(&peer);
  }
  if (limits_.policy == Policy::latest && out.size() > 1) out.erase(out.begin(), out.end() - 1);
  std::erase_if(out, [](const Peer* p) { return p->mode != Reading::well || p->left; });
  return out;
}

void MailboxWorld::check_counts() {
  if (store_->reserved() != 0 || caller_->in_flight != 0 || caller_->in_flight_bytes != 0)
    broken("7 reservations leak");
  const PendingTotals counted = mailboxes_->pending(user_);
  const PendingTotals there = database_->pending(user_);
  if (counted.messages != there.messages || counted.bytes != there.bytes) {
    broken("7 counts leak: " + std::to_string(counted.messages) + " counted, " +
           std::to_string(there.messages) + " on the disk");
  }
}

void MailboxWorld::check_rest(bool everyone) {
  bool waiting = false;
  for (const Accepted& message : all_) {
    if (message.answer || message.life != life_) continue;
    // One whose commit failed may wait for a half-open connection's end.
    waiting = !everyone && message.status == Status::rejected;
    if (!waiting) broken("6 unanswered: " + message.post.body);
  }
  if (!waiting) check_counts();
  if (!waiting) check_events(true);
  for (const Peer& peer : peers_) {
    const bool serving = peer.receives() && peer.mode == Reading::well && !peer.left;
    if (serving && peer.settled < peer.written.size()) broken("6 sent, and no fence behind it");
  }
  if (living().empty()) return;
  for (const Accepted& message : all_) {
    if (message.status == Status::live && !message.acked) broken("6 stuck: " + message.post.body);
  }
  if (database_->pending(user_).messages > 0) broken("6 rows left");
  check_elision();
  check_survival();
}

// No fence stays open, which would close the connection.
void MailboxWorld::check_survival() {
  const auto before = living();
  for (const Peer* const peer : before) {
    if (!peer->pings.empty()) broken("6 a fence stays open");
  }
  for (int i = 0; i < 70; ++i) {
    clock_.advance(Seconds(1));
    mailboxes_->tick();
    while (settle_once(false)) {
    }
  }
  for (const Peer* const peer : before) {
    if (!peer->receives()) broken("6 a healthy connection was closed");
  }
}

void MailboxWorld::check_elision() {
  // The round trip's average needs some messages to forget what was slow. From then on none is
  // stored, however slow or far behind other connections are.
  constexpr int forgetting = 12;
  int elided = 0;
  for (int i = 0; i < 40 && elided < 4 && !broken_; ++i) {
    const auto outcome = probe();
    if (!outcome) settle(false);
    if (i < forgetting || !outcome) continue;
    if (!*outcome) broken("8 no elision at rest");
    ++elided;
  }
  if (elided == 0) broken("8 refused at rest");
}

// Returns whether one more message needs no disk; nullopt when it is refused.
std::optional<bool> MailboxWorld::probe() {
  ++step_;
  const std::size_t inserts = store_->calls(test::FakeMessageStore::Kind::insert);
  send({"probe" + std::to_string(++number_), {}, {}});
  Call& call = calls_.back();
  if (call.accepted == nullptr) return std::nullopt;
  const auto living_serves = [&] {
    return std::ranges::any_of(living(), [&](Peer* peer) { return serve(*peer); });
  };
  while (executor_.run_one() || living_serves()) {
  }
  const auto& answer = call.accepted->answer;
  const bool elided = answer && *answer && (**answer).status == DeliveryStatus::delivered &&
                      store_->calls(test::FakeMessageStore::Kind::insert) == inserts;
  while (settle_once(false)) {  // no time passes: slow clients are there for the next one too
  }
  return elided;
}

void MailboxWorld::finish() {
  if (random_() % 3 == 0 && do_open(1)) {  // a slow client, and beside it a quick one
    peers_.back().mode = Reading::slow;
    do_open(1);
  }
  for (const bool everyone : {false, true}) {
    for (int i = 0; i < 2; ++i) {  // a second time where a shutdown had to end first
      if (!mailboxes_) boot();
      settle(everyone);
    }
    if (mailboxes_ && !broken_) check_rest(everyone);
    if (broken_) return;
  }
  if (!mailboxes_) boot();
  for (Peer& peer : peers_) peer.up.push_back({Up::Kind::closed, {}, 0, 0});
  settle(true);
  do_open(1);
  settle(true);
  if (!broken_) check_rest(true);
  check_ledger();
}

void MailboxWorld::check_ledger() {
  for (const Accepted& message : all_) {
    if (!message.answer || !*message.answer || message.acked) continue;
    const bool redriven = std::ranges::any_of(
        all_, [&](const Accepted& heir) { return heir.id == message.id && heir.acked; });
    const bool dead =
        message.status == Status::dead && (redriven || given_up_letters_.contains(message.id) ||
                                           database_->tables.dead_letters.contains(message.id));
    if (!dead) broken("1 lost at the end: " + message.post.body);
  }
}

std::optional<std::string> MailboxWorld::run() {
  schedule();
  if (!broken_ && !given_up_) finish();
  if (given_up_) broken_.reset();
  coverage_["given up"] += given_up_ ? 1 : 0;
  coverage_["opened"] += number_;
  coverage_["accepted"] += static_cast<int>(all_.size());
  coverage_["steps"] += static_cast<int>(step_);
  return broken_;
}

}  // namespace holdfast::delivery
