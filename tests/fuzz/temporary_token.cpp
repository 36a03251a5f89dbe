// A temporary token from a stranger: any text, one that was issued and then changed, or one whose
// claims are anything.

#include <memory>
#include <optional>

#include <holdfast/base/crypto.hpp>
#include <holdfast/base/encoding.hpp>
#include <holdfast/base/json.hpp>
#include <holdfast/identity/temporary_token.hpp>

#include "fuzz/oracle.hpp"
#include "support/base/manual_clock.hpp"
#include "support/identity/open.hpp"

namespace {

using namespace holdfast;
using namespace holdfast::fuzz;

constexpr std::int64_t kDriftSeconds = 5;

/// A gateway's tokens: keys made once, and a store that is emptied for each input.
class Tokens {
 public:
  Tokens() {
    identity::User user;
    user.sub = UserId("sub-1");
    user.username = "Alice";
    database_.users["sub-1"] = user;
    database_.refresh_tokens.push_back({.sub = UserId("sub-1"),
                                        .origin = "login-1",
                                        .token_hash = sha256("login-1"),
                                        .issued_at = {},
                                        .expires_at = {}});
  }

  std::string issue() {
    database_.tokens.clear();
    std::optional<Result<std::string>> out;
    generator_->issue({.sub = UserId("sub-1"),
                       .username = "Alice",
                       .issued_at = {},
                       .expires_at = {},
                       .login = "login-1"},
                      [&](auto result) { out = std::move(result); });
    executor_.run();
    return std::move(out.value().value());
  }
  /// A token of these claims, sealed by the gateway's key and known to its store.
  std::string seal(std::string_view claims) {
    const std::string token = base64url_encode(ring_->seal(claims, "temporary token").value());
    database_.tokens = {{.token_hash = sha256(token),
                         .sub = UserId("sub-1"),
                         .expires_at = clock_.wall_now() + Seconds(30)}};
    return token;
  }
  Result<identity::Admission> consume(std::string_view token) {
    std::optional<Result<identity::Admission>> out;
    authorizer_->consume(std::string(token), [&](auto result) {
      require(!out.has_value(), "one answer");
      out = std::move(result);
    });
    executor_.run();
    require(out.has_value(), "an answer");
    require(*out || out->error().code == Errc::unauthenticated, "every refusal is the same");
    require(*out || out->error().message == "Unauthorized", "every refusal reads the same");
    return std::move(*out);
  }
  [[nodiscard]] std::int64_t now_s() const { return unix_seconds(clock_.wall_now()); }

 private:
  test::ManualClock clock_;
  test::ManualExecutor executor_;
  test::FakeIdentityDatabase database_;
  test::FakeKeyStore keys_{database_, executor_};
  test::FakeUserStore users_{database_, executor_};
  test::FakeTokenStore tokens_{database_, executor_};
  std::shared_ptr<identity::KeyRing> ring_ = test::open_ring(executor_, clock_, keys_).value();
  std::unique_ptr<identity::Generator> generator_ = std::make_unique<identity::Generator>(
      identity::TemporaryTokenOptions{}, clock_, ring_, users_, tokens_);
  std::unique_ptr<identity::Authorizer> authorizer_ = std::make_unique<identity::Authorizer>(
      identity::TemporaryTokenOptions{}, clock_, ring_, users_, tokens_);
};

/// Claims that any reader agrees on: nothing twice, nothing deep.
bool is_plain(const Json& claims) {
  return claims.is_object() && std::ranges::all_of(claims, [](const Json& value) {
           return value.is_string() || value.is_number_integer() || value.is_boolean();
         });
}

bool is_text(const Json& claims, const char* name, const char* value = nullptr) {
  const auto found = claims.find(name);
  if (found == claims.end() || !found->is_string()) return false;
  return value == nullptr || *found == value;
}

void check_claims(Tokens& tokens, std::string_view text) {
  const Result<identity::Admission> admission = tokens.consume(tokens.seal(text));
  if (!admission) return;
  const Json claims = Json::parse(text, nullptr, false);
  require(claims.is_object(), "claims are an object");
  require(is_text(claims, "iss", "holdfast"), "the issuer");
  require(is_text(claims, "aud", "holdfast"), "the audience");
  require(is_text(claims, "sub") && claims["sub"] == admission->sub.str(), "the user");
  require(!admission->sub.str().empty(), "a user has an id");
  require(is_text(claims, "cognito:username"), "the name");
  require(claims.contains("exp") && claims["exp"].is_number(), "the end");
  require(claims["exp"].get<double>() + kDriftSeconds >= static_cast<double>(tokens.now_s()) - 1,
          "not past its end");
  require(admission->login.has_value() != claims.contains("foreign"), "who has a login");
  if (admission->login) {
    require(admission->login->id.empty() == claims.contains("by_key"), "who needs no login");
    require(claims.contains("by_key") || is_text(claims, "origin_jti"), "the login");
  }
  if (is_plain(claims)) {
    require(claims["cognito:username"] == admission->username, "the name that it gives");
  }
}

void check_changed(Tokens& tokens, Input& input) {
  const std::string issued = tokens.issue();
  std::string token = issued;
  while (!input.rest().empty()) {
    const std::size_t place = (input.byte() << 8U | input.byte()) % (token.size() + 1);
    const std::uint8_t edit = input.byte();
    const char letter = static_cast<char>(input.byte());
    if (edit % 3 == 0) token.insert(place, 1, letter);
    if (place >= token.size()) continue;
    if (edit % 3 == 1) token[place] = letter;
    if (edit % 3 == 2) token.erase(place, 1 + edit / 3);
  }
  const bool admitted = tokens.consume(token).has_value();
  require(admitted == (token == issued), "the token as issued, and no other");
  require(tokens.consume(issued).has_value() == !admitted, "once");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Tokens tokens;
  Input input(data, size);
  switch (input.byte() % 3) {
    case 0:
      require(!tokens.consume(input.rest()), "nobody can make one");
      break;
    case 1:
      check_changed(tokens, input);
      break;
    default:
      check_claims(tokens, input.rest());
  }
  return 0;
}
