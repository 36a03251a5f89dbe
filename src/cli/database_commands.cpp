// Commands that back up, restore and check the database.

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <holdfast/app/backup.hpp>
#include <holdfast/base/json.hpp>
#include <holdfast/base/private_file.hpp>

#include "control_call.hpp"
#include "interrupt.hpp"
#include "settings.hpp"
#include "table.hpp"

namespace holdfast::cli {
namespace {

constexpr Milliseconds kBetweenLooks{100};
constexpr int kLooksBetweenLines = 10;

struct BackupFlags : AdminFlags {
  std::string file;
  bool force = false;
  bool with_master_key = false;
};

struct RestoreFlags : AdminFlags {
  std::string file;
  std::string master_key_file;
  bool force = false;
  bool keep_logins = false;
  bool disable_access_keys = false;
  bool unauthenticated = false;
};

struct DatabaseCheckFlags : AdminFlags {
  std::string file;
  bool add_checksums = false;
};

std::int64_t number(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_number_integer() ? found->get<std::int64_t>() : 0;
}

std::string size_text(std::int64_t bytes) {
  if (bytes < 1 << 20) return std::to_string((bytes + (1 << 10) - 1) >> 10) + " KiB";
  return std::to_string((bytes + (1 << 20) - 1) >> 20) + " MiB";
}

void tell_progress(const Context& context, const Json& progress) {
  const std::int64_t total = number(progress, "bytesTotal");
  context.err << (cell(progress, "stage") == "checking" ? "Checking" : "Copying") << ": "
              << size_text(number(progress, "bytesDone")) << " of " << size_text(total) << "\n";
}

// Waits until the backup is done. Returns nullopt after Ctrl-C, or if it failed, which it prints.
std::optional<Json> await_backup(const Context& context, const BackupFlags& flags) {
  auto progress = ask(context, flags, "POST", "/v1/backup", Json::object());
  for (int look = 1; progress; ++look) {
    const std::string stage = cell(*progress, "stage");
    if (stage == "done") return progress;
    if (stage == "failed") {
      (void)failed(context, "the backup failed: " + cell(*progress, "error"));
      return std::nullopt;
    }
    if (look % kLooksBetweenLines == 0) tell_progress(context, *progress);
    Interrupt::wait(kBetweenLooks);
    if (Interrupt::requested()) {
      (void)ask(context, flags, "DELETE", "/v1/backup");
      return std::nullopt;
    }
    progress = ask(context, flags, "GET", "/v1/backup");
  }
  return std::nullopt;
}

int back_up(const Context& context, const BackupFlags& flags) {
  const std::filesystem::path file = std::filesystem::absolute(flags.file);
  const auto existing = flags.force ? app::Existing::replace : app::Existing::keep;
  if (const auto good = app::check_backup_target(file.string(), existing); !good) {
    return failed(context, good.error().message);
  }
  std::error_code ignored;
  if (!std::filesystem::is_directory(file.parent_path(), ignored)) {
    return failed(context, "the folder " + file.parent_path().string() + " does not exist");
  }
  const auto master_key = master_key_from(context);
  if (!master_key) return failed(context, master_key.error().message);
  const Interrupt interrupt;
  const auto done = await_backup(context, flags);
  if (!done) return Interrupt::requested() ? kInterrupted : kFailure;
  if (flags.with_master_key && others_may_write(file.parent_path().string())) {
    context.err << "Other users may write to " << file.parent_path().string()
                << ": they cannot read the master key there, but they can delete it.\n";
  }
  const auto kept = app::keep_backup({.data_dir = flags.data_dir,
                                      .file = file.string(),
                                      .existing = existing,
                                      .with_master_key = flags.with_master_key,
                                      .master_key = *master_key});
  if (!kept) return failed(context, kept.error().message);
  if (flags.json) {
    Json answer = {{"file", file.string()}, {"bytes", number(*done, "bytesTotal")}};
    answer["masterKeyFile"] = flags.with_master_key ? Json(file.string() + ".key") : Json(nullptr);
    context.out << answer.dump() << "\n";
  } else {
    context.out << file.string() << "\n";
  }
  if (!kept->authenticated) {
    context.err << "FILE.mac was not written, because the master key was not found (in "
                << flags.data_dir
                << ", HOLDFAST_MASTER_KEY or HOLDFAST_MASTER_KEY_FILE). `restore` of this backup "
                   "needs --unauthenticated.\n";
  }
  context.err << "Backed up and checked: " << size_text(number(*done, "bytesTotal")) << ". "
              << (flags.with_master_key
                      ? "The master key is beside it: with both, anyone can read everything.\n"
                      : "The master key is not in it. Keep the key in another place: a backup "
                        "is useless without it.\n");
  return kSuccess;
}

Json as_json(const app::DatabaseReport& report) {
  Json out = {{"sound", report.problems.empty()},
              {"problems", report.problems},
              {"schema", report.schema},
              {"knownSchema", report.known_schema},
              {"bytes", report.bytes},
              {"users", report.users},
              {"pendingUsers", report.pending_users},
              {"pendingMessages", report.pending_messages},
              {"deadLetters", report.dead_letters},
              {"rowsWithoutChecksum", report.rows_without_checksum}};
  if (report.added) {
    out["checksumsAdded"] = {{"messages", report.added->messages},
                             {"deadLetters", report.added->dead_letters}};
  }
  return out;
}

void show_report(const Context& context, const app::DatabaseReport& report) {
  print_table(context.out, {"WHAT", "COUNT"},
              {{"schema", std::to_string(report.schema)},
               {"bytes", std::to_string(report.bytes)},
               {"users", std::to_string(report.users)},
               {"users with pending messages", std::to_string(report.pending_users)},
               {"pending messages", std::to_string(report.pending_messages)},
               {"dead letters", std::to_string(report.dead_letters)},
               {"rows without a checksum", std::to_string(report.rows_without_checksum)}});
}

Json as_json(const std::vector<app::RestoreReport::AccessKey>& keys) {
  Json out = Json::array();
  for (const auto& key : keys) out.push_back({{"id", key.id}, {"name", key.name}});
  return out;
}

std::string listed(const std::vector<app::RestoreReport::AccessKey>& keys) {
  std::string out;
  for (const auto& key : keys) {
    out += (out.empty() ? "" : ", ") + printable(key.id) + " (" + printable(key.name) + ")";
  }
  return out.empty() ? "none" : out;
}

// Prints which keys work now. A restore brings back revoked access that no database recorded.
void tell_access(const Context& context, const app::RestoreReport& restored) {
  if (!restored.disabled_keys.empty()) {
    context.err << "Disabled access keys: " << listed(restored.disabled_keys) << "\n";
  }
  if (restored.disabled_users > 0) {
    context.err << "Users disabled again, because they were disabled after the backup: "
                << restored.disabled_users << "\n";
  }
  context.err << "Enabled access keys: " << listed(restored.enabled_keys) << "\n";
  if (!restored.revocations_known) {
    context.err << "No earlier database shows what was revoked after the backup. Check these keys, "
                   "and the users, before you start the gateway";
    if (!restored.enabled_keys.empty()) {
      context.err << " (`restore --disable-access-keys` disables all keys)";
    }
    context.err << ".\n";
  }
}

int restore(const Context& context, const RestoreFlags& flags) {
  const auto master_key = master_key_from(context);
  if (!master_key) return failed(context, master_key.error().message);
  const auto restored = app::restore_backup({.file = flags.file,
                                             .data_dir = flags.data_dir,
                                             .replace = flags.force,
                                             .master_key_file = flags.master_key_file,
                                             .master_key = *master_key,
                                             .keep_logins = flags.keep_logins,
                                             .disable_access_keys = flags.disable_access_keys,
                                             .unauthenticated = flags.unauthenticated,
                                             .clock = &context.clock});
  if (!restored) {
    std::string message = restored.error().message;
    if (restored.error().code == Errc::conflict && message.ends_with("in use by another process")) {
      message += ": stop the gateway first";
    }
    return failed(context, message);
  }
  if (flags.json) {
    Json answer = as_json(restored->database);
    answer["masterKeyFrom"] = restored->key_from;
    answer["keptDatabase"] = restored->kept_database;
    answer["keptMasterKey"] = restored->kept_key;
    answer["enabledAccessKeys"] = as_json(restored->enabled_keys);
    answer["disabledAccessKeys"] = as_json(restored->disabled_keys);
    answer["disabledUsers"] = restored->disabled_users;
    answer["revocationsKnown"] = restored->revocations_known;
    context.out << answer.dump() << "\n";
  } else {
    show_report(context, restored->database);
  }
  context.err << "Restored into " << flags.data_dir << ", with the master key of "
              << restored->key_from << ".\n";
  if (!restored->kept_database.empty()) {
    context.err << "The old database is kept: " << restored->kept_database << "\n";
  }
  if (!restored->kept_key.empty()) {
    context.err << "The old master key is kept: " << restored->kept_key << "\n";
  }
  tell_access(context, *restored);
  context.err << "Messages acknowledged since the backup are delivered again."
              << (flags.keep_logins ? "\n" : " Users must log in again.\n");
  return kSuccess;
}

int check_database(const Context& context, const DatabaseCheckFlags& flags) {
  const auto master_key = master_key_from(context);
  if (!master_key) return failed(context, master_key.error().message);
  const auto report = app::check_data({.data_dir = flags.data_dir,
                                       .file = flags.file,
                                       .master_key = *master_key,
                                       .add_checksums = flags.add_checksums});
  if (!report) {
    std::string message = report.error().message;
    if (report.error().code == Errc::conflict && message.ends_with("in use by another process")) {
      message +=
          ": stop the gateway, or check a backup of it instead (`backup` makes the same check)";
    }
    return failed(context, message);
  }
  if (flags.json) {
    context.out << as_json(*report).dump() << "\n";
  } else if (report->problems.empty()) {
    show_report(context, *report);
  }
  for (const std::string& problem : report->problems) (void)failed(context, printable(problem));
  if (!report->problems.empty()) {
    if (flags.add_checksums) context.err << "No checksums were added.\n";
    return kFailure;
  }
  context.err << "The database is sound.\n";
  if (report->added) {
    context.err << "Added checksums to " << report->added->messages << " messages and "
                << report->added->dead_letters << " dead letters.\n";
  }
  return kSuccess;
}

template <class Flags>
void run_on(CLI::App& command, Selection& selection, const std::shared_ptr<Flags>& flags,
            int (*run)(const Context&, const Flags&)) {
  command.callback([&selection, flags, run] {
    selection.run = [flags, run](const Context& context) { return run(context, *flags); };
  });
}

}  // namespace

void add_database(CLI::App& app, Selection& selection) {
  auto backup_flags = std::make_shared<BackupFlags>();
  auto* backup = app.add_subcommand("backup", "Copy the running gateway's database into a file");
  backup->add_option("FILE", backup_flags->file, "the file to write")->required();
  backup->add_flag("--force", backup_flags->force, "replace an existing file");
  backup->add_flag("--with-master-key", backup_flags->with_master_key,
                   "also write the master key, to FILE.key");
  add_admin_flags(*backup, *backup_flags);
  run_on(*backup, selection, backup_flags, back_up);

  auto restore_flags = std::make_shared<RestoreFlags>();
  auto* restored =
      app.add_subcommand("restore", "Restore a backup into a stopped gateway's data directory");
  restored->add_option("FILE", restore_flags->file, "the backup")->required();
  restored->add_option("--data-dir", restore_flags->data_dir, "the data directory to restore into")
      ->capture_default_str();
  restored->add_option(
      "--master-key-file", restore_flags->master_key_file,
      "the master key (default HOLDFAST_MASTER_KEY, FILE.key, or the directory's)");
  restored->add_flag("--force", restore_flags->force,
                     "replace an existing database; the old one is renamed and kept");
  restored->add_flag("--keep-logins", restore_flags->keep_logins,
                     "keep users logged in; without the old database, logins that ended since the "
                     "backup are valid again");
  restored->add_flag("--disable-access-keys", restore_flags->disable_access_keys,
                     "disable all access keys; some may have been deleted since the backup");
  restored->add_flag("--unauthenticated", restore_flags->unauthenticated,
                     "accept a backup without FILE.mac; anybody may have changed it");
  restored->add_flag("--json", restore_flags->json, "print the report as JSON");
  run_on(*restored, selection, restore_flags, restore);

  auto* group = app.add_subcommand("database", "Offline database tools");
  group->require_subcommand(1);
  auto check_flags = std::make_shared<DatabaseCheckFlags>();
  auto* check =
      group->add_subcommand("check", "Check the database file for corruption and consistency");
  auto* file = check->add_option("FILE", check_flags->file,
                                 "a backup to check (default: the data directory's database)");
  check
      ->add_flag("--add-checksums", check_flags->add_checksums,
                 "add the checksums that old messages lack, if the database is sound")
      ->excludes(file);
  check->add_option("--data-dir", check_flags->data_dir, "a stopped gateway's data directory")
      ->capture_default_str();
  check->add_flag("--json", check_flags->json, "print the report as JSON");
  run_on(*check, selection, check_flags, check_database);
}

}  // namespace holdfast::cli
