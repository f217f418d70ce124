// The jails that live now, as their supervisors tell: those of the caller's user, or of all users for root, in the
// caller's network namespace.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "registry/message.h"

namespace jail::registry {

// A control socket that is not of another user than its name says, nor of a plugin.
struct Live {
  std::string run;
  std::string profile;
  uid_t uid = 0;                 // its supervisor's; the kernel's word
  pid_t supervisor = 0;          // in our pid namespace; 0: it is in another, or nobody could connect
  Fd socket;                     // empty: so many others wait to be let in that nobody else can
  std::optional<Status> status;  // none: the supervisor has not answered in time
};

using Patience = std::chrono::milliseconds;

// Asks all of them at once. In the order of their start, those that have not answered last. SysError where the kernel
// does not tell of such sockets; EMFILE: there are more than kMostLive of one user, who has not made them for jails.
std::vector<Live> list_live(Patience patience);
inline constexpr std::size_t kMostLive = 4096;

// Whether it may be the id of a run, or its beginning.
bool is_run(std::string_view text);

// Whom somebody means by `word`: those of whose profile it is the name; where there is none, the one whose run begins
// with it, by at least kLeastOfRun characters.
inline constexpr std::size_t kLeastOfRun = 4;
struct Problem {
  std::string message;
  std::string hint;
};
struct Meant {
  std::vector<Live> jails;
  std::optional<Problem> problem;  // nobody is meant, or one of these, and it does not say which
};
Meant find_meant(std::vector<Live> all, std::string_view word);

// Pure. What is said of several runs, live or ended, that begin with `word`: which they are, the first few of many.
struct Run {
  std::string id;
  std::string profile;
  bool operator==(const Run&) const = default;
};
Problem say_several(std::string_view word, const std::vector<Run>& runs);

// Empty: it has not answered in time, or is gone.
std::optional<Reply> ask(const Live& live, const Request& request, Patience patience);

// Ends them, all at the same time: asks their supervisors, and ends those that have not obeyed soon, of which the
// kernel takes the jail along. Only the process that made the socket, as long as it is its user's, never another that
// has its number now. Those that are still there.
std::vector<Live> end(std::vector<Live> jails, std::string_view reason);

// Pure. The name of a control socket, as it says itself.
struct Named {
  uid_t uid = 0;
  std::string run;
  std::string profile;
};
std::optional<Named> named_by(std::string_view name);

}  // namespace jail::registry
