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
  std::uint64_t flags = 0;  // CLONE_NEW*, for sys::fork_into()
};

Plan plan(const profile::Network& network);

// In the child, with all capabilities in its new user namespace: loopback up, a neutral host name, mounts cut off from
// the host's. Returns the folder of the limits that forbid_more() will set: it is the host's /proc, out of reach once the
// view is the root.
[[nodiscard]] Fd enforce(const Plan& plan);

// No process in here makes another namespace, whatever its filter says. After the view: each detached mount of its
// construction counts as a mount namespace (fsmount(2) is ENOSPC else: measured).
void forbid_more(const Fd& limits);

// No mount of this namespace receives mounts from outside. Needs a /proc.
bool verify();

}  // namespace jail::confine::namespaces
