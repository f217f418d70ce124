#include "confine/namespaces.h"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.h"
#include "sys/file.h"
#include "sys/mount.h"
#include "sys/process.h"
#include "sys/socket.h"

namespace jail::confine::namespaces {
namespace {

static_assert(kUser == CLONE_NEWUSER && kMounts == CLONE_NEWNS && kFirst == (kUser | kMounts | CLONE_NEWPID));
static_assert(kRest == (CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP));
constexpr const char* kHostname = "jail";
constexpr const char* kNamespaceLimits[] = {"user", "mnt", "pid", "net", "ipc", "uts", "cgroup", "time"};

std::string sysctl(const std::string& path) {
  int error = 0;
  const Fd file = sys::try_open_at(AT_FDCWD, path.c_str(), O_RDONLY, sys::Resolve::Anything, error);
  if (!file) return {};
  std::string text = sys::read_file(file, 256);
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

}  // namespace

Refusal classify(int error) {
  switch (error) {
    case EPERM:
    case EACCES: return Refusal::Forbidden;
    case EINVAL:
    case ENOSYS: return Refusal::Unsupported;
    default: return Refusal::Exhausted;  // ENOSPC EAGAIN EMFILE ENOMEM EUSERS, and whatever is not known
  }
}

std::string explain(int error) {
  if (sysctl("/proc/sys/kernel/unprivileged_userns_clone") == "0")
    return "kernel.unprivileged_userns_clone is 0: set it to 1";
  if (sysctl("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == "1")
    return "AppArmor restricts user namespaces: give jail a profile with 'userns,' or set "
           "kernel.apparmor_restrict_unprivileged_userns to 0";
  if (sysctl("/proc/sys/user/max_user_namespaces") == "0") return "user.max_user_namespaces is 0: raise it";
  switch (classify(error)) {
    case Refusal::Forbidden: return "a container's or administrator's policy forbids user namespaces";
    case Refusal::Unsupported: return "this kernel was built without one of them";
    case Refusal::Exhausted: return "a limit of this machine is used up (user.max_*_namespaces, memory or processes)";
  }
  return {};
}

Plan plan(const profile::Network& network) {
  return {network.mode.value == profile::NetworkMode::Host ? Plan::Net::Hosts : Plan::Net::Own};
}

std::uint64_t rest_of(const Plan& plan) {
  const std::uint64_t all = kRest | CLONE_NEWPID;
  return plan.net == Plan::Net::Own ? all : all & ~static_cast<std::uint64_t>(CLONE_NEWNET);
}

void make_private() { sys::make_private("/"); }

void make_rest() {
  sys::unshare(kRest);
  sys::set_hostname(kHostname);
  sys::bring_up_loopback();
}

Fd open_settings() { return sys::open_at("/proc/sys", O_PATH | O_DIRECTORY, sys::Resolve::NoLinks); }

void free_low_ports(const Fd& settings) {
  int error = 0;
  const Fd first = sys::try_open_at(settings.get(), "net/ipv4/ip_unprivileged_port_start", O_WRONLY,
                                    sys::Resolve::Anything, error);
  if (first) (void)!::write(first.get(), "0", 1);
}

void forbid_more(const Fd& settings) {
  for (const char* kind : kNamespaceLimits)
    sys::write_file(settings, std::string("user/max_") + kind + "_namespaces", "0");
}

bool verify() {
  const std::string mounts =
      sys::read_file(sys::open_at("/proc/self/mountinfo", O_RDONLY, sys::Resolve::Anything), 1 << 20);
  return mounts.find(" master:") == std::string::npos && mounts.find(" shared:") == std::string::npos;
}

}  // namespace jail::confine::namespaces
