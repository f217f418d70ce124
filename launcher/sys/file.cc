#include "sys/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <memory>

#include "base/error.h"

namespace jail::sys {
namespace {

std::uint64_t resolve_flags(Resolve resolve) {
  switch (resolve) {
    case Resolve::Anything: return 0;
    case Resolve::NoLinks: return RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
    case Resolve::NoLinksBeneath: return RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_BENEATH;
  }
  return RESOLVE_NO_SYMLINKS;
}

int openat2(int folder, const char* path, int flags, Resolve resolve, mode_t mode) noexcept {
  open_how how{};
  how.flags = static_cast<std::uint64_t>(flags | O_CLOEXEC);
  how.mode = mode;
  how.resolve = resolve_flags(resolve);
  return static_cast<int>(::syscall(SYS_openat2, folder, path, &how, sizeof how));
}

}  // namespace

Fd open_at(const Fd& folder, const std::string& path, int flags, Resolve resolve, mode_t mode) {
  return Fd(check(openat2(folder.get(), path.c_str(), flags, resolve, mode), "open", path));
}

Fd open_at(const std::string& path, int flags, Resolve resolve, mode_t mode) {
  return Fd(check(openat2(AT_FDCWD, path.c_str(), flags, resolve, mode), "open", path));
}

Fd try_open_at(int folder, const char* path, int flags, Resolve resolve, int& error) noexcept {
  Fd opened(openat2(folder, path, flags, resolve, 0));
  error = opened ? 0 : errno;
  return opened;
}

struct stat file_status(const Fd& file) {
  struct stat status {};
  check(::fstat(file.get(), &status), "fstat");
  return status;
}

int try_status_at(int folder, const char* name, struct stat& status) noexcept {
  return ::fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) == 0 ? 0 : errno;
}

std::vector<std::string> names_in(const Fd& folder, std::size_t most) {
  Fd copy = duplicate(folder.get());
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(copy.get()), ::closedir);
  if (!stream) throw SysError(errno, "fdopendir");
  (void)copy.release();  // the stream closes it
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = names.size() <= most ? ::readdir(stream.get()) : nullptr) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  if (errno != 0) throw SysError(errno, "readdir");
  return names;
}

std::string read_link(const Fd& link) {
  char text[PATH_MAX];
  const ssize_t size = check(::readlinkat(link.get(), "", text, sizeof text), "readlink");
  return std::string(text, static_cast<std::size_t>(size));
}

std::string read_file(const Fd& file, std::size_t most) {
  std::string text;
  char block[8192];
  for (;;) {
    const ssize_t size = check(::read(file.get(), block, sizeof block), "read");
    if (size == 0) return text;
    text.append(block, static_cast<std::size_t>(size));
    if (text.size() > most) throw SysError(EFBIG, "read");
  }
}

void write_file(const std::string& path, std::string_view text) {
  const Fd file = open_at(path, O_WRONLY, Resolve::Anything);
  check(::write(file.get(), text.data(), text.size()), "write", path);
}

void write_file(const Fd& folder, const std::string& name, std::string_view text) {
  const Fd file = open_at(folder, name, O_WRONLY, Resolve::Anything);
  check(::write(file.get(), text.data(), text.size()), "write", name);
}

void make_folder(const Fd& parent, const std::string& name, mode_t mode) {
  check(::mkdirat(parent.get(), name.c_str(), mode), "mkdir", name);
}

void make_file(const Fd& parent, const std::string& name, mode_t mode) {
  check(::mknodat(parent.get(), name.c_str(), S_IFREG | mode, 0), "mknod", name);
}

void make_link(const std::string& text, const Fd& parent, const std::string& name) {
  check(::symlinkat(text.c_str(), parent.get(), name.c_str()), "symlink", name);
}

}  // namespace jail::sys
