// The route that issues temporary tokens: GET /tokens.

#include "tokens.hpp"

#include <holdfast/base/ascii.hpp>

#include "aws_errors.hpp"

namespace holdfast::api {
namespace {

using identity::IdTokenClaims;

// The token with or without the scheme of RFC 6750 section 2.1.
std::string_view token_in(std::string_view authorization) {
  constexpr std::string_view scheme = "Bearer ";
  authorization = ascii::trim(authorization);
  if (ascii::iequals(authorization.substr(0, scheme.size()), scheme)) {
    authorization = ascii::trim(authorization.substr(scheme.size()));
  }
  return authorization;
}

net::Response answer_of(const Error& error) {
  switch (error.code) {
    case Errc::expired:
      return make_error(401, "UnauthorizedException", "The incoming token has expired");
    case Errc::too_many_requests:
    case Errc::limit_exceeded:
      return too_many_requests();
    case Errc::unavailable:
    case Errc::io:
    case Errc::internal:
      return unavailable();
    case Errc::invalid_argument:
    case Errc::unauthenticated:
    case Errc::forbidden:
    case Errc::not_found:
    case Errc::already_exists:
    case Errc::conflict:
      break;
  }
  return unauthorized();
}

// Refuses a token. Clients do not learn which check failed; the log says it.
net::Response refuse(RouteMetrics& metrics, const Error& error) {
  metrics.refused_tokens.add(token_refusal_of(error));
  net::Response out = answer_of(error);
  note_refusal(out, "ID token", error);
  return out;
}

net::Response token_answer(RouteMetrics& metrics, const Result<std::string>& token) {
  if (!token) return refuse(metrics, token.error());
  metrics.tokens.add(TokenCaller::user);
  return issued_token(*token);
}

void answer_with_token(const Context& context, std::size_t shard, Result<IdTokenClaims> claims,
                       net::Responder respond) {
  RouteMetrics& metrics = context.metrics(shard);
  if (!claims) return respond(refuse(metrics, claims.error()));
  if (!context.token_rates->take(claims->sub, context.parts.clock.steady_now())) {
    return respond(refuse(metrics, Error(Errc::too_many_requests, "too many tokens", "rate")));
  }
  context.shard(shard).generator->issue(
      std::move(*claims),
      [&metrics, respond = std::move(respond)](const Result<std::string>& token) mutable {
        respond(token_answer(metrics, token));
      });
}

}  // namespace

TokenRefusal token_refusal_of(const Error& error) {
  switch (error.code) {
    case Errc::expired:
      return TokenRefusal::expired;
    case Errc::too_many_requests:
    case Errc::limit_exceeded:
      return TokenRefusal::rate;
    case Errc::unavailable:
    case Errc::io:
    case Errc::internal:
      return TokenRefusal::unavailable;
    default:
      break;
  }
  if (error.where == "missing") return TokenRefusal::missing;
  const bool proven = error.where == "user" || error.where == "login";
  return proven ? TokenRefusal::user : TokenRefusal::invalid;
}

net::Response issued_token(std::string_view token) {
  std::string body = "{";
  append_member(body, "token", token);
  body += '}';
  net::Response out = make_answer(200, "application/json", std::move(body));
  // It opens a connection: no cache on the way may keep it.
  out.headers.emplace_back("Cache-Control", "no-store");
  return out;
}

void handle_tokens(const Context& context, const net::Request& request, net::Responder respond) {
  const std::string* const authorization = request.head.header("Authorization");
  const std::size_t shard = request.head.shard;
  if (authorization == nullptr) {
    return respond(refuse(context.metrics(shard),
                          Error(Errc::unauthenticated, "no Authorization", "missing")));
  }
  const std::string_view token = token_in(*authorization);
  identity::Issuers* const issuers = context.parts.issuers.get();
  const auto issuer = issuers == nullptr ? std::nullopt : issuers->find(token);
  if (!issuer) {
    return answer_with_token(context, shard, context.parts.id_tokens->verify(token),
                             std::move(respond));
  }
  issuers->verify(
      *issuer, std::string(token), *context.parts.router.shard(shard).executor,
      [&context, shard, respond = std::move(respond)](Result<IdTokenClaims> claims) mutable {
        answer_with_token(context, shard, std::move(claims), std::move(respond));
      });
}

}  // namespace holdfast::api
