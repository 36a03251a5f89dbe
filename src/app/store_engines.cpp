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
  storage::OnFatal on_fatal;
  const Clock& clock;
};

struct Engine {
  std::string_view name;
  Result<OpenedStore> (*open)(Opening opening);
};

Result<OpenedStore> open_sqlite(Opening opening) {
  auto store = sqlite::open_store({opening.config.store, opening.config.sqlite,
                                   std::move(opening.place), std::move(opening.on_fatal)},
                                  opening.clock);
  if (!store) return std::unexpected(std::move(store.error()));
  storage::FileStore* const files = store->get();
  return OpenedStore{.store = std::move(*store), .files = files};
}

constexpr std::array kEngines{Engine{.name = "sqlite", .open = open_sqlite}};

}  // namespace

Result<OpenedStore> open_store(std::string_view url, const Config::Storage& config,
                               storage::OnFatal on_fatal, const Clock& clock) {
  const std::size_t colon = url.find(':');
  for (const Engine& engine : kEngines) {
    if (colon == url.npos || url.substr(0, colon) != engine.name) continue;
    return engine.open({.place = std::string(url.substr(colon + 1)),
                        .config = config,
                        .on_fatal = std::move(on_fatal),
                        .clock = clock});
  }
  return fail(Errc::invalid_argument, "no engine of a store opens " + std::string(url),
              std::string(url));
}

}  // namespace holdfast::app
