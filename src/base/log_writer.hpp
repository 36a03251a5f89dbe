#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

namespace holdfast::log {

class DescriptorSink;

/// The queue between those who log and the log's thread. To wake the thread for each line would
/// cost a busy gateway more than the lines do, so they gather into pieces.
class LogWriter {
 public:
  /// Appends the line that reports dropped lines.
  using DroppedLine = std::function<void(std::string& out, std::uint64_t lines)>;

  LogWriter();
  ~LogWriter();

  void start(int file_descriptor, DroppedLine dropped_line);
  void stop();
  /// Queues a line (with its line break), or writes it when the thread does not run. Any thread.
  void add(std::string_view line, bool urgent);
  /// Writes the queued lines, then `line`, and ends the thread. Gives up if nobody reads. Any
  /// thread but the writer's own.
  void add_last(std::string_view line);
  [[nodiscard]] std::uint64_t dropped() const noexcept { return dropped_; }

 private:
  /// `told`: how many dropped lines have been reported.
  void run(std::uint64_t told);
  void write_to(int file_descriptor);
  void write_out(std::string_view lines);

  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable ended_;
  std::string queued_;
  bool urgent_ = false;
  bool running_ = false;
  bool stopping_ = false;

  std::atomic<std::uint64_t> dropped_{0};
  std::shared_ptr<DescriptorSink> sink_;
  DroppedLine dropped_line_;
  std::thread thread_;
};

}  // namespace holdfast::log
