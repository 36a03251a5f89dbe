#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>

#include <holdfast/base/assert.hpp>
#include <holdfast/delivery/message_store.hpp>

#include "message_log.hpp"
#include "run.hpp"

namespace holdfast::delivery {

/// The runs of one user's messages in order of sequence, with what is counted of them: what is
/// reserved, what the store has not answered for, and whose commit failed. It owns the runs, and
/// drives none.
class Runs {
 public:
  Runs() = default;
  Runs(const Runs&) = delete;
  Runs& operator=(const Runs&) = delete;
  ~Runs() {
    for (Run* run = first(); run != nullptr;) {
      const std::unique_ptr<Run> unanswered(run);
      run = RunList::next(*run);
    }
  }

  [[nodiscard]] bool is_empty() const noexcept { return list_.empty(); }
  [[nodiscard]] Run* first() const noexcept { return list_.first(); }
  [[nodiscard]] Run* last() const noexcept { return list_.last(); }
  /// A new one, behind all others. Its share of the user's limits is reserved from now on.
  Run& add(std::unique_ptr<Run> run) {
    HOLDFAST_ASSERT(is_empty() || last()->sequence() < run->sequence(), "runs.rise");
    reserved_ += size_of(*run);
    list_.push_back(*run);
    return *run.release();
  }
  /// One that is answered. Gives its share back, unless its insert does.
  [[nodiscard]] std::unique_ptr<Run> take(Run& run) {
    if (!run.handed) release(size_of(run));
    return remove(run);
  }

  // ---- walks; the run that is called with may end in it
  template <class Act>
  void each(const Act& act) {
    for (Run* run = first(); run != nullptr;) {
      Run* const next = RunList::next(*run);
      act(*run);
      run = next;
    }
  }
  template <class Act>
  void each_up_to(Sequence up_to, const Act& act) {
    for (Run* run = first(); run != nullptr && run->sequence() <= up_to;) {
      Run* const next = RunList::next(*run);
      act(*run);
      run = next;
    }
  }
  /// Found from the newest on, of which there are the fewest.
  template <class Act>
  void each_above(Sequence above, const Act& act) {
    Run* run = last();
    while (run != nullptr && RunList::previous(*run) != nullptr &&
           RunList::previous(*run)->sequence() > above) {
      run = RunList::previous(*run);
    }
    while (run != nullptr) {
      Run* const next = RunList::next(*run);
      if (run->sequence() > above) act(*run);
      run = next;
    }
  }
  /// The newest above `above` that is wanted; nullptr when there is none.
  template <class Wanted>
  [[nodiscard]] Run* newest_above(Sequence above, const Wanted& wanted) const {
    Run* run = last();
    while (run != nullptr && run->sequence() > above && !wanted(*run)) {
      run = RunList::previous(*run);
    }
    return run != nullptr && run->sequence() > above ? run : nullptr;
  }

  // ---- towards the store
  /// Everything up to here is to be handed over.
  void store(Sequence up_to) noexcept { store_to_ = std::max(store_to_, up_to); }
  [[nodiscard]] Sequence store_to() const noexcept { return store_to_; }
  /// These are inserted.
  void begin_insert(const PendingTotals& handed) noexcept {
    inserting_ += static_cast<std::uint32_t>(handed.messages);
  }
  /// The store has answered for them: they are committed, or answered as failed.
  void end_insert(const PendingTotals& handed) {
    HOLDFAST_ASSERT(inserting_ >= handed.messages, "runs.inserts_are_answered_once");
    inserting_ -= static_cast<std::uint32_t>(handed.messages);
    release(handed);
  }
  [[nodiscard]] bool is_inserting() const noexcept { return inserting_ > 0; }
  /// Returns the totals that are accepted and not committed.
  [[nodiscard]] const PendingTotals& reserved() const noexcept { return reserved_; }

  // ---- runs whose commit failed
  void begin_failed() noexcept { ++failed_; }
  void end_failed() {
    HOLDFAST_ASSERT(failed_ > 0, "runs.counts_those_that_failed");
    --failed_;
  }
  [[nodiscard]] bool has_failed() const noexcept { return failed_ > 0; }

  [[nodiscard]] static PendingTotals size_of(const Run& run) noexcept {
    return {.messages = 1, .bytes = static_cast<std::int64_t>(run.message->payload.size())};
  }

 private:
  std::unique_ptr<Run> remove(Run& run) noexcept {
    list_.remove(run);
    return std::unique_ptr<Run>(&run);
  }
  void release(const PendingTotals& totals) {
    reserved_.messages -= totals.messages;
    reserved_.bytes -= totals.bytes;
    HOLDFAST_ASSERT(reserved_.messages >= 0 && reserved_.bytes >= 0,
                    "runs.release_what_is_reserved");
  }

  RunList list_;
  Sequence store_to_ = 0;
  PendingTotals reserved_;
  std::uint32_t inserting_ = 0;
  std::uint32_t failed_ = 0;
};

}  // namespace holdfast::delivery
