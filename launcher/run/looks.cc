#include "run/looks.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <algorithm>
#include <string>

#include "confine/limits.h"
#include "sys/process_tree.h"

namespace jail::run {
namespace {

constexpr std::string_view kPids = "limits.pids", kFiles = "limits.files", kTemporary = "limits.temporary",
                           kTemporaryInodes = "limits.temporary_inodes";

// The jail's own backs both folders (confine/view.cc); a grant may have put the host's upon one of them.
Fd open_temporary(pid_t plugin) {
  const Fd root(::open(("/proc/" + std::to_string(plugin) + "/root").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  Fd found(::openat(root.get(), "tmp", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  struct stat tmp {};
  struct stat shm {};
  if (!found || ::fstat(found.get(), &tmp) != 0) return {};
  if (::fstatat(root.get(), "dev/shm", &shm, AT_SYMLINK_NOFOLLOW) != 0 || tmp.st_dev != shm.st_dev) return {};
  return found;
}

}  // namespace

Looks::Looks(const profile::Limits& limits, Processes processes, pid_t plugin)
    : files_(limits.files.value), temporary_(open_temporary(plugin)) {
  if (processes == Processes::Here) pids_ = limits.pids.value;
}

void Looks::reached(std::string_view which, std::uint64_t value, std::uint64_t limit, const Log& log) {
  if (!told_.insert(which).second) return;
  log({.body = event::LimitReached{.which = std::string(which), .value = value, .limit = limit},
       .source = event::Source::Supervisor});
}

void Looks::look(const std::vector<pid_t>& processes, const Log& log) {
  look_at_temporary(log);
  if (pids_ && !is_told(kPids)) {
    const std::uint64_t threads = sys::threads_of(processes);
    const std::uint64_t plugins = threads - std::min(threads, confine::limits::kInitProcess);
    if (plugins >= *pids_) reached(kPids, plugins, *pids_, log);
  }
  if (!is_told(kFiles)) look_at_descriptors(processes, log);
}

// All numbers below the limit are taken: the next open(2) is EMFILE.
void Looks::look_at_descriptors(const std::vector<pid_t>& processes, const Log& log) {
  const std::uint64_t most = sys::most_descriptors(processes, files_);
  if (most >= files_) reached(kFiles, most, files_, log);
}

// It shows its own size only, whatever stands in it: no file of the plugin's is asked.
void Looks::look_at_temporary(const Log& log) {
  struct statfs now {};
  if (!temporary_ || ::fstatfs(temporary_.get(), &now) != 0) return;
  const auto block = static_cast<std::uint64_t>(now.f_bsize);
  if (now.f_bfree == 0) reached(kTemporary, now.f_blocks * block, now.f_blocks * block, log);
  if (now.f_ffree == 0) reached(kTemporaryInodes, now.f_files, now.f_files, log);
}

}  // namespace jail::run
