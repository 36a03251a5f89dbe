#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

namespace holdfast {

/// Who sends messages: the scope of deduplication, and the account of what this access key has in
/// flight. One object per access key, shared by all shards. Any thread.
struct Caller {
  explicit Caller(std::string caller_id) : id(std::move(caller_id)) {}

  std::string id;
  mutable std::atomic<std::uint32_t> in_flight{0};
};
using CallerPtr = std::shared_ptr<const Caller>;

}  // namespace holdfast
