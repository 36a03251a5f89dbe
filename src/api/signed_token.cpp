// The route that issues temporary tokens to access keys: POST /tokens.

#include "signed_token.hpp"

#include <string>
#include <utility>

#include "aws_errors.hpp"
#include "log_keys.hpp"
#include "signed_call.hpp"
#include "token_body.hpp"
#include "tokens.hpp"

namespace holdfast::api {
namespace {

// Not execute-api:Invoke: a key that may send must not become able to act as any user.
constexpr std::string_view kIssueToken = "holdfast:IssueToken";

net::Response refusal_answer(const Error& error) {
  switch (error.code) {
    case Errc::forbidden:
      return make_error(403, "UserDisabledException", error.message);
    case Errc::too_many_requests:
    case Errc::limit_exceeded:
      return too_many_requests();
    default:
      return unavailable();
  }
}

net::Response refuse_token(RouteMetrics& metrics, const Error& error) {
  metrics.refused_tokens.add(token_refusal_of(error));
  net::Response out = refusal_answer(error);
  note_refusal(out, "temporary token", error);
  return out;
}

// One token, issued once for its signature.
struct SignedTokenCall {
  const Context* context;
  std::size_t shard;
  iam::Signer signer;
  UserId user;
  net::Responder respond;

  void run(Replays::First first) && {
    UserId named = user;
    auto done = [metrics = &context->metrics(shard), first = std::move(first), key = signer.key,
                 user = std::move(user),
                 respond = std::move(respond)](const Result<std::string>& token) mutable {
      if (token) {
        first.done(Replays::Done{});
        metrics->tokens.add(TokenCaller::key);
      } else {
        first.undone();
      }
      net::Response out = token ? issued_token(*token) : refuse_token(*metrics, token.error());
      out.log_fields.set(kLogUserId, user.str());
      respond(signed_by(std::move(out), *key));
    };
    if (!context->token_rates->take(named, context->parts.clock.steady_now())) {
      return done(fail(Errc::too_many_requests, "too many tokens", "rate"));
    }
    context->shard(shard).generator->issue_to_user(std::move(named), std::move(done));
  }
  // The token itself is not kept, so that a repeat cannot get it.
  void repeat(const Replays::Refused& refused) && {
    net::Response out = refuse_repetition(refused);
    out.log_fields.set(kLogUserId, user.str());
    respond(signed_by(std::move(out), *signer.key));
  }
};

}  // namespace

void handle_signed_token(const Context& context, const net::Request& request,
                         net::Responder respond) {
  const std::size_t shard = request.head.shard;
  auto signer = authorize_invoke(context, request, kIssueToken, context.tokens_arn);
  if (!signer) return respond(std::move(signer.error()));
  auto user = read_token_body(request.body);
  if (auto refused = refuse_body(request.head, user ? nullptr : &user.error())) {
    context.metrics(shard).refused_tokens.add(TokenRefusal::body);
    return respond(signed_by(std::move(*refused), *signer->key));
  }
  if (auto denied = refuse_user(context, *signer, request.head, kIssueToken, context.tokens_arn,
                                *user, "userId")) {
    return respond(std::move(*denied));
  }
  run_once(
      context, shard,
      SignedTokenCall{&context, shard, std::move(*signer), std::move(*user), std::move(respond)});
}

}  // namespace holdfast::api
