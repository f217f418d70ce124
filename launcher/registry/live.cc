#include "registry/live.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "base/error.h"
#include "registry/control_socket.h"
#include "sys/file.h"
#include "sys/peer.h"
#include "sys/process.h"

namespace jail::registry {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kLargestTable = std::size_t{64} << 20;
constexpr int kConnectMs = 200;  // to a supervisor whose queue is full

// "... @jail/1001/5264063b9a1c22fe"
std::optional<Named> named_by(std::string_view line) {
  constexpr std::string_view kMark = " @jail/";
  const std::size_t at = line.find(kMark);
  if (at == std::string_view::npos) return std::nullopt;
  line.remove_prefix(at + kMark.size());
  Named named;
  const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), named.uid);
  if (error != std::errc() || end == line.data() + line.size() || *end != '/') return std::nullopt;
  named.run = line.substr(static_cast<std::size_t>(end - line.data()) + 1);
  return is_run(named.run) ? std::optional(std::move(named)) : std::nullopt;
}

// One that claims another user's name is nobody's.
std::optional<Live> reach(Named named) {
  int error = 0;
  Live live{.run = std::move(named.run), .uid = named.uid, .socket = {}, .status = {}};
  live.socket = sys::try_connect(socket_name(named.uid, live.run), kConnectMs, error);
  if (!live.socket) return std::nullopt;
  const sys::Peer peer = sys::peer_of(live.socket);
  live.supervisor = peer.pid;
  return peer.uid == named.uid ? std::optional(std::move(live)) : std::nullopt;
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

bool is_readable(const Fd& socket, Clock::time_point end) {
  pollfd polled{socket.get(), POLLIN, 0};
  return TEMP_FAILURE_RETRY(::poll(&polled, 1, ms_until(end))) > 0;
}

}  // namespace

bool is_run(std::string_view text) {
  return !text.empty() && text.size() <= 20 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

std::vector<Named> names_in(std::string_view table) {
  std::vector<Named> names;
  while (!table.empty() && names.size() < kMostLive) {
    const std::string_view line = table.substr(0, table.find('\n'));
    table.remove_prefix(std::min(table.size(), line.size() + 1));
    std::optional<Named> named = named_by(line);
    const auto is_same = [&](const Named& other) { return other.uid == named->uid && other.run == named->run; };
    if (named && std::ranges::none_of(names, is_same)) names.push_back(std::move(*named));
  }
  return names;
}

std::vector<Live> list_live(Patience patience) {
  const Fd table = sys::open_at("/proc/thread-self/net/unix", O_RDONLY | O_CLOEXEC, sys::Resolve::Anything);
  const uid_t own = ::geteuid();
  std::vector<Live> all;
  for (Named& named : names_in(sys::read_file(table, kLargestTable)))
    if (own == 0 || named.uid == own)
      if (std::optional<Live> live = reach(std::move(named))) all.push_back(std::move(*live));
  const Clock::time_point end = Clock::now() + patience;
  for (Live& live : all)
    if (is_readable(live.socket, end)) live.status = receive<Status>(live.socket);
  std::ranges::stable_sort(all, {}, [](const Live& live) { return live.status ? live.status->started_ns : ~0ULL; });
  return all;
}

bool is_meant(const Live& live, std::string_view word) {
  return live.run.starts_with(word) || (live.status && live.status->profile.view() == word);
}

std::optional<Reply> ask(const Live& live, const Request& request, Patience patience) {
  if (!sys::send_now(live.socket, &request, sizeof request)) return std::nullopt;
  if (!is_readable(live.socket, Clock::now() + patience)) return std::nullopt;
  return receive<Reply>(live.socket);
}

bool has_ended(const Live& live, Patience patience) {
  pollfd polled{live.socket.get(), POLLRDHUP, 0};
  return TEMP_FAILURE_RETRY(::poll(&polled, 1, static_cast<int>(patience.count()))) > 0;
}

bool kill_supervisor(const Live& live) {
  const Fd process = sys::process_of_peer(live.socket, {live.supervisor, live.uid});
  return process && sys::pidfd_send_signal(process, SIGKILL);
}

}  // namespace jail::registry
