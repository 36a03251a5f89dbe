#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <holdfast/app/config.hpp>
#include <holdfast/base/clock.hpp>
#include <holdfast/base/error.hpp>
#include <holdfast/storage/file_store.hpp>
#include <holdfast/storage/store.hpp>

namespace holdfast::app {

/// An open store. `files` is the same one, where its database is in files of this machine.
struct OpenedStore {
  std::unique_ptr<storage::Store> store;
  storage::FileStore* files = nullptr;
};

/// Opens the store that `url` names: an engine, a colon, and what that engine makes of the rest
/// (`sqlite:PATH`). Errors: `invalid_argument` (no such engine), and those of the engine. See
/// `storage::OnFatal` for `on_fatal`.
[[nodiscard]] Result<OpenedStore> open_store(std::string_view url, const Config::Storage& config,
                                             storage::OnFatal on_fatal, const Clock& clock);

}  // namespace holdfast::app
