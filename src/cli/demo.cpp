// The guided demo: runs the other commands as processes and checks their output.

#include "demo.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <memory>
#include <span>
#include <sstream>
#include <utility>

#include <unistd.h>

#include <holdfast/base/crypto.hpp>
#include <holdfast/base/encoding.hpp>

#include "command.hpp"
#include "demo_environment.hpp"
#include "interrupt.hpp"

namespace holdfast::cli {
namespace {

constexpr std::size_t kUserSuffixBytes = 4;
constexpr const char* kPassword = "correct-horse-9";
constexpr int kWaitSeconds = 2;

class Demo {
 public:
  // Uses a new name in a gateway that others may use.
  Demo(Context& context, const DemoOptions& options)
      : context_(context),
        options_(options),
        environment_(context),
        data_dir_(options.data_dir),
        username_(options.data_dir.empty()
                      ? "testUser"
                      : "demo-" + hex_encode(random_string(kUserSuffixBytes))) {}

  int run();

 private:
  using Frames = std::vector<std::string>;
  struct Step {
    const char* title;
    Result<void> (Demo::*play)();
  };

  Result<void> start_gateway();
  Result<void> start_sample_app();
  Result<void> find_gateway();
  Result<void> create_user();
  Result<void> authenticate();
  Result<void> connect();
  Result<void> send_with_wait();
  Result<void> send_while_away();
  Result<void> receive_stored();
  Result<void> check_nothing_pending();
  Result<void> hold_and_kill();
  Result<void> start_gateway_again();
  Result<void> receive_after_kill();
  Result<void> remove_user();
  [[nodiscard]] std::span<const Step> steps() const;

  Result<void> launch_gateway(const std::string& listen);
  Result<std::string> listening_address(ChildProcess& child, const std::string& log,
                                        const std::string& part);
  Result<void> connect_receiver();
  Result<void> disconnect_receiver();
  /// Waits until exactly these messages have arrived since the receiver was connected, in order.
  Result<void> expect_frames(const Frames& texts);
  Result<void> expect_pending(std::int64_t count);
  Result<std::int64_t> pending();
  Frames received() const;
  int explain(const Error& error);
  Result<void> stay();
  Result<void> leave();

  Context& context_;
  DemoOptions options_;
  DemoEnvironment environment_;
  std::string data_dir_;
  std::string username_;
  std::string gateway_address_;
  std::string user_id_;
  int gateways_ = 0;
  std::string gateway_name_;
  std::unique_ptr<ChildProcess> gateway_;
  std::unique_ptr<ChildProcess> sample_app_;
  int receivers_ = 0;
  std::string receiver_name_;
  std::unique_ptr<ChildProcess> receiver_;
};

Result<std::string> Demo::listening_address(ChildProcess& child, const std::string& log,
                                            const std::string& part) {
  std::string address;
  const auto look = [&] {
    std::istringstream lines(DemoEnvironment::read(environment_.file(log + ".out")));
    for (std::string line; std::getline(lines, line);) {
      const auto event = parse_json(line);
      if (!event || !event->is_object()) continue;
      if (event->value("event", "") != "listening" || event->value("part", "") != part) continue;
      address = event->value("address", "");
    }
    return !address.empty() || child.exit_code().has_value();
  };
  const auto found = DemoEnvironment::wait_until("the " + part + " did not listen", look);
  if (!found) return std::unexpected(found.error());
  if (address.empty()) {
    return fail(Errc::internal, "the " + part + " ended: " +
                                    DemoEnvironment::read(environment_.file(log + ".err")));
  }
  return address;
}

Result<void> Demo::launch_gateway(const std::string& listen) {
  const std::vector<std::string> arguments{"serve", "--data-dir",       data_dir_,    "--listen",
                                           listen,  "--control-listen", "127.0.0.1:0"};
  environment_.show(environment_.command_line(arguments) + " &");
  gateway_name_ = "gateway-" + std::to_string(++gateways_);
  auto child = environment_.start(gateway_name_, arguments);
  if (!child) return std::unexpected(child.error());
  gateway_ = std::make_unique<ChildProcess>(std::move(*child));
  auto address = listening_address(*gateway_, gateway_name_, "gateway");
  if (!address) return std::unexpected(address.error());
  gateway_address_ = *address;
  environment_.note("The gateway (process " + std::to_string(gateway_->pid()) + ") listens on " +
                    gateway_address_ + ".");
  return {};
}

Result<void> Demo::start_gateway() {
  data_dir_ = environment_.file("data");
  // Port 0 picks a free port, so that the demo never collides with another program.
  if (auto launched = launch_gateway("127.0.0.1:0"); !launched) return launched;
  const std::string credentials = data_dir_ + "/credentials";
  const auto written = DemoEnvironment::wait_until("the gateway wrote no credentials", [&] {
    return environment_.source(DemoEnvironment::read(credentials)) > 0;
  });
  if (!written) return written;
  environment_.show("source " + credentials);
  return {};
}

Result<void> Demo::start_sample_app() {
  const std::vector<std::string> arguments{"sample-app", "--listen", "127.0.0.1:0"};
  environment_.show(environment_.command_line(arguments) + " &");
  auto child = environment_.start("sample-app", arguments);
  if (!child) return std::unexpected(child.error());
  sample_app_ = std::make_unique<ChildProcess>(std::move(*child));
  const auto address = listening_address(*sample_app_, "sample-app", "sample-app");
  if (!address) return std::unexpected(address.error());
  environment_.set("HOLDFAST_SAMPLE_APP_URL", "http://" + *address);
  environment_.show("export HOLDFAST_SAMPLE_APP_URL=http://" + *address);
  return {};
}

Result<void> Demo::find_gateway() {
  const std::string credentials = data_dir_ + "/credentials";
  environment_.show("source " + credentials);
  const auto written = DemoEnvironment::wait_until("there was no " + credentials, [&] {
    return environment_.source(DemoEnvironment::read(credentials)) > 0;
  });
  if (!written) return written;
  // The caller's variables win over `credentials`: they hold the addresses as seen from here.
  for (const char* const name : {"HOLDFAST_URL", "HOLDFAST_SAMPLE_APP_URL", "SSL_CERT_FILE"}) {
    const auto value = context_.env(name);
    if (!value) continue;
    environment_.set(name, *value);
    environment_.show(std::string("export ") + name + "=" + *value);
  }
  const std::vector<std::string> question{"status", "--ready", "--data-dir", data_dir_};
  const auto ready = DemoEnvironment::wait_until(
      "the gateway was not ready", [&] { return environment_.run(question).has_value(); });
  if (!ready) return ready;
  environment_.show(environment_.command_line(question));
  return {};
}

Result<void> Demo::create_user() {
  const auto out = environment_.show_and_run({"create-user", "-u", username_, "-p", kPassword});
  if (!out) return std::unexpected(out.error());
  user_id_ = out->substr(0, out->find('\n'));
  return {};
}

Result<void> Demo::authenticate() {
  const std::vector<std::string> arguments{"auth", "-u", username_, "-p", kPassword};
  environment_.show("eval \"$(" + environment_.command_line(arguments) + ")\"");
  const auto out = environment_.run(arguments);
  if (!out) return std::unexpected(out.error());
  if (environment_.source(*out) != 1 || environment_.get("ID_TOKEN").empty()) {
    return fail(Errc::internal, "auth printed no ID token");
  }
  environment_.note("ID_TOKEN holds " + std::to_string(environment_.get("ID_TOKEN").size()) +
                    " characters, good for an hour.");
  return {};
}

Result<void> Demo::connect_receiver() {
  environment_.show(environment_.command_line({"connect-websocket"}));
  // Each receiver has its own files, because an earlier one's output would count as this one's.
  receiver_name_ = "receiver-" + std::to_string(++receivers_);
  auto child = environment_.start(receiver_name_, {"connect-websocket"});
  if (!child) return std::unexpected(child.error());
  receiver_ = std::make_unique<ChildProcess>(std::move(*child));
  const auto connected = DemoEnvironment::wait_until("the client did not connect", [&] {
    return receiver_->exit_code() ||
           DemoEnvironment::read(environment_.file(receiver_name_ + ".err")).find("Connected") !=
               std::string::npos;
  });
  if (!connected) return connected;
  if (receiver_->exit_code()) {
    return fail(
        Errc::internal,
        "the client ended: " + DemoEnvironment::read(environment_.file(receiver_name_ + ".err")));
  }
  environment_.note("Connected.");
  return {};
}

Result<void> Demo::disconnect_receiver() {
  environment_.note("^C");
  if (auto ended = DemoEnvironment::end(*receiver_, "connect-websocket", SIGINT, kInterrupted);
      !ended) {
    return ended;
  }
  receiver_.reset();
  environment_.note("Disconnected.");
  return {};
}

Demo::Frames Demo::received() const {
  Frames out;
  std::istringstream lines(DemoEnvironment::read(environment_.file(receiver_name_ + ".out")));
  for (std::string line; std::getline(lines, line);) {
    // A last line without a line end is still being written.
    if (!lines.eof()) out.push_back(line);
  }
  return out;
}

Result<void> Demo::expect_frames(const Frames& texts) {
  std::size_t shown = 0;
  const auto arrived =
      DemoEnvironment::wait_until(std::to_string(texts.size()) + " messages did not arrive", [&] {
        const Frames lines = received();
        for (; shown < lines.size(); ++shown) environment_.note(lines[shown]);
        return lines.size() >= texts.size();
      });
  if (!arrived) return arrived;
  Frames expected;
  for (const std::string& text : texts) {
    expected.push_back("< " + Json{{"Payload", text}}.dump());
  }
  if (received() == expected) return {};
  return fail(Errc::internal, "the messages that arrived differ from those sent, or their order");
}

Result<std::int64_t> Demo::pending() {
  const auto out =
      environment_.run({"pending", "show", user_id_, "--data-dir", data_dir_, "--json"});
  if (!out) return std::unexpected(out.error());
  const auto answer = parse_json(*out);
  if (!answer || !answer->contains("totals")) {
    return fail(Errc::internal, "`pending show` was not understood");
  }
  return answer->at("totals").value("messages", std::int64_t{-1});
}

Result<void> Demo::expect_pending(std::int64_t count) {
  std::optional<Error> problem;
  const auto reached = DemoEnvironment::wait_until(
      "there were not " + std::to_string(count) + " messages pending", [&] {
        const auto now = pending();
        if (!now) problem = now.error();
        return problem || *now == count;
      });
  if (problem) return std::unexpected(*problem);
  return reached;
}

Result<void> Demo::connect() { return connect_receiver(); }

Result<void> Demo::send_with_wait() {
  const std::string text = "Serverless is cool, and so is a single process";
  const auto asked =
      environment_.show_and_run({"send-message", "-w", std::to_string(kWaitSeconds), text});
  if (!asked) return std::unexpected(asked.error());
  const auto since = std::chrono::steady_clock::now();
  if (auto arrived = expect_frames({text}); !arrived) return arrived;
  const auto took =
      std::chrono::duration_cast<Milliseconds>(std::chrono::steady_clock::now() - since);
  environment_.note("It arrived " + std::to_string(took.count()) + " ms later.");
  // Allows half a second between the acceptance and the end of the command.
  if (took < Milliseconds(kWaitSeconds * 1000 - 500)) {
    return fail(Errc::internal, "the message did not wait");
  }
  return {};
}

Result<void> Demo::send_while_away() {
  if (auto away = disconnect_receiver(); !away) return away;
  for (int i = 1; i <= 5; ++i) {
    const auto asked =
        environment_.show_and_run({"send-message", "-w", "0", "Held message " + std::to_string(i)});
    if (!asked) return std::unexpected(asked.error());
  }
  if (auto stored = expect_pending(5); !stored) return stored;
  const auto shown =
      environment_.show_and_run({"pending", "show", user_id_, "--data-dir", data_dir_});
  if (!shown) return std::unexpected(shown.error());
  return {};
}

Result<void> Demo::receive_stored() {
  if (auto connected = connect_receiver(); !connected) return connected;
  Frames texts;
  for (int i = 1; i <= 5; ++i) texts.push_back("Held message " + std::to_string(i));
  return expect_frames(texts);
}

Result<void> Demo::check_nothing_pending() {
  if (auto none = expect_pending(0); !none) return none;
  const auto shown = environment_.show_and_run({"pending", "list", "--data-dir", data_dir_});
  if (!shown) return std::unexpected(shown.error());
  return {};
}

Result<void> Demo::hold_and_kill() {
  if (auto away = disconnect_receiver(); !away) return away;
  for (int i = 1; i <= 3; ++i) {
    const auto sent =
        environment_.show_and_run({"publish", user_id_, "Survivor " + std::to_string(i)});
    if (!sent) return std::unexpected(sent.error());
    if (!sent->starts_with("STORED")) return fail(Errc::internal, "the message was not stored");
  }
  environment_.show("kill -9 " + std::to_string(gateway_->pid()));
  if (auto dead = DemoEnvironment::end(*gateway_, "the gateway", SIGKILL, 128 + SIGKILL); !dead)
    return dead;
  environment_.note("The gateway is dead.");
  return {};
}

// Starts on the same address: clients return to it, and ID tokens name it as their issuer.
Result<void> Demo::start_gateway_again() { return launch_gateway(gateway_address_); }

Result<void> Demo::receive_after_kill() {
  if (auto connected = connect_receiver(); !connected) return connected;
  if (auto seen = expect_frames({"Survivor 1", "Survivor 2", "Survivor 3"}); !seen) return seen;
  return check_nothing_pending();
}

Result<void> Demo::remove_user() {
  if (auto away = disconnect_receiver(); !away) return away;
  const auto gone =
      environment_.show_and_run({"user", "delete", username_, "--data-dir", data_dir_});
  if (!gone) return std::unexpected(gone.error());
  return {};
}

Result<void> Demo::stay() {
  environment_.note("");
  environment_.note(
      "The gateway keeps running until Ctrl-C. In another terminal, as the same user:");
  environment_.show("source " + data_dir_ + "/credentials");
  environment_.show("export HOLDFAST_SAMPLE_APP_URL=" +
                    environment_.get("HOLDFAST_SAMPLE_APP_URL"));
  environment_.show("eval \"$(" +
                    environment_.command_line({"auth", "-u", username_, "-p", kPassword}) + ")\"");
  environment_.show(environment_.command_line({"connect-websocket"}) + " &");
  environment_.show(environment_.command_line({"send-message", "-w", "2", "Hello"}));
  while (!Interrupt::requested()) {
    if (gateway_->exit_code()) return fail(Errc::internal, "the gateway has ended by itself");
    Interrupt::wait(Milliseconds(200));
  }
  return {};
}

Result<void> Demo::leave() {
  if (auto ended = DemoEnvironment::end(*receiver_, "connect-websocket", SIGINT, kInterrupted);
      !ended) {
    return ended;
  }
  if (sample_app_ != nullptr) {
    auto ended = DemoEnvironment::end(*sample_app_, "the sample application", SIGTERM, kSuccess);
    if (!ended) return ended;
  }
  return DemoEnvironment::end(*gateway_, "the gateway", SIGTERM, kSuccess);
}

int Demo::explain(const Error& error) {
  if (Interrupt::requested()) return kInterrupted;
  environment_.keep_folder();
  context_.err << "\nThe demo failed: " << error.message << "\n"
               << "Its files and logs are in " << environment_.folder() << ".\n";
  const std::string log = DemoEnvironment::read(environment_.file(gateway_name_ + ".out"));
  constexpr std::size_t kTailBytes = 2'000;
  if (!gateway_name_.empty() && !log.empty()) {
    context_.err << "The end of the gateway's log:\n"
                 << log.substr(log.size() - std::min(log.size(), kTailBytes)) << "\n";
  }
  return kFailure;
}

std::span<const Demo::Step> Demo::steps() const {
  static constexpr Step kWhole[] = {
      {"Start a gateway, on a free port, with a new data directory", &Demo::start_gateway},
      {"Start the sample application, a back-end service", &Demo::start_sample_app},
      {"Create a user", &Demo::create_user},
      {"Authenticate", &Demo::authenticate},
      {"Connect", &Demo::connect},
      {"Send a message that waits two seconds, and see it arrive", &Demo::send_with_wait},
      {"Disconnect, and send five messages meanwhile: they are held", &Demo::send_while_away},
      {"Reconnect: the five arrive, in order", &Demo::receive_stored},
      {"Nothing is pending any more", &Demo::check_nothing_pending},
      {"Disconnect, send three, and kill the gateway while it holds them", &Demo::hold_and_kill},
      {"Start the gateway again", &Demo::start_gateway_again},
      {"Reconnect: nothing that was accepted is lost", &Demo::receive_after_kill},
  };
  // Others may use the gateway of `--data-dir`, so the last part kills its own.
  static constexpr Step kWithOthers[] = {
      {"Find the gateway and the sample application", &Demo::find_gateway},
      {"Create a user", &Demo::create_user},
      {"Authenticate", &Demo::authenticate},
      {"Connect", &Demo::connect},
      {"Send a message that waits two seconds, and see it arrive", &Demo::send_with_wait},
      {"Disconnect, and send five messages meanwhile: they are held", &Demo::send_while_away},
      {"Reconnect: the five arrive, in order", &Demo::receive_stored},
      {"Nothing is pending any more", &Demo::check_nothing_pending},
      {"Disconnect, and remove the user", &Demo::remove_user},
      {"Start a second gateway, with a new data directory", &Demo::start_gateway},
      {"Create a user", &Demo::create_user},
      {"Authenticate", &Demo::authenticate},
      {"Connect", &Demo::connect},
      {"Disconnect, send three, and kill the gateway while it holds them", &Demo::hold_and_kill},
      {"Start the gateway again", &Demo::start_gateway_again},
      {"Reconnect: nothing that was accepted is lost", &Demo::receive_after_kill},
  };
  if (options_.data_dir.empty()) return kWhole;
  return kWithOthers;
}

int Demo::run() {
  if (auto opened = environment_.open(); !opened) return failed(context_, opened.error().message);
  for (const Step& step : steps()) {
    environment_.title(step.title);
    if (const auto played = (this->*step.play)(); !played) return explain(played.error());
  }
  context_.out << "\nThe demo is complete." << std::endl;
  if (options_.data_dir.empty() && options_.terminal && !options_.once) {
    if (const auto stayed = stay(); !stayed) return explain(stayed.error());
    context_.out << "\nEnding." << std::endl;
  }
  if (const auto left = leave(); !left) return explain(left.error());
  return kSuccess;
}

}  // namespace

int run_demo(Context& context, const DemoOptions& options) {
  const Interrupt interrupt(Interrupt::Signals::all);
  return Demo(context, options).run();
}

void add_demo(CLI::App& app, Selection& selection) {
  auto* command = app.add_subcommand("demo", "Run a guided demo with real processes");
  auto options = std::make_shared<DemoOptions>();
  command->add_flag("--once", options->once, "exit at the end, also on a terminal");
  command->add_option("--data-dir", options->data_dir,
                      "use the gateway that runs there, and the sample application at "
                      "HOLDFAST_SAMPLE_APP_URL; the demo kills only a gateway of its own");
  command->callback([options, &selection] {
    selection.run = [options](Context& context) {
      options->terminal = isatty(STDIN_FILENO) != 0 && isatty(STDOUT_FILENO) != 0;
      return run_demo(context, *options);
    };
  });
}

}  // namespace holdfast::cli
