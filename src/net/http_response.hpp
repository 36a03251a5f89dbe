#pragma once

#include <string>
#include <string_view>

#include <holdfast/net/http.hpp>

namespace holdfast::net {

/// Appends the status line and the header section, framing included, to `out`. Headers that would
/// break the framing are left out.
void append_response_head(std::string& out, const Response& response, std::string_view date,
                          bool keep_alive);

}  // namespace holdfast::net
