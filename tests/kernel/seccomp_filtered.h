// A child under a filter of ours: what a check of the filter needs around it.
#pragma once

#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <functional>
#include <string>

#include "base/error.h"
#include "confine/seccomp.h"
#include "in_child.h"

namespace jail::test {

enum class Who { AsTester, AsIs };

inline confine::seccomp::Options with_unix(confine::seccomp::UnixSockets sockets) { return {.unix_sockets = sockets}; }

// 0, or the errno the filter could not be installed for.
inline int install(const confine::seccomp::Plan& plan) {
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return errno;
  return -confine::seccomp::enforce(confine::seccomp::compile(plan));
}

// What the body complains of, run under the plan's filter; nothing when it is content.
inline std::string under_filter(const confine::seccomp::Plan& plan, const std::function<std::string()>& body,
                                Who who = Who::AsTester) {
  return complaint_of_child([&]() -> std::string {
    if (who == Who::AsTester && !become_ordinary()) return "cannot become an ordinary user";
    if (const int error = install(plan); error != 0) return "seccomp: " + errno_name(error);
    return body();
  });
}

inline std::string under_filter(const std::function<std::string()>& body, Who who = Who::AsTester) {
  return under_filter(confine::seccomp::plan({}), body, who);
}

// The same body without the filter: the positive control.
inline std::string unfiltered(const std::function<std::string()>& body, Who who = Who::AsTester) {
  return complaint_of_child([&]() -> std::string {
    if (who == Who::AsTester && !become_ordinary()) return "cannot become an ordinary user";
    return body();
  });
}

// The errno of a raw system call, 0 when it succeeded. Descriptors it opened stay open: the child ends soon.
template <typename... Argument>
int errno_of(long number, Argument... arguments) {
  return ::syscall(number, arguments...) < 0 ? errno : 0;
}

// "" when got is wanted, else "what: EPERM wanted, ENOSYS got".
inline std::string expect_errno(const std::string& what, int got, int wanted) {
  if (got == wanted) return {};
  const auto name = [](int error) { return error == 0 ? std::string("success") : errno_name(error); };
  return what + ": " + name(wanted) + " wanted, " + name(got) + " got\n";
}

}  // namespace jail::test
