// Hashes passwords with Argon2id on threads of its own.

#include <algorithm>
#include <deque>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

#include <argon2.h>

#include <holdfast/base/crypto.hpp>
#include <holdfast/base/encoding.hpp>
#include <holdfast/base/worker_pool.hpp>
#include <holdfast/identity/password_hasher.hpp>

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
    const std::size_t queued = found == owners_.end() ? 0 : found->second.queued;
    const bool is_key = owner.source.kind == Source::Kind::access_key;
    if (queued >= (is_key ? key_share_ : client_share_)) return BoundScope::share;
    const auto name = names_.find(owner.name);
    if (name != names_.end() && name->second.size() >= kBehindOneOfTheName) {
      return BoundScope::share;
    }
    if (size_ >= capacity_) return BoundScope::all;
    return std::nullopt;
  }
  void push(const WorkOwner& owner, Work::Job job) {
    const std::string holder = holder_of(owner.source);
    ++owners_[holder].queued;
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
  [[nodiscard]] Work take() {
    const std::string holder = std::move(turns_.front());
    turns_.pop_front();
    const auto owner = owners_.find(holder);
    Work out = std::move(owner->second.ready.front());
    owner->second.ready.pop_front();
    if (!owner->second.ready.empty()) turns_.push_back(holder);
    if (--owner->second.queued == 0) owners_.erase(owner);
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
    std::size_t queued = 0;  ///< ready, or behind others of their names
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

/// The lanes of a hasher.
enum class Lane : std::uint8_t { operations, passwords, signatures };

class Lanes final : public WorkQueue {
 public:
  explicit Lanes(std::size_t capacity)
      : capacity_(capacity),
        passwords_(capacity),
        signatures_(kSignaturesForAPassword * capacity) {}

  [[nodiscard]] std::optional<BoundScope> refuses(const WorkOwner& owner, Lane lane) const {
    if (lane == Lane::passwords) return passwords_.refuses(owner);
    if (lane == Lane::signatures) return signatures_.refuses(owner);
    return operations_.size() < capacity_ ? std::nullopt : std::optional(BoundScope::all);
  }
  void push(const WorkOwner& owner, Work::Job job, Lane lane) {
    if (lane == Lane::operations) {
      operations_.push_back({.job = std::move(job)});
    } else {
      (lane == Lane::passwords ? passwords_ : signatures_).push(owner, std::move(job));
    }
  }

  [[nodiscard]] bool empty() const override {
    return operations_.empty() && passwords_.empty() && signatures_.empty();
  }
  [[nodiscard]] Work take() override {
    if (operations_.empty()) return take_in_turn();
    Work out = std::move(operations_.front());
    operations_.pop_front();
    return out;
  }
  void finished(const std::string& name) override { passwords_.finished(name); }

 private:
  Work take_in_turn() {
    const bool both = !signatures_.empty() && !passwords_.empty();
    signatures_turn_ = both ? !signatures_turn_ : !signatures_.empty();
    return (signatures_turn_ ? signatures_ : passwords_).take();
  }

  const std::size_t capacity_;
  std::deque<Work> operations_;
  PublicLane passwords_;
  PublicLane signatures_;  ///< of work without names
  bool signatures_turn_ = false;
};

class PasswordHasherImpl final : public PasswordHasher {
 public:
  PasswordHasherImpl(PasswordHasherOptions options, std::shared_ptr<BoundRefusals> refusals)
      : options_(options),
        impossible_hash_(impossible_hash(options)),
        refusals_(std::move(refusals)),
        lanes_(options.queue),
        pool_({.name = "hf-worker",
               .threads = options.threads,
               .stopping = {Errc::unavailable, "the password hasher is stopping"}},
              lanes_) {}

  void stop() override { pool_.stop(); }

  void hash(std::string password, WorkOwner owner, Executor& executor,
            Completion<Result<std::string>> done) override {
    enqueue(owner, make_job<std::string>(
                       [this, secret = Secret::take(password)] {
                         return hash_now(options_, secret.view());
                       },
                       executor, std::move(done)));
  }

  void verify(std::string password, std::string encoded, WorkOwner owner, Executor& executor,
              Completion<Result<bool>> done) override {
    enqueue(owner, make_job<bool>(
                       [this, secret = Secret::take(password), encoded = std::move(encoded)] {
                         return matches(secret.view(), encoded);
                       },
                       executor, std::move(done)));
  }

  void compute(std::move_only_function<std::string()> work, WorkOwner owner, Executor& executor,
               Completion<Result<std::string>> done) override {
    enqueue(owner, job_of(std::move(work), executor, std::move(done)));
  }

  void sign(std::move_only_function<std::string()> work, Source source, Executor& executor,
            Completion<Result<std::string>> done) override {
    enqueue({.source = std::move(source)}, job_of(std::move(work), executor, std::move(done)),
            Lane::signatures);
  }

 private:
  Result<bool> matches(std::string_view password, const std::string& encoded) const {
    if (!encoded.empty()) return verify_now(password, encoded);
    Result<bool> result = verify_now(password, impossible_hash_);
    if (result) result = false;
    return result;
  }
  static Work::Job job_of(std::move_only_function<std::string()> work, Executor& executor,
                          Completion<Result<std::string>> done) {
    return make_job<std::string>(
        [work = std::move(work)]() mutable -> Result<std::string> { return work(); }, executor,
        std::move(done));
  }
  void enqueue(const WorkOwner& owner, Work::Job job) {
    const bool is_operators = owner.source.kind == Source::Kind::operations;
    enqueue(owner, std::move(job), is_operators ? Lane::operations : Lane::passwords);
  }
  void enqueue(const WorkOwner& owner, Work::Job job, Lane lane) {
    pool_.submit(std::move(job), [&](Work::Job& pushed) -> const Error* {
      if (const auto scope = lanes_.refuses(owner, lane)) {
        const bool is_signature = lane == Lane::signatures;
        if (refusals_)
          refusals_->add(is_signature ? Bound::signatures : Bound::password_work, *scope);
        return *scope == BoundScope::all ? &full_error_ : &share_error_;
      }
      lanes_.push(owner, std::move(pushed), lane);
      return nullptr;
    });
  }

  const Error full_error_{Errc::too_many_requests, "too many passwords or signatures are waiting"};
  const Error share_error_{Errc::too_many_requests,
                           "too much of one client, or of this name, is waiting"};

  const PasswordHasherOptions options_;
  const std::string impossible_hash_;
  const std::shared_ptr<BoundRefusals> refusals_;
  Lanes lanes_;
  WorkerPool pool_;
};

}  // namespace

std::shared_ptr<PasswordHasher> make_password_hasher(PasswordHasherOptions options,
                                                     std::shared_ptr<BoundRefusals> refusals) {
  return std::make_shared<PasswordHasherImpl>(options, std::move(refusals));
}

}  // namespace holdfast::identity
