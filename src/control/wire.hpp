#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <holdfast/base/audit.hpp>
#include <holdfast/base/json.hpp>
#include <holdfast/control/service.hpp>

/// The shapes of the control socket.
namespace holdfast::control {

[[nodiscard]] net::Response json_answer(const Json& body, int status = 200);
/// Makes an answer `{"error":{"code","message","where"}}` with the status of the code.
[[nodiscard]] net::Response json_error(const Error& error);
/// Makes such an answer with the given status.
[[nodiscard]] net::Response json_error(int status, const Error& error);

/// Makes an `invalid_argument` for the member or parameter `where`.
[[nodiscard]] std::unexpected<Error> refuse(std::string message, const std::string& where);
/// Returns whether a body's member is null and one of `optional`, and so counts as absent.
[[nodiscard]] bool is_absent(std::string_view member, const Json& value,
                             std::initializer_list<std::string_view> optional);

/// One request, taken apart.
struct Call {
  const LocalControlParts& parts;
  std::size_t shard = 0;                                   ///< the shard that serves the call
  std::vector<std::pair<std::string, std::string>> query;  ///< decoded
  std::string id;                                          ///< the path's last element, decoded
  std::string body;
  net::Responder respond;
  /// The record of a change; the route sets its target if the path does not name it. Null for
  /// reads.
  std::shared_ptr<AuditEvent> audit{};

  /// nullptr when the query has none.
  [[nodiscard]] const std::string* parameter(std::string_view name) const;
  /// `limit`: 1 to 1000, default 100.
  [[nodiscard]] Result<std::size_t> limit() const;
  /// Returns a parameter that is a sequence number; 0 if it is missing.
  [[nodiscard]] Result<Sequence> sequence(std::string_view name) const;
};

/// Names and values of a query; `invalid_argument` on a broken escape.
[[nodiscard]] Result<std::vector<std::pair<std::string, std::string>>> parse_query(
    std::string_view query);
/// Parses a UUID; nullopt for other text.
[[nodiscard]] std::optional<MessageId> parse_message_id(std::string_view text);

}  // namespace holdfast::control
