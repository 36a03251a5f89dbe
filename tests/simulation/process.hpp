#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <holdfast/delivery/mailboxes.hpp>
#include <holdfast/delivery/router.hpp>

#include "sqlite/stepped_store.hpp"
#include "support/base/manual_clock.hpp"
#include "support/base/manual_executor.hpp"
#include "support/delivery/event_record.hpp"

namespace holdfast::simulation {

/// Ends a process whose store met an unknown outcome: thrown out of its turn.
struct ProcessEnded {
  std::string why;
};

struct ProcessOptions {
  std::string folder;
  std::size_t shards = 2;
  delivery::Limits limits;
  std::size_t batch_operations = 16;
  std::int64_t dead_letters_max = 1'000'000;
  std::int64_t disk_free_min = 0;
};

/// The part of the daemon that must not lose anything: shards with their mailboxes and the router
/// over the real store, on one thread. Nothing moves but what the schedule moves.
class Process {
 public:
  /// Throws std::runtime_error where the daemon would not start.
  Process(ProcessOptions options, const Clock& clock);
  /// Ends it as kill -9 does: nobody hears anything any more.
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  [[nodiscard]] std::size_t shards() const noexcept { return shards_.size(); }
  [[nodiscard]] const delivery::Router& router() const noexcept { return *router_; }
  [[nodiscard]] delivery::Mailboxes& mailboxes(std::size_t shard) {
    return *shards_[shard]->mailboxes;
  }
  [[nodiscard]] delivery::MessageStore& messages(std::size_t shard) {
    return *shards_[shard]->handles->messages;
  }
  [[nodiscard]] storage::FileStore& store() noexcept { return *store_; }
  /// Returns what was heard of the shard's messages and connections.
  [[nodiscard]] const test::EventRecord& events(std::size_t shard) const {
    return shards_[shard]->events;
  }

  /// Runs one task of a shard; false when it has none.
  bool run_one(std::size_t shard) { return shards_[shard]->executor.run_one(); }
  void tick(std::size_t shard) { shards_[shard]->mailboxes->tick(); }
  /// One turn of the store. Throws ProcessEnded.
  void turn() { static_cast<void>(store_->turn()); }

  /// The steps of the daemon's stop, one after the other: each begins when all shards have done
  /// with the one before, or its time is over.
  void begin_stop(Milliseconds spread, Milliseconds longest);
  [[nodiscard]] bool is_stopping() const noexcept { return stage_ != Stage::serving; }
  /// Moves on where it can. True when the process has stopped: the store is closed.
  bool continue_stop();
  /// The store is broken and must not be touched again.
  void abandon() noexcept { abandoned_ = true; }

 private:
  struct Shard {
    test::ManualExecutor executor;
    storage::StoreHandles* handles = nullptr;
    test::EventRecord events;
    std::unique_ptr<delivery::Mailboxes> mailboxes;
  };
  enum class Stage : std::uint8_t { serving, leaving, draining, closing, stopped };

  void enter(Stage stage);

  const Clock& clock_;
  std::unique_ptr<sqlite::SteppedStore> store_;
  std::vector<std::unique_ptr<Shard>> shards_;
  std::unique_ptr<delivery::Router> router_;
  Stage stage_ = Stage::serving;
  std::shared_ptr<std::size_t> waiting_;  ///< shards that are not done with the stage
  Milliseconds spread_{0};
  SteadyTime deadline_;
  SteadyTime stage_deadline_;
  bool abandoned_ = false;
};

}  // namespace holdfast::simulation
