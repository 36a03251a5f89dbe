#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <holdfast/base/clock.hpp>
#include <holdfast/base/error.hpp>
#include <holdfast/base/executor.hpp>
#include <holdfast/identity/issuers.hpp>

#include "jws.hpp"

namespace holdfast::identity {

/// The keys of one issuer: read when they are due, kept while they cannot be read. Any thread; a
/// read in flight keeps it alive.
class IssuerKeys : public std::enable_shared_from_this<IssuerKeys> {
 public:
  /// `keys` may be null: none are known yet.
  IssuerKeys(IssuerOptions issuer, std::shared_ptr<IssuerDocuments> documents,
             VerifyingKeysPtr keys, IssuerKeysOptions options, const Clock& clock);

  /// Returns the keys when the named one is among them or is known not to exist: inside the call,
  /// or on `executor` after the fetch. `unavailable` if neither is known.
  void find(const KeyName& name, Executor& executor, Completion<Result<VerifyingKeysPtr>> done);
  void tick();
  void stop();

 private:
  struct Waiter {
    SteadyTime since;
    Executor* executor;
    Completion<Result<VerifyingKeysPtr>> done;
  };

  void fetch();
  void on_configuration(const Result<std::string>& text);
  void read_keys(const std::string& address);
  void finish(Result<VerifyingKeysPtr> fetched);
  /// Logs the oddities of a document, each once.
  void tell_oddities(const VerifyingKeys& keys);
  /// Returns whether the issuer has published no usable key for long enough to believe it.
  [[nodiscard]] bool stays_empty(SteadyTime now) const;  ///< under mutex_
  static void answer(std::vector<Waiter> waiters, const Result<VerifyingKeysPtr>& keys);
  [[nodiscard]] Result<VerifyingKeysPtr> best_answer() const;  ///< under mutex_
  [[nodiscard]] bool start_if(bool due, SteadyTime now);       ///< under mutex_

  const IssuerOptions issuer_;
  const std::shared_ptr<IssuerDocuments> documents_;
  const IssuerKeysOptions options_;
  const Clock& clock_;

  std::mutex mutex_;
  VerifyingKeysPtr keys_;
  std::vector<Waiter> waiting_;
  bool fetching_ = false;
  bool stopping_ = false;
  bool failed_ = false;                    ///< the last fetch did
  Seconds retry_after_{1};                 ///< doubles with each failure
  std::optional<SteadyTime> empty_since_;  ///< documents have had no usable key
  std::set<std::string> oddities_told_;    ///< by the reader alone
  SteadyTime refresh_at_;                  ///< when the next fetch is due by itself
  SteadyTime refetch_at_;                  ///< before it no unknown key id starts one
};

}  // namespace holdfast::identity
