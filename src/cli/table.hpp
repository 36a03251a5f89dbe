#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "printable.hpp"

namespace holdfast::cli {

/// Prints a line of headings and a line for each row, with two spaces between the columns. Escapes
/// control characters in the cells.
void print_table(std::ostream& out, const std::vector<std::string>& headings,
                 const std::vector<std::vector<std::string>>& rows);

}  // namespace holdfast::cli
