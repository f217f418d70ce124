// What a jailed process says of the actions it has performed: one line each, because whoever performs may end at any.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "blindspot/action.h"

namespace jail::blindspot {

struct Report {
  std::size_t action = 0;  // in the order of groups()
  Outcome outcome;
  bool operator==(const Report&) const = default;
};

std::string line_of(const Report& report);
// What is no line of a report is left out.
std::vector<Report> read_reports(std::string_view text);

}  // namespace jail::blindspot
