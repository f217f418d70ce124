#include "blindspot/report.h"

#include <sstream>

namespace jail::blindspot {

std::string line_of(const Report& report) {
  std::ostringstream line;
  line << report.action << ' ' << report.outcome.process << ' ' << report.outcome.error << ' '
       << static_cast<int>(report.outcome.step) << '\n';
  return std::move(line).str();
}

std::vector<Report> read_reports(std::string_view text) {
  std::istringstream lines{std::string(text)};
  std::vector<Report> reports;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream fields(line);
    Report report;
    int step = 0;
    if (!(fields >> report.action >> report.outcome.process >> report.outcome.error >> step)) continue;
    report.outcome.step = step == 0 ? Outcome::Step::Tried : Outcome::Step::Missing;
    reports.push_back(report);
  }
  return reports;
}

}  // namespace jail::blindspot
