#include "registry/live.h"

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <map>
#include <span>
#include <sstream>
#include <utility>

#include "base/error.h"
#include "registry/control_socket.h"
#include "sys/peer.h"
#include "sys/process.h"
#include "sys/socket.h"
#include "sys/socket_diag.h"

namespace jail::registry {
namespace {

using Clock = std::chrono::steady_clock;

constexpr Patience kToObey{2000};
constexpr Patience kToEnd{10'000};

// Of /proc/PID/status (proc(5)): the words behind that key.
std::vector<std::string> status_of(const std::string& process, const std::string& key) {
  std::ifstream status("/proc/" + process + "/status");
  for (std::string line; std::getline(status, line);) {
    if (!line.starts_with(key + ":")) continue;
    std::istringstream rest(line.substr(key.size() + 1));
    std::vector<std::string> words;
    for (std::string word; rest >> word;) words.push_back(std::move(word));
    return words;
  }
  return {};
}

// A plugin that shares the host's network may have a socket of any name; the kernel shows what it is.
bool is_plugin(pid_t process) {
  const std::string number = std::to_string(process);
  return status_of(number, "NoNewPrivs") == std::vector<std::string>{"1"} &&
         status_of(number, "NSpid").size() > status_of("self", "NSpid").size();
}

std::optional<Live> reach(Named named) {
  Live live{.run = std::move(named.run), .profile = std::move(named.profile), .uid = named.uid, .socket = {},
            .status = {}};
  Fd socket(check(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), "socket"));
  const int error = sys::connect_to_path(socket, socket_name(live.uid, live.run, live.profile));
  if (error == EAGAIN) return live;
  if (error != 0) return std::nullopt;  // it has ended meanwhile
  const sys::Peer peer = sys::peer_of(socket);
  if (peer.uid != live.uid || is_plugin(peer.pid)) return std::nullopt;
  live.supervisor = peer.pid;
  live.socket = std::move(socket);
  return live;
}

template <typename Record>
std::optional<Record> receive(const Fd& socket) {
  const std::optional<sys::Letter> letter = sys::receive_letter(socket, sizeof(Record));
  Record record;
  if (!letter || letter->bytes.size() != sizeof record) return std::nullopt;
  std::memcpy(&record, letter->bytes.data(), sizeof record);
  return record.version == Status::kVersion ? std::optional(record) : std::nullopt;
}

int ms_until(Clock::time_point end) {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now()).count();
  return static_cast<int>(std::max<decltype(left)>(left, 0));
}

bool is_readable(const Fd& descriptor, Clock::time_point end) {
  pollfd polled{descriptor.get(), POLLIN, 0};
  return TEMP_FAILURE_RETRY(::poll(&polled, 1, ms_until(end))) > 0;
}

// Those that the caller may see, each by its owner.
std::vector<Named> names() {
  const uid_t own = ::geteuid();
  std::vector<Named> names;
  std::map<uid_t, std::size_t> counts;
  for (const sys::UnixListener& listener : sys::unix_listeners()) {
    std::optional<Named> named = named_by(listener.name);
    if (!named || named->uid != listener.uid || (own != 0 && named->uid != own)) continue;
    if (++counts[named->uid] > kMostLive)
      throw SysError(EMFILE, "control sockets", "of uid " + std::to_string(named->uid));
    names.push_back(std::move(*named));
  }
  return names;
}

Problem say_none(std::string_view word) {
  return {"no live jail has the profile '" + std::string(word) + "', or a run's id that begins so" +
              (is_run(word) && word.size() < kLeastOfRun ? ", by four characters or more" : ""),
          "'jail ps' shows those that live"};
}

// The supervisor, if it still is its user's alone: who has executed a set-id program is not.
Fd supervisor_of(const Live& live) {
  if (!live.socket) return {};
  Fd process = sys::process_of_peer(live.socket, {live.supervisor, live.uid});
  const std::vector<std::string> ids = status_of(std::to_string(live.supervisor), "Uid");
  const bool is_theirs = !ids.empty() && std::ranges::all_of(ids, [&](const std::string& id) {
    return id == std::to_string(live.uid);
  });
  return is_theirs ? std::move(process) : Fd();
}

}  // namespace

bool is_run(std::string_view text) {
  return !text.empty() && text.size() <= 20 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// "\0jail/1001/5264063b9a1c22fe/acme-crm"
std::optional<Named> named_by(std::string_view name) {
  constexpr std::string_view kMark("\0jail/", 6);
  if (!name.starts_with(kMark)) return std::nullopt;
  name.remove_prefix(kMark.size());
  Named named;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), named.uid);
  if (error != std::errc() || end == name.data() + name.size() || *end != '/') return std::nullopt;
  name.remove_prefix(static_cast<std::size_t>(end - name.data()) + 1);
  const std::size_t slash = std::min(name.find('/'), name.size());
  named.run = name.substr(0, slash);
  named.profile = name.substr(std::min(slash + 1, name.size()));
  return is_run(named.run) && !named.profile.empty() ? std::optional(std::move(named)) : std::nullopt;
}

std::vector<Live> list_live(Patience patience) {
  std::vector<Live> all;
  for (Named& named : names())
    if (std::optional<Live> live = reach(std::move(named))) all.push_back(std::move(*live));
  const Clock::time_point end = Clock::now() + patience;
  for (Live& live : all)
    if (live.socket && is_readable(live.socket, end)) live.status = receive<Status>(live.socket);
  std::ranges::stable_sort(all, {}, [](const Live& live) { return live.status ? live.status->started_ns : ~0ULL; });
  return all;
}

Meant find_meant(std::vector<Live> all, std::string_view word) {
  Meant meant;
  const auto take = [&](const auto& is_wanted) {
    for (Live& live : all)
      if (is_wanted(live)) meant.jails.push_back(std::move(live));
  };
  take([&](const Live& live) { return live.profile == word; });
  if (!meant.jails.empty()) return meant;
  if (word.size() >= kLeastOfRun) take([&](const Live& live) { return live.run.starts_with(word); });
  if (meant.jails.size() == 1) return meant;
  std::vector<Run> runs;
  for (const Live& live : meant.jails) runs.push_back({live.run, live.profile});
  meant.problem = runs.empty() ? say_none(word) : say_several(word, runs);
  return meant;
}

Problem say_several(std::string_view word, const std::vector<Run>& runs) {
  constexpr std::size_t kMostSaid = 5;
  std::string all;
  for (const Run& run : std::span(runs).first(std::min(runs.size(), kMostSaid)))
    all.append(all.empty() ? "" : ", ").append(run.id).append(" (").append(run.profile).append(")");
  if (runs.size() > kMostSaid) all += " and " + std::to_string(runs.size() - kMostSaid) + " more";
  return {std::to_string(runs.size()) + " runs begin with '" + std::string(word) + "': " + all,
          "more of its id says which"};
}

std::optional<Reply> ask(const Live& live, const Request& request, Patience patience) {
  if (!live.socket || !sys::send_now(live.socket, &request, sizeof request)) return std::nullopt;
  if (!is_readable(live.socket, Clock::now() + patience)) return std::nullopt;
  return receive<Reply>(live.socket);
}

std::vector<Live> end(std::vector<Live> jails, std::string_view reason) {
  Request request{.wish = Request::Wish::Kill};
  request.reason.set(reason);
  std::vector<std::pair<Live, Fd>> left;
  for (Live& live : jails) {
    Fd process = supervisor_of(live);
    if (process && !live.status) (void)sys::pidfd_send_signal(process, SIGCONT);  // it may only have been stopped
    const bool is_asked = live.socket && sys::send_now(live.socket, &request, sizeof request);
    if (process && !is_asked) (void)sys::pidfd_send_signal(process, SIGKILL);
    left.emplace_back(std::move(live), std::move(process));
  }
  for (const Patience patience : {kToObey, kToEnd}) {
    const Clock::time_point until = Clock::now() + patience;
    std::erase_if(left, [&](const auto& one) { return one.second && is_readable(one.second, until); });
    for (const auto& [live, process] : left)
      if (process) (void)sys::pidfd_send_signal(process, SIGKILL);
  }
  std::vector<Live> still_there;
  for (auto& [live, process] : left) still_there.push_back(std::move(live));
  return still_there;
}

}  // namespace jail::registry
