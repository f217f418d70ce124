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

// One that a name in the abstract space stands for.
struct Live {
  std::string run;
  uid_t uid = 0;                 // its supervisor's; the kernel's word
  pid_t supervisor = 0;          // in our pid namespace; 0: it is in another
  Fd socket;
  std::optional<Status> status;  // none: the supervisor has not answered in time
};

using Patience = std::chrono::milliseconds;

// Asks all of them at once. In the order of their start, those that have not answered last. SysError where the names
// cannot be read.
std::vector<Live> list_live(Patience patience);

// Whether it may be the id of a run, or its beginning.
bool is_run(std::string_view text);

// Whom somebody means by `word`: those whose run begins with it, or of whose profile it is the name.
bool is_meant(const Live& live, std::string_view word);

// Empty: it has not answered in time, or is gone.
std::optional<Reply> ask(const Live& live, const Request& request, Patience patience);

// Whether the supervisor has ended within that time.
bool has_ended(const Live& live, Patience patience);

// For a supervisor that does not answer: SIGKILL, and the kernel takes its jail along. Only the process that made the
// socket, never another that has its number now. False: it is gone, or in another pid namespace.
bool kill_supervisor(const Live& live);

// Pure. The lines of /proc/net/unix (proc(5)) as (uid, run) of the sockets that jails would have; at most kMostLive.
struct Named {
  uid_t uid = 0;
  std::string run;
};
std::vector<Named> names_in(std::string_view table);
inline constexpr std::size_t kMostLive = 4096;

}  // namespace jail::registry
