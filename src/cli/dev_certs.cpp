// The command that makes certificates for development: `holdfast dev-certs`.

#include <memory>
#include <string>
#include <vector>

#include <holdfast/base/dev_certificates.hpp>
#include <holdfast/base/private_file.hpp>

#include "command.hpp"

namespace holdfast::cli {
namespace {

struct DevCertsFlags {
  std::string directory;
  std::vector<std::string> names;
};

int make_certificates(const Context& context, const DevCertsFlags& flags) {
  const auto made = make_dev_certificates(flags.directory, flags.names);
  if (!made) {
    const bool misuse = made.error().code == Errc::invalid_argument;
    return misuse ? misused(context, made.error().message) : failed(context, made.error().message);
  }
  if (others_may_write(flags.directory)) {
    context.err << "Other users may write to " << flags.directory
                << ": they cannot read the keys there, but they can replace them.\n";
  }
  context.out << "authority   " << made->ca_file << "\ncertificate " << made->certificate_file
              << "\nkey         " << made->key_file << "\n";
  context.err << "For development only. Servers: --tls-cert " << made->certificate_file
              << " --tls-key " << made->key_file
              << "\nClients: export SSL_CERT_FILE=" << made->ca_file
              << " NODE_EXTRA_CA_CERTS=" << made->ca_file << "\n";
  return kSuccess;
}

}  // namespace

void add_dev_certs(CLI::App& app, Selection& selection) {
  auto* command = app.add_subcommand(
      "dev-certs", "Make a private certificate authority and a certificate for localhost");
  auto flags = std::make_shared<DevCertsFlags>();
  command->add_option("directory", flags->directory, "the folder to write to")->required();
  command->add_option("names", flags->names, "host names and addresses to add to localhost");
  command->callback([flags, &selection] {
    selection.run = [flags](const Context& context) { return make_certificates(context, *flags); };
  });
}

}  // namespace holdfast::cli
