#pragma once

#include <cstddef>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include <holdfast/base/clock.hpp>
#include <holdfast/base/crypto.hpp>

namespace holdfast::control {

/// Who is signed in to the console, and the links that let in. Both are known by the hash of their
/// secret alone: what is looked up tells nothing of what is near it. Bounded; any thread.
class ConsoleSessions {
 public:
  struct Limits {
    Seconds link_lifetime{60};
    Seconds idle{30 * 60};
    Seconds lifetime{12 * 3600};
    std::size_t links = 16;     ///< the oldest goes
    std::size_t sessions = 64;  ///< the one idle longest goes
  };
  ConsoleSessions(const Clock& clock, Limits limits) : clock_(clock), limits_(limits) {}

  /// The secret of a new link.
  [[nodiscard]] std::string make_link();
  /// Whether the link was good; it is not any more.
  [[nodiscard]] bool use_link(std::string_view secret);

  /// The secret of a new session.
  [[nodiscard]] std::string open();
  /// How long the session lasts at most from now on; nullopt when there is none. `active` keeps it
  /// from being idle.
  [[nodiscard]] std::optional<Seconds> find(std::string_view secret, bool active);
  void close(std::string_view secret);

 private:
  struct Session {
    BootTime opened_at;
    BootTime used_at;
  };
  [[nodiscard]] bool expired(const Session& session, BootTime now) const;

  const Clock& clock_;
  const Limits limits_;
  std::mutex mutex_;
  std::map<Digest, BootTime> links_;  ///< since when
  std::map<Digest, Session> sessions_;
};

}  // namespace holdfast::control
