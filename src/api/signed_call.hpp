#pragma once

#include <expected>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <variant>

#include <holdfast/base/ids.hpp>
#include <holdfast/iam/sigv4.hpp>
#include <holdfast/net/http.hpp>

#include "context.hpp"
#include "replays.hpp"

namespace holdfast::api {

/// Verifies `request` with its shard's verifier and returns the signer.
[[nodiscard]] std::expected<iam::Signer, iam::SignatureError> verify_signature(
    const Context& context, const net::Request& request, std::string_view service);

/// Decides `action` on `resource`, which is about no user, by the policies of the signer's key.
[[nodiscard]] iam::Decision decide(const Context& context, const iam::Signer& signer,
                                   const net::RequestHead& head, std::string_view action,
                                   std::string_view resource);

/// Takes one call from the key's rate limit on this shard. Returns whether the limit allows it.
[[nodiscard]] bool keeps_to_rate(const Context& context, const iam::AccessKey& key,
                                 std::size_t shard);

/// Path, signature, policy and rate of a call of execute-api: who calls, or the answer that
/// refuses. The policy allows the call for some user; `refuse_user` decides for the one.
[[nodiscard]] std::expected<iam::Signer, net::Response> authorize_invoke(
    const Context& context, const net::Request& request, std::string_view action,
    std::string_view resource);

/// Refuses a call that the policies of the signer's key do not allow for `user`; nullopt if they
/// do. `place` says where the call names the user. Only policies that name users are evaluated.
[[nodiscard]] std::optional<net::Response> refuse_user(
    const Context& context, const iam::Signer& signer, const net::RequestHead& head,
    std::string_view action, std::string_view resource, const UserId& user, std::string_view place);

/// Why the access line says that a key's rate refused.
inline constexpr std::string_view kRateReason =
    "TooManyRequestsException: more calls than the rate of the access key";
/// The 400 of a path that is not routed as it is signed, in words.
inline constexpr std::string_view kOddPath =
    "The path must not have empty segments, nor '.' or '..'";
/// The message for a signature that has already changed something.
inline constexpr std::string_view kSpentSignature =
    "This signature was used already. Sign the request anew";

/// The response, with the key that signed for the access line.
[[nodiscard]] net::Response signed_by(net::Response response, const iam::AccessKey& key);

/// Why the access line says that a repetition was answered as the first was, and not done again.
inline constexpr std::string_view kRepeated = "a signature that was used already";

/// The answer of execute-api to a repetition that is not answered as the first was.
[[nodiscard]] net::Response refuse_repetition(const Replays::Refused& refused);

/// Lets a call that changes something go on once for its signature. `Call` is movable, and has
/// `signer`; `run(Replays::First)` for the first request, which is moved from; `repeat(Refused)`
/// for all others. One that comes while the first is under way waits for its outcome.
template <class Call>
void run_once(const Context& context, std::size_t shard, Call call) {
  Replays& replays = *context.replays;
  while (true) {
    const iam::Signature signature = call.signer.signature;
    const SenderQuotaPtr caller = call.signer.key->quota;
    auto begun = replays.begin(signature, caller, call.signer.verified_at);
    if (auto* const first = std::get_if<Replays::First>(&begun)) {
      return std::move(call).run(std::move(*first));
    }
    const auto& refused = std::get<Replays::Refused>(begun);
    if (refused.reason != Replays::Reason::in_flight) {
      return std::move(call).repeat(refused);
    }
    auto kept = std::make_shared<Call>(std::move(call));
    Executor* const executor = context.parts.router.shard(shard).executor;
    Task again = [&context, shard, executor, kept] {
      executor->post([&context, shard, kept] { run_once(context, shard, std::move(*kept)); });
    };
    if (replays.wait(signature, caller, std::move(again))) return;
    call = std::move(*kept);
  }
}

}  // namespace holdfast::api
