// The namespaces of a jail and the second lock on making more: even without a filter no further one can be made,
// because the jail's user namespace may own none (user.max_*_namespaces, Linux 4.9).
#pragma once

#include <cstdint>
#include <string>

#include "base/fd.h"
#include "confine/layer.h"
#include "profile/profile.h"

namespace jail::confine::namespaces {

// Why a fork into new namespaces failed (SECURITY C3): only a proof that this machine forbids or lacks them may lead to
// a weaker tier; a resource that ran out may not.
enum class Refusal { Forbidden, Unsupported, Exhausted };
Refusal classify(int error);
std::string explain(int error);  // the sysctl or policy that forbids it on this machine, for a person

struct Plan {
  enum class Net { Own, Hosts } net = Net::Own;
};
Plan plan(const profile::Network& network);

// Made with pid 1 of the jail itself: what the view is built in. The others it makes meanwhile; for whom it is all
// about joins them last.
inline constexpr std::uint64_t kUser = 0x10000000;                                         // CLONE_NEWUSER
inline constexpr std::uint64_t kMounts = 0x00020000;                                       // CLONE_NEWNS
inline constexpr std::uint64_t kFirst = kUser | kMounts | 0x20000000;                      // and CLONE_NEWPID
inline constexpr std::uint64_t kRest = 0x40000000 | 0x08000000 | 0x04000000 | 0x02000000;  // NEWNET, IPC, UTS, CGROUP

// What the plugin joins of them.
std::uint64_t rest_of(const Plan& plan);

// In pid 1: mounts cut off from the host's. First of all, so that no mount made below can leak out or in.
void make_private();
// In pid 1: the rest of the namespaces, loopback up, a neutral host name.
void make_rest();

// The folder of the settings below: it is the host's /proc, out of reach once the view is the root.
[[nodiscard]] Fd open_settings();
// After make_rest(): any port of the jail's own network may be listened at without a capability (ip-sysctl, Linux 4.11:
// ip_unprivileged_port_start). Nothing where a container has made its settings read-only.
void free_low_ports(const Fd& settings);
// No process of this user namespace makes another one of any kind, whatever its filter says. After the view: each
// detached mount of its construction counts as a mount namespace (fsmount(2) is ENOSPC else: measured).
void forbid_more(const Fd& settings);

// No mount of this namespace receives mounts from outside. Needs a /proc.
bool verify();

}  // namespace jail::confine::namespaces
