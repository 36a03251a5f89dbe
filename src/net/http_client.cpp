// A blocking HTTP/1.1 client.

#include <algorithm>
#include <optional>
#include <utility>

#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>

#include "client_stream.hpp"
#include "socket_io.hpp"
#include "user_agent.hpp"

namespace holdfast::net {
namespace {

namespace http = boost::beast::http;

constexpr std::uint32_t kHeaderBytesMax = 64 << 10;

bool is_line(std::string_view text) noexcept {
  return text.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos;
}

bool is_sendable(const ClientRequest& request) noexcept {
  return is_line(request.method) && is_line(request.target) &&
         request.method.find(' ') == std::string::npos &&
         request.target.find(' ') == std::string::npos &&
         std::ranges::all_of(request.headers, [](const auto& header) {
           return is_line(header.first) && is_line(header.second);
         });
}

std::string serialize(const ClientRequest& request, const std::string& host) {
  std::string out = request.method + " " + request.target + " HTTP/1.1\r\nHost: " + host + "\r\n";
  out += std::string("User-Agent: ") + kUserAgent + "\r\n";
  for (const auto& [name, value] : request.headers) out += name + ": " + value + "\r\n";
  const bool expects_body =
      request.method == "POST" || request.method == "PUT" || request.method == "PATCH";
  if (expects_body || !request.body.empty()) {
    out += "Content-Length: " + std::to_string(request.body.size()) + "\r\n";
  }
  return out + "\r\n" + request.body;
}

class KeepAliveClient final : public HttpClient {
 public:
  KeepAliveClient(Url base, TlsClientOptions tls) : base_(std::move(base)), tls_(std::move(tls)) {}

  [[nodiscard]] Result<Response> request(const ClientRequest& request,
                                         Milliseconds timeout) override {
    if (!is_sendable(request)) {
      return fail(Errc::invalid_argument, "a request line or header holds a line break");
    }
    const Deadline deadline = deadline_in(timeout);
    if (stream_ && !is_reusable()) stream_.reset();
    if (!stream_) {
      auto transport = connect_transport(context_, base_, tls_, deadline);
      if (!transport) return std::unexpected(transport.error());
      stream_.emplace(std::move(*transport));
      buffer_.clear();
    }
    auto response = exchange(request, deadline);
    if (!response || response->close) stream_.reset();
    return response;
  }

 private:
  // Returns whether the connection can take another request. A server may have ended it meanwhile.
  bool is_reusable() {
    char byte = 0;
    return receive_some(stream_->socket().native_handle(), {&byte, 1}).blocked;
  }

  Result<Response> exchange(const ClientRequest& request, Deadline deadline) {
    const std::string bytes = serialize(request, base_.authority());
    ErrorCode ec;
    if (!wait(deadline, ec, [&](auto&& handler) {
          asio::async_write(*stream_, asio::buffer(bytes),
                            std::forward<decltype(handler)>(handler));
        })) {
      return lost("no room to send before the deadline");
    }
    // A server that refuses early has answered, although it does not take the rest.
    for (;;) {
      http::response_parser<http::string_body> parser;
      parser.body_limit(request.response_bytes_max);
      parser.header_limit(kHeaderBytesMax);
      parser.skip(request.method == "HEAD");
      if (!wait(deadline, ec, [&](auto&& handler) {
            http::async_read(*stream_, buffer_, parser, std::forward<decltype(handler)>(handler));
          })) {
        return lost("no answer before the deadline");
      }
      if (ec.category() == make_error_code(http::error::bad_version).category() &&
          ec != http::error::end_of_stream && ec != http::error::partial_message) {
        return fail(Errc::invalid_argument, "the answer is not HTTP: " + ec.message());
      }
      if (ec) return lost(ec.message());
      if (parser.get().result_int() >= 200) return to_response(parser);
    }
  }

  static Response to_response(http::response_parser<http::string_body>& parser) {
    Response response;
    response.status = static_cast<int>(parser.get().result_int());
    for (const auto& field : parser.get()) {
      response.headers.emplace_back(std::string(field.name_string()), std::string(field.value()));
    }
    response.close = !parser.keep_alive();
    response.body = std::move(parser.get().body());
    return response;
  }

  // Returns false at the deadline, after the operation was cancelled.
  template <class Start>
  bool wait(Deadline deadline, ErrorCode& ec, Start start) {
    bool done = false;
    start([&](ErrorCode result, std::size_t) {
      ec = result;
      done = true;
    });
    if (run_until(context_, deadline, done)) return true;
    ErrorCode ignored;
    stream_->socket().close(ignored);
    run_until(context_, Deadline::max(), done);
    return false;
  }

  std::unexpected<Error> lost(const std::string& why) const {
    return fail(Errc::unavailable, "the connection to " + base_.authority() + " failed: " + why,
                base_.authority());
  }

  Url base_;
  TlsClientOptions tls_;
  asio::io_context context_{1};
  std::optional<ClientStream> stream_;
  boost::beast::flat_buffer buffer_;
};

}  // namespace

std::unique_ptr<HttpClient> make_http_client(Url base, TlsClientOptions tls) {
  return std::make_unique<KeepAliveClient>(std::move(base), std::move(tls));
}

}  // namespace holdfast::net
