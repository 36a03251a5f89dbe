// Writes log lines from a thread of its own, and drops lines when it falls behind.

#include "log_writer.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <ctime>

#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <holdfast/base/process.hpp>

namespace holdfast::log {
namespace {

constexpr std::size_t kQueueBytesMax = 4 << 20;
constexpr std::size_t kPieceBytes = 64 << 10;
constexpr std::chrono::milliseconds kGatherTime{100};
constexpr std::chrono::seconds kStopPatience{1};
// POSIX lets a pipe that polls as writable take PIPE_BUF bytes without blocking, not more.
constexpr std::size_t kPipeBytes = 4096;

// Keeps SIGPIPE from the calling thread while it writes: a reader that went away is no reason to
// end the process.
class PipeSignalGuard {
 public:
  PipeSignalGuard() {
    sigemptyset(&pipe_);
    sigaddset(&pipe_, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
  }
  ~PipeSignalGuard() {
    if (sigismember(&before_, SIGPIPE) == 0) {
      constexpr timespec now{};
      sigtimedwait(&pipe_, nullptr, &now);
    }
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  PipeSignalGuard(const PipeSignalGuard&) = delete;
  PipeSignalGuard& operator=(const PipeSignalGuard&) = delete;

 private:
  sigset_t pipe_{};
  sigset_t before_{};
};

bool is_regular_file(int file_descriptor) {
  struct stat info{};
  return fstat(file_descriptor, &info) == 0 && S_ISREG(info.st_mode);
}

}  // namespace

// Writes to a descriptor, and gives up on a reader that does not read.
class DescriptorSink {
 public:
  explicit DescriptorSink(int file_descriptor)
      : file_descriptor_(file_descriptor), regular_(is_regular_file(file_descriptor)) {}

  void stop_waiting_at(std::chrono::steady_clock::time_point deadline) { deadline_ = deadline; }
  /// Writes the lines, one call after the other. Returns how many lines could not be written. Any
  /// thread.
  std::uint64_t write(std::string_view lines) {
    const std::lock_guard lock(mutex_);
    const PipeSignalGuard guard;
    while (!lines.empty() && write_some(lines)) {
    }
    return static_cast<std::uint64_t>(std::ranges::count(lines, '\n'));
  }

 private:
  // Returns false if the rest must be dropped.
  bool write_some(std::string_view& rest) {
    std::size_t bytes = rest.size();
    if (!regular_) {
      if (!wait_until_writable()) return false;
      bytes = std::min(bytes, kPipeBytes);
    }
    const ssize_t written = ::write(file_descriptor_, rest.data(), bytes);
    if (written < 0) return errno == EINTR || errno == EAGAIN;
    rest.remove_prefix(static_cast<std::size_t>(written));
    return true;
  }
  bool wait_until_writable() {
    constexpr int turn_ms = 50;
    pollfd entry{file_descriptor_, POLLOUT, 0};
    while (poll(&entry, 1, turn_ms) <= 0) {
      if (std::chrono::steady_clock::now() >= deadline_.load()) return false;
    }
    return true;
  }

  std::mutex mutex_;
  int file_descriptor_;
  bool regular_;
  std::atomic<std::chrono::steady_clock::time_point> deadline_{
      std::chrono::steady_clock::time_point::max()};
};

LogWriter::LogWriter() { write_to(STDOUT_FILENO); }

LogWriter::~LogWriter() { stop(); }

void LogWriter::write_to(int file_descriptor) {
  sink_ = std::make_shared<DescriptorSink>(file_descriptor);
}

void LogWriter::start(int file_descriptor, DroppedLine dropped_line) {
  const std::lock_guard lock(mutex_);
  if (running_) return;
  write_to(file_descriptor);
  dropped_line_ = std::move(dropped_line);
  stopping_ = false;
  // Counted here, so that the thread reports what is dropped before it runs.
  thread_ = start_thread("hf-log", [this, told = dropped_.load()] { run(told); });
  running_ = true;
}

void LogWriter::stop() {
  {
    const std::lock_guard lock(mutex_);
    if (!running_ || stopping_) return;
    stopping_ = true;
    sink_->stop_waiting_at(std::chrono::steady_clock::now() + kStopPatience);
  }
  wake_.notify_one();
  thread_.join();
}

void LogWriter::add(std::string_view line, bool urgent) {
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    if (!running_) {
      write_out(line);
      return;
    }
    if (queued_.size() + line.size() > kQueueBytesMax) {
      ++dropped_;
      return;
    }
    const std::size_t before = queued_.size();
    queued_ += line;
    // The thread is woken when there is something new for it to decide, not for every line.
    wake = before == 0 || (urgent && !urgent_) ||
           (before < kPieceBytes && queued_.size() >= kPieceBytes);
    urgent_ = urgent_ || urgent;
  }
  if (wake) wake_.notify_one();
}

void LogWriter::add_last(std::string_view line) {
  std::unique_lock lock(mutex_);
  if (!running_) {
    sink_->stop_waiting_at(std::chrono::steady_clock::now() + kStopPatience);
    write_out(line);
    return;
  }
  queued_ += line;
  stopping_ = true;
  sink_->stop_waiting_at(std::chrono::steady_clock::now() + kStopPatience);
  wake_.notify_one();
  ended_.wait_for(lock, 2 * kStopPatience, [this] { return !running_; });
}

void LogWriter::write_out(std::string_view lines) { dropped_ += sink_->write(lines); }

void LogWriter::run(std::uint64_t told) {
  std::string lines;
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return !queued_.empty() || stopping_; });
    wake_.wait_for(lock, kGatherTime,
                   [this] { return urgent_ || stopping_ || queued_.size() >= kPieceBytes; });
    if (queued_.empty()) break;
    lines.clear();
    lines.swap(queued_);
    urgent_ = false;
    lock.unlock();
    if (const std::uint64_t dropped = dropped_; dropped != told) {
      dropped_line_(lines, dropped - told);
      told = dropped;
    }
    write_out(lines);
    lock.lock();
  }
  // From here on, each thread writes its own lines.
  running_ = false;
  ended_.notify_all();
}

}  // namespace holdfast::log
