// Whether the log tells what was done. Pure. A record is believed only if it is of the kind that the action leads to,
// of the process that acted, and about the very path or address (Evidence in action.h).
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "blindspot/action.h"
#include "blindspot/report.h"
#include "event/event.h"

namespace jail::blindspot {

enum class Result : std::uint8_t {
  Logged,        // it is in the log
  DeniedLogged,  // refused, and the log says so
  Denied,        // refused, and the log is silent
  Invisible,     // done, and the log is silent or says that it was denied
  Unsupported,   // this kernel has no such thing
  Untried,       // nobody said what became of it
};
inline constexpr std::size_t kResults = 6;
std::string_view name_of(Result result);

struct Row {
  const Action* action = nullptr;
  Result result = Result::Untried;
  int error = 0;              // errno that the action got
  std::uint64_t record = 0;   // seq of the evidence; 0: none
};

enum class Kernel : std::uint8_t { HasIt, LacksIt };

Row judge(const Action& action, Kernel kernel, const std::optional<Outcome>& outcome,
          std::span<const event::Record> log, const Scene& scene);

// What a record is about, as Evidence has it.
std::string subject_of(const event::Body& body);

}  // namespace jail::blindspot
