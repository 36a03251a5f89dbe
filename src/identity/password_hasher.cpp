// Hashes passwords with Argon2id on threads of its own.

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include <argon2.h>

#include <holdfast/base/crypto.hpp>
#include <holdfast/base/encoding.hpp>
#include <holdfast/base/process.hpp>
#include <holdfast/identity/user_pool.hpp>

#include "secret.hpp"

namespace holdfast::identity {
namespace {

constexpr std::size_t kSaltBytes = 16;
constexpr std::size_t kHashBytes = 32;
constexpr std::uint32_t kLanes = 1;
// The number of signatures that take less time than one password.
constexpr std::size_t kSignaturesForAPassword = 4;

std::string unpadded_base64(std::string_view bytes) {
  std::string out = base64_encode(bytes);
  out.resize(out.find_last_not_of('=') + 1);
  return out;
}

// The form of a hash that no password makes: it costs what a real one costs.
std::string impossible_hash(const PasswordHasherOptions& options) {
  return "$argon2id$v=" + std::to_string(ARGON2_VERSION_NUMBER) +
         "$m=" + std::to_string(options.memory_kib) + ",t=" + std::to_string(options.iterations) +
         ",p=" + std::to_string(kLanes) + "$" + unpadded_base64(random_string(kSaltBytes)) + "$" +
         unpadded_base64(random_string(kHashBytes));
}

Result<std::string> hash_now(const PasswordHasherOptions& options, std::string_view password) {
  const std::string salt = random_string(kSaltBytes);
  std::string encoded(argon2_encodedlen(options.iterations, options.memory_kib, kLanes, kSaltBytes,
                                        kHashBytes, Argon2_id),
                      '\0');
  const int code = argon2id_hash_encoded(options.iterations, options.memory_kib, kLanes,
                                         password.data(), password.size(), salt.data(), salt.size(),
                                         kHashBytes, encoded.data(), encoded.size());
  if (code != ARGON2_OK) {
    return fail(Errc::unavailable, std::string("cannot hash: ") + argon2_error_message(code));
  }
  encoded.resize(encoded.find('\0'));
  return encoded;
}

Result<bool> verify_now(std::string_view password, const std::string& encoded) {
  const int code = argon2id_verify(encoded.c_str(), password.data(), password.size());
  if (code == ARGON2_OK) return true;
  if (code == ARGON2_VERIFY_MISMATCH) return false;
  return fail(code == ARGON2_MEMORY_ALLOCATION_ERROR ? Errc::unavailable : Errc::internal,
              std::string("cannot verify: ") + argon2_error_message(code));
}

template <class T>
Task answer(Executor& executor, Completion<Result<T>> done, Result<T> result) {
  return [&executor, done = std::move(done), result = std::move(result)]() mutable {
    executor.post([done = std::move(done), result = std::move(result)]() mutable {
      done(std::move(result));
    });
  };
}

/// A piece of work, called once: it runs or is refused. Returns the task that answers the caller,
/// who may then submit more work of the same name.
using Job = std::move_only_function<Task(const Error* refusal)>;

struct Work {
  Job job;
  std::string name;  ///< that is under way with it; empty: none
};

/// The public lane: a queue for each owner, served in turn. Only one piece of work of a name runs
/// at a time, and few may wait behind it, whoever sends them. Needs a lock around it.
class PublicLane {
 public:
  explicit PublicLane(std::size_t capacity)
      : capacity_(capacity),
        client_share_(std::max<std::size_t>(capacity / 8, 1)),
        key_share_(std::max<std::size_t>(capacity / 2, 1)) {}

  /// Returns the limit that one more piece of work would exceed, if any.
  [[nodiscard]] std::optional<BoundScope> refuses(const WorkOwner& owner) const {
    const auto found = owners_.find(holder_of(owner.source));
    const std::size_t held = found == owners_.end() ? 0 : found->second.held;
    const bool is_key = owner.source.kind == Source::Kind::access_key;
    if (held >= (is_key ? key_share_ : client_share_)) return BoundScope::share;
    const auto name = names_.find(owner.name);
    if (name != names_.end() && name->second.size() >= kBehindOneOfTheName) {
      return BoundScope::share;
    }
    if (size_ >= capacity_) return BoundScope::all;
    return std::nullopt;
  }
  void push(const WorkOwner& owner, Job job) {
    const std::string holder = holder_of(owner.source);
    ++owners_[holder].held;
    ++size_;
    Work work{.job = std::move(job), .name = owner.name};
    if (!owner.name.empty()) {
      const auto [behind, is_first] = names_.try_emplace(owner.name);
      if (!is_first) {
        behind->second.push_back({.holder = holder, .work = std::move(work)});
        return;
      }
    }
    make_ready(holder, std::move(work));
  }
  /// Nothing can run now.
  [[nodiscard]] bool empty() const { return turns_.empty(); }
  /// Takes the next work in turn. Call `finished` when it is done.
  [[nodiscard]] Work pop() {
    const std::string holder = std::move(turns_.front());
    turns_.pop_front();
    const auto owner = owners_.find(holder);
    Work out = std::move(owner->second.ready.front());
    owner->second.ready.pop_front();
    if (!owner->second.ready.empty()) turns_.push_back(holder);
    if (--owner->second.held == 0) owners_.erase(owner);
    --size_;
    return out;
  }
  void finished(const std::string& name) {
    const auto behind = names_.find(name);
    if (behind == names_.end()) return;
    if (behind->second.empty()) {
      names_.erase(behind);
      return;
    }
    Waiting next = std::move(behind->second.front());
    behind->second.pop_front();
    make_ready(next.holder, std::move(next.work));
  }

 private:
  static constexpr std::size_t kBehindOneOfTheName = 4;

  struct Owner {
    std::size_t held = 0;  ///< ready, or behind others of their names
    std::deque<Work> ready;
  };
  struct Waiting {
    std::string holder;
    Work work;
  };

  static std::string holder_of(const Source& source) {
    return source.kind == Source::Kind::access_key ? "key " + source.id
                                                   : client_share_key(source.id);
  }
  void make_ready(const std::string& holder, Work work) {
    std::deque<Work>& ready = owners_[holder].ready;
    if (ready.empty()) turns_.push_back(holder);
    ready.push_back(std::move(work));
  }

  const std::size_t capacity_;
  const std::size_t client_share_;
  const std::size_t key_share_;
  std::size_t size_ = 0;
  std::unordered_map<std::string, Owner> owners_;
  std::deque<std::string> turns_;  ///< each that has something ready, once
  /// The work that waits behind ready or running work of the same name.
  std::unordered_map<std::string, std::deque<Waiting>> names_;
};

class PasswordHasherImpl final : public PasswordHasher {
 public:
  PasswordHasherImpl(PasswordHasherOptions options, std::shared_ptr<BoundRefusals> refusals)
      : options_(options),
        impossible_hash_(impossible_hash(options)),
        refusals_(std::move(refusals)),
        public_lane_(options.queue),
        signing_lane_(kSignaturesForAPassword * options.queue) {
    try {
      for (std::size_t i = 0; i < std::max<std::size_t>(options_.threads, 1); ++i) {
        threads_.push_back(start_thread("hf-password", [this] { work(); }));
      }
    } catch (...) {
      // The destructor does not run after a failed constructor.
      PasswordHasherImpl::stop();
      throw;
    }
  }
  PasswordHasherImpl(const PasswordHasherImpl&) = delete;
  PasswordHasherImpl& operator=(const PasswordHasherImpl&) = delete;
  ~PasswordHasherImpl() override { PasswordHasherImpl::stop(); }

  void stop() override {
    std::deque<Job> left;
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
      left.swap(operators_lane_);
      for (PublicLane* const lane : {&public_lane_, &signing_lane_}) {
        while (!lane->empty()) left.push_back(lane->pop().job);
      }
    }
    wake_.notify_all();
    for (std::thread& thread : threads_) {
      if (thread.joinable()) thread.join();
    }
    for (Job& job : left) job (&stopping_error_)();
  }

  void hash(std::string password, WorkOwner owner, Executor& executor,
            Completion<Result<std::string>> done) override {
    enqueue(owner, [this, secret = Secret::take(password), &executor,
                    done = std::move(done)](const Error* refusal) mutable {
      return answer<std::string>(
          executor, std::move(done),
          refusal == nullptr ? hash_now(options_, secret.view()) : std::unexpected(*refusal));
    });
  }

  void verify(std::string password, std::string encoded, WorkOwner owner, Executor& executor,
              Completion<Result<bool>> done) override {
    enqueue(owner, [this, secret = Secret::take(password), encoded = std::move(encoded), &executor,
                    done = std::move(done)](const Error* refusal) mutable {
      return answer<bool>(
          executor, std::move(done),
          refusal == nullptr ? matches(secret.view(), encoded) : std::unexpected(*refusal));
    });
  }

  void compute(std::move_only_function<std::string()> work, WorkOwner owner, Executor& executor,
               Completion<Result<std::string>> done) override {
    enqueue(owner, job_of(std::move(work), executor, std::move(done)));
  }

  void sign(std::move_only_function<std::string()> work, Source source, Executor& executor,
            Completion<Result<std::string>> done) override {
    enqueue({.source = std::move(source)}, job_of(std::move(work), executor, std::move(done)),
            &signing_lane_, Bound::signatures);
  }

 private:
  Result<bool> matches(std::string_view password, const std::string& encoded) const {
    if (!encoded.empty()) return verify_now(password, encoded);
    Result<bool> result = verify_now(password, impossible_hash_);
    if (result) result = false;
    return result;
  }
  static Job job_of(std::move_only_function<std::string()> work, Executor& executor,
                    Completion<Result<std::string>> done) {
    return
        [work = std::move(work), &executor, done = std::move(done)](const Error* refusal) mutable {
          Result<std::string> result;
          if (refusal == nullptr) {
            result = work();
          } else {
            result = std::unexpected(*refusal);
          }
          work = nullptr;  // its secrets go here, not on the shard
          return answer<std::string>(executor, std::move(done), std::move(result));
        };
  }
  void enqueue(const WorkOwner& owner, Job job) {
    const bool is_operators = owner.source.kind == Source::Kind::operations;
    enqueue(owner, std::move(job), is_operators ? nullptr : &public_lane_, Bound::password_work);
  }
  // null: the operator's lane.
  void enqueue(const WorkOwner& owner, Job job, PublicLane* lane, Bound bound) {
    const Error* refusal = nullptr;
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) {
        refusal = &stopping_error_;
      } else if (const auto scope = refuses(owner, lane)) {
        refusal = *scope == BoundScope::all ? &full_error_ : &share_error_;
        if (refusals_) refusals_->add(bound, *scope);
      } else if (lane == nullptr) {
        operators_lane_.push_back(std::exchange(job, nullptr));
      } else {
        lane->push(owner, std::exchange(job, nullptr));
      }
    }
    if (refusal == nullptr) {
      wake_.notify_one();
    } else {
      job(refusal)();
    }
  }
  std::optional<BoundScope> refuses(const WorkOwner& owner, const PublicLane* lane) const {
    if (lane != nullptr) return lane->refuses(owner);
    return operators_lane_.size() < options_.queue ? std::nullopt : std::optional(BoundScope::all);
  }
  Work next() {
    if (operators_lane_.empty()) return next_in_turn();
    Work out{.job = std::move(operators_lane_.front()), .name = {}};
    operators_lane_.pop_front();
    return out;
  }
  Work next_in_turn() {
    const bool both = !signing_lane_.empty() && !public_lane_.empty();
    signatures_turn_ = both ? !signatures_turn_ : !signing_lane_.empty();
    return (signatures_turn_ ? signing_lane_ : public_lane_).pop();
  }
  [[nodiscard]] bool nothing_waits() const {
    return operators_lane_.empty() && public_lane_.empty() && signing_lane_.empty();
  }
  void work() {
    std::unique_lock lock(mutex_);
    while (true) {
      wake_.wait(lock, [this] { return stopping_ || !nothing_waits(); });
      if (stopping_) return;
      Work work = next();
      lock.unlock();
      Task answer = work.job(nullptr);
      work.job = nullptr;  // its secrets go before the next wait
      lock.lock();
      public_lane_.finished(work.name);
      lock.unlock();
      answer();
      answer = nullptr;
      lock.lock();
    }
  }

  const Error stopping_error_{Errc::unavailable, "the password hasher is stopping"};
  const Error full_error_{Errc::too_many_requests, "too many passwords or signatures are waiting"};
  const Error share_error_{Errc::too_many_requests,
                           "too much of one client, or of this name, is waiting"};

  const PasswordHasherOptions options_;
  const std::string impossible_hash_;
  const std::shared_ptr<BoundRefusals> refusals_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Job> operators_lane_;
  PublicLane public_lane_;
  PublicLane signing_lane_;  ///< of work without names
  bool signatures_turn_ = false;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace

std::shared_ptr<PasswordHasher> make_password_hasher(PasswordHasherOptions options,
                                                     std::shared_ptr<BoundRefusals> refusals) {
  return std::make_shared<PasswordHasherImpl>(options, std::move(refusals));
}

}  // namespace holdfast::identity
