#include "blindspot/acting.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <cstring>

namespace jail::blindspot {
namespace {

struct Shared {
  volatile pid_t process;
  volatile int error;
};

Shared* share() {
  void* const memory = ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  return memory == MAP_FAILED ? nullptr : static_cast<Shared*>(memory);
}

[[noreturn]] void act_and_end(Shared& shared, const std::function<int()>& act) {
  shared.process = ::getpid();
  shared.error = act();
  ::_exit(0);
}

}  // namespace

int make_file(const char* path) { return static_cast<int>(call(SYS_open, path, O_RDWR | O_CREAT, 0600)); }

// The end of the pipe is the end of the process, also of one that is nobody's child.
Outcome in_child(Parent parent, const std::function<int()>& act) {
  int ends[2];
  Shared* const shared = share();
  if (shared == nullptr || ::pipe(ends) != 0) return missing();
  const pid_t child = ::fork();
  if (child < 0) return missing();
  if (child == 0) {
    if (parent == Parent::Gone && ::fork() != 0) ::_exit(0);
    ::fcntl(ends[1], F_SETFD, FD_CLOEXEC);
    act_and_end(*shared, act);
  }
  ::close(ends[1]);
  char nothing = 0;
  while (::read(ends[0], &nothing, 1) < 0 && errno == EINTR) {}
  ::waitpid(child, nullptr, 0);
  return {.error = shared->error, .process = shared->process};
}

Address v4(const char* address, std::uint16_t port) {
  sockaddr_in in{};
  in.sin_family = AF_INET;
  in.sin_port = htons(port);
  ::inet_pton(AF_INET, address, &in.sin_addr);
  Address made{.length = sizeof in};
  std::memcpy(&made.storage, &in, sizeof in);
  return made;
}

Address v6(const char* address, std::uint16_t port) {
  sockaddr_in6 in{};
  in.sin6_family = AF_INET6;
  in.sin6_port = htons(port);
  ::inet_pton(AF_INET6, address, &in.sin6_addr);
  Address made{.length = sizeof in};
  std::memcpy(&made.storage, &in, sizeof in);
  return made;
}

Address unix_path(const std::string& path) {
  sockaddr_un un{};
  un.sun_family = AF_UNIX;
  path.copy(un.sun_path, sizeof un.sun_path - 1);
  if (path.starts_with('@')) un.sun_path[0] = '\0';
  Address made{.length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size())};
  std::memcpy(&made.storage, &un, sizeof un);
  return made;
}

Address only_family(sa_family_t family) {
  Address made{.length = sizeof(sockaddr)};
  made.storage.ss_family = family;
  return made;
}

int open_socket(int family, int type, int protocol) {
  return static_cast<int>(call(SYS_socket, family, type, protocol));
}

}  // namespace jail::blindspot
