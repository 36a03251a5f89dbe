// Reads the environment for the commands, and turns their errors into hints.

#include "settings.hpp"

#include <fstream>
#include <iostream>
#include <utility>

namespace holdfast::cli {
namespace {

constexpr const char* kSourceCredentials =
    "`source ./data/credentials` (in the data directory of `holdfast serve`) sets it";

std::string gateway_url(const Context& context) {
  return context.env("HOLDFAST_URL").value_or(client::GatewayOptions{}.url);
}

// Returns the gateway's URL, or both URLs if there are two, for error messages.
std::string tried_url(const Context& context) {
  std::string out = gateway_url(context);
  if (const auto ingest = context.env("HOLDFAST_INGEST_URL")) out += " or " + *ingest;
  return out;
}

Result<std::string> required(const Context& context, const char* name) {
  auto value = context.env(name);
  if (!value) {
    return fail(Errc::invalid_argument, std::string(name) + " is not set: " + kSourceCredentials,
                name);
  }
  return std::move(*value);
}

}  // namespace

std::string ca_file(const Context& context) {
  if (auto file = context.env("SSL_CERT_FILE")) return *file;
  return context.env("AWS_CA_BUNDLE").value_or("");
}

Result<client::GatewayOptions> gateway_options(const Context& context, const Needs& needs) {
  client::GatewayOptions options;
  options.url = gateway_url(context);
  options.ingest_url = context.env("HOLDFAST_INGEST_URL").value_or("");
  options.ca_file = ca_file(context);
  if (auto region = context.env("AWS_REGION")) {
    options.region = *region;
  } else if (auto fallback = context.env("AWS_DEFAULT_REGION")) {
    options.region = *fallback;
  }
  if (needs.access_key) {
    auto id = required(context, "AWS_ACCESS_KEY_ID");
    if (!id) return std::unexpected(id.error());
    auto secret = required(context, "AWS_SECRET_ACCESS_KEY");
    if (!secret) return std::unexpected(secret.error());
    options.credentials = {std::move(*id), std::move(*secret),
                           context.env("AWS_SESSION_TOKEN").value_or("")};
  }
  if (needs.user_pool) {
    auto pool = required(context, "HOLDFAST_USER_POOL_ID");
    if (!pool) return std::unexpected(pool.error());
    auto client = required(context, "HOLDFAST_CLIENT_ID");
    if (!client) return std::unexpected(client.error());
    options.user_pool_id = std::move(*pool);
    options.client_id = std::move(*client);
  }
  return options;
}

Result<std::unique_ptr<client::GatewayClient>> gateway_from(const Context& context,
                                                            const Needs& needs) {
  auto options = gateway_options(context, needs);
  if (!options) return std::unexpected(options.error());
  return client::make_gateway_client(std::move(*options), context.clock);
}

std::string sample_app_url(const Context& context) {
  return context.env("HOLDFAST_SAMPLE_APP_URL").value_or("http://127.0.0.1:8090");
}

Result<std::string> id_token_from(const Context& context, const std::string& flag) {
  if (!flag.empty()) return flag;
  if (auto token = context.env("ID_TOKEN")) return std::move(*token);
  return fail(Errc::invalid_argument,
              "no ID token: give one with -t, or run `eval \"$(holdfast auth -u NAME -p "
              "PASSWORD)\"` first");
}

Result<std::optional<std::string>> master_key_from(const Context& context) {
  if (auto value = context.env("HOLDFAST_MASTER_KEY")) return value;
  const auto path = context.env("HOLDFAST_MASTER_KEY_FILE");
  if (!path) return std::nullopt;
  std::ifstream file(*path);
  std::string line;
  if (!file || !std::getline(file, line)) {
    return fail(Errc::io, "cannot read the master key " + *path + " (HOLDFAST_MASTER_KEY_FILE)",
                *path);
  }
  return line;
}

Result<std::string> password_from(const std::string& flag) {
  if (flag != "-") return flag;
  std::string line;
  if (!std::getline(std::cin, line)) {
    return fail(Errc::invalid_argument, "standard input has no password");
  }
  return line;
}

int print_exports(const Context& context, const std::vector<ShellVariable>& variables) {
  const auto lines = export_lines(variables);
  if (!lines) return failed(context, lines.error().message);
  context.out << *lines;
  return kSuccess;
}

std::string hint_for(const client::CallError& error) {
  if (error.type == "UnrecognizedClientException" || error.type == "InvalidSignatureException") {
    return "The access key in the environment may belong to another gateway: source this gateway's "
           "`credentials` again.";
  }
  if (error.status == 404 && error.type.empty()) {
    return "HOLDFAST_URL may be the control listener or another server. Set it to the gateway's "
           "URL.";
  }
  if (error.status == 401) {
    return "Get a new ID token: eval \"$(holdfast auth -u NAME -p PASSWORD)\"";
  }
  return {};
}

std::string hint_for_connection(std::string_view reason) {
  if (reason.contains("certificate verify failed")) {
    return "trust the certificate's authority with SSL_CERT_FILE=.../ca.pem";
  }
  if (reason.contains("wrong version number") || reason.contains("http request")) {
    return "it speaks plain HTTP: use http://";
  }
  if (reason.contains("Permission denied")) {
    return "you have no access to its socket: run this as root or as the gateway's user";
  }
  return "is `holdfast serve` running?";
}

int call_failed(const Context& context, const client::CallError& error) {
  if (error.status == 0) {
    return failed(context, "cannot reach the gateway at " + tried_url(context) + " (" +
                               error.message + "): " + hint_for_connection(error.message));
  }
  const int code = failed(context, error.text());
  if (const std::string hint = hint_for(error); !hint.empty()) context.err << hint << "\n";
  return code;
}

}  // namespace holdfast::cli
