// Session tokens: their contents, and a cache of opened ones.

#include "temporary_credentials.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstring>

#include "signing_key_cache.hpp"

namespace holdfast::iam {
namespace {

constexpr char kSeparator = '\n';

// Takes the text up to the next separator off `rest`.
std::string_view take_field(std::string_view& rest) {
  const std::size_t end = std::min(rest.find(kSeparator), rest.size());
  const std::string_view field = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return field;
}

AccessKeyPtr make_temporary_key(const TemporaryCredentials& session, const AccessKey& parent) {
  std::shared_ptr<AccessKey> key = new_access_key(parent);
  key->id = session.id;
  key->secret = session.secret;
  key->expires_at = std::min(session.expires_at, parent.expires_at.value_or(session.expires_at));
  key->session_policy = session.policy;
  return key;
}

}  // namespace

std::string write_temporary_credentials(const AccessKeys::NewTemporaryCredentials& session,
                                        std::string_view parent_id, std::string_view policy) {
  const std::string expires_us = std::to_string(unix_micros(session.expires_at));
  std::string out;
  for (const std::string_view field :
       {std::string_view(session.id), std::string_view(session.secret), parent_id,
        std::string_view(expires_us)}) {
    out += field;
    out += kSeparator;
  }
  out += policy;
  return out;
}

TemporaryCredentialsPtr read_temporary_credentials(std::string_view text) {
  const std::shared_ptr<TemporaryCredentials> session(new TemporaryCredentials,
                                                      [](TemporaryCredentials* gone) {
                                                        wipe(gone->secret);
                                                        delete gone;
                                                      });
  session->id = take_field(text);
  session->secret = take_field(text);
  session->parent_id = take_field(text);
  const std::string_view expiry = take_field(text);
  std::int64_t expires_us = 0;
  const auto [rest, error] =
      std::from_chars(expiry.data(), expiry.data() + expiry.size(), expires_us);
  if (error != std::errc() || rest != expiry.data() + expiry.size()) return nullptr;
  session->expires_at = wall_from_micros(expires_us);
  if (!text.empty()) {
    auto policy = parse_kept_policy(text);
    if (!policy) return nullptr;
    session->policy = std::move(*policy);
  }
  return session;
}

AccessKeyPtr TemporaryCredentialsCache::find(const AccessKeys& keys, std::string_view id,
                                             std::string_view token) {
  const Digest hash = sha256(token);
  std::size_t at = 0;
  std::memcpy(&at, hash.data(), sizeof at);
  Entry& entry = entries_[at % kEntries];
  TemporaryCredentialsPtr session = entry.session;
  if (!session || entry.token_hash != hash) {
    auto opened = keys.open_temporary_credentials(token);
    if (!opened) return nullptr;
    session = std::move(*opened);
    entry = Entry{.token_hash = hash, .session = session, .parent = {}, .key = {}};
  }
  if (!constant_time_equal(session->id, id)) return nullptr;
  const AccessKeyPtr parent = keys.find(session->parent_id);
  if (!parent || !parent->enabled) return nullptr;
  if (!entry.key || !same_object(entry.parent, parent)) {
    entry.key = make_temporary_key(*session, *parent);
    entry.parent = parent;
  }
  return entry.key;
}

}  // namespace holdfast::iam
