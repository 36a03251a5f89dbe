#pragma once

#include <functional>
#include <optional>
#include <string>
#include <thread>

/// Hardens the process. Call these first in main, before another thread starts.
namespace holdfast {

/// Opens `/dev/null` in place of closed standard streams. Otherwise a file or socket that is opened
/// later would take their numbers, and receive their output.
void open_standard_streams();

/// Makes the process end with one line on standard error and status 1 when memory runs out, or when
/// an exception leaves a thread. Messages that were answered before are on the disk.
void end_without_memory();

/// Lets only root inspect this process, and disables core dumps.
void forbid_core_dumps();

/// Returns a variable of the environment, then overwrites and removes it, so that no child and no
/// reader of `/proc` sees it. nullopt if it is missing or empty.
[[nodiscard]] std::optional<std::string> take_variable(const char* name);

/// Starts a thread that is named for people and takes no signals: those are the main thread's.
/// Throws std::system_error, with the name, when the system gives no more threads. Any thread.
[[nodiscard]] std::thread start_thread(const std::string& name, std::function<void()> work);

}  // namespace holdfast
