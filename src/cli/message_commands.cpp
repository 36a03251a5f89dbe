// Commands that send and receive messages: publish, send-message, connect-websocket.

#include <istream>
#include <memory>
#include <string>
#include <utility>

#include <holdfast/base/json.hpp>
#include <holdfast/client/sample_app_client.hpp>

#include "command.hpp"
#include "interrupt.hpp"
#include "printable.hpp"
#include "receive.hpp"
#include "settings.hpp"
#include "text_command.hpp"

namespace holdfast::cli {
namespace {

TextCommand& add_text_command(CLI::App& app, const char* name, const char* description) {
  auto command = std::make_shared<TextCommand>(description, name);
  TextCommand& added = *command;
  app.add_subcommand(std::move(command));
  return added;
}

struct ConnectFlags {
  std::string id_token;
  std::string subprotocol;
};

int connect_websocket(const Context& context, const ConnectFlags& flags) {
  auto token = id_token_from(context, flags.id_token);
  if (!token) return misused(context, token.error().message);
  auto gateway = gateway_from(context, {});
  if (!gateway) return misused(context, gateway.error().message);
  ReceiveOptions options;
  options.id_token = std::move(*token);
  options.subprotocol = flags.subprotocol;
  const Interrupt interrupt;
  return receive(context, **gateway, options, Interrupt::requested, Interrupt::wait);
}

struct SendFlags {
  std::string text;
  std::int64_t wait_seconds = 10;
  std::string id_token;
};

int send_message(const Context& context, const SendFlags& flags) {
  const auto token = id_token_from(context, flags.id_token);
  if (!token) return misused(context, token.error().message);
  auto subject = client::id_token_subject(*token);
  if (!subject) return misused(context, subject.error().message);
  const std::string url = sample_app_url(context);
  const auto asked =
      client::ask_sample_app(url, ca_file(context), *token,
                             {std::move(*subject), flags.text, Seconds(flags.wait_seconds)});
  if (!asked) {
    if (asked.error().status == 0) {
      return failed(context, "cannot reach the sample application at " + url + " (" +
                                 asked.error().message + "): is `holdfast sample-app` running?");
    }
    return call_failed(context, asked.error());
  }
  context.err << "Accepted. The sample application sends it in " << flags.wait_seconds << " s.\n";
  return kSuccess;
}

// Exceeds the limit of any gateway.
constexpr std::size_t kTextBytesMax = 16 << 20;

struct PublishFlags {
  std::string user_id;
  std::string text;
  std::string deduplication_id;
  std::int64_t ttl_seconds = 0;
  bool json = false;
};

// Reads a stream to its end. Removes the last line end, which shell commands add.
Result<std::string> text_from(std::istream& in) {
  std::string text;
  for (char c = 0; in.get(c);) {
    text += c;
    if (text.size() > kTextBytesMax) {
      return fail(Errc::limit_exceeded, "the message on standard input is too long");
    }
  }
  if (text.ends_with('\n')) text.pop_back();
  if (text.empty()) return fail(Errc::invalid_argument, "standard input has no message");
  return text;
}

int publish(const Context& context, const PublishFlags& flags) {
  auto gateway = gateway_from(context, {.access_key = true});
  if (!gateway) return misused(context, gateway.error().message);
  std::string text = flags.text;
  if (text == "-") {
    auto given = text_from(context.in);
    if (!given) return failed(context, given.error().message);
    text = std::move(*given);
  }
  client::OutgoingMessage message{flags.user_id, std::move(text), std::nullopt, std::nullopt};
  if (!flags.deduplication_id.empty()) message.deduplication_id = flags.deduplication_id;
  if (flags.ttl_seconds != 0) message.ttl = Seconds(flags.ttl_seconds);
  const auto receipt = (*gateway)->publish(message);
  if (!receipt) return call_failed(context, receipt.error());
  if (flags.json) {
    context.out << Json{{"messageId", receipt->message_id},
                        {"sequence", receipt->sequence},
                        {"status", receipt->status}}
                       .dump()
                << "\n";
  } else {
    context.out << printable(receipt->status) << "  " << printable(receipt->message_id) << "  "
                << receipt->sequence << "\n";
  }
  return kSuccess;
}

}  // namespace

void add_connect_websocket(CLI::App& app, Selection& selection) {
  auto* command = app.add_subcommand(
      "connect-websocket", "Receive a user's messages until Ctrl-C; reconnects by itself");
  auto flags = std::make_shared<ConnectFlags>();
  command->add_option("-t,--id-token", flags->id_token, "the ID token (default: ID_TOKEN)");
  command->add_option("--subprotocol", flags->subprotocol,
                      "holdfast.v1 adds message ids and acknowledges each message");
  command->callback([flags, &selection] {
    selection.run = [flags](const Context& context) { return connect_websocket(context, *flags); };
  });
}

void add_send_message(CLI::App& app, Selection& selection) {
  TextCommand& command =
      add_text_command(app, "send-message", "Send TEXT to yourself through the sample application");
  auto flags = std::make_shared<SendFlags>();
  command.add_option("-w,--wait", flags->wait_seconds, "seconds to wait before it is sent")
      ->check(CLI::Range(0, 900))
      ->capture_default_str();
  command.add_option("-t,--id-token", flags->id_token, "the ID token (default: ID_TOKEN)");
  command.add_text();
  command.callback([flags, &command, &selection] {
    flags->text = command.text();
    selection.run = [flags](const Context& context) { return send_message(context, *flags); };
  });
}

void add_publish(CLI::App& app, Selection& selection) {
  TextCommand& command = add_text_command(
      app, "publish",
      "Send TEXT to a user, signed with the access key; `-` reads it from standard input");
  auto flags = std::make_shared<PublishFlags>();
  command.add_option("USER_ID", flags->user_id, "the receiving user's id")->required();
  command.add_option("--deduplication-id", flags->deduplication_id,
                     "messages that repeat this id within five minutes are not delivered again");
  command.add_option("--ttl", flags->ttl_seconds, "lifetime in seconds")
      ->check(CLI::Range(1, 1'209'600));
  command.add_flag("--json", flags->json, "print the gateway's answer");
  command.add_text();
  command.callback([flags, &command, &selection] {
    flags->text = command.text();
    selection.run = [flags](const Context& context) { return publish(context, *flags); };
  });
}

}  // namespace holdfast::cli
