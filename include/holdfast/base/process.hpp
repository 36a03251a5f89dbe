#pragma once

#include <functional>
#include <optional>
#include <string>
#include <thread>

/// Hardens the process. Call these first in main, before another thread starts.
namespace holdfast {

/// Opens `/dev/null` as standard input, output and error where they are closed: a file or socket
/// that is opened later would take their numbers, and what is written to them.
void open_standard_streams();

/// Ends the process with one line on standard error and status 1 when memory runs out, or when a
/// thread ends with an error that nobody takes. What was answered before is on the disk.
void end_without_memory();

/// Nobody but root may look into this process, and a crash leaves no memory behind.
void forbid_core_dumps();

/// A variable of the environment, which is overwritten and removed, so that no child and nobody who
/// reads `/proc` sees it; nullopt when there is none, or an empty one.
[[nodiscard]] std::optional<std::string> take_variable(const char* name);

/// Starts a thread that is named for people and takes no signals: those are the main thread's.
/// Throws std::system_error, with the name, when the system gives no more threads. Any thread.
[[nodiscard]] std::thread start_thread(const std::string& name, std::function<void()> work);

}  // namespace holdfast
