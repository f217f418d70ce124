// Text in columns, for people: each as wide as its widest cell, the last as wide as it is.
#pragma once

#include <string>
#include <vector>

namespace jail::cli {

enum class Side { Left, Right };

struct Column {
  std::string title;
  Side side = Side::Left;
};

using Row = std::vector<std::string>;

// One line each, without a line break at its end; cells are printed as they are.
std::vector<std::string> lines_of(const std::vector<Column>& columns, const std::vector<Row>& rows);

}  // namespace jail::cli
