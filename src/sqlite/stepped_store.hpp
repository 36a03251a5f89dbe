#pragma once

#include <memory>

#include <holdfast/sqlite/store.hpp>

namespace holdfast::sqlite {

/// A store without a thread: whoever owns it takes its turns, so that one schedule decides what
/// happens when. `stop` takes those that are left.
class SteppedStore : public storage::FileStore {
 public:
  /// Does what the store's thread would do before it waits again (`StoreThread::turn`), and never
  /// waits. False once it has stopped. On the owner's thread.
  virtual bool turn() = 0;
};
/// As `open_store`; the store's waits, too, go by `clock`.
[[nodiscard]] Result<std::unique_ptr<SteppedStore>> open_stepped_store(Options options,
                                                                       const Clock& clock);

}  // namespace holdfast::sqlite
