// The table of an instance's facts, and its port.

#include "instance.hpp"

#include <utility>

#include "submitter.hpp"
#include "tables.hpp"

namespace holdfast::sqlite {

InstanceTable::InstanceTable(Database& database)
    : set_(database, "INSERT INTO instance (name, value) VALUES (?1, ?2) ON CONFLICT DO NOTHING"),
      get_(database, "SELECT value FROM instance WHERE name = ?1") {}

std::string InstanceTable::get_or_set(std::string_view name, std::string_view value) {
  set_.bind(1, name).bind(2, value).run();
  return find(name).value_or(std::string(value));
}

std::optional<std::string> InstanceTable::find(std::string_view name) {
  get_.bind(1, name);
  std::optional<std::string> found;
  if (get_.step()) found = get_.string(0);
  get_.reset();
  return found;
}

namespace {

class SqliteInstanceStore final : public storage::InstanceStore, private Submitter {
 public:
  SqliteInstanceStore(OperationQueue& queue, Channel& channel) : Submitter(queue, channel) {}

  void get_or_set(std::string name, std::string value,
                  Completion<Result<std::string>> done) override {
    auto work = [name = std::move(name), value = std::move(value)](Tables& tables) {
      return tables.instance.get_or_set(name, value);
    };
    submit<std::string>(OnRollback::retry, std::move(work), std::move(done));
  }
  void find(std::string name, Completion<Result<std::optional<std::string>>> done) override {
    auto work = [name = std::move(name)](Tables& tables) { return tables.instance.find(name); };
    submit<std::optional<std::string>>(OnRollback::retry, std::move(work), std::move(done));
  }
};

}  // namespace

std::unique_ptr<storage::InstanceStore> make_instance_store(OperationQueue& queue,
                                                            Channel& channel) {
  return std::make_unique<SqliteInstanceStore>(queue, channel);
}

}  // namespace holdfast::sqlite
