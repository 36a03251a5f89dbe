// Runs a gateway inside the test's process.

#include "support/gateway/test_gateway.hpp"

#include <stdexcept>
#include <utility>

#include <holdfast/base/encoding.hpp>
#include <holdfast/base/log.hpp>

#include "support/gateway/gateway_process.hpp"

namespace holdfast::test {
namespace {

[[noreturn]] void give_up(const std::string& doing, const std::string& why) {
  throw std::runtime_error(doing + ": " + why);
}

template <class T>
T must(client::CallResult<T> result, const std::string& doing) {
  if (!result) give_up(doing, result.error().text());
  return std::move(*result);
}

app::Config config_of(const std::vector<std::string>& settings) {
  app::ConfigSources sources;
  sources.overrides = {
      {"server.listen", "127.0.0.1:0", "test"},
      {"server.control_listen", "127.0.0.1:0", "test"},
      {"server.workers", "2", "test"},
      // The cost of Argon2id is not the subject of these tests.
      {"auth.hash_memory_kib", "1024", "test"},
      {"auth.hash_iterations", "1", "test"},
  };
  for (const std::string& setting : settings) {
    const auto equals = setting.find('=');
    sources.overrides.push_back({setting.substr(0, equals), setting.substr(equals + 1), "test"});
  }
  auto config = app::load_config(sources);
  if (!config) give_up("configuration", config.error().message);
  return std::move(*config);
}

}  // namespace

TestGateway::TestGateway(Options options)
    : options_(std::move(options)),
      clock_(options_.clock != nullptr ? *options_.clock : system_clock()),
      data_dir_(dir_.file("data")) {
  log::set_level(log::Level::error);
  start();
}

bool TestGateway::stop() {
  root_.reset();
  const bool clean = gateway_->stop();
  gateway_.reset();
  return clean;
}

app::Config TestGateway::config(const std::vector<std::string>& more) const {
  std::vector<std::string> settings = options_.settings;
  settings.insert(settings.end(), more.begin(), more.end());
  app::Config out = config_of(settings);
  if (out.server.public_url.empty()) out.server.public_url = public_url_;
  return out;
}

Result<app::ReloadOutcome> TestGateway::reload(const std::vector<std::string>& settings) {
  return gateway_->reload(config(settings));
}

Result<std::unique_ptr<app::Gateway>> TestGateway::try_start() {
  public_url_ = first_url_;
  app::GatewayOptions options;
  options.config = config({});
  options.data_dir = data_dir_;
  options.master_key = options_.master_key;
  options.clock = options_.clock;
  options.on_fatal = options_.on_fatal;
  options.close_spread = options_.close_spread;
  options.signing_key_bits = 2048;  // quicker to make
  return app::open_gateway(std::move(options));
}

void TestGateway::start() {
  auto opened = try_start();
  if (!opened) give_up("gateway", opened.error().message);
  gateway_ = std::move(*opened);
  if (first_url_.empty()) first_url_ = info().url;
  root_ = client();
}

iam::Credentials TestGateway::credentials() const {
  const auto variables = read_credentials(info().credentials_file);
  return {.access_key_id = variables.at("AWS_ACCESS_KEY_ID"),
          .secret_access_key = variables.at("AWS_SECRET_ACCESS_KEY"),
          .session_token = {}};
}

std::unique_ptr<client::GatewayClient> TestGateway::client() const {
  client::GatewayOptions options;
  options.url = "http://" + address();
  options.user_pool_id = info().user_pool_id;
  options.client_id = info().client_id;
  options.credentials = credentials();
  auto made = client::make_gateway_client(std::move(options), clock_);
  if (!made) give_up("client", made.error().message);
  return std::move(*made);
}

client::GatewayClient& TestGateway::root() { return *root_; }

TestUser TestGateway::make_user(const std::string& name) {
  TestUser user{.name = name, .id = {}, .id_token = {}};
  user.id = must(root().admin_create_user(name, "temporary password"), "create " + name);
  const auto first = must(root().admin_initiate_auth(name, "temporary password"), "log in");
  const auto* const challenge = std::get_if<client::Challenge>(&first);
  if (challenge == nullptr) give_up("log in", "no challenge");
  const auto second = must(root().admin_respond_new_password(name, kPassword, challenge->session),
                           "set the password");
  const auto* const tokens = std::get_if<client::Tokens>(&second);
  if (tokens == nullptr) give_up("log in", "no tokens");
  user.id_token = tokens->id_token;
  return user;
}

std::string TestGateway::token(const TestUser& user) {
  return must(root().temporary_token(user.id_token), "token");
}

client::Receipt TestGateway::publish(const std::string& user_id, const std::string& text) {
  return must(root().publish({.user_id = user_id,
                              .text = text,
                              .deduplication_id = std::nullopt,
                              .ttl = std::nullopt}),
              "publish");
}

RequestBuilder TestGateway::signed_request(const std::string& target, const std::string& body,
                                           const std::string& service) const {
  RequestBuilder request;
  request.target = target;
  request.headers = {{"Host", address()}, {"Content-Type", "application/json"}};
  request.body = body;
  request.sign(credentials(), "us-east-1", service, clock_.wall_now());
  return request;
}

std::optional<RawResponse> TestGateway::send_raw(const RequestBuilder& request) const {
  return send_bytes(bytes_of(request));
}

std::optional<RawResponse> TestGateway::send_bytes(std::string_view bytes) const {
  RawClient socket = raw();
  socket.send(bytes);
  return socket.read_response();
}

Json TestGateway::control(const std::string& method, const std::string& target,
                          const Json& body) const {
  return must(
      std::make_unique<client::ControlClient>(info().control_socket)->call(method, target, body),
      method + " " + target);
}

std::size_t TestGateway::pending(const std::string& user_id) const {
  const Json answer = control("GET", "/v1/pending/" + percent_encode(user_id) + "?limit=1000");
  return answer.at("messages").size();
}

std::string bytes_of(const RequestBuilder& request) {
  std::string out = request.method + " " + request.target + " HTTP/1.1\r\n";
  for (const auto& [name, value] : request.headers) out += name + ": " + value + "\r\n";
  if (request.method != "GET") {
    out += "Content-Length: " + std::to_string(request.body.size()) + "\r\n";
  }
  return out + "\r\n" + request.body;
}

}  // namespace holdfast::test
