#include "audit/file.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>

#include <cerrno>

#include "base/error.h"

namespace jail::audit::file {
namespace {

std::uint64_t resolution(Walk walk) {
  if (walk == Walk::AnyLinks) return 0;
  const std::uint64_t no_links = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  return walk == Walk::NoLinks ? no_links : no_links | RESOLVE_BENEATH;
}

}  // namespace

Opened open(int folder, const std::string& path, int flags, mode_t mode, Walk walk) noexcept {
  open_how how{};
  how.flags = static_cast<std::uint64_t>(flags | O_CLOEXEC);
  how.mode = mode;  // must be 0 without O_CREAT
  how.resolve = resolution(walk);
  const int start = folder < 0 ? AT_FDCWD : folder;
  const long fd = ::syscall(SYS_openat2, start, path.c_str(), &how, sizeof how);
  if (fd < 0) return {Fd(), errno};
  return {Fd(static_cast<int>(fd)), 0};
}

int make_folder(int folder, const std::string& path) noexcept {
  const int start = folder < 0 ? AT_FDCWD : folder;
  return ::mkdirat(start, path.c_str(), S_IRWXU) == 0 || errno == EEXIST ? 0 : errno;
}

int status(int fd, struct stat& status) noexcept { return ::fstat(fd, &status) == 0 ? 0 : errno; }

Problem problem(std::string_view operation, std::string_view subject, int error, std::string hint) {
  return {SysError(error, operation, subject).what(), std::move(hint)};
}

}  // namespace jail::audit::file
