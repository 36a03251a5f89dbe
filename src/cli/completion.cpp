// Makes the shells' completion scripts from the tree of commands.
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "command.hpp"

namespace holdfast::cli {
namespace {

struct CompletedOption {
  std::vector<std::string> names;  ///< with their dashes
  std::string about;
  bool takes_value = false;
};

/// One command, by the words that lead to it: `/user/create`.
struct CompletedCommand {
  std::string path;
  std::vector<std::pair<std::string, std::string>> commands;  ///< name, about
  std::vector<CompletedOption> options;
};
using CompletedTree = std::vector<CompletedCommand>;

void add_options(const CLI::App& app, CompletedCommand& into) {
  for (const CLI::Option* const option : app.get_options()) {
    if (!option->nonpositional()) continue;
    CompletedOption& out = into.options.emplace_back();
    for (const std::string& name : option->get_lnames()) out.names.push_back("--" + name);
    for (const std::string& name : option->get_snames()) out.names.push_back("-" + name);
    out.about = option->get_description();
    out.takes_value = option->get_items_expected_max() > 0;
  }
}

void walk(const CLI::App& app, const std::string& path, CompletedTree& into) {
  CompletedCommand command{.path = path, .commands = {}, .options = {}};
  add_options(app, command);
  const auto children = app.get_subcommands([](const CLI::App*) { return true; });
  for (const CLI::App* const child : children) {
    // A child without a name is a group of options.
    if (child->get_name().empty()) {
      add_options(*child, command);
    } else {
      command.commands.emplace_back(child->get_name(), child->get_description());
    }
  }
  into.push_back(std::move(command));
  for (const CLI::App* const child : children) {
    if (!child->get_name().empty()) walk(*child, path + "/" + child->get_name(), into);
  }
}

// Returns the text in single quotes. `quote` is how the shell writes a quote inside them.
std::string single_quoted(const std::string& text, const char* quote) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'') {
      out += quote;
    } else if (c == '\n') {
      out += ' ';
    } else {
      out += c;
    }
  }
  return out + "'";
}

std::string shell_quoted(const std::string& text) { return single_quoted(text, R"('\'')"); }
std::string fish_quoted(const std::string& text) {
  std::string escaped;
  for (const char c : text) escaped += c == '\\' ? std::string("\\\\") : std::string(1, c);
  return single_quoted(escaped, R"(\')");
}

// Returns `pattern|pattern) action ;;`, or nothing without a pattern.
std::string case_line(const std::vector<std::string>& patterns, const std::string& action) {
  if (patterns.empty()) return {};
  std::string out = "      ";
  for (std::size_t i = 0; i < patterns.size(); ++i)
    out += (i == 0 ? "" : "|") + shell_quoted(patterns[i]);
  return out + ") " + action + " ;;\n";
}

// Returns the part that bash and zsh share: it finds the command that precedes the cursor.
std::string walk_words(const CompletedTree& tree) {
  std::vector<std::string> steps;
  std::vector<std::string> valued;
  for (const CompletedCommand& command : tree) {
    for (const auto& [name, about] : command.commands) {
      steps.push_back(command.path + "/" + name);
    }
    for (const CompletedOption& option : command.options) {
      if (!option.takes_value) continue;
      for (const std::string& name : option.names) valued.push_back(command.path + "/" + name);
    }
  }
  return "    if [[ -n $value ]]; then value=''; continue; fi\n"
         "    case \"$at/$word\" in\n" +
         case_line(steps, "at=\"$at/$word\"") + case_line(valued, "value=1") + "    esac\n";
}

std::string bash_script(const CompletedTree& tree) {
  std::string out =
      "# bash completion for holdfast: source <(holdfast completion bash)\n"
      "_holdfast() {\n"
      "  local at='' value='' word words='' i\n"
      "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
      "    word=${COMP_WORDS[i]}\n" +
      walk_words(tree) +
      "  done\n"
      "  COMPREPLY=()\n"
      "  # A value: bash offers files.\n"
      "  if [[ -n $value ]]; then return; fi\n"
      "  case \"$at\" in\n";
  for (const CompletedCommand& command : tree) {
    std::string words;
    for (const auto& [name, about] : command.commands) words += name + " ";
    for (const CompletedOption& option : command.options) {
      for (const std::string& name : option.names) words += name + " ";
    }
    out += case_line({command.path}, "words=" + shell_quoted(words));
  }
  return out +
         "  esac\n"
         "  mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"${COMP_WORDS[COMP_CWORD]}\")\n"
         "}\n"
         "complete -o default -F _holdfast holdfast\n";
}

// Returns `name:about`, the form that zsh's _describe takes.
std::string described(const std::string& name, const std::string& about) {
  std::string escaped;
  for (const char c : name) escaped += c == ':' ? std::string("\\:") : std::string(1, c);
  return shell_quoted(escaped + ":" + about) + " ";
}

std::string zsh_script(const CompletedTree& tree) {
  std::string out =
      "#compdef holdfast\n"
      "# zsh completion for holdfast: source <(holdfast completion zsh)\n"
      "_holdfast() {\n"
      "  local at='' value='' word i\n"
      "  local -a offered\n"
      "  for ((i = 2; i < CURRENT; i++)); do\n"
      "    word=${words[i]}\n" +
      walk_words(tree) +
      "  done\n"
      "  if [[ -n $value ]]; then _files; return; fi\n"
      "  case \"$at\" in\n";
  for (const CompletedCommand& command : tree) {
    std::string offered;
    for (const auto& [name, about] : command.commands) offered += described(name, about);
    for (const CompletedOption& option : command.options) {
      for (const std::string& name : option.names) offered += described(name, option.about);
    }
    out += case_line({command.path}, "offered=(" + offered + ")");
  }
  return out +
         "  esac\n"
         "  _describe 'holdfast' offered\n"
         "}\n"
         "compdef _holdfast holdfast\n";
}

std::string fish_option(const CompletedOption& option) {
  std::string out;
  for (const std::string& name : option.names) {
    out += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
  }
  if (option.takes_value) out += " -r";
  return out + " -d " + fish_quoted(option.about);
}

std::string fish_script(const CompletedTree& tree) {
  std::string steps;
  std::string valued;
  std::string lines;
  for (const CompletedCommand& command : tree) {
    const std::string begin =
        "complete -c holdfast -n " + fish_quoted("__holdfast_at '" + command.path + "'");
    for (const auto& [name, about] : command.commands) {
      steps += " " + fish_quoted(command.path + "/" + name);
      lines += begin + " -f -a " + fish_quoted(name) + " -d " + fish_quoted(about) + "\n";
    }
    for (const CompletedOption& option : command.options) {
      lines += begin + fish_option(option) + "\n";
      for (const std::string& name : option.names) {
        if (option.takes_value) valued += " " + fish_quoted(command.path + "/" + name);
      }
    }
  }
  return "# fish completion for holdfast: holdfast completion fish | source\n"
         "function __holdfast_at\n"
         "  set -l at ''\n"
         "  set -l value ''\n"
         "  set -l typed (commandline -opc)\n"
         "  for word in $typed[2..-1]\n"
         "    if test -n \"$value\"\n"
         "      set value ''\n"
         "      continue\n"
         "    end\n"
         "    if contains -- \"$at/$word\"" +
         steps +
         "\n"
         "      set at \"$at/$word\"\n"
         "    else if contains -- \"$at/$word\"" +
         valued +
         "\n"
         "      set value 1\n"
         "    end\n"
         "  end\n"
         "  test \"$at\" = \"$argv[1]\"\n"
         "end\n" +
         lines;
}

}  // namespace

void add_completion(CLI::App& app, Selection& selection) {
  auto* command = app.add_subcommand("completion", "Print a completion script for your shell");
  auto shell = std::make_shared<std::string>();
  command->add_option("SHELL", *shell, "bash, zsh or fish")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
  command->callback([shell, &app, &selection] {
    selection.run = [shell, &app](const Context& context) {
      CompletedTree tree;
      walk(app, "", tree);
      context.out << (*shell == "bash"  ? bash_script(tree)
                      : *shell == "zsh" ? zsh_script(tree)
                                        : fish_script(tree));
      return kSuccess;
    };
  });
}

}  // namespace holdfast::cli
