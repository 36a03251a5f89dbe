#pragma once

#include <memory>

#include <holdfast/sqlite/store.hpp>

namespace holdfast::sqlite {

/// A store without a thread. Its owner takes its turns, so that one schedule decides when things
/// happen. `stop` takes the remaining turns.
class SteppedStore : public storage::FileStore {
 public:
  /// Does the work of one turn of the store's thread (`StoreThread::turn`), and never waits.
  /// Returns false once it has stopped. On the owner's thread.
  virtual bool turn() = 0;
};
/// Opens a store as `open_store` does. The store's waits, too, use `clock`.
[[nodiscard]] Result<std::unique_ptr<SteppedStore>> open_stepped_store(Options options,
                                                                       const Clock& clock);

}  // namespace holdfast::sqlite
