#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>

#include <holdfast/base/error.hpp>
#include <holdfast/identity/pool_error.hpp>
#include <holdfast/identity/user.hpp>
#include <holdfast/identity/user_pool_options.hpp>

/// Checks the user pool's inputs, with the messages that Cognito's clients know
/// (docs.aws.amazon.com, "Amazon Cognito user pools API reference"). Pure functions, thread-safe.
namespace holdfast::identity {

using Attributes = std::map<std::string, std::string>;

[[nodiscard]] std::unexpected<PoolError> refuse(PoolErrc code, std::string message);
/// `unavailable` or `too_many_requests`, for what a port or the hasher reported.
[[nodiscard]] std::unexpected<PoolError> refuse(const Error& error);

/// The pool and the client that a call names must be these.
[[nodiscard]] PoolResult<void> check_pool(const std::string& pool_id,
                                          const UserPoolOptions& options);
[[nodiscard]] PoolResult<void> check_client(const std::string& client_id,
                                            const UserPoolOptions& options);
/// `[\p{L}\p{M}\p{S}\p{N}\p{P}]+`, 1 to 128 characters.
[[nodiscard]] bool is_username(std::string_view username) noexcept;
[[nodiscard]] PoolResult<void> check_username(const std::string& username);
/// The password policy; a character is a code point. Nothing that many people choose, and no name
/// of the pool.
[[nodiscard]] PoolResult<void> check_password(std::string_view password,
                                              const UserPoolOptions& options);
/// It must be more than the user's own name with digits or punctuation around it.
[[nodiscard]] PoolResult<void> check_password_of(const std::string& username,
                                                 std::string_view password,
                                                 const UserPoolOptions& options);
/// Standard attributes and `custom:` ones, and the form of addresses: `email` is a mailbox
/// (RFC 5321 section 4.1.2, with UTF-8 as RFC 6531 has it), `phone_number` as E.164 has it. Empty
/// values remove attributes.
[[nodiscard]] PoolResult<void> check_attributes(const Attributes& attributes);
/// Checks the size of all attributes, so that an ID token fits into a header.
[[nodiscard]] PoolResult<void> check_attributes_size(const Attributes& attributes);
/// Checks attributes that users set themselves. They may not mark an address as verified.
[[nodiscard]] PoolResult<void> check_own_attributes(const Attributes& attributes);
/// An empty value removes an attribute. An address that has changed is no longer a verified one,
/// unless the changes say so; one that is removed is neither.
void merge_attributes(Attributes& into, const Attributes& changes);
/// `value` must be one of `allowed`, a list as Cognito's message prints it.
[[nodiscard]] PoolResult<void> check_enum(const std::string& value, const char* member,
                                          std::span<const std::string_view> allowed);
/// Present and not empty: `Missing required parameter NAME`.
[[nodiscard]] PoolResult<std::string> required(const Attributes& parameters, const char* name);

}  // namespace holdfast::identity
