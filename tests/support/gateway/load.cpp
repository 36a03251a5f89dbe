// Sends and receives under load.

#include "support/gateway/load.hpp"

#include <cstdlib>
#include <iostream>
#include <optional>
#include <stdexcept>
#include <utility>

#include <holdfast/base/json.hpp>

namespace holdfast::test {
namespace {

constexpr Milliseconds kRetryPause{5};
constexpr Milliseconds kReadSlice{20};
constexpr std::size_t kBatchMax = 12;

template <class T>
T loaded(client::CallResult<T> result, const std::string& doing) {
  if (!result) throw std::runtime_error(doing + ": " + result.error().text());
  return std::move(*result);
}

struct Arrival {
  std::string text;
  std::optional<Sequence> sequence;
};

// Of a frame that is none, the frame itself: nobody sent that.
Arrival parse(const std::string& frame, bool is_holdfast_v1) {
  const auto json = parse_json(frame);
  if (!json || !json->is_object()) return {.text = frame, .sequence = std::nullopt};
  if (!is_holdfast_v1) return {.text = json->value("Payload", frame), .sequence = std::nullopt};
  return {.text = json->value("payload", frame), .sequence = json->value("sequence", Sequence{0})};
}

std::string ack_of(Sequence sequence) {
  return R"({"type":"ack","sequence":)" + std::to_string(sequence) + "}";
}

}  // namespace

std::uint64_t load_seed() {
  const char* const given = std::getenv("HOLDFAST_SEED");
  const std::uint64_t seed = given != nullptr ? std::stoull(given) : std::random_device()();
  std::cout << "HOLDFAST_SEED=" << seed << std::endl;
  return seed;
}

TestUser make_user(client::GatewayClient& root, const std::string& name) {
  TestUser user{.name = name, .id = {}, .id_token = {}};
  user.id = loaded(root.admin_create_user(name, "temporary password"), "create " + name);
  const auto first = loaded(root.admin_initiate_auth(name, "temporary password"), "log in");
  const auto second =
      loaded(root.admin_respond_new_password(name, TestGateway::kPassword,
                                             std::get<client::Challenge>(first).session),
             "set the password");
  user.id_token = std::get<client::Tokens>(second).id_token;
  return user;
}

// ---- Producer

Producer::Producer(std::unique_ptr<client::GatewayClient> client, Options options, Ledger& ledger)
    : client_(std::move(client)),
      options_(std::move(options)),
      ledger_(ledger),
      random_(options_.seed),
      thread_([this] { run(); }) {}

void Producer::stop() {
  stopping_ = true;
  if (thread_.joinable()) thread_.join();
}

Producer::~Producer() {
  abandoning_ = true;
  stop();
}

void Producer::run() {
  while (!stopping_) {
    if (below(5) == 0) {
      send_batch();
    } else {
      send_one();
    }
  }
}

client::OutgoingMessage Producer::next() {
  std::string text = options_.name + "-" + std::to_string(count_++);
  // Now and then a large one, so that pages, fences and send buffers are cut at many places.
  if (below(16) == 0) text += "-" + std::string(below(16'384), 'x');
  return {.user_id = options_.users[below(options_.users.size())],
          .text = std::move(text),
          .deduplication_id = std::nullopt,
          .ttl = std::nullopt};
}

void Producer::send_one() {
  client::OutgoingMessage message = next();
  if (below(2) == 0) message.deduplication_id = options_.name + std::to_string(count_);
  for (;;) {
    ledger_.sent(message.user_id, message.text);
    const auto receipt = client_->publish(message);
    if (receipt) return ledger_.acknowledged(message.text, receipt->sequence);
    std::this_thread::sleep_for(kRetryPause);
    if (!message.deduplication_id || !receipt.error().transient() || abandoning_) return;
  }
}

void Producer::send_batch() {
  std::vector<client::OutgoingMessage> batch;
  for (std::size_t i = 0, size = 1 + below(kBatchMax); i < size; ++i) batch.push_back(next());
  for (const auto& message : batch) ledger_.sent(message.user_id, message.text);
  const auto answer = client_->publish_all(batch);
  if (!answer) {
    std::this_thread::sleep_for(kRetryPause);
    return;
  }
  for (const auto& success : answer->successful) {
    ledger_.acknowledged(batch.at(success.index).text, success.receipt.sequence);
  }
}

// ---- Receiver

Receiver::Receiver(std::unique_ptr<client::GatewayClient> client, Options options, Ledger& ledger)
    : client_(std::move(client)),
      options_(std::move(options)),
      ledger_(ledger),
      random_(options_.seed),
      thread_([this] { run(); }) {}

void Receiver::stop() {
  stopping_ = true;
  if (thread_.joinable()) thread_.join();
}

void Receiver::run() {
  while (!stopping_) {
    const auto token = client_->temporary_token(options_.user.id_token);
    if (token) {
      const auto socket = client_->open_websocket(*token, options_.subprotocol);
      if (socket) {
        read_on(**socket);
        // Away for a while, so that messages are stored.
        if (restless_) std::this_thread::sleep_for(Milliseconds(random_() % 100));
        continue;
      }
    }
    std::this_thread::sleep_for(kRetryPause);
  }
}

void Receiver::read_on(net::WebSocketClient& socket) {
  const auto connection = ledger_.open(options_.user.id);
  const std::uint64_t leave_after = 1 + random_() % 100;
  Sequence unacknowledged = 0;
  for (std::uint64_t frames = 0; (frames < leave_after || !restless_) && !stopping_;) {
    const auto frame = socket.read(kReadSlice);
    if (!frame) return;
    const bool idle = !*frame;
    if (!idle) {
      ++frames;
      const Arrival arrival = parse(**frame, !options_.subprotocol.empty());
      ledger_.received(connection, arrival.text, arrival.sequence);
      if (!arrival.sequence) continue;
      unacknowledged = *arrival.sequence;
    }
    if (unacknowledged == 0 || (!idle && random_() % 8 != 0)) continue;
    if (!socket.write(ack_of(std::exchange(unacknowledged, 0)))) return;
  }
  socket.close();
}

}  // namespace holdfast::test
