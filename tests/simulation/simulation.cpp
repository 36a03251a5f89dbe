#include "simulation/simulation.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <stdexcept>
#include <utility>

#include <sqlite3.h>

#include <holdfast/sqlite/database_file.hpp>

#include "simulation/seeded_random.hpp"
#include "simulation/simulated_disk.hpp"
#include "sqlite/sqlite.hpp"

namespace holdfast::simulation {
namespace {

using delivery::CloseReason;
using Call = test::ShimVfs::Call;
using Kind = test::FakeConnection::Kind;

constexpr std::uint64_t kUsers = 5;
/// Of a disk that is so large that its size makes no difference.
constexpr std::int64_t kLargeDisk = std::int64_t{1} << 40;
/// Steps after which a call to another shard has surely arrived.
constexpr std::uint64_t kArrived = 1'500;
/// Whoever refuses long texts takes none that is longer.
constexpr std::size_t kLongestTaken = 300;
/// A repeat under a key comes while its window is surely open.
constexpr Seconds kRepeatWithin{170};

std::string user_name(std::uint64_t r) { return "user-" + std::to_string(r % kUsers); }

Sequence number_behind(std::string_view frame, std::string_view name) {
  const std::size_t at = frame.find(name);
  if (at == std::string_view::npos) return 0;
  return std::strtoll(std::string(frame.substr(at + name.size(), 20)).c_str(), nullptr, 10);
}

/// The text in a frame of any protocol.
std::string_view text_in(std::string_view frame) {
  for (const std::string_view name : {R"("payload":")", R"({"Payload":")"}) {
    const std::size_t at = frame.find(name);
    if (at == std::string_view::npos) continue;
    frame.remove_prefix(at + name.size());
    return frame.substr(0, frame.find('"'));
  }
  return frame;
}

template <class T, std::size_t N>
T choose(std::mt19937_64& random, const std::array<T, N>& from) {
  return from[random() % N];
}

}  // namespace

Simulation::Simulation(std::uint64_t seed, bool trace) : random_(seed), trace_(trace) {
  seed_random(seed);
  delivery::Limits& limits = options_.limits;
  limits.tail_messages = choose(random_, std::array<std::size_t, 3>{2, 4, 16});
  limits.credit_messages = choose(random_, std::array<std::size_t, 3>{2, 5, 20});
  limits.first_page_bytes = choose(random_, std::array<std::size_t, 2>{200, 10'000});
  limits.fences = choose(random_, std::array<std::size_t, 2>{1, 3});
  limits.pending_messages = choose(random_, std::array<std::int64_t, 3>{8, 40, 200});
  limits.connections_per_user = 2;
  limits.policy = random_() % 3 == 0 ? delivery::Policy::latest : delivery::Policy::all;
  options_.shards = 1 + random_() % 3;
  options_.batch_operations = 1 + random_() % 20;
  limits.poison_attempts = choose(random_, std::array<std::uint32_t, 4>{0, 1, 2, 5});
  options_.dead_letters_max = choose(random_, std::array<std::int64_t, 3>{1'000'000, 20, 4});
  options_.disk_free_min =
      choose(random_, std::array<std::int64_t, 3>{0, 256 << 10, std::int64_t{256} << 20});
  damages_ = random_() % 3 == 0;
  disk_bytes_ = choose(random_, std::array<std::int64_t, 2>{0, 8 << 20});
  for (const Weighted& action : actions()) {
    const double factor = action.is_fault ? choose(random_, std::array{0., .3, 1., 2.})
                                          : choose(random_, std::array{.4, 1., 2.});
    weights_.push_back(action.weight * factor);
  }
  vfs_.judge_with([this](Call call, std::string_view path) { return judge(call, path); });
  vfs_.track_durability();
  set_disk(&vfs_, disk_bytes_ == 0 ? kLargeDisk : disk_bytes_);
  mend_disk(0);
  folders_.emplace_back();
}

Simulation::~Simulation() {
  faults_ = {};
  vfs_.limit_bytes(0);
  peers_.clear();
  process_.reset();
  set_disk(nullptr, 0);
}

const std::vector<Simulation::Weighted>& Simulation::actions() {
  using S = Simulation;
  static const std::vector<Weighted> table = {
      {"post", 14, false, &S::post},
      {"post batch", 2, false, &S::post_batch},
      {"connect", 2.5, false, &S::connect},
      {"client", 60, false, &S::client},
      {"leave", 1, true, &S::leave},
      {"close with code", 1, true, &S::close_with_code},
      {"reading", 1, true, &S::change_reading},
      {"block", 1, true, &S::block},
      {"shard", 80, false, &S::run_shard},
      {"store", 25, false, &S::turn_store},
      {"tick", 6, false, &S::tick},
      {"time", .5, true, &S::pass_time},
      {"clock", .2, true, &S::step_clock},
      {"fail disk", .4, true, &S::fail_disk},
      {"fill disk", .15, true, &S::fill_disk},
      {"mend disk", 1, false, &S::mend_disk},
      {"fail sync", .03, true, &S::fail_sync},
      {"kill", .1, true, &S::kill},
      {"power cut", .1, true, &S::cut_power},
      {"stop", .1, true, &S::stop},
      {"restart", 10, false, &S::restart},
      {"redrive", 1, true, &S::redrive},
      {"delete pending", .4, true, &S::delete_pending},
      {"delete letters", .15, true, &S::delete_letters},
      {"end access", .15, true, &S::end_access},
      {"close all", .2, true, &S::close_all},
      {"reload", .2, true, &S::reload},
      {"post text", .3, true, &S::post_text},
  };
  return table;
}

void Simulation::note(std::string_view what, std::uint64_t detail) {
  for (const char c : what)
    fingerprint_ = (fingerprint_ ^ static_cast<std::uint8_t>(c)) * 1'099'511'628'211U;
  fingerprint_ = (fingerprint_ ^ detail) * 1'099'511'628'211U;
  if (trace_) std::cout << step_ << " " << what << " " << detail << "\n";
}

// ---- the machine

int Simulation::judge(Call call, std::string_view path) {
  ++calls_;
  const auto fails = [this](unsigned one_of) {
    return one_of != 0 && (calls_ * 2'654'435'761U >> 16) % one_of == 0;
  };
  int code = SQLITE_OK;
  if (call == Call::read && fails(faults_.reads)) code = SQLITE_IOERR_READ;
  if (call == Call::truncate && fails(faults_.truncates)) code = SQLITE_IOERR_TRUNCATE;
  if (call == Call::write && fails(faults_.writes)) {
    code = calls_ % 2 == 0 ? SQLITE_FULL : SQLITE_IOERR_WRITE;
  }
  if (call == Call::sync && std::exchange(faults_.next_sync, false)) code = SQLITE_IOERR_FSYNC;
  if (code != SQLITE_OK) {
    ++coverage_["disk fault"];
    note("disk fault", static_cast<std::uint64_t>(code) + (path.ends_with("-wal") ? 100'000 : 0));
  }
  return code;
}

void Simulation::boot() {
  // A start under another clock than the one before forgets keys by that clock, as documented.
  if (std::exchange(clock_was_set_, false)) ledger_.forget_keys();
  options_.folder = folders_.back().path().string();
  try {
    process_ = std::make_unique<Process>(options_, clock_);
  } catch (const ProcessEnded&) {
    throw std::runtime_error("the store ended the process before it had begun");
  }
  note("boot");
}

/// The process ends where it stands, and with `power_cut` the machine.
void Simulation::end_process(bool power_cut) {
  ++life_;
  const std::filesystem::path before = folders_.back().path();
  folders_.emplace_back();
  const std::filesystem::path after = folders_.back().path();
  if (power_cut) {
    vfs_.cut_power(after, static_cast<unsigned>(random_()));
  } else {
    vfs_.copy_files(after);
  }
  mend_disk(0);
  lose_process();
  vfs_.forget_files(before);
  clock_.advance(Milliseconds(500));
}

void Simulation::lose_process() {
  for (const Peer& peer : peers_) {
    if (!peer.gone && options_.limits.poison_attempts > 0) ledger_.ended(peer.user, false);
  }
  peers_.clear();
  ledger_.crashed();
  process_.reset();
  caller_ = std::make_shared<SenderQuota>("AKIASIMULATION");
}

/// Changes a row behind the store's back, as a disk does that lies.
void Simulation::damage_row() {
  auto& texts = ledger_.texts();
  const auto opened = sqlite::Database::open(folders_.back().file("holdfast.db"));
  if (!opened || texts.empty()) return;
  sqlite::Database& database = **opened;
  for (std::size_t tries = 0; tries < 10 && !database.failed(); ++tries) {
    Text& text = texts[texts.size() - 1 - random_() % std::min<std::size_t>(texts.size(), 40)];
    const std::string sql = "UPDATE messages SET payload = CAST('T" + text.body.substr(1) +
                            "' AS BLOB) WHERE payload = CAST('" + text.body + "' AS BLOB)";
    if (!database.execute(sql.c_str()) || database.changes() == 0) continue;
    text.may_die = true;
    note("damaged " + text.body.substr(0, 8));
    ++coverage_["row damaged"];
    return;
  }
}

/// Does a step of the process in which its store may meet an outcome that nobody knows. False when
/// the process has ended by it.
bool Simulation::survives(const std::function<void()>& step) {
  try {
    step();
    return true;
  } catch (const ProcessEnded& ended) {
    note("ended: " + ended.why);
    ++coverage_["the store ended the process"];
    process_->abandon();
    end_process(false);
    return false;
  }
}

void Simulation::turn() {
  if (!survives([this] { process_->turn(); })) return;
  const storage::FileMetrics& files = process_->store().file_metrics();
  if (files.missing.read() != 0) ledger_.broken("rows are told missing that are there", now());
  for (std::size_t i = 0; i < process_->shards(); ++i) {
    if (process_->events(i).broken) ledger_.broken(*process_->events(i).broken, now());
  }
  if (files.disk_low.read() != 0) ++coverage_["disk low"];
  if (files.disk_full.read() != 0) ++coverage_["disk full"];
  if (process_->store().metrics().dead_letters.read() >= options_.dead_letters_max &&
      !std::exchange(evicted_, true)) {
    ++coverage_["as many dead letters as are kept"];
  }
}

// ---- what may happen next

delivery::SendRequest Simulation::request_for(Text& text, std::uint64_t r) {
  delivery::SendRequest request;
  request.user = UserId(text.user);
  request.payload = text.body;
  request.deduplication_id = text.key;
  request.caller = caller_;
  if (r % 7 == 0) request.ttl = Seconds(r % 14 == 0 ? 40 : 400);
  text.may_die = text.may_die || request.ttl || step_ < dying_until_[text.user];
  return request;
}

Text* Simulation::choose_text(std::uint64_t r) {
  auto& texts = ledger_.texts();
  if (r % 6 == 0 && !texts.empty()) {
    Text& again = texts[texts.size() - 1 - r / 6 % std::min<std::size_t>(texts.size(), 30)];
    if (!again.key || clock_.boot_now() - first_sent_[&again] > kRepeatWithin) return nullptr;
    return &again;
  }
  std::string body = "t" + std::to_string(++number_);
  const std::size_t kind = r / 6 % 20;
  if (kind == 1) body.append(r / 120 % 9'000, 'x');
  if (kind > 15) body.append(r / 120 % 700, 'x');
  std::optional<std::string> key;
  if (r / 7 % 2 == 0) key = "key" + std::to_string(number_);
  Text& text = ledger_.new_text(user_name(r / 14), std::move(body), std::move(key));
  first_sent_[&text] = clock_.boot_now();
  return &text;
}

void Simulation::post(std::uint64_t r) {
  if (process_ == nullptr || resting_) return;
  Text* const text = choose_text(random_());
  if (text == nullptr) return;
  note("send " + text->body.substr(0, 8), text->key ? 1 : 0);
  ledger_.sent(*text);
  const std::size_t from = r % process_->shards();
  // An answer of another shard is on its way for a while: an acknowledgement may come meanwhile.
  const bool at_once = from == process_->router().home(UserId(text->user));
  process_->router().send(
      from, request_for(*text, r / 8),
      [this, text, at_once, life = life_](delivery::SendOutcome outcome) {
        if (life != life_) return;
        note("answer to " + text->body.substr(0, 8),
             outcome ? static_cast<std::uint64_t>(outcome->status) : 9);
        ++coverage_[outcome ? to_string(outcome->status) : to_string(outcome.error().code)];
        ledger_.answered(*text, outcome, at_once, now());
      });
}

void Simulation::post_batch(std::uint64_t r) {
  if (process_ == nullptr || resting_) return;
  std::vector<Text*> texts;
  std::vector<delivery::SendRequest> requests;
  for (std::uint64_t i = 0; i < 2 + r % 5; ++i) {
    Text* const text = choose_text(random_());
    if (text == nullptr || std::ranges::find(texts, text) != texts.end()) continue;
    note("send in batch " + text->body.substr(0, 8), text->key ? 1 : 0);
    ledger_.sent(*text);
    texts.push_back(text);
    requests.push_back(request_for(*text, random_()));
  }
  process_->router().send_batch(
      r % process_->shards(), std::move(requests),
      [this, texts, life = life_](const std::vector<delivery::SendOutcome>& outcomes) {
        if (life != life_) return;
        for (const Text* text : texts) note("batch answer to " + text->body.substr(0, 8));
        std::map<std::string, bool> refused;
        for (std::size_t i = 0; i < texts.size(); ++i) {
          Text& text = *texts[i];
          // What succeeds behind a refusal that a producer repeats would overtake it.
          const bool transient = !outcomes[i] && (outcomes[i].error().code == Errc::unavailable ||
                                                  outcomes[i].error().code == Errc::limit_exceeded);
          const bool again = text.attempts > 1;
          if (outcomes[i] && refused[text.user] && !again) {
            ledger_.broken("accepted behind a refused one of its batch: " + text.body, now());
          }
          if (transient && !again && text.received == 0) refused[text.user] = true;
          ledger_.answered(text, outcomes[i], false, now());
        }
        ++coverage_["batch answered"];
      });
}

Simulation::Peer& Simulation::open(const std::string& user, Reading reading) {
  Peer& peer = peers_.emplace_back();
  peer.user = user;
  peer.reading = reading;
  peer.shard = process_->router().home(UserId(user));
  peer.id = process_->router().make_connection_id(peer.shard);
  peer.protocol = choose(random_, std::array{delivery::holdfast_v1_protocol,
                                             delivery::payload_protocol, delivery::raw_protocol});
  peer.refuses_with = choose(random_, std::array<std::uint16_t, 4>{1000, 1009, 1009, 1011});
  peer.connection = std::make_shared<test::FakeConnection>();
  peer.seen.opened = now();
  delivery::ConnectionInfo info;
  info.id = peer.id;
  info.user = UserId(user);
  process_->mailboxes(peer.shard).attach(info, peer.protocol(), peer.connection);
  process_->mailboxes(peer.shard).start_delivery(peer.id);
  ++coverage_["connected"];
  return peer;
}

void Simulation::connect(std::uint64_t r) {
  if (process_ == nullptr || process_->is_stopping()) return;
  const auto reading =
      std::array{Reading::well, Reading::well, Reading::well,    Reading::slow,
                 Reading::mute, Reading::deaf, Reading::refuses, Reading::refuses}[r / kUsers % 8];
  open(user_name(r), reading);
}

void Simulation::end_peer(Peer& peer, const delivery::ConnectionEnd& end) {
  peer.gone = true;
  if (options_.limits.poison_attempts > 0) {
    ledger_.ended(peer.user, end.code == delivery::ConnectionEnd::kTooBig);
  }
  peer.connection->end(end);
}

bool Simulation::refuse(Peer& peer, std::string_view text) {
  if (peer.reading != Reading::refuses) return false;
  const bool is_long = text.size() > kLongestTaken;
  const bool by_length = peer.refuses_with == delivery::ConnectionEnd::kTooBig;
  // Not one of a few texts, whoever is sent them.
  if (by_length ? !is_long : number_behind(text, "t") % 4 != 0) return false;
  note("refused " + std::string(text.substr(0, 8)), peer.refuses_with);
  ++coverage_["refused"];
  end_peer(peer, {.by = delivery::ConnectionEnd::By::client, .code = peer.refuses_with});
  return true;
}

void Simulation::acknowledge(Peer& peer, std::size_t count) {
  if (peer.connection->aborted) return;
  note("acknowledged by " + peer.user + " protocol " + std::string(peer.protocol()->name()) +
           " opened " + std::to_string(peer.seen.opened.step),
       count);
  ledger_.acknowledged(peer.seen, count, now());
}

bool Simulation::serve(Peer& peer) {
  test::FakeConnection& connection = *peer.connection;
  if (peer.gone || !connection.started()) return false;
  if (connection.aborted) {
    end_peer(peer, {});
    return true;
  }
  if (peer.reading == Reading::deaf) return false;
  if (!connection.sent.empty()) {
    const auto frame = std::move(connection.sent.front());
    connection.sent.pop_front();
    connection.take_bytes();
    if (frame.kind == Kind::close) {
      end_peer(peer, {});
    } else if (frame.kind == Kind::text) {
      if (frame.bytes.find(R"("message":"Forbidden")") != std::string::npos ||
          frame.bytes.starts_with("posted")) {
        return true;
      }
      if (refuse(peer, text_in(frame.bytes))) return true;
      const bool v1 = peer.protocol == delivery::holdfast_v1_protocol;
      const Sequence sequence = v1 ? number_behind(frame.bytes, R"("sequence":)") : 0;
      note("received " + std::string(text_in(frame.bytes).substr(0, 8)) + " by " + peer.user,
           peer.seen.opened.step);
      ledger_.received(peer.seen, peer.user, text_in(frame.bytes), sequence, now());
    } else if (peer.reading != Reading::mute) {
      if (peer.protocol != delivery::holdfast_v1_protocol)
        acknowledge(peer, peer.seen.texts.size());
      connection.pong(frame.bytes);
    }
    return true;
  }
  if (peer.protocol != delivery::holdfast_v1_protocol || peer.reading == Reading::mute ||
      connection.closing || peer.seen.acknowledged == peer.seen.texts.size()) {
    return false;
  }
  const Sequence last = peer.seen.sequences.back();
  acknowledge(peer, peer.seen.texts.size());
  connection.text(R"({"type":"ack","sequence":)" + std::to_string(last) + "}");
  return true;
}

void Simulation::client(std::uint64_t r) {
  if (peers_.empty()) return;
  const std::size_t recent = std::min<std::size_t>(peers_.size(), 12);
  Peer& peer = peers_[peers_.size() - 1 - r % recent];
  if (peer.reading == Reading::slow && r / 16 % 8 != 0) return;
  serve(peer);
}

void Simulation::leave(std::uint64_t r) {
  if (peers_.empty()) return;
  Peer& peer = peers_[r % peers_.size()];
  if (peer.gone || !peer.connection->started()) return;
  note("leave");
  end_peer(peer, {});
}

void Simulation::close_with_code(std::uint64_t r) {
  if (peers_.empty()) return;
  Peer& peer = peers_[r % peers_.size()];
  if (peer.gone || !peer.connection->started()) return;
  const auto code = std::array<std::uint16_t, 5>{1000, 1005, 1009, 1011, 4000}[r / 64 % 5];
  note("close with", code);
  ++coverage_["closed with a code"];
  end_peer(peer, {.by = delivery::ConnectionEnd::By::client, .code = code});
}

void Simulation::change_reading(std::uint64_t r) {
  if (peers_.empty()) return;
  peers_[r % peers_.size()].reading =
      std::array{Reading::well, Reading::slow, Reading::mute, Reading::deaf}[r / 64 % 4];
}

void Simulation::block(std::uint64_t r) {
  if (peers_.empty()) return;
  Peer& peer = peers_[r % peers_.size()];
  if (!peer.gone) peer.connection->set_blocked(r / 64 % 2 == 0);
}

void Simulation::run_shard(std::uint64_t r) {
  if (process_ != nullptr) process_->run_one(r % process_->shards());
}

void Simulation::turn_store(std::uint64_t) {
  if (process_ != nullptr) turn();
}

void Simulation::tick(std::uint64_t r) {
  clock_.advance(Milliseconds(1 + r % 30));
  if (process_ == nullptr) return;
  for (std::size_t i = 0; i < process_->shards(); ++i) process_->tick(i);
  if (!process_->is_stopping()) return;
  bool stopped = false;
  if (!survives([&] { stopped = process_->continue_stop(); }) || !stopped) return;
  // A disk that fails at the end may leave what was acknowledged.
  if (disk_fails()) ++life_;
  note("stopped");
  ++coverage_["stopped"];
  if (disk_fails()) ++coverage_["stopped on a bad disk"];
  lose_process();
}

void Simulation::pass_time(std::uint64_t r) {
  const Seconds time(std::array{1, 5, 45, 200, 700}[r % 5]);
  if (r / 5 % 4 == 0) {
    clock_.suspend(time);
  } else {
    clock_.advance(time);
  }
  // A repeat that is on its way may come when its key is forgotten.
  if (time >= Seconds(200)) ledger_.forget_keys_under_way();
  note("time", r % 5);
}

void Simulation::step_clock(std::uint64_t r) {
  clock_.step_wall(Seconds(std::array{30, -30, 3'600, -3'600}[r % 4]));
  clock_was_set_ = true;
  note("clock", r % 4);
}

void Simulation::fail_disk(std::uint64_t r) {
  if (process_ == nullptr) return;
  faults_.reads = r % 3 == 0 ? 40 : 0;
  faults_.writes = r % 3 != 0 ? 3 + r / 3 % 8 : 0;
  faults_.truncates = r / 24 % 3 == 0 ? 2 : 0;
  ++coverage_["disk fails"];
}

void Simulation::fill_disk(std::uint64_t r) {
  if (process_ == nullptr) return;
  // Somebody else takes all but so much of it.
  const std::int64_t left = std::array{0, 60'000, 200'000, 500'000, 1'500'000}[r % 5];
  vfs_.limit_bytes(vfs_.used_bytes() + left);
  is_full_ = true;
  had_ballast_ = std::filesystem::exists(folders_.back().file("holdfast.db.ballast"));
  note("disk fills", static_cast<std::uint64_t>(left));
  ++coverage_["disk fills"];
}

bool Simulation::has_faults() const {
  return faults_.reads != 0 || faults_.writes != 0 || faults_.truncates != 0 || faults_.next_sync;
}

bool Simulation::disk_fails() const { return has_faults() || is_full_; }

void Simulation::mend_disk(std::uint64_t) {
  faults_ = {};
  is_full_ = false;
  vfs_.limit_bytes(disk_bytes_);
}

void Simulation::fail_sync(std::uint64_t) {
  if (process_ != nullptr) faults_.next_sync = true;
}

void Simulation::kill(std::uint64_t) {
  if (process_ == nullptr) return;
  note("kill");
  ++coverage_["killed"];
  end_process(false);
}

void Simulation::cut_power(std::uint64_t) {
  if (process_ == nullptr) return;
  note("power cut");
  ++coverage_["power cut"];
  end_process(true);
}

void Simulation::stop(std::uint64_t r) {
  if (process_ == nullptr || process_->is_stopping()) return;
  note("stop");
  if (r / 3 % 2 == 0) mend_disk(0);
  process_->begin_stop(Milliseconds(r % 3 * 200), Milliseconds(5'000));
}

void Simulation::restart(std::uint64_t) {
  if (process_ != nullptr) return;
  clock_.advance(Milliseconds(200));
  if (damages_ && !disk_fails() && random_() % 3 == 0) damage_row();
  const bool has_faults = this->has_faults();
  try {
    boot();
  } catch (const std::runtime_error&) {
    // A disk that fails may keep it from starting, but only for as long as it fails. A full one may
    // not, if it found the reserve that an earlier one had used made anew.
    if (!has_faults && !(is_full_ && !had_ballast_)) throw;
    note("not started");
    ++coverage_["not started"];
  }
}

std::map<MessageId, std::string> Simulation::list_letters() {
  std::optional<Result<delivery::DeadLetterPage>> page;
  delivery::DeadLetterQuery query;
  query.limit = 100'000;
  process_->messages(0).list_dead_letters(query, [&page](auto found) { page = std::move(found); });
  for (int i = 0; i < 10'000 && !page && process_ != nullptr; ++i) {
    turn();
    while (process_ != nullptr && process_->run_one(0)) {
    }
  }
  std::map<MessageId, std::string> letters;
  if (!page || !*page) return letters;
  for (const auto& letter : (*page)->letters) letters[letter.id] = letter.reason;
  return letters;
}

void Simulation::redrive(std::uint64_t r) {
  if (process_ == nullptr || process_->is_stopping()) return;
  // The ids are those that producers were told; most are no dead letters.
  auto& texts = ledger_.texts();
  for (int tries = 0; tries < 8 && !texts.empty(); ++tries) {
    Text& text = texts[random_() % texts.size()];
    if (text.receipts.empty() || text.letter_destroyed) continue;
    process_->router().redrive(r % process_->shards(), UserId(text.user), text.receipts.front().id,
                               {},
                               [this, &text, life = life_](const delivery::SendOutcome& outcome) {
                                 if (life != life_ || !outcome) return;
                                 ++coverage_["redriven"];
                               });
    // From here on it may be delivered once more, under another sequence number.
    text.may_repeat = true;
  }
}

void Simulation::begin_dying(const std::string& user) {
  ledger_.may_die(user);
  dying_until_[user] = step_ + kArrived;
}

void Simulation::delete_pending(std::uint64_t r) {
  if (process_ == nullptr || process_->is_stopping()) return;
  note("delete pending");
  begin_dying(user_name(r / 8));
  process_->router().delete_pending(r % process_->shards(), UserId(user_name(r / 8)), std::nullopt,
                                    "deleted", [this](const Result<delivery::Deletion>& deleted) {
                                      if (deleted && deleted->moved.messages > 0) {
                                        ++coverage_["deleted"];
                                      }
                                    });
}

void Simulation::delete_letters(std::uint64_t r) {
  if (process_ == nullptr || process_->is_stopping()) return;
  auto& texts = ledger_.texts();
  if (texts.empty()) return;
  Text& text = texts[r % texts.size()];
  if (text.receipts.empty()) return;
  const std::size_t home = process_->router().home(UserId(text.user));
  // Whether the answer comes or not, the letter may be gone.
  text.letter_destroyed = true;
  process_->router().delete_dead_letters(r % process_->shards(), home, {text.receipts.front().id},
                                         [this](const Result<std::vector<MessageId>>& deleted) {
                                           if (deleted && !deleted->empty()) {
                                             ++coverage_["letter destroyed"];
                                           }
                                         });
}

void Simulation::end_access(std::uint64_t r) {
  if (process_ == nullptr || process_->is_stopping()) return;
  const UserId user(user_name(r));
  begin_dying(user.str());
  process_->router().close_logins(user, Logins::all(), CloseReason::access_ended, "access ended");
  process_->router().move_to_dead_letters(user, "user_disabled");
  note("end access");
  ++coverage_["access ended"];
}

void Simulation::close_all(std::uint64_t r) {
  if (process_ == nullptr || process_->is_stopping()) return;
  process_->router().close_logins(UserId(user_name(r)), Logins::all(), CloseReason::access_ended,
                                  "access ended");
}

void Simulation::reload(std::uint64_t r) {
  if (process_ == nullptr || process_->is_stopping()) return;
  options_.limits.tail_messages = std::array{2, 4, 16}[r % 3];
  options_.limits.pending_messages = std::array{8, 40, 200}[r / 3 % 3];
  options_.limits.connections_per_user = 1 + r / 9 % 3;
  options_.limits.ack_wait = Milliseconds(std::array{20, 100, 400}[r / 27 % 3]);
  for (std::size_t i = 0; i < process_->shards(); ++i) {
    process_->mailboxes(i).change_limits(options_.limits);
  }
  note("reload");
  ++coverage_["reloaded"];
}

void Simulation::post_text(std::uint64_t r) {
  if (process_ == nullptr || peers_.empty()) return;
  const Peer& peer = peers_[r % peers_.size()];
  process_->router().post_text(r / 64 % process_->shards(), peer.id, "posted",
                               [](const Result<void>&) {});
}

// ---- coming to rest

void Simulation::schedule() {
  const int steps = choose(random_, std::array{800, 2'000, 4'000});
  std::discrete_distribution<std::size_t> next(weights_.begin(), weights_.end());
  for (int i = 0; i < steps && !ledger_.first_broken(); ++i) {
    ++step_;
    const Weighted& action = actions()[next(random_)];
    if (trace_) std::cout << step_ << " " << action.name << "\n";
    (this->*action.action)(random_());
  }
}

bool Simulation::settle_once() {
  bool moved = false;
  turn();
  if (process_ == nullptr) boot();
  for (std::size_t i = 0; i < process_->shards(); ++i) {
    while (process_->run_one(i)) moved = true;
  }
  for (Peer& peer : peers_) {
    if (!peer.gone) peer.connection->set_blocked(false);
    while (serve(peer)) moved = true;
  }
  return moved;
}

/// Opens a connection for each user who has none that receives, as their clients would.
void Simulation::keep_connected() {
  for (std::uint64_t user = 0; user < kUsers; ++user) {
    const bool connected = std::ranges::any_of(peers_, [&](const Peer& peer) {
      const test::FakeConnection& connection = *peer.connection;
      return peer.user == user_name(user) && !peer.gone && !connection.closing &&
             !connection.aborted;
    });
    if (!connected) open(user_name(user), Reading::well);
  }
}

/// No more faults, and every user has a client that reads: until nothing moves any more.
void Simulation::settle() {
  resting_ = true;
  mend_disk(0);
  for (int i = 0; i < 2'000 && process_ != nullptr && process_->is_stopping(); ++i) tick(29);
  if (process_ == nullptr) boot();
  for (Peer& peer : peers_) {
    peer.reading = Reading::well;
  }
  int quiet = 0;
  for (int round = 0; quiet < 80 && !ledger_.first_broken(); ++round) {
    ++step_;
    keep_connected();
    const bool moved = settle_once();
    clock_.advance(Milliseconds(25));
    for (std::size_t i = 0; i < process_->shards(); ++i) process_->tick(i);
    const bool open =
        std::ranges::any_of(ledger_.texts(), [](const Text& text) { return text.unanswered > 0; });
    std::int64_t pending = 0;
    for (std::size_t i = 0; i < process_->shards(); ++i) {
      pending += process_->mailboxes(i).metrics().pending_messages.read();
    }
    quiet = moved || open || pending > 0 ? 0 : quiet + 1;
    if (round < 6'000) continue;
    std::string who;
    for (std::uint64_t user = 0; user < kUsers; ++user) {
      const UserId id(user_name(user));
      const auto counted = process_->mailboxes(process_->router().home(id)).pending(id).messages;
      if (counted != 0) who += " " + id.str() + " " + std::to_string(counted);
    }
    ledger_.broken("never comes to rest:" + who, now());
  }
}

// Nothing is pending: of what this process accepted it was told how it ended. Damage may have
// changed by what name a row is known.
void Simulation::check_events() {
  if (coverage_["row damaged"] > 0) return;
  for (std::size_t i = 0; i < process_->shards(); ++i) {
    for (const auto& [key, heard] : process_->events(i).messages) {
      ++coverage_["event " + heard.end];
      if (!heard.end.empty()) continue;
      ledger_.broken(
          "nothing was told of an end: " + key.first.str() + " " + std::to_string(key.second),
          now());
    }
  }
}

void Simulation::check_rest() {
  const Rest rest{.letters = list_letters(),
                  .evicted = evicted_,
                  .poison_attempts = static_cast<int>(options_.limits.poison_attempts)};
  for (const auto& [id, reason] : rest.letters) ++coverage_[reason];
  if (static_cast<std::int64_t>(rest.letters.size()) > options_.dead_letters_max) {
    ledger_.broken("more dead letters than are kept", now());
  }
  ledger_.finish(rest);
  for (std::uint64_t user = 0; user < kUsers; ++user) {
    const UserId id(user_name(user));
    if (process_->mailboxes(process_->router().home(id)).pending(id).messages != 0) {
      ledger_.broken("counted as pending at rest: " + id.str(), now());
    }
  }
  check_events();
  if (caller_->in_flight != 0) ledger_.broken("a key's messages in flight leak", now());
  if (process_->store().stats().queued != 0) ledger_.broken("the store's slots leak", now());
  peers_.clear();
  process_->store().stop();
  for (std::size_t i = 0; i < process_->shards(); ++i) {
    while (process_->run_one(i)) {
    }
  }
  process_.reset();
  auto check = sqlite::check_database(folders_.back().file("holdfast.db"));
  // What was deleted or expired before anybody read it is found by the check alone.
  if (check && coverage_["row damaged"] > 0) {
    std::erase_if(check->problems, [](const std::string& problem) {
      return problem.contains("not as it was written");
    });
  }
  if (!check) {
    ledger_.broken("the database cannot be checked: " + check.error().message, now());
  } else if (!check->problems.empty()) {
    ledger_.broken("the database is not sound: " + check->problems.front(), now());
  } else if (check->pending_messages != 0) {
    ledger_.broken("rows left at rest", now());
  }
}

std::optional<std::string> Simulation::run() {
  try {
    boot();
    schedule();
    if (!ledger_.first_broken()) settle();
    if (!ledger_.first_broken()) check_rest();
  } catch (const std::runtime_error& error) {
    ledger_.broken(std::string("the process does not start: ") + error.what(), now());
  }
  coverage_["steps"] += static_cast<int>(step_);
  if (const int times = ballasts_let_go()) coverage_["ballast let go"] += times;
  coverage_["texts"] += static_cast<int>(ledger_.texts().size());
  note("end", ledger_.texts().size());
  return ledger_.first_broken();
}

}  // namespace holdfast::simulation
