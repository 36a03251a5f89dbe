#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "scenarios.hpp"

namespace bench {

void print_head();
void print(const Figures& figures);
/// Processor and cores: figures of two machines are not compared.
[[nodiscard]] std::string machine();
/// Of each scenario and server one row: the medians of its rounds, in the order of their coming.
[[nodiscard]] std::vector<Figures> medians(const std::vector<Figures>& all);
void write(const std::filesystem::path& file, const std::vector<Figures>& all);
/// Says which figures moved by more than a tenth since `file` was written; latencies apart, since
/// they move more than that by themselves.
void compare(const std::filesystem::path& file, const std::vector<Figures>& all);

}  // namespace bench
