#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "printable.hpp"

namespace holdfast::cli {

/// Columns for people: a line of headings, a line for each row, two spaces between. Control
/// characters of the cells are shown escaped, so that no one's text moves the cursor.
void print_table(std::ostream& out, const std::vector<std::string>& headings,
                 const std::vector<std::vector<std::string>>& rows);

}  // namespace holdfast::cli
