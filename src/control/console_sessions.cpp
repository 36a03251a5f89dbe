// Keeps the console's sessions.

#include "console_sessions.hpp"

#include <algorithm>

#include <holdfast/base/encoding.hpp>

namespace holdfast::control {
namespace {

constexpr std::size_t kSecretBytes = 32;
constexpr std::size_t kNameBytes = 6;

std::string make_secret() { return base64url_encode(random_string(kSecretBytes)); }

// Makes room for one more.
template <class Map, class Age>
void evict_oldest(Map& map, std::size_t capacity, Age age) {
  while (map.size() >= capacity) {
    map.erase(
        std::ranges::min_element(map, {}, [&](const auto& entry) { return age(entry.second); }));
  }
}

}  // namespace

std::string ConsoleSessions::make_link() {
  std::string secret = make_secret();
  const BootTime now = clock_.boot_now();
  const std::lock_guard lock(mutex_);
  std::erase_if(links_,
                [&](const auto& link) { return now - link.second >= limits_.link_lifetime; });
  evict_oldest(links_, limits_.links, [](BootTime since) { return since; });
  links_.emplace(sha256(secret), now);
  return secret;
}

bool ConsoleSessions::use_link(std::string_view secret) {
  const Digest hash = sha256(secret);
  const BootTime now = clock_.boot_now();
  const std::lock_guard lock(mutex_);
  const auto found = links_.extract(hash);
  return !found.empty() && now - found.mapped() < limits_.link_lifetime;
}

ConsoleSessions::Opened ConsoleSessions::open() {
  Opened opened{.name = base64url_encode(random_string(kNameBytes)),
                .cookie_secret = make_secret(),
                .page_secret = make_secret()};
  const BootTime now = clock_.boot_now();
  const std::lock_guard lock(mutex_);
  std::erase_if(sessions_, [&](const auto& session) { return expired(session.second, now); });
  evict_oldest(sessions_, limits_.sessions, [](const Session& session) { return session.used_at; });
  sessions_.emplace(sha256(opened.cookie_secret), Session{.name = opened.name,
                                                          .page_secret = sha256(opened.page_secret),
                                                          .opened_at = now,
                                                          .used_at = now});
  return opened;
}

std::optional<ConsoleSessions::Found> ConsoleSessions::find(std::string_view cookie_secret,
                                                            std::string_view page_secret,
                                                            bool active) {
  const Digest hash = sha256(cookie_secret);
  const Digest page_hash = sha256(page_secret);
  const BootTime now = clock_.boot_now();
  const std::lock_guard lock(mutex_);
  const auto found = sessions_.find(hash);
  if (found == sessions_.end()) return std::nullopt;
  Session& session = found->second;
  if (!constant_time_equal(view(session.page_secret), view(page_hash))) return std::nullopt;
  if (expired(session, now)) {
    sessions_.erase(found);
    return std::nullopt;
  }
  if (active) session.used_at = now;
  return Found{.name = session.name,
               .left = std::chrono::ceil<Seconds>(session.opened_at + limits_.lifetime - now)};
}

void ConsoleSessions::close(std::string_view cookie_secret) {
  const Digest hash = sha256(cookie_secret);
  const std::lock_guard lock(mutex_);
  sessions_.erase(hash);
}

bool ConsoleSessions::expired(const Session& session, BootTime now) const {
  return now - session.used_at >= limits_.idle || now - session.opened_at >= limits_.lifetime;
}

}  // namespace holdfast::control
