// The words that docs/design.md's glossary rules out; the files that the documents name; the events
// of the log, which docs/log.md explains.

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace {

namespace fs = std::filesystem;

const fs::path kRoot = HOLDFAST_SOURCE_DIR;

std::string read(const fs::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// README.md and its neighbours, those of the folders, and what lies below docs/.
std::vector<fs::path> documents() {
  std::vector<fs::path> out;
  for (const auto& entry : fs::directory_iterator(kRoot)) {
    if (entry.path().extension() == ".md") out.push_back(entry.path());
  }
  for (const char* folder : {"docs", "src", "tests", ".github"}) {
    for (const auto& entry : fs::recursive_directory_iterator(kRoot / folder)) {
      if (entry.path().extension() == ".md") out.push_back(entry.path());
    }
  }
  return out;
}

/// A document without its code, its tables that programs make, and the glossary's own table of what
/// is not used. Lines keep their numbers.
std::string prose(const std::string& text) {
  std::istringstream lines(text);
  std::string out;
  std::string until;
  for (std::string line; std::getline(lines, line); out += '\n') {
    if (!until.empty()) {
      if (line.starts_with(until)) until.clear();
    } else if (line.find_first_not_of(' ') == line.find("```") && line.contains("```")) {
      until = line.substr(0, line.find("```") + 3);
    } else if (line.starts_with("<!-- configuration") || line.starts_with("<!-- metrics")) {
      until = "<!-- /";
    } else if (line == "Not used, and what stands instead:") {
      until = "A test ";
    } else {
      static const std::regex code("`[^`]*`");
      out += std::regex_replace(line, code, "");
    }
  }
  return out;
}

std::vector<std::string> forbidden_words(const std::string& text) {
  static const std::regex forbidden(
      R"(\b(held|bury|buries|buried|burial|graves?|goodbyes?|beats|expels?|expelled|foreign|)"
      R"(elsewhere|bounds|likewise)\b)",
      std::regex::icase);
  std::istringstream lines(prose(text));
  std::vector<std::string> out;
  int number = 1;
  for (std::string line; std::getline(lines, line); ++number) {
    for (std::sregex_iterator it(line.begin(), line.end(), forbidden), end; it != end; ++it) {
      out.push_back(std::to_string(number) + ": " + it->str());
    }
  }
  return out;
}

TEST(WordsTest, WantsTheGlossarysWordsInDocuments) {
  std::size_t pages = 0;
  for (const fs::path& path : documents()) {
    // What has changed is told in the words of its day.
    if (path.filename() == "CHANGELOG.md") continue;
    ++pages;
    for (const std::string& fault : forbidden_words(read(path))) {
      ADD_FAILURE() << fs::relative(path, kRoot).string() << ":" << fault
                    << " (docs/design.md, Glossary, has the word to use)";
    }
  }
  EXPECT_GT(pages, 30U) << "the documents were not found";
}

TEST(WordsTest, DetectsWordsInProseAlone) {
  EXPECT_EQ(forbidden_words("one\nis Held here, within its bounds\n"),
            (std::vector<std::string>{"2: Held", "2: bounds"}));
  EXPECT_EQ(forbidden_words("is withheld, and bounded\n`held`\n```sh\nheld\n```\n"),
            std::vector<std::string>());
}

/// The words of an identifier: `kHeldBy`, `held_by_` and `HeldBy` are held and by.
std::set<std::string> words_of(const std::string& identifier) {
  static const std::regex word("[A-Z]?[a-z]+|[A-Z]+(?![a-z])");
  std::set<std::string> out;
  for (std::sregex_iterator it(identifier.begin(), identifier.end(), word), end; it != end; ++it) {
    std::string lower = it->str();
    std::ranges::transform(lower, lower.begin(),
                           [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    out.insert(std::move(lower));
  }
  return out;
}

/// A source without its comments and texts, from the first character on.
std::string code_of(const std::string& text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const auto skip_to = [&](std::string_view end, std::size_t from) {
      const auto found = text.find(end, from);
      at = found == text.npos ? text.size() : found + end.size();
      out += ' ';
    };
    if (text.compare(at, 2, "//") == 0) {
      skip_to("\n", at);
    } else if (text.compare(at, 2, "/*") == 0) {
      skip_to("*/", at + 2);
    } else if (text.compare(at, 2, "R\"") == 0) {
      const std::size_t open = text.find('(', at);
      skip_to(")" + text.substr(at + 2, open - at - 2) + "\"", open);
    } else if (text[at] == '"') {
      for (++at; at < text.size() && text[at] != '"'; ++at) {
        if (text[at] == '\\') ++at;
      }
      ++at;
      out += ' ';
    } else {
      out += text[at++];
    }
  }
  return out;
}

// The modules whose names still have such a word. Who frees one of it takes it out here.
const std::map<std::string, std::set<std::string>>& remaining() {
  static const std::map<std::string, std::set<std::string>> table = {
      {"held", {"delivery"}},
      {"bury", {}},
      {"burial", {}},
      {"burials", {}},
      {"buried", {"control", "delivery"}},
      {"grave", {}},
      {"graves", {}},
      {"goodbye", {}},
      {"beat", {}},
      {"expel", {}},
      {"nobody", {}},
      {"foreign", {"control", "delivery"}},
      {"elsewhere", {}},
      {"likewise", {}},
  };
  return table;
}

std::vector<std::string> forbidden_names(const std::string& module, const std::string& text) {
  static const std::regex identifier("[A-Za-z_][A-Za-z_0-9]*");
  const std::string code = code_of(text);
  std::vector<std::string> out;
  for (std::sregex_iterator it(code.begin(), code.end(), identifier), end; it != end; ++it) {
    for (const std::string& word : words_of(it->str())) {
      const auto row = remaining().find(word);
      if (row != remaining().end() && !row->second.contains(module)) out.push_back(it->str());
    }
  }
  return out;
}

TEST(WordsTest, WantsTheGlossarysWordsInNames) {
  std::size_t files = 0;
  for (const fs::path& folder : {kRoot / "include" / "holdfast", kRoot / "src"}) {
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
      const fs::path& path = entry.path();
      if (path.extension() != ".cpp" && path.extension() != ".hpp") continue;
      ++files;
      for (const std::string& name :
           forbidden_names(fs::relative(path, folder).begin()->string(), read(path))) {
        ADD_FAILURE() << fs::relative(path, kRoot).string() << ": " << name
                      << " (docs/design.md, Glossary, has the word to use)";
      }
    }
  }
  EXPECT_GT(files, 40U) << "the tree was not found";
}

TEST(WordsTest, DetectsWordsInNamesAlone) {
  using Names = std::vector<std::string>;
  EXPECT_EQ(forbidden_names("api", "int kHeldBy = is_held_up();"),
            (Names{"kHeldBy", "is_held_up"}));
  EXPECT_EQ(forbidden_names("api", "x = \"held\";  // held\n/* held */ withheld(R\"(held)\");"),
            Names());
  EXPECT_EQ(forbidden_names("net", "say_goodbye();"), Names{"say_goodbye"});
  EXPECT_EQ(forbidden_names("delivery", "is_held();"), Names());
}

/// Paths of the tree in code: `src/api/paths.cpp`. Those with a placeholder (NAME, NNNN, `*`)
/// aside.
std::vector<std::string> named_paths(const std::string& text) {
  static const std::regex path(
      "`((?:src|include|tests|docs|docker|config|migrations|packaging|bench|cmake)/[^` ]*)`");
  static const std::regex placeholder(R"([A-Z]{2,}|[*<])");
  std::vector<std::string> out;
  for (std::sregex_iterator it(text.begin(), text.end(), path), end; it != end; ++it) {
    const std::string found = (*it)[1];
    if (!std::regex_search(found, placeholder)) out.push_back(found);
  }
  return out;
}

TEST(DocumentsTest, NamesOnlyFilesThatExist) {
  std::size_t count = 0;
  for (const fs::path& path : documents()) {
    if (path.filename() == "CHANGELOG.md") continue;
    for (const std::string& named : named_paths(read(path))) {
      ++count;
      EXPECT_TRUE(fs::exists(kRoot / named))
          << fs::relative(path, kRoot).string() << " names " << named;
    }
  }
  EXPECT_GT(count, 60U);
  EXPECT_EQ(named_paths("`src/a.cpp`, `src/api/NAME.cpp`, `migrations/*.sql`, `x/y`"),
            std::vector<std::string>{"src/a.cpp"});
}

TEST(DocumentsTest, CoversEveryModuleInWhereToChangeWhat) {
  const std::string page = read(kRoot / "docs" / "design.md");
  const auto begin = page.find("\n## Where to change what\n");
  ASSERT_NE(begin, page.npos);
  const std::string section = page.substr(begin, page.find("\n## ", begin + 4) - begin);
  EXPECT_GT(named_paths(section).size(), 40U);
  for (const char* module :
       {"delivery", "identity", "storage", "sqlite", "net", "api", "control", "app"}) {
    EXPECT_NE(section.find("src/" + std::string(module) + "/"), section.npos) << module;
  }
}

std::set<std::string> found_in(const std::string& text, const std::regex& wanted) {
  std::set<std::string> out;
  for (std::sregex_iterator it(text.begin(), text.end(), wanted), end; it != end; ++it) {
    out.insert((*it)[1]);
  }
  return out;
}

/// The events that a source names where it logs: what is quoted ahead of a line's first field.
std::set<std::string> events_in(const std::string& text) {
  static const std::regex call(R"(log::(?:debug|info|warn|error|write|write_last)\(([^;{]*))");
  static const std::regex name("\"([a-z]+(?:_[a-z]+)*)\"");
  std::set<std::string> out;
  for (std::sregex_iterator it(text.begin(), text.end(), call), end; it != end; ++it) {
    out.merge(found_in((*it)[1], name));
  }
  return out;
}

TEST(DocumentsTest, ExplainsExactlyTheEventsOfTheLog) {
  std::set<std::string> logged;
  std::string sources;
  for (const char* folder : {"src", "include"}) {
    for (const auto& entry : fs::recursive_directory_iterator(kRoot / folder)) {
      if (entry.path().extension() != ".cpp" && entry.path().extension() != ".hpp") continue;
      const std::string text = read(entry.path());
      if (entry.path().extension() == ".cpp") logged.merge(events_in(text));
      sources += text;
    }
  }
  EXPECT_GT(logged.size(), 60U);
  std::istringstream page(read(kRoot / "docs" / "log.md"));
  static const std::regex name("`([a-z_]+)`");
  std::set<std::string> explained;
  for (std::string line; std::getline(page, line);) {
    if (line.starts_with("| `")) explained.merge(found_in(line.substr(0, line.find(" | ")), name));
  }
  for (const std::string& event : logged) {
    EXPECT_TRUE(explained.contains(event)) << "docs/log.md does not explain " << event;
  }
  for (const std::string& event : explained) {
    EXPECT_TRUE(sources.contains('"' + event + '"')) << "docs/log.md explains " << event;
  }
  EXPECT_EQ(events_in("log::warn(low ? \"disk_low\" : \"disk_has_room\", {{\"free\", 1}});"),
            (std::set<std::string>{"disk_low", "disk_has_room"}));
}

/// Lists the fields that a source gives its log lines: the quoted first halves of pairs in a call.
std::set<std::string> fields_in(const std::string& text) {
  static const std::regex call(R"(log::(?:debug|info|warn|error|write|write_last)\(([^;]*);)");
  static const std::regex name(R"re((?:\{|Field\()\s*"([A-Za-z_]+)"\s*,)re");
  std::set<std::string> out;
  for (std::sregex_iterator it(text.begin(), text.end(), call), end; it != end; ++it) {
    out.merge(found_in((*it)[1], name));
  }
  out.merge(found_in(text, std::regex(R"re(log::Field\("([A-Za-z_]+)")re")));
  return out;
}

TEST(DocumentsTest, WantsSnakeCaseLogFieldsWithOneNameEach) {
  static const std::regex snake_case("[a-z]+(_[a-z]+)*");
  // docs/log.md names the fields to use instead.
  const std::set<std::string> replaced = {"error", "remote", "user", "connection", "message"};
  std::set<std::string> fields;
  for (const auto& entry : fs::recursive_directory_iterator(kRoot / "src")) {
    if (entry.path().extension() == ".cpp") fields.merge(fields_in(read(entry.path())));
  }
  EXPECT_GT(fields.size(), 50U) << "the fields were not found";
  for (const std::string& field : fields) {
    EXPECT_TRUE(std::regex_match(field, snake_case)) << field;
    EXPECT_FALSE(replaced.contains(field)) << field;
  }
  EXPECT_EQ(fields_in("log::warn(\"paused\", {{\"userId\", 1}, {\"error\", what}});"),
            (std::set<std::string>{"userId", "error"}));
}

}  // namespace
