// Locks names after failed attempts.

#include <algorithm>
#include <charconv>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <holdfast/identity/attempts.hpp>

#include "attempt_book.hpp"

namespace holdfast::identity {
namespace {

constexpr std::uint32_t kFreeFailures = 5;
constexpr Seconds kLongestLock{3'600};
constexpr Seconds kForgivenEvery{3'600};
constexpr Seconds kForgottenAfter{7 * 24 * 3'600};
// The time without an attempt after which even a permanent lock is forgotten.
constexpr Seconds kExhaustedForgottenAfter{365 * 24 * 3'600};

Seconds lock_after(std::uint32_t failures) {
  if (failures < kFreeFailures) return Seconds(0);
  const std::uint32_t exponent = std::min(failures - kFreeFailures, 12U);  // 2^12 s is over an hour
  return std::min(Seconds(1 << exponent), kLongestLock);
}

/// The numbers of a text, separated by spaces.
std::vector<std::int64_t> numbers_of(std::string_view text) {
  std::vector<std::int64_t> out;
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find(' '));
    std::int64_t number = 0;
    std::from_chars(word.data(), word.data() + word.size(), number);
    out.push_back(number);
    text.remove_prefix(std::min(word.size() + 1, text.size()));
  }
  return out;
}

struct Failures {
  std::uint32_t count = 0;  ///< those that are not forgiven
  std::uint32_t in_a_row = 0;
  SteadyTime last_attempt;
  SteadyTime forgiven_from;
  SteadyTime attempt_before;

  [[nodiscard]] bool exhausted() const { return in_a_row >= Lockout::kInARowMax; }
  [[nodiscard]] std::size_t rank() const { return in_a_row; }
  [[nodiscard]] SteadyTime forgotten_at() const {
    return last_attempt + (exhausted() ? kExhaustedForgottenAfter : kForgottenAfter);
  }
  void forgive(SteadyTime now) {
    const auto hours = (now - forgiven_from) / kForgivenEvery;
    if (hours <= 0) return;
    count -= static_cast<std::uint32_t>(std::min<std::int64_t>(hours, count));
    forgiven_from += hours * kForgivenEvery;
  }
  [[nodiscard]] bool locked(SteadyTime now) const {
    return exhausted() || now < last_attempt + lock_after(count);
  }

  template <class Times>
  [[nodiscard]] std::string text(const Times& times) const {
    return std::to_string(count) + " " + std::to_string(in_a_row) + " " +
           std::to_string(times.micros(last_attempt)) + " " +
           std::to_string(times.micros(forgiven_from));
  }
  template <class Times>
  static std::optional<Failures> read(const std::string& text, const Times& times) {
    const auto numbers = numbers_of(text);
    if (numbers.size() != 4) return std::nullopt;
    Failures out;
    out.count = static_cast<std::uint32_t>(numbers[0]);
    out.in_a_row = static_cast<std::uint32_t>(numbers[1]);
    out.last_attempt = out.attempt_before = times.steady(numbers[2]);
    out.forgiven_from = times.steady(numbers[3]);
    return out;
  }
};

constexpr Seconds kDay{24 * 3'600};

struct Day {
  std::vector<SteadyTime> times;  ///< the oldest first

  [[nodiscard]] std::size_t rank() const { return times.size(); }
  [[nodiscard]] SteadyTime forgotten_at() const {
    return times.empty() ? SteadyTime() : times.back() + kDay;
  }

  template <class Times>
  [[nodiscard]] std::string text(const Times& clock) const {
    std::string out;
    for (const SteadyTime t : times) {
      if (!out.empty()) out += ' ';
      out += std::to_string(clock.micros(t));
    }
    return out;
  }
  template <class Times>
  static std::optional<Day> read(const std::string& text, const Times& clock) {
    Day out;
    for (const std::int64_t micros : numbers_of(text)) out.times.push_back(clock.steady(micros));
    return out;
  }
};

}  // namespace

// ---- Lockout

struct Lockout::State {
  std::mutex mutex;
  AttemptBook<Failures> book;
};

Lockout::Lockout(const Clock& clock, std::size_t capacity, std::string secret)
    : state_(new State{.mutex = {},
                       .book = AttemptBook<Failures>(clock, capacity, std::move(secret))}) {}

Lockout::~Lockout() = default;

Lockout::Attempt Lockout::begin(const std::string& name) {
  bool ignored = false;
  return begin(name, ignored);
}

Lockout::Attempt Lockout::begin(const std::string& name, bool& locks) {
  locks = false;
  const std::lock_guard lock(state_->mutex);
  auto& book = state_->book;
  const SteadyTime now = book.now();
  const std::string key = book.key_of(name);
  Failures* found = book.find(key);
  if (found == nullptr) {
    found = &book.make(key, {.count = 0,
                             .in_a_row = 0,
                             .last_attempt = now,
                             .forgiven_from = now,
                             .attempt_before = now});
  }
  found->forgive(now);
  if (found->locked(now)) return Attempt::locked;
  if (found->count == 0) found->forgiven_from = now;
  ++found->count;
  ++found->in_a_row;
  found->attempt_before = std::exchange(found->last_attempt, now);
  book.changed(key);
  locks = found->locked(now);
  return Attempt::allowed;
}

void Lockout::succeeded(const std::string& name) {
  const std::lock_guard lock(state_->mutex);
  state_->book.forget(state_->book.key_of(name));
}

void Lockout::withdrawn(const std::string& name) {
  const std::lock_guard lock(state_->mutex);
  auto& book = state_->book;
  const std::string key = book.key_of(name);
  Failures* const found = book.find(key);
  if (found == nullptr) return;
  if (found->in_a_row <= 1) return book.forget(key);
  --found->in_a_row;
  if (found->count > 0) --found->count;
  found->last_attempt = found->attempt_before;
  book.changed(key);
}

void Lockout::restore(const Row& row) {
  const std::lock_guard lock(state_->mutex);
  state_->book.restore(row);
}
std::vector<Lockout::Row> Lockout::take_changes(std::size_t max) {
  const std::lock_guard lock(state_->mutex);
  return state_->book.take_changes(max);
}
void Lockout::put_back(const Row& row) {
  const std::lock_guard lock(state_->mutex);
  state_->book.put_back(row);
}
void Lockout::forget_idle() {
  const std::lock_guard lock(state_->mutex);
  state_->book.forget_idle();
}

// ---- DailyLimits

struct DailyLimits::State {
  std::mutex mutex;
  AttemptBook<Day> book;
};

DailyLimits::DailyLimits(const Clock& clock, std::size_t capacity, std::string secret)
    : state_(new State{.mutex = {}, .book = AttemptBook<Day>(clock, capacity, std::move(secret))}) {
}

DailyLimits::~DailyLimits() = default;

bool DailyLimits::take(const std::string& name, std::size_t max) {
  const std::lock_guard lock(state_->mutex);
  auto& book = state_->book;
  const SteadyTime now = book.now();
  const std::string key = book.key_of(name);
  Day* const found = book.find(key);
  if (found == nullptr) {
    if (max == 0) return false;
    book.make(key, {.times = {now}});
  } else {
    std::erase_if(found->times, [now](SteadyTime t) { return t + kDay <= now; });
    if (found->times.size() >= max) return false;
    found->times.push_back(now);
  }
  book.changed(key);
  return true;
}

void DailyLimits::withdrawn(const std::string& name) {
  const std::lock_guard lock(state_->mutex);
  auto& book = state_->book;
  const std::string key = book.key_of(name);
  Day* const found = book.find(key);
  if (found == nullptr) return;
  if (found->times.size() <= 1) return book.forget(key);
  found->times.pop_back();
  book.changed(key);
}

void DailyLimits::forget(const std::string& name) {
  const std::lock_guard lock(state_->mutex);
  state_->book.forget(state_->book.key_of(name));
}

void DailyLimits::restore(const Row& row) {
  const std::lock_guard lock(state_->mutex);
  state_->book.restore(row);
}
std::vector<DailyLimits::Row> DailyLimits::take_changes(std::size_t max) {
  const std::lock_guard lock(state_->mutex);
  return state_->book.take_changes(max);
}
void DailyLimits::put_back(const Row& row) {
  const std::lock_guard lock(state_->mutex);
  state_->book.put_back(row);
}
void DailyLimits::forget_idle() {
  const std::lock_guard lock(state_->mutex);
  state_->book.forget_idle();
}

// ---- AttemptKeeper

namespace {

// Names in one transaction: what guesses of one second could be, and no more.
constexpr std::size_t kNamesPerWrite = 1'000;

}  // namespace

AttemptKeeper::AttemptKeeper(std::shared_ptr<AttemptCounts> counts, AttemptStore& store,
                             const Clock& clock)
    : counts_(std::move(counts)), store_(store), clock_(clock) {}

// Their places are their numbers in the database.
std::vector<KeptCounts*> AttemptKeeper::lists() {
  return {&counts_->logins, &counts_->logins_of_unknown_names, &counts_->codes,
          &counts_->codes_of_unknown_names, &counts_->console};
}

void AttemptKeeper::load(Completion<Result<void>> done) {
  store_.load(clock_.wall_now(),
              [this, done = std::move(done)](Result<std::vector<AttemptStore::Row>> rows) mutable {
                if (!rows) return done(std::unexpected(std::move(rows.error())));
                const auto all = lists();
                for (const AttemptStore::Row& row : *rows) {
                  if (row.list < all.size()) all[row.list]->restore(row);
                }
                done({});
              });
}

// Answers whether there was anything to write.
void AttemptKeeper::write_some(Completion<Result<bool>> done) {
  std::vector<AttemptStore::Row> rows;
  const auto all = lists();
  for (std::size_t i = 0; i < all.size(); ++i) {
    for (AttemptStore::Row& row : all[i]->take_changes(kNamesPerWrite - rows.size())) {
      row.list = i;
      rows.push_back(std::move(row));
    }
  }
  if (rows.empty()) return done(false);
  writing_ = true;
  auto written = [this, rows, done = std::move(done)](Result<void> result) mutable {
    writing_ = false;
    if (result) return done(true);
    const auto lists_now = lists();
    for (const AttemptStore::Row& row : rows) lists_now[row.list]->put_back(row);
    done(std::unexpected(std::move(result.error())));
  };
  store_.write(std::move(rows), std::move(written));
}

void AttemptKeeper::write() {
  // Failed writes are part of the next ones. The store reports its errors itself.
  if (!writing_) write_some([](const Result<bool>&) {});
}

void AttemptKeeper::finish(Completion<Result<void>> done) {
  write_some([this, done = std::move(done)](Result<bool> more) mutable {
    if (!more) return done(std::unexpected(std::move(more.error())));
    if (!*more) return done({});
    finish(std::move(done));
  });
}

void AttemptKeeper::forget_idle() {
  for (KeptCounts* const list : lists()) list->forget_idle();
}

}  // namespace holdfast::identity
