#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <holdfast/base/clock.hpp>
#include <holdfast/base/error.hpp>
#include <holdfast/base/executor.hpp>
#include <holdfast/identity/id_token.hpp>

namespace holdfast::identity {

/// The algorithms that an issuer may sign with (RFC 7518 section 3.1, RFC 8037). All others are
/// refused, above all those with a shared secret or without a signature.
enum class SigningAlgorithm : std::uint8_t { rs256, es256, eddsa };

/// Another OpenID Connect issuer whose ID tokens are accepted.
struct IssuerOptions {
  std::string issuer;                  ///< its `iss`, byte for byte
  std::vector<std::string> audiences;  ///< client ids; a token is for one of them
  std::vector<SigningAlgorithm> algorithms{SigningAlgorithm::rs256};
  std::string user_id_claim = "sub";
  std::string user_id_prefix;  ///< the start of user ids, before the claim's value
  std::string token_use;       ///< the required `token_use`; empty: not checked
  std::string jwks_url;        ///< without it and `jwks_file`: by OpenID Connect Discovery
  std::string jwks_file;
  std::string ca_file;  ///< authorities of its https; empty: the system's

  bool operator==(const IssuerOptions&) const = default;
};

/// Returns the first fault of these issuers, alone and together; nullopt if there is none. User ids
/// must not collide: a prefix has a character that no id of the own pool has, and no prefix begins
/// another. A single issuer may have the empty prefix. Ids of the own pool are then refused to it,
/// both when a token is issued and when it is used.
[[nodiscard]] std::optional<std::string> refuse_issuers(const std::vector<IssuerOptions>& issuers);

/// Reads what one issuer publishes.
class IssuerDocuments {
 public:
  virtual ~IssuerDocuments() = default;
  /// The document at `address`: a URL, or a file's path. `done` is called once, on any thread, not
  /// within the call; it may never be when the reader goes first. One read at a time.
  virtual void read(std::string address, Completion<Result<std::string>> done) = 0;
};

struct IssuerKeysOptions {
  Seconds refresh{600};          ///< interval of reading keys
  Seconds refetch_after{60};     ///< at most so often for a key id that is not known
  Milliseconds wait_max{6'000};  ///< of a token for the fetch under way
  std::size_t waiting_max = 1'000;
};

struct IssuerParts {
  IssuerOptions options;
  std::shared_ptr<IssuerDocuments> documents;
  std::string jwks{};  ///< keys to begin with, where they have been read already
};
/// The other issuers. Thread-safe, unless said otherwise.
class Issuers {
 public:
  /// `invalid_argument` for what `refuse_issuers` refuses, and for a `jwks` without a usable key.
  /// The clock must outlive it.
  [[nodiscard]] static Result<Issuers> make(std::vector<IssuerParts> issuers,
                                            const IssuerKeysOptions& options, const Clock& clock);

  /// Returns the issuer that a token claims, unverified.
  [[nodiscard]] std::optional<std::size_t> find(std::string_view token) const;
  /// Verifies a token of that issuer (OpenID Connect Core 1.0 section 3.1.3.7). `done` is called
  /// within the call, or later on `executor` when its key has to be fetched first. Errors:
  /// `expired`, `unauthenticated` (as an IdTokenVerifier has them), `unavailable` (its keys cannot
  /// be had).
  void verify(std::size_t issuer, std::string token, Executor& executor,
              Completion<Result<IdTokenClaims>> done);
  /// Starts the fetches that are due, and answers who has waited for too long. Called once a
  /// second, from one thread.
  void tick();
  /// Answers who waits, and fetches no more.
  void stop();

 private:
  struct Issuer;
  explicit Issuers(const Clock& clock) : clock_(&clock) {}

  std::vector<std::shared_ptr<const Issuer>> issuers_;
  const Clock* clock_;
};

}  // namespace holdfast::identity
