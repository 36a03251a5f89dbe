#pragma once

#include <memory>
#include <string_view>

#include <holdfast/base/crypto.hpp>

namespace holdfast {

/// Computes SHA-256 of data in pieces, such as a file. Not thread-safe.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;

  void add(std::string_view bytes);
  /// Once, at the end.
  [[nodiscard]] Digest finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace holdfast
