#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace holdfast::net {

/// Removes the chunk framing from a body, strictly (RFC 9112 section 7.1). Lines end in CR LF.
/// Extensions and trailers are checked, limited and dropped.
class ChunkedReader {
 public:
  enum class State { more, done, bad, too_large };

  explicit ChunkedReader(std::size_t body_bytes_max) : body_bytes_max_(body_bytes_max) {}

  /// Takes bytes from the front of `bytes` and appends the body's to `body`.
  State read(std::string_view& bytes, std::string& body);

 private:
  enum class Part {
    size,
    after_size,
    name_start,
    name,
    after_name,
    value_start,
    value,
    quoted,
    quoted_pair,
    quoted_end,
    after_value,
    size_lf,
    data,
    data_cr,
    data_lf,
    trailer,
    trailer_lf
  };

  State take(char c);
  State take_size(char c);
  State take_extension(char c);
  /// Takes the character behind an extension that could end here. `otherwise` is the part that goes
  /// on if it does not.
  State end_extension(char c, Part otherwise);
  State end_size_line();
  State take_trailer(char c);
  State end_trailer();

  std::size_t body_bytes_max_;
  std::uint64_t body_bytes_ = 0;
  std::uint64_t remaining_ = 0;  ///< of the chunk's data
  std::size_t overhead_bytes_ = 0;
  std::size_t size_digits_ = 0;
  std::string trailer_;  ///< the line that is being read
  std::size_t trailers_ = 0;
  Part part_ = Part::size;
};

}  // namespace holdfast::net
