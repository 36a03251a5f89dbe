#pragma once

#include <string>
#include <string_view>

#include <holdfast/base/clock.hpp>
#include <holdfast/net/http.hpp>

namespace holdfast::net {

/// Appends the status line and the header section, framing included, to `out`. Leaves out headers
/// that would break the framing. Adds the headers that keep browsers safe where the answer lacks
/// them. `transport_security` is how long browsers shall use TLS alone (RFC 6797); 0 for an answer
/// without TLS.
void append_response_head(std::string& out, const Response& response, std::string_view date,
                          bool keep_alive, Seconds transport_security);
/// Appends the head of an answer that is written bit by bit: in chunks, or until its connection
/// ends.
void append_stream_head(std::string& out, const StreamAccepted& stream, std::string_view date,
                        bool chunked, Seconds transport_security);

}  // namespace holdfast::net
