#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <holdfast/net/server.hpp>

namespace holdfast::net {

/// The answer to a refused header section.
struct HeadError {
  int status = 400;
  const char* message = "Bad Request";
  const char* why = nullptr;  ///< for the log, where the message does not say it
};

/// The framing of the body that follows (RFC 9112 section 6), and the connection's future.
struct Framing {
  bool chunked = false;
  std::optional<std::uint64_t> content_length;
  bool keep_alive = true;
  bool expect_continue = false;
  bool upgrade_websocket = false;  ///< `Upgrade: websocket` and `Connection: upgrade`
  bool has_host = true;            ///< false only on HTTP/1.0, where the service may allow it
};

/// Reads one header section strictly. Looks at each byte once, as it comes. Refuses whatever two
/// readers could understand differently (RFC 9112 sections 2.2, 3.2, 5.1, 6.3, 11.2).
class HeadReader {
 public:
  enum class State { more, done, bad };

  /// `unix_socket`: `Host` may be empty, since there is no authority to name (RFC 9112 section
  /// 3.2).
  explicit HeadReader(const HttpLimits& limits, bool unix_socket = false)
      : limits_(&limits), unix_socket_(unix_socket) {}

  /// Reads on. `bytes` begins at the head's first byte in every call, and only grows.
  State read(std::string_view bytes);
  /// Returns the bytes of the head, once it is done.
  [[nodiscard]] std::size_t size() const noexcept { return position_; }
  [[nodiscard]] const HeadError& error() const noexcept { return error_; }
  [[nodiscard]] RequestHead& head() noexcept { return head_; }
  [[nodiscard]] const Framing& framing() const noexcept { return framing_; }

 private:
  bool fail(int status, const char* message, const char* why = nullptr) noexcept;
  bool take_line(std::string_view line);
  bool take_request_line(std::string_view line);
  bool take_version(std::string_view version);
  bool take_target(std::string_view target);
  bool take_transfer_encoding(std::string_view value);
  bool take_header(std::string_view line);
  bool note_header(std::string_view name, std::string_view value);
  bool note_framing(std::string_view name, std::string_view value, bool& known);
  bool finish();
  bool check_authority();
  bool over_limits(std::string_view bytes);

  const HttpLimits* limits_;
  std::size_t position_ = 0;    ///< the first byte not looked at
  std::size_t line_start_ = 0;  ///< of the line that `position_` is in
  std::size_t lines_ = 0;
  std::size_t blank_lines_ = 0;  ///< before the request line
  RequestHead head_;
  Framing framing_;
  HeadError error_;
  std::string authority_;  ///< of an absolute-form target
  std::size_t host_index_ = 0;
  unsigned hosts_ = 0;
  unsigned authorizations_ = 0;
  unsigned amz_dates_ = 0;
  unsigned transfer_encodings_ = 0;
  bool connection_close_ = false;
  bool connection_upgrade_ = false;
  bool upgrade_websocket_ = false;
  bool absolute_ = false;
  bool unix_socket_ = false;
};

/// Returns whether a header may have this value: no control characters but HTAB (RFC 9110 section
/// 5.5).
[[nodiscard]] bool is_field_value(std::string_view text) noexcept;
/// Returns whether a comma-separated list of tokens has this one, without regard to case.
[[nodiscard]] bool has_token(std::string_view list, std::string_view token) noexcept;

}  // namespace holdfast::net
