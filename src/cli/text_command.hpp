#pragma once

#include <string>
#include <utility>

#include <CLI/CLI.hpp>

namespace holdfast::cli {

/// A command that ends in TEXT…, taken word by word as typed. The library's own lists would split
/// `["a","b"]`, which is JSON that people send.
class TextCommand final : public CLI::App {
 public:
  TextCommand(std::string description, const std::string& name)
      : CLI::App(std::move(description), name) {
    allow_extras();
    footer("TEXT may be several words. Put `--` before a word that begins with a dash.");
  }

  /// Adds the TEXT argument. Call it after adding the other positionals.
  void add_text() {
    add_option("TEXT", first_word_, "the message; words are joined by spaces")->required();
  }
  /// Returns the text. Valid once the command line is parsed.
  [[nodiscard]] std::string text() const { return first_word_ + more_words_; }

 private:
  void pre_callback() override {
    more_words_.clear();
    for (const auto& [kind, word] : missing_) {
      if (kind == CLI::detail::Classifier::POSITIONAL_MARK) continue;
      if (kind != CLI::detail::Classifier::NONE) throw CLI::ExtrasError({word});
      more_words_ += " " + word;
    }
  }

  std::string first_word_;
  std::string more_words_;
};

}  // namespace holdfast::cli
