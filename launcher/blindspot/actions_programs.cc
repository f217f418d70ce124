// Programs that are run, code that is mapped, and processes that are gone before anybody can look at them.
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "blindspot/acting.h"

namespace jail::blindspot {
namespace {

constexpr std::string_view kGranted = "{granted}/file";
constexpr std::size_t kPage = 4096;

constexpr Evidence executed(std::string_view call, std::string_view path) { return {"process.exec", call, path}; }
constexpr Evidence mapped(std::string_view call, std::string_view path) { return {"file.open", call, path}; }

// Repeats are told together, whoever made them: what several actions do alike has a name of its own in each.
std::string again(const std::string& path, std::size_t time) { return std::string(time, '/') + path; }

// A program that says its version, in a process of its own: where it starts, nobody returns.
template <typename Start>
Outcome execute(Start start) {
  return in_child(Parent::Waits, [&start] {
    const char* const words[] = {"jail", "--version", nullptr};
    const char* const none[] = {nullptr};
    start(words, none);
    return errno;
  });
}

using Words = const char* const*;

Outcome execve_path(const std::string& path) {
  return execute([&path](Words words, Words none) { call(SYS_execve, path.c_str(), words, none); });
}

Outcome execveat(int folder, const std::string& path, int flags) {
  return execute([&](Words words, Words none) { call(SYS_execveat, folder, path.c_str(), words, none, flags); });
}

Outcome execveat_descriptor(const Scene& scene) {
  const long program = call(SYS_openat, AT_FDCWD, scene.program.c_str(), O_PATH, 0);
  return program < 0 ? missing() : execveat(static_cast<int>(program), "", AT_EMPTY_PATH);
}

Outcome execute_own_file(const Scene&) {
  const int file = make_file("/tmp/program");
  if (file < 0 || ::fchmod(file, 0700) != 0) return missing();
  return execve_path("/tmp/program");
}

Outcome map(long file, int protection) {
  if (file < 0) return missing();
  const long address = call(SYS_mmap, nullptr, kPage, protection, MAP_PRIVATE, file, 0L);
  return {.error = address < 0 && address > -static_cast<long>(kPage) ? errno : 0};
}

Outcome map_code_of(const std::string& path) {
  return map(call(SYS_openat, AT_FDCWD, path.c_str(), O_RDONLY, 0), PROT_READ | PROT_EXEC);
}

Outcome map_own_file_as_code(const Scene&) {
  const int file = make_file("/tmp/code");
  return file < 0 || ::ftruncate(file, kPage) != 0 ? missing() : map(file, PROT_READ | PROT_EXEC);
}

// Mapped to be read, made code afterwards.
Outcome make_code_of(const std::string& path) {
  const long file = call(SYS_openat, AT_FDCWD, path.c_str(), O_RDWR | O_CREAT, 0600);
  const long readable = file >= 0 ? file : call(SYS_openat, AT_FDCWD, path.c_str(), O_RDONLY, 0);
  if (file >= 0 && ::ftruncate(static_cast<int>(file), kPage) != 0) return missing();
  const long address = call(SYS_mmap, nullptr, kPage, PROT_READ, MAP_PRIVATE, readable, 0L);
  return address < 0 ? missing() : try_call(SYS_mprotect, address, kPage, PROT_READ | PROT_EXEC);
}

int open_here(const char* path) { return call(SYS_openat, AT_FDCWD, path, O_RDONLY, 0) < 0 ? errno : 0; }

Outcome open_in_child(Parent parent, const std::string& path) {
  return in_child(parent, [&path] { return open_here(path.c_str()); });
}

// A thread without a library: it shares memory and files with a leader that ends at once.
struct Orphan {
  const char* path;
  volatile int error;
};
int open_and_end(void* given) {
  auto* const orphan = static_cast<Orphan*>(given);
  orphan->error = open_here(orphan->path);
  ::syscall(SYS_exit_group, 0);
  return 0;
}

Outcome open_in_thread(const Scene& scene) {
  const std::string path = again(granted(scene), 3);
  auto* const shared = static_cast<Orphan*>(
      ::mmap(nullptr, sizeof(Orphan), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  if (shared == MAP_FAILED) return missing();
  shared->path = path.c_str();
  Outcome outcome = in_child(Parent::Waits, [shared] {
    static char stack[16 * kPage];
    const int flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD;
    if (::clone(open_and_end, stack + sizeof stack, flags, shared) < 0) shared->error = errno;
    ::syscall(SYS_exit, 0);
    return 0;
  });
  outcome.error = shared->error;
  return outcome;
}

const Action kActions[] = {
    {"execve", [](const Scene& scene) { return execve_path(scene.program); }, {executed("execve", "{program}")}},
    {"execve, what is granted to be read", [](const Scene& scene) { return execve_path(granted(scene)); },
     {executed("execve", kGranted)}},
    {"execve, what is not granted", [](const Scene& scene) { return execve_path(hidden(scene)); },
     {executed("execve", "{hidden}")}},
    {"execve, what the plugin has written", execute_own_file, {executed("execve", "/tmp/program")}},
    // A program that has begun is told as begun by execve(2): the kernel itself has forgotten.
    {"execveat", [](const Scene& scene) { return execveat(AT_FDCWD, again(scene.program, 1), 0); },
     {executed("execveat", "{program}"), executed("execve", "{program}")}},
    {"execveat, AT_EMPTY_PATH", execveat_descriptor,
     {executed("execveat", "{program}"), executed("execve", "{program}")}},
    {"execveat, AT_EMPTY_PATH and a name",
     [](const Scene& scene) { return execveat(AT_FDCWD, again(scene.program, 2), AT_EMPTY_PATH); },
     {executed("execveat", "{program}"), executed("execve", "{program}")}},
    {"mmap, PROT_EXEC of a program", [](const Scene& scene) { return map_code_of(scene.program); },
     {mapped("mmap", "{program}")}},
    {"mmap, PROT_EXEC of what may only be read", [](const Scene& scene) { return map_code_of(granted(scene)); },
     {mapped("mmap", kGranted)}},
    {"mmap, PROT_EXEC of what the plugin has written", map_own_file_as_code, {mapped("mmap", "/tmp/code")}},
    {"mprotect, PROT_EXEC of a program that is mapped", [](const Scene& scene) { return make_code_of(scene.program); },
     {mapped("mprotect", "{program}")}},
    {"mprotect, PROT_EXEC of what the plugin has written", [](const Scene&) { return make_code_of("/tmp/late-code"); },
     {mapped("mprotect", "/tmp/late-code")}},
    {"openat, by a child that ends at once",
     [](const Scene& scene) { return open_in_child(Parent::Waits, again(granted(scene), 1)); },
     {mapped("openat", kGranted)}},
    {"openat, by an orphan that ends at once",
     [](const Scene& scene) { return open_in_child(Parent::Gone, again(granted(scene), 2)); },
     {mapped("openat", kGranted)}},
    {"openat, by a thread whose leader ends", open_in_thread, {mapped("openat", kGranted)}},
};

}  // namespace

std::span<const Action> program_actions() { return kActions; }

}  // namespace jail::blindspot
