// The routes that begin, follow and cancel a backup.

#include <holdfast/base/json.hpp>

#include "routes.hpp"

namespace holdfast::control {
namespace {

net::Response no_backup() {
  return json_error(Error(Errc::not_found, "no backup has been made since the gateway started"));
}

net::Response answer(const BackupProgress& progress, int status) {
  return json_answer({{"stage", progress.stage},
                      {"path", progress.path},
                      {"bytesDone", progress.bytes_done},
                      {"bytesTotal", progress.bytes_total},
                      {"error", progress.error ? Json(progress.error->message) : Json(nullptr)}},
                     status);
}

}  // namespace

void begin_backup(Call call) {
  BackupMaker* const backups = call.parts.backups;
  if (backups == nullptr) return call.respond(no_backup());
  if (const auto begun = backups->begin(); !begun) return call.respond(json_error(begun.error()));
  const auto progress = backups->progress();
  call.respond(progress ? answer(*progress, 202) : no_backup());
}

void show_backup(Call call) {
  const BackupMaker* const backups = call.parts.backups;
  const auto progress = backups != nullptr ? backups->progress() : std::nullopt;
  call.respond(progress ? answer(*progress, 200) : no_backup());
}

void cancel_backup(Call call) {
  if (call.parts.backups != nullptr) call.parts.backups->cancel();
  call.respond(json_answer(Json::object()));
}

}  // namespace holdfast::control
