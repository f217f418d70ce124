// resolver_scene [OPTION...] -- COMMAND...: the resolver as a run has it, in two network namespaces. COMMAND runs in
// one of its own, where every address is local and nothing leads out; the resolver answers there, and asks the name
// servers of this one. Beside it stands a relay that only says yes. Ends with COMMAND's status.
//
//   --allow HOST      a name, "*.name", an address or a prefix
//   --refuse ADDRESS  the relay says no
//   --deaf            the relay closes its socket with the first opening
//   --late            nobody takes what is told before COMMAND has ended
//   --resolv-conf F   COMMAND's /etc/resolv.conf
//   --told F          a line for each opening and for each question told, in the order they came
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <iostream>
#include <latch>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/error.h"
#include "egress/lookup.h"
#include "egress/opening.h"
#include "egress/resolver.h"
#include "sys/socket.h"

namespace {

using namespace jail;
using namespace jail::egress;

struct Options {
  profile::Network network;
  std::vector<std::string> refused;
  bool is_deaf = false;
  bool is_late = false;
  std::string resolv_conf;
  std::string told;
  char** command = nullptr;
};

profile::Endpoint endpoint(std::string host) {
  profile::Endpoint endpoint;
  if (const auto slash = host.find('/'); slash != std::string::npos) {
    endpoint.kind = profile::HostKind::Prefix;
    endpoint.prefix_length = std::stoi(host.substr(slash + 1));
    host.resize(slash);
  } else if (host.starts_with("*.")) {
    endpoint.kind = profile::HostKind::Wildcard;
    host.erase(0, 2);
  } else if (address_of(host, 0)) {
    endpoint.kind = profile::HostKind::Address;
  }
  endpoint.host = std::move(host);
  return endpoint;
}

Options options_of(char** argv) {
  Options options;
  for (char** at = argv + 1; *at != nullptr; ++at) {
    const std::string word = *at;
    if (word == "--") {
      options.command = at + 1;
      break;
    }
    if (word == "--deaf" || word == "--late") {
      (word == "--deaf" ? options.is_deaf : options.is_late) = true;
      continue;
    }
    const std::string value = *++at;
    if (word == "--allow") options.network.allow.push_back(endpoint(value));
    else if (word == "--refuse") options.refused.push_back(value);
    else if (word == "--resolv-conf") options.resolv_conf = value;
    else if (word == "--told") options.told = value;
    else throw std::invalid_argument(word);
  }
  return options;
}

class Log {
 public:
  explicit Log(const std::string& path) : file_(path) {}
  void add(const std::string& line) {
    const std::lock_guard guard(mutex_);
    file_ << line << std::endl;
  }

 private:
  std::mutex mutex_;
  std::ofstream file_;
};

Address address_in(std::uint16_t family, const std::array<std::uint8_t, 16>& bytes) {
  return {.family = family, .bytes = bytes, .port = 0};
}

void relay_openings(const Fd& socket, const Options& options, Log& log) {
  Opening opening;
  while (::recv(socket.get(), &opening, sizeof opening, 0) == sizeof opening) {
    const std::string address = text_of(address_in(opening.family, opening.address));
    log.add("opening " + std::to_string(opening.rule) + " " + address + " " + std::to_string(opening.ttl));
    if (options.is_deaf) break;
    const bool is_refused = std::ranges::find(options.refused, address) != options.refused.end();
    opening.verdict = is_refused ? Opening::Verdict::Refused : Opening::Verdict::Opened;
    if (::send(socket.get(), &opening, sizeof opening, MSG_NOSIGNAL) < 0) break;
  }
  ::shutdown(socket.get(), SHUT_RDWR);
}

std::string line_of(const Lookup& told) {
  static constexpr const char* kOutcomes[] = {"answered", "not-permitted", "malformed", "too-long", "too-many-names",
                                              "too-fast", "busy", "addresses-refused", "failed"};
  std::string line = "lookup";
  const auto add = [&](const std::string& word) { line.append(" ").append(word.empty() ? "-" : word); };
  add(told.name.data());
  for (const std::uint64_t number : {std::uint64_t{told.type}, std::uint64_t{told.rcode}}) add(std::to_string(number));
  add(kOutcomes[static_cast<std::size_t>(told.outcome)]);
  add(told.rule == Lookup::kNoRule ? "" : std::to_string(told.rule));
  for (const std::uint32_t number : {std::uint32_t{told.count}, std::uint32_t{told.refused}, told.ttl, told.more,
                                     told.lost})
    add(std::to_string(number));
  for (std::size_t i = 0; i < std::min<std::size_t>(told.count, told.answers.size()); ++i)
    add(text_of(address_in(told.answers[i].family, told.answers[i].address)));
  return line;
}

void hear(const Fd& socket, Log& log) {
  Lookup told;
  while (::recv(socket.get(), &told, sizeof told, 0) == sizeof told) log.add(line_of(told));
}

void run_tool(const char* command) {
  if (std::system(command) != 0) throw std::runtime_error(command);
}

// Enters the plugin's namespace, with what it holds made, and leaves the way back open.
Fd enter_jail() {
  Fd outside(check(::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), "open", "/proc/self/ns/net"));
  check(::unshare(CLONE_NEWNET), "unshare");
  sys::bring_up_loopback();
  run_tool("ip route add local default dev lo");
  run_tool("ip -6 route add local default dev lo");
  return outside;
}

pid_t start(const Options& options) {
  const pid_t child = check(::fork(), "fork");
  if (child != 0) return child;
  check(::unshare(CLONE_NEWNS), "unshare");
  check(::mount(options.resolv_conf.c_str(), "/etc/resolv.conf", nullptr, MS_BIND, nullptr), "mount");
  check(::mount("/dev/null", "/etc/hosts", nullptr, MS_BIND, nullptr), "mount");
  ::execvp(*options.command, options.command);
  throw SysError(errno, "exec", *options.command);
}

int run(const Options& options) {
  const Names names(options.network.allow);
  Upstreams upstreams = read_upstreams(names, options.network.allow);
  Log log(options.told);
  sys::SocketPair relay = sys::socket_pair();
  const Link link{std::move(relay.ours), Fd()};
  sys::SocketPair told = sys::socket_pair();
  const Fd outside = enter_jail();
  ResolverSockets sockets = open_resolver_sockets(53);
  const pid_t child = start(options);
  check(::setns(outside.get(), CLONE_NEWNET), "setns");
  std::thread relaying([&] { relay_openings(relay.theirs, options, log); });
  std::latch ended(1);
  std::thread hearing([&] {
    if (options.is_late) ended.wait();
    hear(told.ours, log);
  });
  int status = 0;
  std::thread waiting([&] {
    ::waitpid(child, &status, 0);
    ended.count_down();
    ::shutdown(told.ours.get(), SHUT_WR);
  });
  int error = 0;
  try {
    resolve(std::move(sockets), names, std::move(upstreams), link, told.theirs);
  } catch (const SysError& failure) {
    error = failure.error();
  }
  if (error != 0) log.add("ended " + errno_name(error));
  told.theirs.reset();
  ::shutdown(link.openings.get(), SHUT_RDWR);
  for (std::thread* thread : {&waiting, &relaying, &hearing}) thread->join();
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

}  // namespace

int main(int, char** argv) {
  try {
    return run(options_of(argv));
  } catch (const std::exception& error) {
    std::cerr << "resolver_scene: " << error.what() << "\n";
    return 125;
  }
}
