// The one exception type of the project, and the one place that throws it.
#pragma once

#include <cerrno>
#include <string>
#include <string_view>
#include <system_error>

namespace jail {

// The kernel refused an operation: which one, on what, and why. what() reads "operation 'subject': reason".
class SysError : public std::system_error {
 public:
  SysError(int error, std::string_view operation, std::string_view subject = {})
      : std::system_error(error, std::generic_category(), describe(operation, subject)) {}

  [[nodiscard]] int error() const noexcept { return code().value(); }

 private:
  static std::string describe(std::string_view operation, std::string_view subject) {
    std::string text(operation);
    if (!subject.empty()) text.append(" '").append(subject).append("'");
    return text;
  }
};

// Passes a syscall's result through, or throws what errno says.
template <typename Result>
Result check(Result result, std::string_view operation, std::string_view subject = {}) {
  if (result < 0) throw SysError(errno, operation, subject);
  return result;
}

// "EACCES" for EACCES; "E999" for a number without a name. Source: strerrorname_np(3), glibc 2.32.
std::string errno_name(int error);
// The reverse; 0 for what is no name of one.
int errno_of(std::string_view name);

}  // namespace jail
