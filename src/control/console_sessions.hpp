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

/// Keeps the console's sessions and its one-time links, by the hashes of their secrets. A lookup
/// thus reveals nothing about similar secrets. Limited in number. Thread-safe.
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
  /// Consumes a link. Returns whether it was valid.
  [[nodiscard]] bool use_link(std::string_view secret);

  /// A new session. It has two secrets, and requests need both.
  struct Opened {
    std::string name;  ///< identifies the session in the audit log; not a secret
    std::string cookie_secret;
    std::string page_secret;
  };
  [[nodiscard]] Opened open();
  struct Found {
    std::string name;
    Seconds left{};  ///< the session's longest remaining lifetime
  };
  /// Returns the session of both secrets; nullopt if there is none. `active` restarts its idle
  /// time.
  [[nodiscard]] std::optional<Found> find(std::string_view cookie_secret,
                                          std::string_view page_secret, bool active);
  void close(std::string_view cookie_secret);

 private:
  struct Session {
    std::string name;
    Digest page_secret{};  ///< its hash
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
