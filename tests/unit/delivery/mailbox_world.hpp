#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "delivery/shard_mailboxes.hpp"
#include "support/base/choices.hpp"
#include "support/base/manual_clock.hpp"
#include "support/base/manual_executor.hpp"
#include "support/delivery/event_record.hpp"
#include "support/delivery/fake_connection.hpp"
#include "support/delivery/fake_message_store.hpp"

namespace holdfast::delivery {

/// One user, producers, clients, a disk and two clocks around a real shard, and a scheduler that
/// interleaves them with faults as its choices say. Bounds are tiny, so that every edge is met
/// often. What is checked is what was promised, from outside: the world knows what it sent, what
/// clients received and acknowledged, and what lies on the disk.
class MailboxWorld {
 public:
  struct Faults {
    bool lose_last_commit = false;  ///< each crash takes the disk's last commit along
    bool trace = false;             ///< tells each step on stdout
  };

  MailboxWorld(test::Choices choices, Faults faults);
  ~MailboxWorld();

  /// Runs the schedule, then lets everything come to rest. The first broken promise, if any.
  [[nodiscard]] std::optional<std::string> run();
  /// Counts of the rarer things.
  [[nodiscard]] const std::map<std::string, int>& coverage() const noexcept { return coverage_; }

 private:
  using Mode = test::FakeMessageStore::Mode;

  struct Post {
    std::string body;
    std::optional<std::string> key;
    std::optional<Seconds> ttl;
  };
  enum class Status : std::uint8_t { live, rejected, dead, gone };
  struct Ack {
    std::uint64_t step;
    int epoch;
  };
  /// One acceptance, and what became of it.
  struct Accepted {
    Post post;
    MessageId id;
    Sequence sequence = 0;
    Status status = Status::live;
    std::optional<SendOutcome> answer;
    std::optional<Ack> acked;
    std::optional<std::int64_t> recorded_us;  ///< true time of its deduplication record
    std::int64_t recorded_offset_us = 0;
    std::int64_t born_us = 0;
    std::int64_t offset_us = 0;
    std::int64_t failed_us = 0;
    int died_life = -1;  ///< in which a transaction made it a dead letter
    bool expired = false;
    int clock_steps = 0;
    bool moved = false;  ///< its lifetime may go by another time than `offset_us`
    int life = 0;        ///< of the process that accepted it
    bool redrive = false;
    bool inserted = false;
  };
  /// One `send`; `accepted` stays empty for a refusal or a repeat.
  struct Call {
    Post post;
    Accepted* accepted = nullptr;
  };
  struct Up {
    enum class Kind : std::uint8_t { pong, text, closed } kind;
    std::string bytes;
    std::size_t received = 0;  ///< by the client when it answered the Ping
    Sequence sequence = 0;     ///< of an ack
  };
  enum class Reading : std::uint8_t { well, slow, half_open };
  struct Peer {
    int number = 0;
    ConnectionId id;
    MakeProtocol protocol{};
    Reading mode = Reading::well;
    bool left = false;
    bool closed = false;  ///< `on_closed` was told
    std::uint64_t opened_step = 0;
    std::shared_ptr<test::FakeConnection> connection;
    std::vector<Accepted*> written;
    std::deque<Accepted*> under_way;  ///< as the texts in `connection->sent`; nullptr: an answer
    std::vector<Accepted*> received;
    std::size_t settled = 0;  ///< of `written`
    std::deque<std::string> pings;
    std::vector<std::string> old_pings;
    std::deque<Up> up;

    [[nodiscard]] bool v1() const noexcept { return protocol == holdfast_v1_protocol; }
    /// The server still counts on it.
    [[nodiscard]] bool open() const noexcept;
    /// It receives what is sent, as far as the server knows.
    [[nodiscard]] bool receives() const noexcept { return open() && !connection->closing; }
  };
  /// The offset between the wall clock and the machine's own that the process goes by.
  struct TimeInUse {
    std::int64_t offset_us = 0;
    std::optional<std::int64_t> other_us;  ///< the present one, while it is far off
    SteadyTime other_since;
  };
  using Action = bool (MailboxWorld::*)(std::uint64_t);
  struct Weighted {
    const char* name;
    double weight;
    bool fault;
    Action action;
  };
  static const std::vector<Weighted>& actions();

  // ---- the process
  void boot();
  void wipe(bool crash);

  // ---- what may happen next; false when it could not
  bool do_post(std::uint64_t r);
  bool do_open(std::uint64_t r);
  bool do_client(std::uint64_t r);
  bool do_uplink(std::uint64_t r);
  bool do_leave(std::uint64_t r);
  bool do_mode(std::uint64_t r);
  bool do_block(std::uint64_t r);
  bool do_evil(std::uint64_t r);
  bool do_ack(std::uint64_t r);
  bool do_tick(std::uint64_t r);
  bool do_take(std::uint64_t r);
  bool do_commit(std::uint64_t r);
  bool do_fail(std::uint64_t r);
  bool do_retry(std::uint64_t r);
  bool do_deliver(std::uint64_t r);
  bool do_refuse(std::uint64_t r);
  bool do_redrive(std::uint64_t r);
  bool do_delete(std::uint64_t r);
  bool do_delete_letter(std::uint64_t r);
  bool do_close(std::uint64_t r);
  bool do_advance(std::uint64_t r);
  bool do_step(std::uint64_t r);
  bool do_crash(std::uint64_t r);
  bool do_restart(std::uint64_t r);
  bool do_shutdown(std::uint64_t r);
  bool do_down(std::uint64_t r);
  void stop_store();

  Peer* pick(std::uint64_t r, bool (*wanted)(const Peer&));
  void take_frame(Peer& peer, bool skip_older_pings);
  void feed(Peer& peer);
  void feed_ack(Peer& peer, const Up& event);
  void send(const Post& post);

  // ---- what the world sees, and the promises
  void broken(std::string what);
  void say(const std::string& what) const;
  void observe();
  void on_accepted(const Execution& execution);
  void on_written(Peer& peer, std::string_view frame);
  [[nodiscard]] Accepted* attribute(const Peer& peer, std::string_view frame);
  [[nodiscard]] bool around(const Accepted& message) const;
  void check_passes(const Peer& peer, const Accepted& next);
  void on_received(Peer& peer, Accepted& message);
  void mark_acked(Peer& peer, std::size_t count);
  void on_answer(Call& call, SendOutcome outcome);
  void check_answer(Accepted& message);
  void check_repeat(const Call& call, const SendOutcome& outcome);
  void check_deduplication(const Accepted& message);
  void on_insert_result(const Message& message, bool ok);
  void on_expired(const Message& message);
  void on_moved(const Message& message);
  void on_letters_deleted(const std::vector<MessageId>& ids);
  void on_event(std::string_view what, const MessageEvent& event);
  void check_events(bool at_rest);
  void check_disk();
  void check_record(Accepted& message);
  void check_bounds();
  [[nodiscard]] bool held(const Accepted& message) const;
  [[nodiscard]] bool on_disk(const Accepted& message) const;
  [[nodiscard]] Accepted* by_sequence(Sequence sequence);
  [[nodiscard]] std::int64_t now_us() const;
  [[nodiscard]] std::int64_t offset_us() const;
  void watch_time();
  void move_lifetimes();
  [[nodiscard]] bool offset_near(std::int64_t offset_us) const;

  // ---- coming to rest
  void schedule();
  void settle(bool everyone);
  bool settle_once(bool everyone);
  bool serve(Peer& peer);
  void check_rest(bool everyone);
  void check_counts();
  [[nodiscard]] std::vector<Peer*> living();
  void check_survival();
  void check_elision();
  std::optional<bool> probe();
  void finish();
  void check_ledger();

  test::Choices random_;
  Faults faults_;
  std::vector<double> weights_;
  Limits limits_;
  std::size_t slots_ = 16;

  test::ManualClock clock_;
  test::ManualExecutor executor_;
  std::shared_ptr<test::FakeDatabase> database_ = std::make_shared<test::FakeDatabase>();
  std::unique_ptr<test::FakeMessageStore> store_;
  std::unique_ptr<test::FakeConnectionStore> connection_store_;
  std::unique_ptr<test::EventRecord> record_;  ///< of this life
  std::unique_ptr<ShardMailboxes> mailboxes_;
  UserId user_{"user"};
  SenderQuotaPtr caller_;

  std::deque<Accepted> all_;  ///< in order of acceptance; elements stay in place
  std::deque<Call> calls_;
  std::vector<Post> posts_;
  std::deque<Peer> peers_;
  Call* calling_ = nullptr;
  std::map<MessageId, Call*> redriving_;
  std::set<MessageId> given_up_letters_;  ///< somebody asked for their end
  std::uint64_t accepted_seen_ = 0;
  std::uint64_t step_ = 0;
  int epoch_ = 0;             ///< rises with every crash
  int life_ = 0;              ///< rises with every start
  std::uint64_t booted_ = 0;  ///< the step of the last start
  int clock_steps_ = 0;
  int phase_ = 0;  ///< of the shutdown: 1 drain, 2 close, 3 done
  int number_ = 0;
  /// A transaction failed in the second half of a shutdown: deletes may be given up.
  bool failed_since_closing_ = false;
  TimeInUse time_;
  bool given_up_ = false;
  std::optional<std::string> broken_;
  std::map<std::string, int> coverage_;
};

}  // namespace holdfast::delivery
