// Serves HTTP/1.1 on one connection.

#include "http_connection.hpp"

#include <algorithm>
#include <utility>

#include <string.h>

#include <holdfast/base/ascii.hpp>

#include "http_response.hpp"
#include "lingering_close.hpp"
#include "proxy_header.hpp"
#include "response_stream.hpp"
#include "tls_stream.hpp"
#include "websocket_handshake.hpp"

namespace holdfast::net {
namespace {

// Limits the room reserved for a body, because a client may announce more than it sends.
constexpr std::size_t kBodyReserveMax = 64 << 10;
constexpr std::uint8_t kLinesBetweenMax = 16;
constexpr Milliseconds kAskedAgain{1'000};

}  // namespace

struct HttpConnection::Exchange {
  Exchange(const ListenerShard& shard, SteadyTime now)
      : reader(shard.limits(), shard.listener().is_unix),
        started(now),
        body_budget(shard.listener()) {}

  HeadReader reader;
  SteadyTime started;
  bool head_done = false;
  bool keep_alive = false;
  bool head_method = false;
  bool old_version = false;  ///< HTTP/1.0
  bool secure = false;
  bool at_localhost = false;  ///< other programs have ports there that speak no TLS
  bool body_unread = false;   ///< answered before its body had come; the next bytes are no request
  BodyLimit body_limit;
  std::optional<ChunkedReader> chunks;
  std::string body;
  BodyBudget body_budget;
  std::string method;  ///< kept for the log, since the head is handed on
  std::string path;
  std::string websocket_key;
  Told parked;         ///< called when nobody waits for the answer any more
  std::string client;  ///< behind a trusted proxy; empty: the peer
};

/// Answers once. Dropping it unused ends the connection.
class HttpConnection::ResponseTicket {
 public:
  explicit ResponseTicket(std::shared_ptr<HttpConnection> connection)
      : connection_(std::move(connection)) {}
  ResponseTicket(ResponseTicket&&) noexcept = default;
  ResponseTicket& operator=(ResponseTicket&&) = delete;
  ~ResponseTicket() {
    if (!connection_) return;
    Shard& shard = connection_->shard_.loop();
    shard.post([connection = std::move(connection_)] { connection->abandon(); });
  }
  void operator()(Answer&& answer) {
    if (const auto connection = std::exchange(connection_, nullptr))
      connection->answer(std::move(answer));
  }

 protected:
  std::shared_ptr<HttpConnection> connection_;
};

class HttpConnection::LiveTicket : private ResponseTicket {
 public:
  using ResponseTicket::ResponseTicket;
  LiveTicket(LiveTicket&&) noexcept = default;

  void operator()(std::variant<Response, LiveAccepted> decision) {
    const auto connection = std::exchange(connection_, nullptr);
    if (!connection) return;
    if (auto* const accepted = std::get_if<LiveAccepted>(&decision)) {
      connection->accept_live(std::move(*accepted));
    } else {
      connection->answer(std::get<Response>(std::move(decision)));
    }
  }
};

HttpConnection::HttpConnection(ListenerShard& shard, UniqueFd fd, std::string remote_address,
                               bool trusted, OpenSocketGuard slot)
    : shard_(shard),
      slot_(std::move(slot)),
      socket_(shard.loop().poller(), std::move(fd), *this),
      remote_address_(std::move(remote_address)),
      trusted_(trusted),
      proxy_header_due_(shard.listener().options.proxy_protocol) {
  if (!proxy_header_due_) start_tls();
}

HttpConnection::~HttpConnection() = default;

void HttpConnection::start() {
  self_ = shared_from_this();
  if (shard_.draining()) return end();
  shard_.idle(*this, shard_.now() + shard_.limits().header_timeout);
  if (proxy_header_due_ && !trusted_) return refuse_proxy_header("not from a trusted proxy");
  // The request is often there already, because it came with the connection.
  on_readable();
}

void HttpConnection::refuse(const char* why) {
  self_ = shared_from_this();
  exchange_ = std::make_unique<Exchange>(shard_, shard_.now());
  respond_error(503, "Service Unavailable", why);
}

void HttpConnection::start_tls() {
  if (const auto& server = shard_.listener().options.tls) {
    tls_ = server->make_stream(socket_.descriptor());
  }
}

IoOutcome HttpConnection::receive(std::span<char> into) {
  return tls_ ? tls_->receive_some(into) : receive_some(socket_.descriptor(), into);
}

IoOutcome HttpConnection::send(std::string_view first, std::string_view second) {
  const IoOutcome outcome =
      tls_ ? tls_->send_some(first, second) : send_some(socket_.descriptor(), first, second);
  shard_.metrics().http_bytes.add(outcome.bytes);
  return outcome;
}

void HttpConnection::wait_readable() {
  if (tls_ && tls_->has_more()) {
    shard_.loop().post([self = shared_from_this()] {
      if (self->phase_ == Phase::reading) self->on_readable();
    });
    return;
  }
  const bool to_send = tls_ && tls_->receive_waits_to_send();
  socket_.await_receive(to_send ? PolledSocket::Wait::writable : PolledSocket::Wait::readable);
}

void HttpConnection::on_receive_ready() {
  const auto self = shared_from_this();
  if (phase_ == Phase::reading) return on_readable();
  // A parked request waits for nothing but the client's end.
  if (is_parked()) end();
}

void HttpConnection::on_readable() {
  if (proxy_header_due_) return read_proxy_header();
  std::vector<char>& scratch = shard_.loop().scratch();
  const IoOutcome outcome = receive(scratch);
  if (outcome.ended) return tls_ && tls_->was_plain_http() ? refuse_plain_http() : end();
  const std::string_view fresh(scratch.data(), outcome.bytes);
  if (kept_.empty()) {
    unread_ = fresh;
  } else {
    kept_.append(fresh);
    unread_ = kept_;
  }
  advance();
  // This object may be gone by now, and its unread bytes have moved. The bytes may be a password,
  // and the next connection rarely overwrites all of them.
  explicit_bzero(scratch.data(), outcome.bytes);
}

void HttpConnection::read_proxy_header() {
  std::vector<char>& scratch = shard_.loop().scratch();
  const std::span<char> into = std::span(scratch).first(ProxyHeader::kBytesMax);
  const IoOutcome outcome = receive_some(socket_.descriptor(), into);
  if (outcome.ended) return end();
  kept_.append(into.data(), outcome.bytes);
  ProxyHeader header = net::read_proxy_header(kept_);
  switch (header.state) {
    case ProxyHeader::State::more:
      return wait_readable();
    case ProxyHeader::State::bad:
      return refuse_proxy_header("malformed");
    case ProxyHeader::State::done:
      secure_by_proxy_ = header.secure;
      return take_proxy_header(header.size, std::move(header.address));
  }
}

void HttpConnection::take_proxy_header(std::size_t size, std::string address) {
  proxy_header_due_ = false;
  proxy_is_client_ = address.empty();
  std::string rest = kept_.substr(size);
  kept_ = std::string();
  start_tls();
  if (!address.empty()) {
    remote_address_ = std::move(address);
    const bool proxy = shard_.listener().options.trusted_proxies.trusts(remote_address_);
    if (!proxy && !slot_.count_for(client_share_key(remote_address_))) {
      shard_.listener().note_refusal(Bound::connections, BoundScope::share);
      return refuse("limits.connections_per_address");
    }
  }
  if (tls_) {
    tls_->put_early(std::move(rest));
    return on_readable();
  }
  kept_ = std::move(rest);
  unread_ = kept_;
  advance();
}

// Refuses a proxy that is not set up to send the header, or a client that bypassed the proxy.
void HttpConnection::refuse_proxy_header(const char* why) {
  shard_.report_proxy_header(remote_address_, why);
  proxy_header_due_ = false;
  kept_ = std::string();
  if (shard_.listener().options.tls) return end();
  exchange_ = std::make_unique<Exchange>(shard_, shard_.now());
  respond_error(400, "Bad Request: this port takes the PROXY protocol of trusted proxies alone");
}

// Loops instead of recursing, because a client may send a thousand requests in one segment.
void HttpConnection::advance() {
  if (std::exchange(advancing_, true)) return;
  const auto self = shared_from_this();
  while (phase_ == Phase::reading && step()) {
  }
  advancing_ = false;
  if (phase_ != Phase::reading) return;
  save_unread();
  wait_readable();
}

// Returns false when more bytes are needed.
bool HttpConnection::step() {
  if (!exchange_) {
    // Some clients send an empty line behind a body (RFC 9112 section 2.2). It begins no request.
    while (blank_lines_ < kLinesBetweenMax && unread_.starts_with("\r\n")) {
      unread_.remove_prefix(2);
      ++blank_lines_;
    }
    if (unread_.empty()) return false;
    blank_lines_ = 0;
    const SteadyTime now = shard_.now();
    exchange_ = std::make_unique<Exchange>(shard_, now);
    if (shard_.draining()) {
      respond_error(503, "Service Unavailable", "the gateway is stopping");
      return true;
    }
    // A new connection's deadline has been running since it was accepted.
    served_ ? shard_.watch(*this, now + shard_.limits().header_timeout) : shard_.end_idle(*this);
  }
  return exchange_->head_done ? read_body() : read_head();
}

bool HttpConnection::read_head() {
  HeadReader& reader = exchange_->reader;
  const HeadReader::State state = reader.read(unread_);
  if (state == HeadReader::State::more) return !hold_head();
  if (state == HeadReader::State::bad) {
    respond_error(reader.error().status, reader.error().message, reader.error().why);
    return true;
  }
  unread_.remove_prefix(reader.size());
  exchange_->body_budget.release();
  RequestHead& head = reader.head();
  head.remote_address = remote_address_;
  head.actor = peer_of(socket_.descriptor(), remote_address_);
  head.shard = shard_.loop().index();
  head.secure = tls_ != nullptr || secure_by_proxy_;
  const TrustedProxies& proxies = shard_.listener().options.trusted_proxies;
  if (!proxies.empty() && !proxy_is_client_) {
    proxies.resolve(head);
    exchange_->client = head.remote_address;
  }
  exchange_->secure = head.secure;
  if (const std::string* const host = head.header("Host")) {
    const std::string_view name = std::string_view(*host).substr(0, host->find(':'));
    exchange_->at_localhost = ascii::iequals(name, "localhost");
  }
  exchange_->head_done = true;
  exchange_->keep_alive = reader.framing().keep_alive;
  exchange_->head_method = head.method == "HEAD";
  exchange_->old_version = head.minor_version == 0;
  exchange_->method = head.method;
  exchange_->path = head.path();
  shard_.metrics().requests.add();
  if (!reader.framing().has_host && !shard_.listener().service->serves_without_host(head)) {
    respond_error(400, "Bad Request: missing Host");
    return true;
  }
  if (!count_client(head)) {
    respond_error(503, "Service Unavailable", "limits.connections_per_address");
    return true;
  }
  if (reader.framing().upgrade_websocket && opens(head)) {
    begin_upgrade();
    return true;
  }
  return screen();
}

bool HttpConnection::opens(RequestHead& head) const {
  const LiveService* const live = shard_.listener().service->live();
  const auto route = live == nullptr ? std::nullopt : live->opens(head);
  head.route = route.value_or(0);
  return route.has_value();
}

// Counts the connection for the client of this request. A trusted proxy may bring another one each
// time.
bool HttpConnection::count_client(const RequestHead& head) {
  if (!trusted_) return true;
  const bool named = !shard_.listener().options.trusted_proxies.trusts(head.remote_address);
  if (slot_.count_for(named ? client_share_key(head.remote_address) : std::string())) return true;
  shard_.listener().note_refusal(Bound::connections, BoundScope::share);
  return false;
}

bool HttpConnection::screen() {
  HeadReader& reader = exchange_->reader;
  auto verdict = shard_.listener().service->screen(reader.head());
  if (auto* const refusal = std::get_if<Response>(&verdict)) {
    const std::uint64_t length = reader.framing().content_length.value_or(0);
    if (!reader.framing().chunked && length <= unread_.size()) {
      unread_.remove_prefix(static_cast<std::size_t>(length));
    } else {
      exchange_->body_unread = true;
    }
    respond(std::move(*refusal));
    return true;
  }
  exchange_->body_limit = std::get<BodyLimit>(verdict);
  reader.head().route = exchange_->body_limit.route;
  return begin_body();
}

bool HttpConnection::begin_body() {
  const Framing& framing = exchange_->reader.framing();
  if (framing.content_length.value_or(0) > exchange_->body_limit.bytes) {
    respond_error(413, "Request Too Long", exchange_->body_limit.reason);
    return true;
  }
  if (framing.chunked) exchange_->chunks.emplace(exchange_->body_limit.bytes);
  const auto length = static_cast<std::size_t>(framing.content_length.value_or(0));
  if (framing.chunked || length > unread_.size()) {
    shard_.watch(*this, shard_.now() + shard_.limits().body_timeout);
    if (framing.expect_continue && unread_.empty()) send_continue();
    exchange_->body.reserve(std::min(length, kBodyReserveMax));
  }
  return phase_ != Phase::reading || read_body();
}

bool HttpConnection::read_body() {
  if (exchange_->chunks) return read_chunks();
  const auto length =
      static_cast<std::size_t>(exchange_->reader.framing().content_length.value_or(0));
  std::string& body = exchange_->body;
  const std::size_t taken = std::min(length - body.size(), unread_.size());
  body.append(unread_.substr(0, taken));
  unread_.remove_prefix(taken);
  if (body.size() < length) return hold_body();
  dispatch();
  return true;
}

bool HttpConnection::read_chunks() {
  switch (exchange_->chunks->read(unread_, exchange_->body)) {
    case ChunkedReader::State::more:
      return hold_body();
    case ChunkedReader::State::bad:
      respond_error(400, "Bad Request: malformed chunk");
      return true;
    case ChunkedReader::State::too_large:
      respond_error(413, "Request Too Long", exchange_->body_limit.reason);
      return true;
    case ChunkedReader::State::done:
      break;
  }
  // A chunked body could hide a smuggled request behind it, so nothing more is read.
  exchange_->keep_alive = false;
  dispatch();
  return true;
}

// Counts the bytes of an incomplete request. Refuses it if they are too many.
bool HttpConnection::hold(std::size_t bytes, Bound bound) {
  if (exchange_->body_budget.resize(bytes, slot_.holder(), bound)) return true;
  respond_error(503, "Service Unavailable", "limits.body_bytes_in_flight");
  return false;
}

bool HttpConnection::hold_head() {
  save_unread();
  // The parsed fields are a second copy.
  return hold(2 * kept_.capacity(), Bound::header_bytes);
}

// Returns false when more bytes are needed.
bool HttpConnection::hold_body() { return !hold(exchange_->body.size(), Bound::body_bytes); }

void HttpConnection::dispatch() {
  save_unread();
  // The bytes behind it stay in memory until it is answered.
  const std::size_t behind = kept_.empty() ? 0 : kept_.capacity();
  if (!exchange_->body_budget.resize(behind, slot_.holder(), Bound::header_bytes)) {
    exchange_->keep_alive = false;
    unread_ = {};
    save_unread();
    exchange_->body_budget.release();
  }
  phase_ = Phase::handling;
  watch_for_answer();
  Request request{.head = std::move(exchange_->reader.head()),
                  .body = std::exchange(exchange_->body, {})};
  shard_.listener().service->handle(std::move(request),
                                    Responder(ResponseTicket(shared_from_this()), *this));
}

bool HttpConnection::is_parked() const {
  return phase_ == Phase::handling && exchange_->parked != nullptr;
}

void HttpConnection::park(Told told) {
  exchange_->parked = std::move(told);
  if (phase_ != Phase::handling) return tell_parked(ParkEnd::gone);
  shard_.rest(*this);
  socket_.await_receive(PolledSocket::Wait::peer_end);
  if (shard_.draining()) on_drain();
}

// Runs in a turn of its own, because the caller may be the one who is told.
void HttpConnection::tell_parked(ParkEnd end) {
  shard_.loop().post([self = shared_from_this(), end] {
    auto told = std::exchange(self->exchange_->parked, nullptr);
    if (!told) return;
    told(end);
    if (self->phase_ != Phase::handling) return;
    self->respond_error(503, "Service Unavailable", "the gateway is stopping");
  });
}

void HttpConnection::watch_for_answer() {
  const ListenerOptions& options = shard_.listener().options;
  shard_.watch(*this,
               options.gives_up ? shard_.now() + options.answer_patience : SteadyTime::max());
}

void HttpConnection::give_up_or_wait() {
  const char* const why = shard_.listener().options.gives_up();
  if (why == nullptr) return shard_.watch(*this, shard_.now() + kAskedAgain);
  respond_error(503, "Service Unavailable", why);
}

void HttpConnection::begin_upgrade() {
  HeadReader& reader = exchange_->reader;
  auto key = read_handshake(reader.head(), reader.framing());
  if (!key) {
    shard_.metrics().refused_upgrades.add();
    const HandshakeFault& fault = key.error();
    if (fault.status == 426) return respond_upgrade_required(fault.message, fault.why);
    return respond_error(fault.status, fault.message, fault.why);
  }
  exchange_->websocket_key = std::move(*key);
  save_unread();
  phase_ = Phase::handling;
  watch_for_answer();
  shard_.listener().service->live()->open(std::move(reader.head()), LiveTicket(shared_from_this()));
}

// Moves the unread bytes out of the scratch, which belongs to the next connection.
void HttpConnection::save_unread() {
  if (unread_.empty()) {
    std::string().swap(kept_);  // frees it, which an assignment would not
  } else if (unread_.data() >= kept_.data() && unread_.data() < kept_.data() + kept_.size()) {
    kept_.erase(0, kept_.size() - unread_.size());
  } else {
    kept_.assign(unread_);
  }
  unread_ = kept_;
}

void HttpConnection::respond_error(int status, const char* message, const char* why) {
  // The peer may read the answer slowly. Its body need not stay in memory meanwhile.
  exchange_->body = std::string();
  unread_ = {};
  kept_ = std::string();
  exchange_->body_budget.release();
  Response response = shard_.listener().service->error(status, message);
  if (why != nullptr) response.refused = why;
  if (response.refused.empty()) response.refused = message;
  if (!exchange_->head_done) {
    // The head may be read only in part.
    exchange_->method = exchange_->reader.head().method;
    exchange_->path = exchange_->reader.head().path();
  }
  response.close = true;
  respond(std::move(response));
}

void HttpConnection::refuse_plain_http() {
  shard_.metrics().failed_handshakes.add();
  tls_ = nullptr;
  exchange_ = std::make_unique<Exchange>(shard_, shard_.now());
  respond_error(400, "Bad Request: this port speaks TLS");
}

void HttpConnection::respond_upgrade_required(const char* message, const char* why) {
  Response response = shard_.listener().service->error(426, message);
  response.refused = why;
  response.headers.emplace_back("Sec-WebSocket-Version", "13");
  response.close = true;
  respond(std::move(response));
}

// Answers the request, unless the connection is gone or the request was given up.
void HttpConnection::answer(Answer&& answer) {
  exchange_->parked = nullptr;
  if (phase_ != Phase::handling) return;
  if (auto* const stream = std::get_if<StreamAccepted>(&answer)) {
    accept_stream(std::move(*stream));
  } else {
    respond(std::get<Response>(std::move(answer)));
  }
}

void HttpConnection::respond(Response response) {
  if (phase_ == Phase::ended) return;
  const bool keep_alive = exchange_->head_done && exchange_->keep_alive &&
                          !exchange_->body_unread && !response.close && !shard_.draining();
  close_after_write_ = !keep_alive;
  write(std::move(response));
}

Seconds HttpConnection::transport_security() const {
  const bool secure = exchange_->head_done ? exchange_->secure && !exchange_->at_localhost
                                           : tls_ || secure_by_proxy_;
  return secure ? shard_.listener().options.transport_security : Seconds(0);
}

void HttpConnection::write(Response response) {
  std::string head = shard_.loop().take_buffer();
  append_response_head(head, response, shard_.date(), !close_after_write_, transport_security());
  if (exchange_->head_method || response.status == 204 || response.status == 304) {
    response.body.clear();
  }
  const IoOutcome outcome = send(head, response.body);
  if (outcome.ended) return end();
  const std::size_t total = head.size() + response.body.size();
  shard_.count_response(response.status);
  log_exchange(response, total);
  if (outcome.bytes < total) {
    out_ = head + response.body;
    sent_ = outcome.bytes;
  }
  shard_.loop().give_buffer(std::move(head));
  if (out_.empty()) return after_write();
  phase_ = Phase::writing;
  shard_.watch(*this, shard_.now() + shard_.limits().write_timeout);
  wait_writable();
}

void HttpConnection::send_continue() {
  constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
  const IoOutcome outcome = send(kContinue);
  // The send queue is empty. If these few bytes do not go, the connection is broken.
  if (outcome.bytes < kContinue.size()) end();
}

void HttpConnection::wait_writable() {
  const bool to_receive = tls_ && tls_->send_waits_to_receive();
  socket_.await_send(to_receive ? PolledSocket::Wait::readable : PolledSocket::Wait::writable);
}

void HttpConnection::on_send_ready() {
  if (phase_ != Phase::writing) return;
  const auto self = shared_from_this();
  const IoOutcome outcome = send(std::string_view(out_).substr(sent_));
  if (outcome.ended) return end();
  sent_ += outcome.bytes;
  if (sent_ < out_.size()) return wait_writable();
  out_ = std::string();
  sent_ = 0;
  after_write();
}

void HttpConnection::after_write() {
  // A further request that has come already still gets its answer.
  if (close_after_write_ || (shard_.draining() && unread_.empty())) {
    phase_ = Phase::ended;
    LingeringClose::start(shard_, socket_.release(), std::move(tls_), {}, std::move(slot_));
    self_ = nullptr;
    return;
  }
  served_ = true;
  exchange_ = nullptr;
  phase_ = Phase::reading;
  // Between requests the connection counts for the proxy.
  if (trusted_ && !shard_.listener().options.proxy_protocol) (void)slot_.count_for({});
  const SteadyTime deadline = shard_.now() + shard_.limits().idle_timeout;
  unread_.empty() ? shard_.idle(*this, deadline) : shard_.watch(*this, deadline);
  if (advancing_) return;
  if (unread_.empty()) return wait_readable();
  // The caller must not find the next request handled inside its call.
  shard_.loop().post([self = shared_from_this()] { self->advance(); });
}

void HttpConnection::log_exchange(const Response& response, std::size_t bytes) {
  const ListenerState& listener = shard_.listener();
  if (!listener.access_log) return;
  listener.log_access({.method = exchange_->method,
                       .path = exchange_->path,
                       .status = response.status,
                       .bytes = bytes,
                       .duration = shard_.now() - exchange_->started,
                       .remote = exchange_->client.empty() ? remote_address_ : exchange_->client,
                       .fields = response.log_fields,
                       .refused = response.refused});
}

void HttpConnection::accept_stream(StreamAccepted accepted) {
  if (shard_.draining()) {
    return respond_error(503, "Service Unavailable", "the gateway is stopping");
  }
  using Body = OpeningStream::Body;
  const bool without_body = accepted.status == 204 || accepted.status == 304;
  const Body body = exchange_->old_version ? Body::until_close : Body::chunked;
  std::string head;
  append_stream_head(head, accepted, shard_.date(), body == Body::chunked && !without_body,
                     transport_security());
  phase_ = Phase::ended;
  OpeningStream opening{.fd = socket_.release(),
                        .tls = std::move(tls_),
                        .early = !unread_.empty(),
                        .slot = std::move(slot_),
                        .request = take_trace(),
                        .head = std::move(head),
                        .body = without_body || exchange_->head_method ? Body::none : body,
                        .accepted = std::move(accepted)};
  open_stream_later(shard_.listener(), std::move(opening));
  self_ = nullptr;
}

RequestTrace HttpConnection::take_trace() {
  return {.method = std::move(exchange_->method),
          .path = std::move(exchange_->path),
          .remote = exchange_->client.empty() ? remote_address_ : std::move(exchange_->client),
          .started = exchange_->started};
}

void HttpConnection::accept_live(LiveAccepted accepted) {
  if (phase_ != Phase::handling) return;
  if (shard_.draining()) {
    return respond_error(503, "Service Unavailable", "the gateway is stopping");
  }
  phase_ = Phase::ended;
  OpeningWebSocket opening{.fd = socket_.release(),
                           .tls = std::move(tls_),
                           .early = std::string(unread_),
                           .key = std::move(exchange_->websocket_key),
                           .slot = std::move(slot_),
                           .request = take_trace(),
                           .accepted = std::move(accepted)};
  open_websocket_later(shard_.listener(), std::move(opening));
  self_ = nullptr;
}

void HttpConnection::abandon() {
  if (phase_ != Phase::handling) return;
  exchange_->parked = nullptr;
  end();
}

void HttpConnection::on_deadline() {
  if (phase_ == Phase::handling) return give_up_or_wait();
  if (phase_ == Phase::reading && exchange_) {
    return respond_error(
        408, "Request Timeout",
        exchange_->head_done ? "limits.body_timeout_ms" : "limits.header_timeout_ms");
  }
  end();
}

void HttpConnection::on_drain() {
  if (phase_ == Phase::reading && !exchange_) return end();
  if (is_parked()) tell_parked(ParkEnd::draining);
}

void HttpConnection::end() {
  const bool parked = is_parked();
  if (std::exchange(phase_, Phase::ended) == Phase::ended) return;
  if (parked) tell_parked(ParkEnd::gone);
  // A posted task may keep the object alive for another turn. Its place is free at once.
  if (is_linked()) unlink();
  if (tls_ && tls_->is_in_handshake()) shard_.metrics().failed_handshakes.add();
  if (tls_) tls_->send_close_notify();
  socket_.close();
  slot_.reset();
  const auto last = std::exchange(self_, nullptr);
}

}  // namespace holdfast::net
