// Which control group a run's own stands in, and what can be held by it (cgroup-v2.rst, "Delegation").
//
// The nearest from the caller's own upwards that it may make groups in and that passes controllers on, or may be told
// to. One with processes in it cannot; so it is often one above the caller's. Who is put there is no longer held to the
// limits of the caller's: where that has any of its own, the search ends. A group that is the caller's alone
// (`systemd-run --user --scope -p Delegate=yes`, the first process of a container) is used itself: the caller moves
// into a leaf of it, and back when the run has ended. An ordinary user's systemd makes such a group when it is asked,
// which takes some time: so it is only for what a profile states. Nobody else is ever moved.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sys/cgroup.h"

namespace jail::sys::delegation {

enum Controller : unsigned { kMemory = 1, kPids = 2, kCpu = 4, kIo = 8 };
inline constexpr unsigned kAll = kMemory | kPids | kCpu;  // that are looked for when nothing is said

// What somebody may have limited a group by.
inline constexpr std::array kLimits{"memory.max", "memory.high", "memory.swap.max", "pids.max",
                                    "cpu.max",    "io.max",      "cpuset.cpus",     "cpuset.mems"};
bool is_no_limit(std::string_view text);  // "max", and what stands for it

// What limits can be held by a control group.
struct Support {
  unsigned controllers = 0;               // of Controller
  std::string why = "none was looked for";  // not all of them
  std::uint64_t ram = 0;                  // bytes; 0: unknown
  bool counts_swap = true;                // or there is none; known once a group is made
};

struct Place {
  // ThroughALeaf: it is our own group, and we must get out of its way. ThroughAScope: systemd has to make it.
  enum class Entry { AsWeAre, ThroughALeaf, ThroughAScope };
  std::string parent;
  Entry entry = Entry::AsWeAre;
  Support support;
  std::string own;  // our own group; empty: there are none here
  unsigned needed = 0;
};

// Looks and changes nothing. `needed`: controllers without which a stated limit holds in part or not at all. Of
// one that is neither needed nor in kAll nothing is said.
Place find(unsigned needed = 0);
Place find_in(const GroupTree& tree, pid_t self, unsigned needed = 0);

// A group of that name there, given its controllers; none: `place.support` says why there are none after all. `place`
// is where it then is: of a scope nobody knows before.
std::optional<Cgroup> make(Place& place, const std::string& name);
// Below our own, without controllers: it limits nothing. None: `why`.
std::optional<Cgroup> make_bare(const Place& place, const std::string& name, std::string& why);
// Whether what is swapped out of this group is counted, or nothing can be.
bool counts_swap(const Fd& group);
// When that group is gone: nothing else of ours stays there either.
void leave(const Place& place) noexcept;
// For root: where systemd runs the machine, has it move the caller into a scope of its own, so that the groups made
// there outlive the service that it is. Empty, or why it has not.
std::string enter_scope_of_machine(const std::string& name);
// All of its controllers, to the groups in it; those that they have then.
unsigned pass_on(const Fd& group);
// One more controller for it. 0 or errno.
int give(const Place& place, Controller controller);

}  // namespace jail::sys::delegation
