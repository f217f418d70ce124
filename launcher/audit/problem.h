// Why something about the log cannot be had: for whoever typed the command, not for the program to tell cases apart.
#pragma once

#include <string>
#include <variant>

namespace jail::audit {

struct Problem {
  std::string message;  // lower case, no full stop: "operation 'subject': reason"
  std::string hint;     // empty, or one thing the user can do
};

template <typename Wanted>
using Or = std::variant<Wanted, Problem>;

}  // namespace jail::audit
