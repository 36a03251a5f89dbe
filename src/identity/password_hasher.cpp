#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <argon2.h>
#include <pthread.h>

#include <holdfast/base/crypto.hpp>
#include <holdfast/base/encoding.hpp>
#include <holdfast/identity/user_pool.hpp>

#include "identity/secret.hpp"

namespace holdfast::identity {
namespace {

constexpr std::size_t kSaltBytes = 16;
constexpr std::size_t kHashBytes = 32;
constexpr std::uint32_t kLanes = 1;

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
void answer(Executor& executor, Completion<Result<T>> done, Result<T> result) {
  executor.post(
      [done = std::move(done), result = std::move(result)]() mutable { done(std::move(result)); });
}

class PasswordHasherImpl final : public PasswordHasher {
 public:
  explicit PasswordHasherImpl(PasswordHasherOptions options)
      : options_(options), impossible_hash_(impossible_hash(options)) {
    for (std::size_t i = 0; i < std::max<std::size_t>(options_.threads, 1); ++i) {
      threads_.emplace_back([this] { work(); });
      pthread_setname_np(threads_.back().native_handle(), "hf-password");
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
      left.swap(queue_);
    }
    wake_.notify_all();
    for (std::thread& thread : threads_) {
      if (thread.joinable()) thread.join();
    }
    for (Job& job : left) job(&stopping_error_);
  }

  void hash(std::string password, Executor& executor,
            Completion<Result<std::string>> done) override {
    enqueue([this, secret = Secret::take(password), &executor,
             done = std::move(done)](const Error* refusal) mutable {
      answer<std::string>(
          executor, std::move(done),
          refusal == nullptr ? hash_now(options_, secret.view()) : std::unexpected(*refusal));
    });
  }

  void verify(std::string password, std::string encoded, Executor& executor,
              Completion<Result<bool>> done) override {
    enqueue([this, secret = Secret::take(password), encoded = std::move(encoded), &executor,
             done = std::move(done)](const Error* refusal) mutable {
      answer<bool>(
          executor, std::move(done),
          refusal == nullptr ? matches(secret.view(), encoded) : std::unexpected(*refusal));
    });
  }

  void compute(std::move_only_function<std::string()> work, Executor& executor,
               Completion<Result<std::string>> done) override {
    enqueue(
        [work = std::move(work), &executor, done = std::move(done)](const Error* refusal) mutable {
          Result<std::string> result;
          if (refusal == nullptr) {
            result = work();
          } else {
            result = std::unexpected(*refusal);
          }
          work = nullptr;  // its secrets go here, not on the shard
          answer<std::string>(executor, std::move(done), std::move(result));
        });
  }

 private:
  /// Called once: runs, or answers with the refusal.
  using Job = std::move_only_function<void(const Error* refusal)>;

  Result<bool> matches(std::string_view password, const std::string& encoded) const {
    if (!encoded.empty()) return verify_now(password, encoded);
    Result<bool> result = verify_now(password, impossible_hash_);
    if (result) result = false;
    return result;
  }
  void enqueue(Job job) {
    const Error* refusal = nullptr;
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) {
        refusal = &stopping_error_;
      } else if (queue_.size() >= options_.queue) {
        refusal = &full_error_;
      } else {
        queue_.push_back(std::exchange(job, nullptr));
      }
    }
    if (refusal == nullptr) {
      wake_.notify_one();
    } else {
      job(refusal);
    }
  }
  void work() {
    std::unique_lock lock(mutex_);
    while (true) {
      wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      if (stopping_) return;
      Job job = std::move(queue_.front());
      queue_.pop_front();
      lock.unlock();
      job(nullptr);
      job = nullptr;  // its secrets go before the next wait
      lock.lock();
    }
  }

  const Error stopping_error_{Errc::unavailable, "the password hasher is stopping"};
  const Error full_error_{Errc::too_many_requests, "too many passwords are waiting"};

  const PasswordHasherOptions options_;
  const std::string impossible_hash_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Job> queue_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace

std::shared_ptr<PasswordHasher> make_password_hasher(PasswordHasherOptions options) {
  return std::make_shared<PasswordHasherImpl>(options);
}

}  // namespace holdfast::identity
