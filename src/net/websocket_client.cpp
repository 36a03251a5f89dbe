// A blocking WebSocket client.

#include <atomic>
#include <mutex>
#include <utility>

#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket/stream.hpp>

#include "client_stream.hpp"
#include "user_agent.hpp"

namespace holdfast::net {
namespace {

namespace websocket = boost::beast::websocket;

constexpr Milliseconds kWriteTimeout{30'000};
constexpr Milliseconds kCloseTimeout{2'000};
constexpr int kAbnormal = 1006;

Errc code_of_refusal(unsigned status) {
  if (status == 401) return Errc::unauthenticated;
  // A retry would get other refusals again.
  const bool passing = status < 400 || status > 499 || status == 408 || status == 429;
  return passing ? Errc::unavailable : Errc::invalid_argument;
}

class BeastClient final : public WebSocketClient {
 public:
  BeastClient(Url url, std::unique_ptr<asio::io_context> context,
              std::unique_ptr<Transport> transport)
      : url_(std::move(url)),
        context_(std::move(context)),
        stream_(std::move(transport)),
        close_timer_(context_->get_executor()) {
    stream_.auto_fragment(false);
    stream_.text(true);
  }
  ~BeastClient() override { close(); }

  Result<void> shake_hands(const std::vector<std::pair<std::string, std::string>>& headers,
                           const std::string& subprotocol, Deadline deadline) {
    stream_.set_option(websocket::stream_base::decorator([&](websocket::request_type& request) {
      request.set(boost::beast::http::field::user_agent, kUserAgent);
      for (const auto& [name, value] : headers) request.insert(name, value);
      if (!subprotocol.empty()) {
        request.set(boost::beast::http::field::sec_websocket_protocol, subprotocol);
      }
    }));
    websocket::response_type response;
    bool done = false;
    ErrorCode ec;
    stream_.async_handshake(response, url_.authority(), url_.target, [&](ErrorCode result) {
      ec = result;
      done = true;
    });
    if (!run_until(*context_, deadline, done)) {
      end_now();
      run_until(*context_, Deadline::max(), done);
      return fail(Errc::unavailable, "no upgrade before the deadline", url_.authority());
    }
    if (!ec) {
      open_ = true;
      return {};
    }
    if (ec != websocket::error::upgrade_declined) {
      return fail(Errc::unavailable, "the upgrade failed: " + ec.message(), url_.authority());
    }
    return fail(code_of_refusal(response.result_int()),
                "the upgrade was refused: " + std::to_string(response.result_int()),
                url_.authority());
  }

  [[nodiscard]] Result<std::optional<std::string>> read(Milliseconds timeout) override {
    const std::lock_guard lock(running_);
    if (!open_) return ended();
    // The read outlives the call, because a deadline must not cut a message.
    if (!std::exchange(reading_, true)) {
      read_done_ = false;
      stream_.async_read(buffer_, [this](ErrorCode ec, std::size_t) {
        read_error_ = ec;
        read_done_ = true;
      });
    }
    if (!run_until(*context_, deadline_in(timeout), read_done_)) return std::nullopt;
    reading_ = false;
    if (read_error_) {
      note_end();
      return ended();
    }
    std::string text = boost::beast::buffers_to_string(buffer_.data());
    buffer_.clear();
    return text;
  }

  [[nodiscard]] Result<void> write(std::string_view text) override {
    const std::lock_guard lock(running_);
    if (!open_) return std::unexpected(ended().error());
    bool done = false;
    ErrorCode ec;
    stream_.async_write(asio::buffer(text), [&](ErrorCode result, std::size_t) {
      ec = result;
      done = true;
    });
    if (!run_until(*context_, deadline_in(kWriteTimeout), done)) {
      end_now();
      run_until(*context_, Deadline::max(), done);
      ec = asio::error::timed_out;
    }
    if (!ec) return {};
    note_end();
    return std::unexpected(ended().error());
  }

  // Closes the connection. The thread that runs the loop sends the Close: the reader, or this
  // thread if there is none.
  void close() override {
    if (closing_.exchange(true)) return;
    asio::post(*context_, [this] { start_close(); });
    const std::lock_guard lock(running_);
    run_until(*context_, Deadline::max(), close_done_);
    note_end();
  }

  [[nodiscard]] int close_code() const override { return close_code_; }

 private:
  void start_close() {
    if (!stream_.is_open()) {
      end_now();
      close_done_ = true;
      return;
    }
    close_timer_.expires_after(kCloseTimeout);
    close_timer_.async_wait([this](ErrorCode ec) {
      if (!ec) end_now();
    });
    stream_.async_close(websocket::close_code::normal, [this](ErrorCode) {
      close_timer_.cancel();
      end_now();
      close_done_ = true;
    });
  }

  void end_now() {
    ErrorCode ignored;
    stream_.next_layer().socket().close(ignored);
  }

  void note_end() {
    open_ = false;
    const auto code = stream_.reason().code;
    close_code_ = code == websocket::close_code::none ? kAbnormal : static_cast<int>(code);
  }

  Result<std::optional<std::string>> ended() const {
    return fail(Errc::unavailable,
                "the connection has ended with code " + std::to_string(close_code_.load()),
                url_.authority());
  }

  Url url_;
  std::unique_ptr<asio::io_context> context_;
  websocket::stream<ClientStream, false> stream_;
  Timer close_timer_;
  boost::beast::flat_buffer buffer_;
  std::mutex running_;  ///< locked by the thread that runs the loop
  bool open_ = false;
  bool reading_ = false;
  bool read_done_ = false;
  ErrorCode read_error_;
  bool close_done_ = false;
  std::atomic<bool> closing_ = false;
  std::atomic<int> close_code_ = kAbnormal;
};

}  // namespace

Result<std::unique_ptr<WebSocketClient>> connect_websocket(
    const Url& url, const std::vector<std::pair<std::string, std::string>>& headers,
    const std::string& subprotocol, Milliseconds timeout, TlsClientOptions tls) {
  const Deadline deadline = deadline_in(timeout);
  auto context = std::make_unique<asio::io_context>(1);
  auto transport = connect_transport(*context, url, tls, deadline);
  if (!transport) return std::unexpected(transport.error());
  auto client = std::make_unique<BeastClient>(url, std::move(context), std::move(*transport));
  if (auto open = client->shake_hands(headers, subprotocol, deadline); !open) {
    return std::unexpected(open.error());
  }
  return client;
}

}  // namespace holdfast::net
