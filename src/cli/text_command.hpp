#pragma once

#include <string>
#include <utility>

#include <CLI/CLI.hpp>

namespace holdfast::cli {

/// A command that ends in TEXT…, taken word by word as it was typed. The library's own lists take
/// `["a","b"]` apart, which is good JSON to send.
class TextCommand final : public CLI::App {
 public:
  TextCommand(std::string description, const std::string& name)
      : CLI::App(std::move(description), name) {
    allow_extras();
    footer("\nTEXT may be several words. One that begins with a dash goes behind `--`.");
  }

  /// Behind the command's other positionals.
  void add_text() {
    add_option("TEXT", first_word_, "the message; words are joined by spaces")->required();
  }
  /// Once the line is read.
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
