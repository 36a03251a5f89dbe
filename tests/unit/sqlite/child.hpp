#pragma once

#include <functional>
#include <string>

#include <sys/types.h>

namespace holdfast::test {

/// A forked copy of the test that runs `work` and exits with its result; `work` writes what the
/// test wants to know to the file descriptor. Forked while no other thread runs.
class Child {
 public:
  using Work = std::function<int(int output)>;
  explicit Child(const Work& work);
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  /// Until it has written something, or ended.
  void wait_for_output();
  void kill();
  /// The output of a child until its end, and its exit code, or minus the signal.
  struct End {
    int code = 0;
    std::string output;
  };
  [[nodiscard]] End wait();

 private:
  pid_t pid_ = -1;
  int output_ = -1;
};

}  // namespace holdfast::test
