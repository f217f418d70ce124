#include "cli/table.h"

#include <algorithm>

namespace jail::cli {

std::vector<std::string> lines_of(const std::vector<Column>& columns, const std::vector<Row>& rows) {
  std::vector<std::size_t> widths;
  std::vector<Row> all(1);
  for (const Column& column : columns) {
    widths.push_back(column.title.size());
    all.front().push_back(column.title);
  }
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
    all.push_back(row);
  }
  std::vector<std::string> lines;
  for (const auto& row : all) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string space(widths[i] - row[i].size(), ' ');
      const bool is_last = i + 1 == row.size();
      line += columns[i].side == Side::Right ? space + row[i] : row[i] + (is_last ? "" : space);
      if (!is_last) line += "  ";
    }
    lines.push_back(std::move(line));
  }
  return lines;
}

}  // namespace jail::cli
