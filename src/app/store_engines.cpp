// The engines that a store may have. A new one is a row of the table, and a function that hands it
// its options.
#include "store_engines.hpp"

#include <array>
#include <utility>

#include <holdfast/sqlite/store.hpp>

namespace holdfast::app {
namespace {

struct Opening {
  std::string place;  ///< the URL without its engine
  const Config::Storage& config;
  storage::StoreOptions options;  ///< that every engine takes
  const Clock& clock;
};

struct Engine {
  std::string_view name;
  Result<OpenedStore> (*open)(Opening opening);
};

Result<OpenedStore> open_sqlite(Opening opening) {
  sqlite::Options options;
  static_cast<storage::StoreOptions&>(options) = std::move(opening.options);
  options.path = std::move(opening.place);
  options.database_bytes_max = opening.config.database_bytes_max;
  options.disk_free_min = opening.config.disk_free_min;
  options.wal_checkpoint_bytes = opening.config.wal_checkpoint_bytes;
  auto store = sqlite::open_store(std::move(options), opening.clock);
  if (!store) return std::unexpected(std::move(store.error()));
  storage::FileStore* const files = store->get();
  return OpenedStore{.store = std::move(*store), .files = files};
}

constexpr std::array kEngines{Engine{.name = "sqlite", .open = open_sqlite}};

storage::StoreOptions options_of(const Config::Storage& config) {
  return {.queue_slots = config.queue_slots,
          .queue_bytes = config.queue_bytes,
          .page_bytes_per_batch = config.page_bytes_per_batch,
          .batch_operations = config.batch_operations,
          .dead_letters_max = config.dead_letters_max,
          .dead_letters_bytes_max = config.dead_letters_bytes_max,
          .on_fatal = {}};
}

}  // namespace

Result<OpenedStore> open_store(std::string_view url, const Config::Storage& config,
                               std::function<void(const std::string&)> on_fatal,
                               const Clock& clock) {
  const std::size_t colon = url.find(':');
  for (const Engine& engine : kEngines) {
    if (colon == url.npos || url.substr(0, colon) != engine.name) continue;
    storage::StoreOptions options = options_of(config);
    options.on_fatal = std::move(on_fatal);
    return engine.open({.place = std::string(url.substr(colon + 1)),
                        .config = config,
                        .options = std::move(options),
                        .clock = clock});
  }
  return fail(Errc::invalid_argument, "no engine of a store opens " + std::string(url),
              std::string(url));
}

}  // namespace holdfast::app
