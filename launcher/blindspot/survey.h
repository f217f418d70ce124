// From outside: has `jail run` start a jail under the default profile in which every action is performed, reads the log
// that comes of it, and judges. Nothing here reaches into the run: it is the same program, by its own command line.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "blindspot/judge.h"

namespace jail::blindspot {

// What one source of events on this kernel was found to see.
struct Column {
  // Alone: of a run with several sources, what one of them has told.
  enum class Of : std::uint8_t { Run, Alone };

  std::string source;  // "notify", "ebpf", "auto"; alone: "sys_exit", "lsm"
  Of of = Of::Run;
  std::vector<Row> rows;
  std::vector<std::string> blind_spots;  // what the log itself says that it cannot see

  [[nodiscard]] std::size_t count(Result result) const;
  // Nothing is done without a record, and everything was tried.
  [[nodiscard]] bool sees_all() const;
};

struct Survey {
  std::vector<Column> columns;
  std::vector<std::pair<std::string, std::string>> absent;  // sources that cannot be had here, and why
  std::string problem;  // lines; not empty: the jail did not come to be, or did not get to its end
};

enum class Strictness : std::uint8_t { Required, BestEffort };

// `inside`: the words that make `jail` call perform_from().
Survey survey(std::vector<std::string> inside, Strictness strictness);

// What is to be passed on, behind `inside`, to whoever performs.
int perform_from(const std::vector<std::string>& words);

}  // namespace jail::blindspot
