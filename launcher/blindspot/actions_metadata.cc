// Mode, owner, times, attributes and length of files: by name, by descriptor, and by one that was given.
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "blindspot/acting.h"

namespace jail::blindspot {
namespace {

constexpr std::string_view kGranted = "{granted}/file";
constexpr long kFchmodat2 = 452, kSetxattrat = 463, kFileSetattr = 469;  // Linux 6.6, 6.13, 6.17

constexpr Evidence changed(std::string_view call, std::string_view path) { return {"file.metadata", call, path}; }
constexpr Evidence cut(std::string_view call, std::string_view path) { return {"file.open", call, path}; }
constexpr Evidence denied(std::string_view call) { return {"syscall.denied", call, ""}; }

template <typename... Argument>
Outcome on_file(const char* path, long number, Argument... arguments) {
  return make_file(path) < 0 ? missing() : try_call(number, path, arguments...);
}

template <typename... Argument>
Outcome on_descriptor(const char* path, long number, Argument... arguments) {
  const int file = make_file(path);
  return file < 0 ? missing() : try_call(number, file, arguments...);
}

Outcome set_flags(const Scene&) {
  const int file = make_file("/tmp/flags");
  int flags = FS_NODUMP_FL;
  return file < 0 ? missing() : try_call(SYS_ioctl, file, FS_IOC_SETFLAGS, &flags);
}

Outcome setxattrat(const Scene&) {
  if (make_file("/tmp/setxattrat") < 0) return missing();
  struct {
    std::uint64_t value;
    std::uint32_t size;
    std::uint32_t flags;
  } attribute{reinterpret_cast<std::uint64_t>("1"), 1, 0};
  return try_call(kSetxattrat, AT_FDCWD, "/tmp/setxattrat", 0, "user.x", &attribute, sizeof attribute);
}

Outcome file_setattr(const Scene&) {
  if (make_file("/tmp/file_setattr") < 0) return missing();
  std::array<std::uint64_t, 3> attributes{};
  return try_call(kFileSetattr, AT_FDCWD, "/tmp/file_setattr", attributes.data(), sizeof attributes, 0);
}

const Action kActions[] = {
    {"chmod", [](const Scene&) { return on_file("/tmp/chmod", SYS_chmod, 0640); }, {changed("chmod", "/tmp/chmod")}},
    {"chmod, set-user-ID", [](const Scene&) { return on_file("/tmp/suid", SYS_chmod, 04755); }, {denied("chmod")}},
    {"chmod, what may only be read",
     [](const Scene& scene) { return try_call(SYS_chmod, granted(scene).c_str(), 0777); },
     {changed("chmod", kGranted)}},
    {"fchmod", [](const Scene&) { return on_descriptor("/tmp/fchmod", SYS_fchmod, 0640); },
     {changed("fchmod", "/tmp/fchmod")}},
    {"fchmod, of a descriptor that was given",
     [](const Scene& scene) { return try_call(SYS_fchmod, scene.given, 0640); },
     {changed("fchmod", "{given}")}},
    {"fchmodat2, AT_EMPTY_PATH",
     [](const Scene&) { return on_descriptor("/tmp/fchmodat2", kFchmodat2, "", 0640, AT_EMPTY_PATH); },
     {changed("fchmodat2", "/tmp/fchmodat2")}, kFchmodat2},
    {"chown", [](const Scene&) { return on_file("/tmp/chown", SYS_chown, ::getuid(), -1); },
     {changed("chown", "/tmp/chown")}},
    {"fchown", [](const Scene&) { return on_descriptor("/tmp/fchown", SYS_fchown, ::getuid(), -1); },
     {changed("fchown", "/tmp/fchown")}},
    {"fchownat, AT_EMPTY_PATH",
     [](const Scene&) { return on_descriptor("/tmp/fchownat", SYS_fchownat, "", ::getuid(), -1, AT_EMPTY_PATH); },
     {changed("fchownat", "/tmp/fchownat")}},
    {"utimensat",
     [](const Scene&) {
       return make_file("/tmp/utimensat") < 0 ? missing()
                                              : try_call(SYS_utimensat, AT_FDCWD, "/tmp/utimensat", nullptr, 0);
     },
     {changed("utimensat", "/tmp/utimensat")}},
    {"utimensat, by descriptor",
     [](const Scene&) { return on_descriptor("/tmp/futimens", SYS_utimensat, nullptr, nullptr, 0); },
     {changed("utimensat", "/tmp/futimens")}},
    {"utimensat, of a descriptor that was given",
     [](const Scene& scene) { return try_call(SYS_utimensat, scene.given, nullptr, nullptr, 0); },
     {changed("utimensat", "{given}")}},
    {"setxattr", [](const Scene&) { return on_file("/tmp/setxattr", SYS_setxattr, "user.x", "1", 1, 0); },
     {changed("setxattr", "/tmp/setxattr")}},
    {"fsetxattr", [](const Scene&) { return on_descriptor("/tmp/fsetxattr", SYS_fsetxattr, "user.x", "1", 1, 0); },
     {changed("fsetxattr", "/tmp/fsetxattr")}},
    {"fsetxattr, of a descriptor that was given",
     [](const Scene& scene) { return try_call(SYS_fsetxattr, scene.given, "user.x", "1", 1, 0); },
     {changed("fsetxattr", "{given}")}},
    {"setxattrat", setxattrat, {changed("setxattrat", "/tmp/setxattrat")}, kSetxattrat},
    {"removexattr", [](const Scene&) { return on_file("/tmp/removexattr", SYS_removexattr, "user.x"); },
     {changed("removexattr", "/tmp/removexattr")}},
    {"getxattr, what is not granted",
     [](const Scene& scene) { return try_call(SYS_getxattr, hidden(scene).c_str(), "user.x", nullptr, 0); },
     {cut("getxattr", "{hidden}")}},
    {"ioctl, FS_IOC_SETFLAGS", set_flags, {changed("ioctl", "/tmp/flags")}},
    {"file_setattr", file_setattr, {changed("file_setattr", "/tmp/file_setattr")}, kFileSetattr},
    {"truncate", [](const Scene&) { return on_file("/tmp/truncate", SYS_truncate, 0L); },
     {cut("truncate", "/tmp/truncate")}},
    {"truncate, what may only be read",
     [](const Scene& scene) { return try_call(SYS_truncate, granted(scene).c_str(), 0L); },
     {cut("truncate", kGranted)}},
    {"ftruncate", [](const Scene&) { return on_descriptor("/tmp/ftruncate", SYS_ftruncate, 0L); },
     {cut("ftruncate", "/tmp/ftruncate")}},
    {"ftruncate, of a descriptor that was given",
     [](const Scene& scene) { return try_call(SYS_ftruncate, scene.given, 0L); }, {cut("ftruncate", "{given}")}},
    {"fallocate, FALLOC_FL_PUNCH_HOLE",
     [](const Scene&) {
       return on_descriptor("/tmp/fallocate", SYS_fallocate, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0L, 4096L);
     },
     {cut("fallocate", "/tmp/fallocate")}},
};

}  // namespace

std::span<const Action> metadata_actions() { return kActions; }

}  // namespace jail::blindspot
