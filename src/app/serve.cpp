// The process around a gateway: signals, limits of the system, exit codes.

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <holdfast/app/gateway.hpp>
#include <holdfast/app/serve.hpp>
#include <holdfast/base/log.hpp>
#include <holdfast/base/process.hpp>

#include "service_manager.hpp"
#include "stop_signals.hpp"

namespace holdfast::app {
namespace {

// The time for the last commits and the checkpoint, beyond `shutdown.drain_seconds`.
constexpr Milliseconds kLastCommits{5'000};
// Leaves time within the above to log the end and to exit.
constexpr Milliseconds kMargin{500};

int refuse(const Error& error) {
  std::fprintf(stderr, "holdfast: %s\n", error.message.c_str());
  return EXIT_FAILURE;
}

void raise_file_limit() {
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur == files.rlim_max) return;
  files.rlim_cur = files.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &files) != 0) log::warn("file_limit_not_raised");
}

void prepare_process() {
  raise_file_limit();
  signal(SIGPIPE, SIG_IGN);
  // A limit on the size of files counts as a full disk, which is handled, and must not end the
  // process.
  signal(SIGXFSZ, SIG_IGN);
  // Database, keys and sockets belong to this user alone, whatever the shell's mask.
  umask(S_IRWXG | S_IRWXO);
}

void print_startup_message(const GatewayInfo& info) {
  std::fprintf(stderr, "Holdfast listens on %s (control: %s).\n", info.address.c_str(),
               info.control_address.c_str());
  if (!info.first_credentials) return;
  std::fprintf(stderr,
               "First start: a user pool and a root access key were made. In another shell:\n"
               "  . %s\n"
               "  holdfast create-user -u testUser -p a-password\n"
               "  eval \"$(holdfast auth -u testUser -p a-password)\"\n"
               "  holdfast connect-websocket\n",
               info.credentials_file.c_str());
}

std::string serving(const GatewayInfo& info) { return "Serving on " + info.address; }

std::string joined(const std::vector<std::string>& keys) {
  std::string out;
  for (const std::string& key : keys) out += (out.empty() ? "" : ", ") + key;
  return out;
}

bool reload_config(Gateway& gateway, const ConfigSources& sources) {
  const auto config = load_config(sources);
  const auto outcome =
      config ? gateway.reload(*config) : Result<ReloadOutcome>(std::unexpected(config.error()));
  if (!outcome) {
    log::error("config_not_reloaded", {{"reason", outcome.error().message}});
    return false;
  }
  if (!outcome->changed.empty()) {
    log::info("config_reloaded", {{"keys", joined(outcome->changed)}});
  }
  if (!outcome->need_restart.empty()) {
    log::warn("config_needs_restart", {{"keys", joined(outcome->need_restart)}});
  }
  return true;
}

// Reloads. The sender of the signal gets no answer, so the log has the outcome.
void reload(Gateway& gateway, const ConfigSources& sources, ServiceManager& manager) {
  manager.reloading();
  const auto certificates = gateway.reload_certificates();
  if (!certificates) log::error("not_reloaded", {{"reason", certificates.error().message}});
  if (reload_config(gateway, sources) && certificates) log::info("reloaded");
  manager.ready(serving(gateway.info()));
}

// Warns about a readable file. It may have the hash of the console's password and the command for
// codes.
void look_at_config_file(const ServeOptions& options, const Config& config) {
  struct stat found{};
  if (options.sources.file.empty() || stat(options.sources.file.c_str(), &found) != 0) return;
  const bool secrets = !config.console.password_hash.empty() || !config.codes.command.empty();
  if (!secrets || (found.st_mode & S_IROTH) == 0) return;
  log::warn("config_readable_by_others", {{"path", options.sources.file}, {"advice", "chmod 640"}});
}

Result<void> take_master_key(GatewayOptions& options) {
  options.master_key = take_variable("HOLDFAST_MASTER_KEY");
  if (auto file = take_variable("HOLDFAST_MASTER_KEY_FILE")) {
    if (options.master_key) {
      return fail(Errc::invalid_argument,
                  "HOLDFAST_MASTER_KEY and HOLDFAST_MASTER_KEY_FILE are both set");
    }
    options.master_key_file = std::move(*file);
  }
  return {};
}

int serve(const ServeOptions& options, GatewayOptions gateway_options) {
  const Config& config = gateway_options.config;
  // Comes before any other thread, so that all inherit the blocked signals.
  StopSignals signals;
  log::start({.level = config.log.level, .json = config.log.json});
  look_at_config_file(options, config);

  auto gateway = open_gateway(std::move(gateway_options));
  if (!gateway) {
    log::error("not_started", {{"reason", gateway.error().message}});
    log::stop();
    return refuse(gateway.error());
  }
  print_startup_message((*gateway)->info());
  ServiceManager manager;
  manager.ready(serving((*gateway)->info()));
  manager.watch([&gateway](Milliseconds patience) { return (*gateway)->alive(patience); });
  signals.on_hangup([&] { reload(**gateway, options.sources, manager); });
  const auto patience = [&gateway] {
    return Milliseconds((*gateway)->drain()) + kLastCommits - kMargin;
  };
  signals.wait(patience);
  signals.on_hangup(nullptr);
  manager.stop_watching();
  manager.stopping(patience() + kMargin, "Closing connections");
  (*gateway)->stop();
  gateway->reset();
  log::stop();
  return EXIT_SUCCESS;
}

}  // namespace

int run_serve(const ServeOptions& options) {
  if (!options.core_dumps) forbid_core_dumps();
  GatewayOptions gateway;
  gateway.data_dir = options.data_dir;
  if (const auto taken = take_master_key(gateway); !taken) return refuse(taken.error());
  auto config = load_config(options.sources);
  if (!config) return refuse(config.error());
  gateway.config = std::move(*config);
  prepare_process();
  try {
    return serve(options, std::move(gateway));
  } catch (const std::exception& error) {
    // Without a thread or a descriptor from the system, the log may have none either.
    log::stop();
    return refuse(Error(Errc::unavailable, error.what()));
  }
}

}  // namespace holdfast::app
