// Files by name: opened, looked at, made, moved, taken away.
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "blindspot/acting.h"

namespace jail::blindspot {
namespace {

constexpr Evidence opened(std::string_view call, std::string_view path) { return {"file.open", call, path}; }
constexpr Evidence denied(std::string_view call) { return {"syscall.denied", call, ""}; }
constexpr std::string_view kGranted = "{granted}/file";
constexpr unsigned kMfdNoexecSeal = 8;  // Linux 6.3

Outcome open_granted(const Scene& scene, int flags) {
  return try_call(SYS_openat, AT_FDCWD, granted(scene).c_str(), flags, 0);
}

Outcome openat2(const Scene& scene) {
  open_how how{};
  return try_call(SYS_openat2, AT_FDCWD, granted(scene).c_str(), &how, sizeof how);
}

// file_handle of open_by_handle_at(2), with room for the largest.
struct Handle {
  std::uint32_t size = 128;
  std::int32_t type = 0;
  std::array<unsigned char, 128> bytes{};
};

Outcome name_to_handle(const Scene& scene) {
  Handle handle;
  int mount = 0;
  return try_call(SYS_name_to_handle_at, AT_FDCWD, granted(scene).c_str(), &handle, &mount, 0);
}

Outcome open_by_handle(const Scene&) {
  Handle handle;
  return try_call(SYS_open_by_handle_at, AT_FDCWD, &handle, O_RDONLY);
}

// The name it has in /proc is a second way to what was given.
Outcome reopen_given(const Scene& scene) {
  const std::string path = "/proc/self/fd/" + std::to_string(scene.given);
  return try_call(SYS_openat, AT_FDCWD, path.c_str(), O_RDONLY, 0);
}

Outcome list_folder(const Scene& scene) {
  const long folder = call(SYS_openat, AT_FDCWD, (scene.folder + "/granted").c_str(), O_RDONLY | O_DIRECTORY, 0);
  if (folder < 0) return {.error = errno};
  char entries[1024];
  return try_call(SYS_getdents64, folder, entries, sizeof entries);
}

Outcome write_given(const Scene& scene) { return try_call(SYS_write, scene.given, "x", 1); }

Outcome stat_by_name_and_descriptor(const Scene& scene) {
  struct stat status;
  return try_call(SYS_newfstatat, AT_FDCWD, hidden(scene).c_str(), &status, AT_EMPTY_PATH);
}

Outcome statx_by_name_and_descriptor(const Scene& scene) {
  struct statx status;
  return try_call(SYS_statx, AT_FDCWD, hidden(scene).c_str(), AT_EMPTY_PATH, STATX_BASIC_STATS, &status);
}

// A name relative to a folder that is open.
Outcome stat_relative_with_empty_path(const Scene& scene) {
  const long folder = call(SYS_open, (scene.folder + "/granted").c_str(), O_PATH, 0);
  if (folder < 0) return missing();
  struct stat status;
  return try_call(SYS_newfstatat, folder, "../hidden", &status, AT_EMPTY_PATH);
}

Outcome exchange(const Scene&) {
  make_file("/tmp/exchange");
  make_file("/tmp/exchanged");
  return try_call(SYS_renameat2, AT_FDCWD, "/tmp/exchange", AT_FDCWD, "/tmp/exchanged", RENAME_EXCHANGE);
}

const Action kActions[] = {
    {"open", [](const Scene& scene) { return try_call(SYS_open, granted(scene).c_str(), O_RDONLY, 0); },
     {opened("open", kGranted)}},
    {"openat", [](const Scene& scene) { return open_granted(scene, O_RDONLY); }, {opened("openat", kGranted)}},
    {"openat2", openat2, {denied("openat2")}, SYS_openat2},
    {"creat", [](const Scene&) { return try_call(SYS_creat, "/tmp/creat", 0600); }, {opened("creat", "/tmp/creat")}},
    {"openat, O_PATH", [](const Scene& scene) { return open_granted(scene, O_PATH); }, {opened("openat", kGranted)}},
    {"openat, O_TMPFILE",
     [](const Scene&) { return try_call(SYS_openat, AT_FDCWD, "/tmp", O_TMPFILE | O_RDWR, 0600); },
     {opened("openat", "/tmp")}},
    {"openat, to write what may only be read", [](const Scene& scene) { return open_granted(scene, O_WRONLY); },
     {opened("openat", kGranted)}},
    {"openat, what is not granted",
     [](const Scene& scene) { return try_call(SYS_openat, AT_FDCWD, hidden(scene).c_str(), O_RDONLY, 0); },
     {opened("openat", "{hidden}")}},
    {"openat, O_PATH, what is not granted",
     [](const Scene& scene) { return try_call(SYS_openat, AT_FDCWD, hidden(scene).c_str(), O_PATH, 0); },
     {opened("openat", "{hidden}")}},
    {"openat, of a descriptor that was given, by /proc", reopen_given,
     {opened("openat", "{given}"), opened("openat", "{given descriptor}")}},
    {"write, to a descriptor that was given", write_given, {Evidence{"run.started", "", "{given}"}}},
    {"getdents64, of a folder that is granted", list_folder, {opened("openat", "{granted}")}},
    {"name_to_handle_at", name_to_handle, {denied("name_to_handle_at")}},
    {"open_by_handle_at", open_by_handle, {denied("open_by_handle_at")}},
    {"memfd_create, sealed against being run",
     [](const Scene&) { return try_call(SYS_memfd_create, "blindspot", kMfdNoexecSeal); },
     {Evidence{"file.create", "memfd_create", "/memfd:blindspot"}}},
    {"memfd_create", [](const Scene&) { return try_call(SYS_memfd_create, "blindspot", 0); }, {denied("memfd_create")}},
    {"memfd_secret", [](const Scene&) { return try_call(SYS_memfd_secret, 0); }, {denied("memfd_secret")},
     SYS_memfd_secret},
    {"stat, what is not granted",
     [](const Scene& scene) {
       struct stat status;
       return try_call(SYS_stat, hidden(scene).c_str(), &status);
     },
     {opened("stat", "{hidden}")}},
    {"lstat, what is not granted",
     [](const Scene& scene) {
       struct stat status;
       return try_call(SYS_lstat, hidden(scene).c_str(), &status);
     },
     {opened("lstat", "{hidden}")}},
    {"newfstatat, what is granted",
     [](const Scene& scene) {
       struct stat status;
       return try_call(SYS_newfstatat, AT_FDCWD, granted(scene).c_str(), &status, 0);
     },
     {opened("newfstatat", kGranted)}},
    {"newfstatat, AT_EMPTY_PATH and a name", stat_by_name_and_descriptor, {opened("newfstatat", "{hidden}")}},
    {"newfstatat, AT_EMPTY_PATH and a relative name", stat_relative_with_empty_path,
     {opened("newfstatat", "{hidden}")}},
    {"statx, AT_EMPTY_PATH and a name", statx_by_name_and_descriptor, {opened("statx", "{hidden}")}},
    {"access, what is not granted",
     [](const Scene& scene) { return try_call(SYS_access, hidden(scene).c_str(), F_OK); },
     {opened("access", "{hidden}")}},
    {"faccessat2, what is not granted",
     [](const Scene& scene) { return try_call(SYS_faccessat2, AT_FDCWD, hidden(scene).c_str(), F_OK, 0); },
     {opened("faccessat2", "{hidden}")}},
    {"readlink, what is not granted",
     [](const Scene& scene) {
       char text[16];
       return try_call(SYS_readlink, hidden(scene).c_str(), text, sizeof text);
     },
     {opened("readlink", "{hidden}")}},
    {"statfs, what is not granted",
     [](const Scene& scene) {
       char room[512];
       return try_call(SYS_statfs, hidden(scene).c_str(), room);
     },
     {opened("statfs", "{hidden}")}},
    {"inotify_add_watch, what is granted",
     [](const Scene& scene) {
       const long watch = call(SYS_inotify_init1, 0);
       return watch < 0 ? missing() : try_call(SYS_inotify_add_watch, watch, granted(scene).c_str(), 2);
     },
     {opened("inotify_add_watch", kGranted)}},
    {"chdir, to what is not granted", [](const Scene& scene) { return try_call(SYS_chdir, hidden(scene).c_str()); },
     {opened("chdir", "{hidden}")}},
    {"chdir", [](const Scene&) { return try_call(SYS_chdir, "/tmp"); }, {opened("chdir", "/tmp")}},
    {"mkdir", [](const Scene&) { return try_call(SYS_mkdir, "/tmp/mkdir", 0700); },
     {Evidence{"file.create", "mkdir", "/tmp/mkdir"}}},
    {"mkdir, in what may only be read",
     [](const Scene& scene) { return try_call(SYS_mkdir, (scene.folder + "/granted/new").c_str(), 0700); },
     {Evidence{"file.create", "mkdir", "{granted}/new"}}},
    {"mknod, a FIFO", [](const Scene&) { return try_call(SYS_mknod, "/tmp/fifo", S_IFIFO | 0600, 0); },
     {Evidence{"file.create", "mknod", "/tmp/fifo"}}},
    {"mknod, a device", [](const Scene&) { return try_call(SYS_mknod, "/tmp/device", S_IFCHR | 0600, 0x103); },
     {denied("mknod")}},
    {"symlink", [](const Scene&) { return try_call(SYS_symlink, "somewhere", "/tmp/symlink"); },
     {Evidence{"file.link", "symlink", "/tmp/symlink somewhere"}}},
    {"openat, by a link that leads out",
     [](const Scene& scene) {
       if (call(SYS_symlink, hidden(scene).c_str(), "/tmp/way-out") < 0) return missing();
       return try_call(SYS_openat, AT_FDCWD, "/tmp/way-out", O_RDONLY, 0);
     },
     {opened("openat", "{hidden}")}},
    {"link",
     [](const Scene&) {
       return make_file("/tmp/link") < 0 ? missing() : try_call(SYS_link, "/tmp/link", "/tmp/linked");
     },
     {Evidence{"file.link", "link", "/tmp/linked /tmp/link"}}},
    {"linkat, AT_EMPTY_PATH",
     [](const Scene&) {
       const long file = call(SYS_openat, AT_FDCWD, "/tmp/linkat", O_RDWR | O_CREAT, 0600);
       return file < 0 ? missing() : try_call(SYS_linkat, file, "", AT_FDCWD, "/tmp/linkat-2", AT_EMPTY_PATH);
     },
     {Evidence{"file.link", "linkat", "/tmp/linkat-2 /tmp/linkat"}}},
    {"rename",
     [](const Scene&) {
       return make_file("/tmp/rename") < 0 ? missing() : try_call(SYS_rename, "/tmp/rename", "/tmp/renamed");
     },
     {Evidence{"file.rename", "rename", "/tmp/rename /tmp/renamed"}}},
    {"renameat2, RENAME_EXCHANGE", exchange, {Evidence{"file.rename", "renameat2", "/tmp/exchange /tmp/exchanged"}}},
    {"unlink",
     [](const Scene&) { return make_file("/tmp/unlink") < 0 ? missing() : try_call(SYS_unlink, "/tmp/unlink"); },
     {Evidence{"file.delete", "unlink", "/tmp/unlink"}}},
    {"unlink, in what may only be read",
     [](const Scene& scene) { return try_call(SYS_unlink, granted(scene).c_str()); },
     {Evidence{"file.delete", "unlink", kGranted}}},
    {"rmdir",
     [](const Scene&) {
       return call(SYS_mkdir, "/tmp/rmdir", 0700) < 0 ? missing() : try_call(SYS_rmdir, "/tmp/rmdir");
     },
     {Evidence{"file.delete", "rmdir", "/tmp/rmdir"}}},
};

}  // namespace

std::span<const Action> file_actions() { return kActions; }

}  // namespace jail::blindspot
