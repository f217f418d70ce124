// The log of one run to try things on, and small things to do with files and children.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <vector>

#include "../../scratch.h"
#include "audit/log.h"
#include "audit/sink.h"

namespace jail::test {

inline std::string content(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline void put(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary | std::ios::app) << text;
}

inline std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::size_t first = 0;
  for (std::size_t feed = text.find('\n'); feed != std::string::npos; feed = text.find('\n', first)) {
    lines.push_back(text.substr(first, feed - first));
    first = feed + 1;
  }
  if (first < text.size()) lines.push_back(text.substr(first));
  return lines;
}

// Whether `body` holds in a process of its own, whose changes of identity or view end with it. 2 asks for a skip.
inline int in_child(const std::function<int()>& body) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit([&body]() noexcept { return body(); }());  // an exception must not go on with the other tests
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
inline constexpr int kHolds = 0;
inline constexpr int kFails = 1;
inline constexpr int kCannotTry = 2;

// One write(2): the kernel takes an id map whole or not at all (user_namespaces(7)).
inline void write_once(const char* path, const std::string& text) {
  const Fd file(::open(path, O_WRONLY | O_CLOEXEC));
  (void)!::write(file.get(), text.data(), text.size());
}

// A mount namespace that this process may mount in, as root or as an ordinary user.
inline bool enter_own_view() {
  const uid_t uid = ::geteuid();
  if (uid == 0) return ::unshare(CLONE_NEWNS) == 0 && ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
  const auto same = [](unsigned id) { return std::to_string(id) + " " + std::to_string(id) + " 1"; };
  const gid_t gid = ::getegid();
  if (::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return false;
  write_once("/proc/self/setgroups", "deny");
  write_once("/proc/self/gid_map", same(gid));
  write_once("/proc/self/uid_map", same(uid));
  return ::getegid() == gid && ::geteuid() == uid;
}

inline const audit::Identity kIdentity{
    .run = "00c0ffee00c0ffee", .profile = "acme-crm", .profile_path = "/etc/jail/profiles/acme-crm.yaml"};

inline audit::Home me() { return {.euid = ::geteuid(), .xdg_state_home = {}, .home = {}}; }

inline std::variant<audit::Log, audit::Problem> open_log(audit::Target target,
                                                         const audit::Identity& identity = kIdentity,
                                                         const audit::Policy& policy = {}) {
  return audit::open(identity, {std::move(target)}, me(), {}, policy);
}

// The message of a log that could not be opened; empty when it could.
inline std::string problem_of(const std::variant<audit::Log, audit::Problem>& opened) {
  const auto* problem = std::get_if<audit::Problem>(&opened);
  return problem == nullptr ? "" : problem->message;
}

inline event::Event ended(std::size_t reason_bytes = 0) {
  return {.body = event::RunEnded{.reason = std::string(reason_bytes, 'r')}};
}

// A record of that size that nothing waits for.
inline event::Event ended_early(std::size_t reason_bytes) {
  return {.body = event::MonitorChanged{.reason = std::string(reason_bytes, 'r')}};
}

inline event::Event looked_up(const std::string& path) {
  return {.body = event::FileOpen{.call = "openat", .named = {.path = path}, .access = {"read"}},
          .source = event::Source::Notify,
          .verdict = event::Verdict{}};
}

inline event::Event denied(const std::string& path) {
  event::Event event = looked_up(path);
  event.verdict = {event::Decision::Denied, "mount", "default", ENOENT, true};
  return event;
}

}  // namespace jail::test
