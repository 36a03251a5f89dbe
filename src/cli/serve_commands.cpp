// Commands that run a daemon: `holdfast serve` and `holdfast sample-app`.

#include <csignal>
#include <memory>
#include <utility>

#include <holdfast/app/serve.hpp>
#include <holdfast/base/log.hpp>
#include <holdfast/sample_app/sample_app.hpp>

#include "command.hpp"
#include "serve_flags.hpp"
#include "settings.hpp"

namespace holdfast::cli {
namespace {

constexpr Milliseconds kDrain{5'000};

int serve(const std::string& data_dir, const ServeFlags& flags, const LogFlags& log_flags,
          bool core_dumps) {
  app::ServeOptions options;
  options.data_dir = data_dir;
  options.core_dumps = core_dumps;
  options.sources = config_sources(flags, log_flags);
  return app::run_serve(options);
}

log::Level level_of(const std::string& name) {
  if (name == "debug") return log::Level::debug;
  if (name == "warn") return log::Level::warn;
  if (name == "error") return log::Level::error;
  return log::Level::info;
}

// Receives the signals that stop or reload a daemon, on the main thread only.
class StopSignals {
 public:
  // Must run before any other thread starts, so that all threads inherit the mask.
  StopSignals() {
    sigemptyset(&set_);
    sigaddset(&set_, SIGTERM);
    sigaddset(&set_, SIGINT);
    sigaddset(&set_, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &set_, &before_);
  }
  ~StopSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  // Calls `on_hangup` for each SIGHUP. Afterwards a second signal ends the process at once.
  template <class OnHangup>
  void wait(OnHangup on_hangup) {
    int signal = 0;
    while (sigwait(&set_, &signal) != 0 || signal == SIGHUP) {
      if (signal == SIGHUP) on_hangup();
    }
    pthread_sigmask(SIG_UNBLOCK, &set_, nullptr);
  }

 private:
  sigset_t set_{};
  sigset_t before_{};
};

struct SampleAppFlags {
  std::string listen = sample_app::SampleAppOptions{}.listen;
  std::string issuer;
  std::string tls_certificate;
  std::string tls_key;
};

int serve_sample_app(const Context& context, const SampleAppFlags& flags,
                     const LogFlags& log_flags) {
  auto gateway = gateway_options(context, {.access_key = true, .user_pool = true});
  if (!gateway) return misused(context, gateway.error().message);
  sample_app::SampleAppOptions options;
  options.listen = flags.listen;
  options.issuer = flags.issuer;
  options.tls = {.certificate_file = flags.tls_certificate, .key_file = flags.tls_key};
  options.gateway = std::move(*gateway);

  StopSignals signals;
  log::start({.level = level_of(log_flags.level.value_or("info")),
              .json = log_flags.format.value_or("json") == "json"});
  int code = kSuccess;
  auto sample = sample_app::SampleApp::make(std::move(options), context.clock);
  if (!sample) {
    code = failed(context, sample.error().message);
  } else if (const auto started = sample->start(); !started) {
    code = failed(context, started.error().message);
  } else {
    context.err << "The sample application listens on "
                << (flags.tls_certificate.empty() ? "http://" : "https://") << sample->address()
                << ". Press Ctrl-C to stop.\n";
    signals.wait([&sample] {
      if (const auto done = sample->reload_certificate(); !done) {
        log::error("not_reloaded", {{"reason", done.error().message}});
      } else {
        log::info("reloaded");
      }
    });
    const std::size_t unsent = sample->stop(kDrain);
    log::info("stopped", {{"part", "sample-app"}, {"messages_not_sent", unsent}});
  }
  log::stop();
  return code;
}

}  // namespace

void add_log_flags(CLI::App& command, LogFlags& flags) {
  command.add_option("--log-level", flags.level, "debug, info, warn or error")
      ->check(CLI::IsMember({"debug", "info", "warn", "error"}));
  command.add_option("--log-format", flags.format, "json or text")
      ->check(CLI::IsMember({"json", "text"}));
}

void add_serve_flags(CLI::App& command, ServeFlags& flags) {
  command.add_option("--listen", flags.listen, "address of the gateway (default 127.0.0.1:8080)");
  command.add_option("--control-listen", flags.control_listen,
                     "address of the control listener (default 127.0.0.1:8081)");
  command.add_option("--tls-cert", flags.tls_certificate, "certificate file in PEM; enables TLS");
  command.add_option("--tls-key", flags.tls_key, "the certificate's private key file in PEM");
  command.add_option("--config", flags.config, "configuration file: JSON with comments");
}

app::ConfigSources config_sources(const ServeFlags& flags, const LogFlags& log_flags) {
  app::ConfigSources sources;
  sources.file = flags.config;
  sources.environment = app::process_environment();
  const auto override_with = [&](const char* key, const std::optional<std::string>& value,
                                 const char* flag) {
    if (value) sources.overrides.push_back({key, *value, flag});
  };
  override_with("server.listen", flags.listen, "--listen");
  override_with("server.control_listen", flags.control_listen, "--control-listen");
  override_with("tls.certificate", flags.tls_certificate, "--tls-cert");
  override_with("tls.key", flags.tls_key, "--tls-key");
  override_with("log.level", log_flags.level, "--log-level");
  override_with("log.format", log_flags.format, "--log-format");
  return sources;
}

void add_serve(CLI::App& app, Selection& selection) {
  auto* command = app.add_subcommand("serve", "Run the gateway");
  struct Flags : ServeFlags {
    std::string data_dir = "./data";
    bool core_dumps = false;
  };
  auto flags = std::make_shared<Flags>();
  command
      ->add_option("--data-dir", flags->data_dir,
                   "folder for the database, keys, credentials and control socket")
      ->capture_default_str();
  command->add_flag(
      "--allow-core-dumps", flags->core_dumps,
      "for debugging: a crash writes the process's memory, with all secrets, to a file");
  add_serve_flags(*command, *flags);
  add_log_flags(*command, selection.log);
  command->callback([flags, &selection] {
    selection.run = [flags, &selection](const Context& /*context*/) {
      return serve(flags->data_dir, *flags, selection.log, flags->core_dumps);
    };
  });
}

void add_sample_app(CLI::App& app, Selection& selection) {
  auto* command = app.add_subcommand(
      "sample-app", "Run the sample application, which sends users' messages after a wait");
  auto flags = std::make_shared<SampleAppFlags>();
  command->add_option("--listen", flags->listen, "address to listen on")->capture_default_str();
  command->add_option("--issuer", flags->issuer,
                      "issuer of the ID tokens (default: HOLDFAST_URL and the pool's id)");
  auto* const certificate = command->add_option("--tls-cert", flags->tls_certificate,
                                                "certificate file in PEM; enables TLS");
  auto* const key =
      command->add_option("--tls-key", flags->tls_key, "the certificate's private key file in PEM");
  certificate->needs(key);
  key->needs(certificate);
  add_log_flags(*command, selection.log);
  command->callback([flags, &selection] {
    selection.run = [flags, &selection](const Context& context) {
      return serve_sample_app(context, *flags, selection.log);
    };
  });
}

}  // namespace holdfast::cli
