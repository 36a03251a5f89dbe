#pragma once

#include <cstdint>

namespace holdfast {

/// Says whether something that was written to a connection was taken.
struct WriteResult {
  enum class State : std::uint8_t {
    ok,            ///< taken; it goes out with the next flush
    backpressure,  ///< not taken: too much waits for the peer
    closed,        ///< not taken: nothing more goes out
  };
  /// The offset of its end in the stream of all bytes written, framing included. Of what was not
  /// taken, where that stream ends.
  std::uint64_t end = 0;
  State state = State::ok;
};

}  // namespace holdfast
