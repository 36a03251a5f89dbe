// Reads and keeps the public keys of other issuers.

#include "issuer_keys.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include <holdfast/base/json.hpp>
#include <holdfast/base/log.hpp>

#include "json_pieces.hpp"
#include "jws.hpp"

namespace holdfast::identity {
namespace {

constexpr Seconds kRetryFirst{1};
constexpr Seconds kRetryMax{60};
// The time for which known keys stay valid while the issuer publishes no usable one.
constexpr Seconds kEmptyBelievedAfter{3'600};
// The maximum of oddities that are remembered and logged for one issuer.
constexpr std::size_t kOdditiesMax = 100;
constexpr std::size_t kConfigurationBytesMax = std::size_t{256} * 1024;

std::unexpected<Error> keys_unavailable() {
  return fail(Errc::unavailable, "the issuer's keys cannot be had", "issuer");
}

// OpenID Connect Discovery 1.0 section 4: below the issuer, whose own trailing slash goes.
std::string configuration_url(std::string issuer) {
  if (issuer.ends_with('/')) issuer.pop_back();
  return issuer + "/.well-known/openid-configuration";
}

// A text in a document in which everything else may be as odd as it likes.
std::optional<std::string> read_text(std::string_view object, std::string_view name) {
  const auto piece = cut_member(object, name);
  if (!piece) return std::nullopt;
  const Result<Json> value = parse_json(*piece);
  if (!value || !value->is_string()) return std::nullopt;
  return value->get<std::string>();
}

// Section 4.3: the document must be of the issuer that it was asked of, or anyone's keys could come
// in under its name.
Result<std::string> read_configuration(std::string_view text, const std::string& issuer) {
  if (text.size() > kConfigurationBytesMax) {
    return fail(Errc::limit_exceeded, "a configuration of more than 256 KiB", "issuer");
  }
  const std::optional<std::string> name = read_text(text, "issuer");
  if (!name) return fail(Errc::invalid_argument, "not a configuration", "issuer");
  if (*name != issuer) {
    return fail(Errc::invalid_argument, "the configuration is another issuer's", "issuer");
  }
  const std::optional<std::string> jwks = read_text(text, "jwks_uri");
  const bool safe = jwks && jwks->starts_with("https://");
  const bool as_plain = jwks && jwks->starts_with("http://") && issuer.starts_with("http://");
  if (!safe && !as_plain) {
    return fail(Errc::invalid_argument, "the configuration has no jwks_uri of its kind",
                "jwks_uri");
  }
  return *jwks;
}

}  // namespace

IssuerKeys::IssuerKeys(IssuerOptions issuer, std::shared_ptr<IssuerDocuments> documents,
                       VerifyingKeysPtr keys, IssuerKeysOptions options, const Clock& clock)
    : issuer_(std::move(issuer)),
      documents_(std::move(documents)),
      options_(options),
      clock_(clock),
      keys_(std::move(keys)) {
  const SteadyTime now = clock.steady_now();
  refresh_at_ = keys_ == nullptr ? now : now + options_.refresh;
  refetch_at_ = now;
  if (keys_ != nullptr) tell_oddities(*keys_);
}

void IssuerKeys::tell_oddities(const VerifyingKeys& keys) {
  for (const std::string& oddity : keys.oddities) {
    if (oddities_told_.size() >= kOdditiesMax || !oddities_told_.insert(oddity).second) continue;
    log::warn("issuer_key_odd", {{"issuer", issuer_.issuer}, {"reason", oddity}});
  }
}

bool IssuerKeys::stays_empty(SteadyTime now) const {
  return empty_since_ && now >= *empty_since_ + kEmptyBelievedAfter;
}

Result<VerifyingKeysPtr> IssuerKeys::best_answer() const {
  if (keys_ == nullptr) return keys_unavailable();
  return keys_;
}

bool IssuerKeys::start_if(bool due, SteadyTime now) {
  if (!due || fetching_ || stopping_) return false;
  fetching_ = true;
  refetch_at_ = now + options_.refetch_after;
  return true;
}

void IssuerKeys::find(const KeyName& name, Executor& executor,
                      Completion<Result<VerifyingKeysPtr>> done) {
  const SteadyTime now = clock_.steady_now();
  Result<VerifyingKeysPtr> known = keys_unavailable();
  bool starts = false;
  {
    const std::lock_guard lock(mutex_);
    if (keys_ != nullptr && knows(*keys_, name)) {
      known = keys_;
    } else {
      starts = start_if(now >= refetch_at_, now);
      if (fetching_ && !stopping_ && waiting_.size() < options_.waiting_max) {
        waiting_.push_back(
            {.since = now, .executor = &executor, .done = std::exchange(done, nullptr)});
      } else if (!fetching_ && !failed_) {
        known = best_answer();
      }
    }
  }
  if (starts) fetch();
  if (done) done(std::move(known));
}

void IssuerKeys::tick() {
  const SteadyTime now = clock_.steady_now();
  std::vector<Waiter> late;
  bool starts = false;
  {
    const std::lock_guard lock(mutex_);
    starts = start_if(now >= refresh_at_, now);
    const auto is_late = [&](const Waiter& waiter) {
      return now - waiter.since >= options_.wait_max;
    };
    // They came in this order: who is late stands in front.
    const auto in_time = std::ranges::find_if_not(waiting_, is_late);
    late.assign(std::make_move_iterator(waiting_.begin()), std::make_move_iterator(in_time));
    waiting_.erase(waiting_.begin(), in_time);
  }
  if (starts) fetch();
  answer(std::move(late), keys_unavailable());
}

void IssuerKeys::stop() {
  std::vector<Waiter> left;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    left.swap(waiting_);
  }
  answer(std::move(left), keys_unavailable());
}

void IssuerKeys::fetch() {
  if (!issuer_.jwks_file.empty()) return read_keys(issuer_.jwks_file);
  if (!issuer_.jwks_url.empty()) return read_keys(issuer_.jwks_url);
  documents_->read(
      configuration_url(issuer_.issuer),
      [self = shared_from_this()](Result<std::string> text) { self->on_configuration(text); });
}

void IssuerKeys::on_configuration(const Result<std::string>& text) {
  if (!text) return finish(std::unexpected(text.error()));
  const Result<std::string> address = read_configuration(*text, issuer_.issuer);
  if (!address) return finish(std::unexpected(address.error()));
  read_keys(*address);
}

void IssuerKeys::read_keys(const std::string& address) {
  documents_->read(address, [self = shared_from_this()](const Result<std::string>& text) {
    if (!text) return self->finish(std::unexpected(text.error()));
    Result<VerifyingKeys> keys = read_external_jwks(*text, self->issuer_.algorithms);
    if (!keys) return self->finish(std::unexpected(std::move(keys.error())));
    self->tell_oddities(*keys);
    self->finish(std::make_shared<const VerifyingKeys>(std::move(*keys)));
  });
}

void IssuerKeys::finish(Result<VerifyingKeysPtr> fetched) {
  std::vector<Waiter> waiting;
  Result<VerifyingKeysPtr> known = keys_unavailable();
  {
    const std::lock_guard lock(mutex_);
    fetching_ = false;
    if (stopping_) return;
    const SteadyTime now = clock_.steady_now();
    if (fetched && !(*fetched)->by_id.empty()) {
      empty_since_.reset();
    } else if (fetched) {
      // A hiccup of the issuer would turn all of its users away.
      if (!empty_since_) empty_since_ = now;
      if (!stays_empty(now)) {
        fetched = fail(Errc::invalid_argument, "no key in it is usable", "keys");
      }
    }
    failed_ = !fetched.has_value();
    // Keys that were good stay so while the issuer cannot be reached.
    if (fetched) keys_ = *fetched;
    refresh_at_ = now + (failed_ ? retry_after_ : options_.refresh);
    retry_after_ = failed_ ? std::min(2 * retry_after_, kRetryMax) : kRetryFirst;
    waiting.swap(waiting_);
    if (fetched) known = keys_;
  }
  if (fetched) {
    log::debug("issuer_keys_fetched",
               {{"issuer", issuer_.issuer}, {"keys", (*fetched)->by_id.size()}});
  } else {
    log::warn("issuer_keys_not_fetched",
              {{"issuer", issuer_.issuer}, {"reason", fetched.error().message}});
  }
  answer(std::move(waiting), known);
}

void IssuerKeys::answer(std::vector<Waiter> waiters, const Result<VerifyingKeysPtr>& keys) {
  for (Waiter& waiter : waiters) {
    waiter.executor->post(
        [done = std::move(waiter.done), keys]() mutable { done(std::move(keys)); });
  }
}

}  // namespace holdfast::identity
