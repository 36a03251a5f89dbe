#pragma once

#include <string>
#include <string_view>

#include <holdfast/base/clock.hpp>
#include <holdfast/net/http.hpp>

namespace holdfast::net {

/// Appends the status line and the header section, framing included, to `out`. Headers that would
/// break the framing are left out. What keeps browsers safe is added here to every answer that does
/// not have it; `transport_security` is how long they are to ask over TLS alone (RFC 6797), 0 for
/// an answer that does not go over TLS.
void append_response_head(std::string& out, const Response& response, std::string_view date,
                          bool keep_alive, Seconds transport_security);
/// Likewise for an answer that is written bit by bit, in chunks or until its connection ends.
void append_stream_head(std::string& out, const StreamAccepted& stream, std::string_view date,
                        bool chunked, Seconds transport_security);

}  // namespace holdfast::net
