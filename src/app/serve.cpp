#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <holdfast/app/gateway.hpp>
#include <holdfast/app/serve.hpp>
#include <holdfast/base/log.hpp>

#include "app/service_manager.hpp"
#include "app/stop_signals.hpp"

namespace holdfast::app {
namespace {

// What a shutdown may take beyond `shutdown.drain_seconds`: the last commits and the checkpoint.
constexpr Milliseconds kLastCommits{5'000};
// Leaves time to say so and to exit within the above.
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
  // A limit on the size of files is a full disk, which is answered, not the end of the process.
  signal(SIGXFSZ, SIG_IGN);
  // Database, keys and sockets are this user's alone, whatever the shell's mask.
  umask(S_IRWXG | S_IRWXO);
}

void tell_people(const GatewayInfo& info) {
  std::fprintf(stderr, "Holdfast listens on %s (control: %s).\n", info.address.c_str(),
               info.control_address.c_str());
  if (!info.first_start) return;
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

// Who sent the signal is not there to be answered: the log tells.
void reload(Gateway& gateway, const ConfigSources& sources, ServiceManager& manager) {
  manager.reloading();
  const auto certificates = gateway.reload_certificates();
  if (!certificates) log::error("not_reloaded", {{"reason", certificates.error().message}});
  if (reload_config(gateway, sources) && certificates) log::info("reloaded");
  manager.ready(serving(gateway.info()));
}

}  // namespace

int run_serve(const ServeOptions& options) {
  auto config = load_config(options.sources);
  if (!config) return refuse(config.error());
  prepare_process();
  // Before any other thread: all of them inherit the blocked signals.
  StopSignals signals;
  log::start({.level = config->log.level, .json = config->log.json});

  GatewayOptions gateway_options;
  gateway_options.config = std::move(*config);
  gateway_options.data_dir = options.data_dir;
  const char* const key = std::getenv("HOLDFAST_MASTER_KEY");
  // Containers set variables to nothing where they mean none.
  if (key != nullptr && *key != '\0') gateway_options.master_key = key;
  auto gateway = open_gateway(std::move(gateway_options));
  if (!gateway) {
    log::error("not_started", {{"reason", gateway.error().message}});
    log::stop();
    return refuse(gateway.error());
  }
  tell_people((*gateway)->info());
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

}  // namespace holdfast::app
