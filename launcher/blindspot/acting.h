// What the actions have in common. They run in a process that will end, so descriptors are left to it; and they make
// each call by its number, because the C library might choose another.
#pragma once

#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <functional>
#include <string>

#include "blindspot/action.h"

namespace jail::blindspot {

// Where files belong to a file system that may not answer, the monitor reads only memory that is there (mounts.h in
// monitor/): a name that nobody has looked at yet need not be. What is tried here is the call, so it is looked at.
inline void look_at(const char* text) {
  if (text == nullptr) return;
  for (const volatile char* at = text; *at != '\0'; ++at) {
  }
}
template <typename Other>
void look_at(Other) {}

template <typename... Argument>
long call(long number, Argument... arguments) {
  (look_at(arguments), ...);
  return ::syscall(number, arguments...);
}

// The call as the whole action.
template <typename... Argument>
Outcome try_call(long number, Argument... arguments) {
  const long result = call(number, arguments...);
  return {.error = result < 0 ? errno : 0};
}

inline Outcome missing() { return {.error = errno, .step = Outcome::Step::Missing}; }

inline std::string granted(const Scene& scene) { return scene.folder + "/granted/file"; }
inline std::string hidden(const Scene& scene) { return scene.folder + "/hidden"; }

// An empty file below /tmp, open for reading and writing.
int make_file(const char* path);

// In a further process. Its number, and what `act` returned: kept in memory that both have, so that nothing stands
// between the last call and the end. Gone: it is an orphan, whose parent has ended before.
enum class Parent { Waits, Gone };
Outcome in_child(Parent parent, const std::function<int()>& act);

// Internet addresses and Unix ones, as the calls want them.
struct Address {
  sockaddr_storage storage{};
  socklen_t length = 0;
  [[nodiscard]] sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};
Address v4(const char* address, std::uint16_t port);
Address v6(const char* address, std::uint16_t port);
Address unix_path(const std::string& path);     // "@name": an abstract one
Address only_family(sa_family_t family);

int open_socket(int family, int type, int protocol = 0);

}  // namespace jail::blindspot
