#include <holdfast/app/config.hpp>
#include <holdfast/identity/key_ring.hpp>
#include <holdfast/net/tls.hpp>

#include "issuer_documents.hpp"

namespace holdfast::app {

std::vector<ConfigProblem> examine_config_files(const Config& config) {
  std::vector<ConfigProblem> out;
  const auto note = [&out](const char* key, const Error& error) {
    out.push_back({.code = error.code, .place = {}, .key = key, .message = error.message});
  };
  const auto check_tls = [&](const char* key, net::TlsServerOptions files) {
    if (files.certificate_file.empty()) return;
    files.ciphers = config.tls.files.ciphers;
    if (const auto made = net::make_tls_server(files); !made) note(key, made.error());
  };
  check_tls("tls.certificate", config.tls.files);
  for (const Config::Listener& listener : config.server.listeners) {
    check_tls("server.listeners", listener.tls);
  }
  const auto check_document = [&note](const std::string& path, std::size_t bytes_max) {
    if (path.empty()) return;
    const auto read = read_document_file(path, bytes_max);
    if (!read) note("identity.issuers", read.error());
  };
  for (const identity::IssuerOptions& issuer : config.identity.issuers) {
    check_document(issuer.ca_file, kAuthoritiesBytesMax);
    check_document(issuer.jwks_file, IssuerDocumentsOptions{}.bytes_max);
  }
  return out;
}

ConfigReport examine_config_and_files(const ConfigSources& sources) {
  ConfigReport out = examine_config(sources);
  if (!out.problems.empty()) return out;
  if (const auto config = load_config(sources)) out.problems = examine_config_files(*config);
  return out;
}

std::optional<ConfigProblem> examine_master_key(const std::string& value) {
  const auto key = identity::MasterKey::load({}, value.c_str(), identity::MasterKey::Missing::fail);
  if (key) return std::nullopt;
  return ConfigProblem{
      .code = key.error().code, .place = {}, .key = {}, .message = key.error().message};
}

}  // namespace holdfast::app
