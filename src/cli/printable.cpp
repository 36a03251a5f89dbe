// Escapes control characters before text reaches a terminal.

#include "printable.hpp"

#include <streambuf>

#include <holdfast/base/encoding.hpp>

namespace holdfast::cli {
namespace {

// Returns a UTF-8 character's length by its first byte, 0 if no character begins so.
std::size_t length_by(unsigned char first) {
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return 2;
  if (first >= 0xE0 && first <= 0xEF) return 3;
  if (first >= 0xF0 && first <= 0xF4) return 4;
  return 0;
}

bool is_control(std::string_view character) {
  const auto first = static_cast<unsigned char>(character.front());
  if (character.size() == 1) return first < 0x20 || first == 0x7F;
  // U+0080 to U+009F, which some terminals take for escape sequences.
  return first == 0xC2 && static_cast<unsigned char>(character[1]) < 0xA0;
}

void append_escaped(std::string& out, std::string_view bytes) {
  for (const char& c : bytes) out += "\\x" + hex_encode({&c, 1});
}

// Takes whole characters off `text` and leaves the beginning of an incomplete one.
std::string take_printable(std::string_view& text, std::string_view kept) {
  std::string out;
  while (!text.empty()) {
    const std::size_t length = length_by(static_cast<unsigned char>(text.front()));
    const std::string_view character = text.substr(0, length);
    if (length > text.size()) {
      // Stops only if more bytes can complete the character.
      std::string guess(text);
      while (guess.size() < length) guess += '\xA0';
      if (is_utf8(guess)) break;
    }
    if (length == 0 || length > text.size() || !is_utf8(character)) {
      append_escaped(out, text.substr(0, 1));
      text.remove_prefix(1);
      continue;
    }
    if (is_control(character) && (length > 1 || !kept.contains(character.front()))) {
      append_escaped(out, character);
    } else {
      out += character;
    }
    text.remove_prefix(length);
  }
  return out;
}

}  // namespace

std::string printable(std::string_view text) {
  std::string out = take_printable(text, "");
  append_escaped(out, text);
  return out;
}

class TerminalStream::Filter final : public std::streambuf {
 public:
  explicit Filter(std::ostream& below) : below_(below) {}
  Filter(const Filter&) = delete;
  Filter& operator=(const Filter&) = delete;
  ~Filter() override { flush_rest(); }

  void write_style(std::string_view sequence) { below_ << sequence; }

 protected:
  int_type overflow(int_type value) override {
    if (traits_type::eq_int_type(value, traits_type::eof())) return traits_type::not_eof(value);
    const char c = traits_type::to_char_type(value);
    return xsputn(&c, 1) == 1 ? value : traits_type::eof();
  }
  std::streamsize xsputn(const char* text, std::streamsize size) override {
    rest_.append(text, static_cast<std::size_t>(size));
    std::string_view left = rest_;
    below_ << take_printable(left, "\n\t");
    rest_.erase(0, rest_.size() - left.size());
    return below_ ? size : 0;
  }
  int sync() override {
    below_.flush();
    return below_ ? 0 : -1;
  }

 private:
  void flush_rest() {
    std::string out;
    append_escaped(out, rest_);
    below_ << out;
  }

  std::ostream& below_;
  std::string rest_;  ///< the bytes of an incomplete character
};

TerminalStream::TerminalStream(std::ostream& below)
    : std::ostream(nullptr), filter_(std::make_unique<Filter>(below)) {
  rdbuf(filter_.get());
}

TerminalStream::~TerminalStream() = default;

void write_style(std::ostream& out, std::string_view sequence) {
  if (auto* const terminal = dynamic_cast<TerminalStream*>(&out); terminal != nullptr) {
    terminal->filter_->write_style(sequence);
  } else {
    out << sequence;
  }
}

}  // namespace holdfast::cli
