// Runs a check in a throw-away process: confinement cannot be undone, so a test that confines itself would confine
// every test after it. What the child finds comes back as an exit status or as a sentence.
#pragma once

#include <grp.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <functional>
#include <string>
#include <vector>

namespace jail::test {

inline constexpr uid_t kOrdinaryUser = 1001;  // need not have an account

// The exit status of a child: 0..255, or 128+n when signal n ended it.
inline int status_of(pid_t child) {
  int status = 0;
  if (::waitpid(child, &status, 0) != child) return -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// The exit status of `body` in a child: 0 for true, 1 for false, 2 for an exception, 128+n for a signal.
inline int in_child(const std::function<bool()>& body) {
  const pid_t child = ::fork();
  if (child != 0) return status_of(child);
  try {
    ::_exit(body() ? EXIT_SUCCESS : EXIT_FAILURE);
  } catch (const std::exception&) {
    ::_exit(2);
  }
}

// What a child found wrong, in a sentence: empty when `body` gave none and the child ended by itself. The filter under
// test must allow write(2) and exit_group(2).
inline std::string complaint_of_child(const std::function<std::string()>& body) {
  int ends[2];
  if (::pipe(ends) != 0) return "no pipe";
  const int status = in_child([&] {
    std::string text;
    try {
      text = body();
    } catch (const std::exception& error) {
      text = error.what();
    }
    text.resize(std::min<std::size_t>(text.size(), 4096));  // no more than a pipe holds: nobody reads yet
    return ::write(ends[1], text.data(), text.size()) == static_cast<ssize_t>(text.size());
  });
  ::close(ends[1]);
  std::string complaint;
  char buffer[4096];
  for (ssize_t got = 0; (got = ::read(ends[0], buffer, sizeof buffer)) > 0;)
    complaint.append(buffer, static_cast<std::size_t>(got));
  ::close(ends[0]);
  if (complaint.empty() && status != 0) return "the child ended with status " + std::to_string(status);
  return complaint;
}

// Becomes an ordinary user for good, if it is root; else it is one already.
inline bool become_ordinary() {
  if (::geteuid() != 0) return true;
  return ::setgroups(0, nullptr) == 0 && ::setresgid(kOrdinaryUser, kOrdinaryUser, kOrdinaryUser) == 0 &&
         ::setresuid(kOrdinaryUser, kOrdinaryUser, kOrdinaryUser) == 0;
}

// The supplementary groups that a jail still has: an ordinary user, who starts it with this process's own, cannot leave
// them (setgroups(2)); root, and whom root became above, has none left.
inline std::vector<gid_t> kept_groups() {
  if (::geteuid() == 0) return {};
  std::vector<gid_t> groups(static_cast<std::size_t>(::getgroups(0, nullptr)));
  groups.resize(static_cast<std::size_t>(::getgroups(static_cast<int>(groups.size()), groups.data())));
  return groups;
}

}  // namespace jail::test
