#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "simulation/ledger.hpp"
#include "simulation/process.hpp"
#include "support/base/manual_clock.hpp"
#include "support/base/temp_dir.hpp"
#include "support/delivery/fake_connection.hpp"
#include "support/sqlite/shim_vfs.hpp"

namespace holdfast::simulation {

/// Producers, clients, operators, two clocks and a disk around a process, and one schedule that
/// follows from a seed. The disk fails reads, writes, truncations and syncs, fills up, and loses
/// what was not synced when the power goes. What is checked is what the documents promise.
class Simulation {
 public:
  explicit Simulation(std::uint64_t seed, bool trace = false);
  ~Simulation();

  /// Runs the schedule, then lets everything come to rest. The first broken promise, if any.
  [[nodiscard]] std::optional<std::string> run();
  /// How often the rarer things happened.
  [[nodiscard]] const std::map<std::string, int>& coverage() const noexcept { return coverage_; }
  /// A number that follows from everything that happened.
  [[nodiscard]] std::uint64_t fingerprint() const noexcept { return fingerprint_; }

 private:
  enum class Reading : std::uint8_t {
    well,
    slow,
    mute,
    deaf,
    refuses,  ///< ends the connection at certain messages
  };
  struct Peer {
    std::string user;
    ConnectionId id;
    std::size_t shard = 0;
    delivery::MakeProtocol protocol{};
    Reading reading = Reading::well;
    bool gone = false;
    std::uint16_t refuses_with = 0;  ///< the code of its Close
    std::shared_ptr<test::FakeConnection> connection;
    Seen seen;
  };
  using Action = void (Simulation::*)(std::uint64_t);
  struct Weighted {
    const char* name;
    double weight;
    bool is_fault;
    Action action;
  };
  static const std::vector<Weighted>& actions();

  // ---- the machine
  void boot();
  void end_process(bool power_cut);
  bool survives(const std::function<void()>& step);
  void turn();
  [[nodiscard]] int judge(test::ShimVfs::Call call, std::string_view path);
  void damage_row();
  [[nodiscard]] bool has_faults() const;
  [[nodiscard]] bool disk_fails() const;
  /// The process ends, and with it every connection; what it counted is kept.
  void lose_process();
  [[nodiscard]] Moment now() const noexcept { return {step_, life_}; }
  void note(std::string_view what, std::uint64_t detail = 0);

  // ---- what may happen next
  void post(std::uint64_t r);
  void post_batch(std::uint64_t r);
  void connect(std::uint64_t r);
  void client(std::uint64_t r);
  void leave(std::uint64_t r);
  void close_with_code(std::uint64_t r);
  void change_reading(std::uint64_t r);
  void block(std::uint64_t r);
  void run_shard(std::uint64_t r);
  void turn_store(std::uint64_t r);
  void tick(std::uint64_t r);
  void pass_time(std::uint64_t r);
  void step_clock(std::uint64_t r);
  void fail_disk(std::uint64_t r);
  void fill_disk(std::uint64_t r);
  void mend_disk(std::uint64_t r);
  void fail_sync(std::uint64_t r);
  void kill(std::uint64_t r);
  void cut_power(std::uint64_t r);
  void stop(std::uint64_t r);
  void restart(std::uint64_t r);
  void redrive(std::uint64_t r);
  void delete_pending(std::uint64_t r);
  void delete_letters(std::uint64_t r);
  void end_access(std::uint64_t r);
  void close_all(std::uint64_t r);
  void reload(std::uint64_t r);
  void post_text(std::uint64_t r);

  [[nodiscard]] delivery::SendRequest request_for(Text& text, std::uint64_t r);
  [[nodiscard]] Text* choose_text(std::uint64_t r);
  Peer& open(const std::string& user, Reading reading);
  /// One thing that the peer's client does; false when there is none.
  bool serve(Peer& peer);
  void acknowledge(Peer& peer, std::size_t count);
  /// Whether it refuses this text, and ends its connection by that.
  bool refuse(Peer& peer, std::string_view text);
  void end_peer(Peer& peer, const delivery::ConnectionEnd& end);
  /// From now on for a while, messages of this user may become dead letters.
  void begin_dying(const std::string& user);
  [[nodiscard]] std::map<MessageId, std::string> list_letters();

  // ---- coming to rest
  void schedule();
  [[nodiscard]] bool settle_once();
  void keep_connected();
  void settle();
  void check_events();
  void check_rest();

  std::mt19937_64 random_;
  bool trace_;
  std::vector<double> weights_;
  ProcessOptions options_;
  test::ManualClock clock_;
  test::ShimVfs vfs_;
  std::deque<test::TempDir> folders_;
  std::unique_ptr<Process> process_;
  SenderQuotaPtr caller_ = std::make_shared<SenderQuota>("AKIASIMULATION");
  Ledger ledger_;
  std::map<Text*, BootTime> first_sent_;
  std::deque<Peer> peers_;
  std::uint64_t step_ = 0;
  int life_ = 0;
  std::uint64_t number_ = 0;
  bool resting_ = false;
  bool clock_was_set_ = false;  ///< since the last start
  /// What the disk does wrong: one call of so many fails; 0: none.
  struct Faults {
    unsigned reads = 0;
    unsigned writes = 0;
    unsigned truncates = 0;
    bool next_sync = false;
  } faults_;
  bool is_full_ = false;         ///< the disk may have no room left
  bool had_ballast_ = true;      ///< when it filled
  std::int64_t disk_bytes_ = 0;  ///< of a disk that nobody else uses; 0: more than is ever used
  bool damages_ = false;         ///< rows may be changed while nothing runs
  bool evicted_ = false;         ///< there were as many dead letters as are kept
  std::map<std::string, std::uint64_t> dying_until_;  ///< by user: the step
  std::uint64_t calls_ = 0;
  std::map<std::string, int> coverage_;
  std::uint64_t fingerprint_ = 14'695'981'039'346'656'037U;
};

}  // namespace holdfast::simulation
