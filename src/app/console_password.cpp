// Hashes the console's password.

#include <future>
#include <utility>

#include <holdfast/app/console_password.hpp>
#include <holdfast/identity/password_hasher.hpp>

namespace holdfast::app {
namespace {

/// Runs each task inside the post.
class InlineExecutor final : public Executor {
 public:
  void post(Task task) override { task(); }
};

}  // namespace

Result<std::string> hash_console_password(std::string password) {
  InlineExecutor executor;
  std::promise<Result<std::string>> promise;
  auto answer = promise.get_future();
  const auto hasher = identity::make_password_hasher({});
  hasher->hash(std::move(password), {.source = identity::Source::of_operator()}, executor,
               [&promise](Result<std::string> hash) { promise.set_value(std::move(hash)); });
  return answer.get();
}

}  // namespace holdfast::app
