// The supervisor's side of the plugin's descriptors 0-2: a terminal each, a relay for each pipe of output, and the
// input.
#include "run/stdio.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <list>
#include <optional>

#include "run/stdio_offer.h"
#include "run/stdio_relay.h"
#include "run/stdio_terminal.h"
#include "sys/pipe.h"

namespace jail::run {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kDrain{200};
constexpr std::size_t kDrainBytes = 1024 * 1024;

enum class Kind { Pipe, Stream, Packets, File, Other };

Kind kind_of(int fd) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) return Kind::Other;
  if (S_ISFIFO(status.st_mode)) return Kind::Pipe;
  if (S_ISREG(status.st_mode) || S_ISBLK(status.st_mode)) return Kind::File;
  if (!S_ISSOCK(status.st_mode)) return Kind::Other;
  int type = 0;
  socklen_t size = sizeof type;
  return ::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM ? Kind::Stream : Kind::Packets;
}

// How to use an inherited descriptor, with our own description of the same where there is one.
Channel channel(int inherited, const Fd& own) {
  if (own) return {own.get(), Manner::Own};
  switch (kind_of(inherited)) {
    case Kind::Stream:
    case Kind::Packets: return {inherited, Manner::Socket};
    case Kind::File: return {inherited, Manner::File};
    default: return {inherited, Manner::Borrowed};
  }
}

std::optional<Peek> peek_at(int fd) {
  switch (kind_of(fd)) {
    case Kind::Pipe: return Peek::Pipe;
    case Kind::Stream: return Peek::Socket;
    case Kind::File: return Peek::File;
    default: return std::nullopt;  // packets and devices: what is read is gone
  }
}

// Signals that would stop or end the supervisor for what the operator's side does: writing to a terminal from the
// background, to a pipe without a reader, beyond a limit on files.
class Shield {
 public:
  Shield() {
    (void)::signal(SIGPIPE, SIG_IGN);
    (void)::signal(SIGXFSZ, SIG_IGN);
    sigset_t stops;
    sigemptyset(&stops);
    sigaddset(&stops, SIGTTIN);
    sigaddset(&stops, SIGTTOU);
    (void)::sigprocmask(SIG_BLOCK, &stops, &before_);
  }
  ~Shield() { (void)::sigprocmask(SIG_SETMASK, &before_, nullptr); }
  Shield(const Shield&) = delete;
  Shield& operator=(const Shield&) = delete;

 private:
  sigset_t before_{};
};

// A pipe of the plugin's, and what moves its bytes.
struct Line {
  int wire = 0;
  std::optional<Offer> offer;  // input from what can be looked at without taking
  std::optional<Relay> relay;  // output, and all other input

  [[nodiscard]] bool ended() const { return offer ? offer->ended() : relay->state() != Relay::State::Going; }
};

}  // namespace

struct StdioProxy::State {
  State(const StdioPlan& wanted, StdioEnds made, std::vector<Fd> masters) : plan(wanted), ends(std::move(made)) {
    for (Fd& end : ends.plugin) end.reset();
    for (int wire = 0; wire < 3; ++wire) {
      const std::size_t at = static_cast<std::size_t>(wire);
      if (plan.wires[at] == Wire::Pass) let_go(wire);
      if (plan.wires[at] == Wire::Pipe && plan.pipe[at] == wire) open_line(wire);
      if (plan.wires[at] == Wire::Terminal && static_cast<std::size_t>(plan.terminal[at]) == terminals.size())
        open_terminal(wire, std::move(masters.at(terminals.size())));
    }
  }

  // A process forked from us later has copies of all this, and none of it is its to restore.
  [[nodiscard]] bool is_owner() const { return owner == ::getpid(); }

  void open_terminal(int wire, Fd master) {
    const Fd& own = ends.operators[static_cast<std::size_t>(wire)];
    const Terminal::Operators operators{channel(wire, own), channel(writable(wire), own)};
    terminals.emplace_back(operators, std::move(master), wire == 0 ? plan.input : TerminalInput::Never);
  }

  // Of the descriptors on one terminal, the first that is open for writing: 0 may be `< /dev/tty`.
  [[nodiscard]] int writable(int wire) const {
    for (int other = wire; other < 3; ++other)
      if (plan.terminal[static_cast<std::size_t>(other)] == plan.terminal[static_cast<std::size_t>(wire)] &&
          (sys::status_flags(other) & O_ACCMODE) != O_RDONLY)
        return other;
    return wire;
  }

  void open_line(int wire) {
    const std::size_t at = static_cast<std::size_t>(wire);
    const Channel ours{ends.supervisor[at].get(), Manner::Own};
    const Channel operators = channel(wire, ends.operators[at]);
    Line& line = lines.emplace_back();
    line.wire = wire;
    if (plan.flows[at] == Flow::Out) line.relay.emplace(ours, operators);
    else if (const auto peek = peek_at(wire)) line.offer.emplace(wire, *peek, ours.fd, ends.nowhere.get());
    else line.relay.emplace(operators, ours);
  }

  void close_ended() {
    for (auto line = lines.begin(); line != lines.end();) {
      if (!line->ended()) {
        ++line;
        continue;
      }
      close(*line);
      line = lines.erase(line);
    }
  }

  // The plugin's side first: it learns of the end, or the operator's side does.
  void close(const Line& line) {
    for (Terminal& terminal : terminals) terminal.yield();
    ends.supervisor[static_cast<std::size_t>(line.wire)].reset();
    ends.operators[static_cast<std::size_t>(line.wire)].reset();
    for (int wire = line.wire; wire < 3; ++wire)
      if (plan.pipe[static_cast<std::size_t>(wire)] == line.wire) let_go(wire);
  }

  // The number stays taken, by /dev/null, so that nothing else lands there.
  void let_go(int wire) const {
    if (!plan.kept[static_cast<std::size_t>(wire)]) (void)::dup2(ends.nowhere.get(), wire);
  }

  [[nodiscard]] static bool is_output(const Line& line, const StdioPlan& plan) {
    return plan.flows[static_cast<std::size_t>(line.wire)] == Flow::Out;
  }

  void add_output_to(std::vector<pollfd>& polled) const {
    for (const Terminal& terminal : terminals) terminal.add_output_to(polled);
    for (const Line& line : lines)
      if (is_output(line, plan)) line.relay->add_to(polled);
  }

  std::size_t handle_output(const std::vector<pollfd>& polled) {
    std::size_t moved = 0;
    for (Terminal& terminal : terminals) moved += terminal.handle_output(polled);
    for (Line& line : lines)
      if (is_output(line, plan)) moved += line.relay->handle(polled);
    return moved;
  }

  pid_t owner = ::getpid();
  Shield shield;
  StdioPlan plan;
  StdioEnds ends;
  std::list<Terminal> terminals;
  std::list<Line> lines;
};

StdioProxy::StdioProxy(const StdioPlan& plan, StdioEnds ends, std::vector<Fd> masters)
    : state_(std::make_unique<State>(plan, std::move(ends), std::move(masters))) {}

StdioProxy::~StdioProxy() {
  if (!state_->is_owner()) {
    (void)state_.release();
    return;
  }
  for (Line& line : state_->lines)
    if (line.offer) line.offer->settle();
}

void StdioProxy::add_to(std::vector<pollfd>& polled) const {
  for (const Terminal& terminal : state_->terminals) terminal.add_to(polled);
  for (const Line& line : state_->lines) {
    if (line.offer) line.offer->add_to(polled);
    if (line.relay) line.relay->add_to(polled);
  }
}

void StdioProxy::handle(const std::vector<pollfd>& polled) {
  for (Terminal& terminal : state_->terminals) terminal.handle(polled);
  for (Line& line : state_->lines) {
    if (line.offer) line.offer->handle(polled);
    if (line.relay) (void)line.relay->handle(polled);
  }
  state_->close_ended();
}

void StdioProxy::window_changed() {
  for (Terminal& terminal : state_->terminals) terminal.copy_size();
}

void StdioProxy::continued() {
  for (Terminal& terminal : state_->terminals) terminal.continued();
}

void StdioProxy::plugin_ended() {
  for (Terminal& terminal : state_->terminals) terminal.plugin_ended();
}

bool StdioProxy::pending() const {
  for (const Terminal& terminal : state_->terminals)
    if (terminal.pending()) return true;
  for (const Line& line : state_->lines)
    if (State::is_output(line, state_->plan) && line.relay->pending()) return true;
  return false;
}

void StdioProxy::drain() {
  const auto until = Clock::now() + kDrain;
  std::size_t moved = 0;
  while (pending() && moved < kDrainBytes) {
    const auto left = std::chrono::duration_cast<milliseconds>(until - Clock::now()).count();
    std::vector<pollfd> polled;
    state_->add_output_to(polled);
    if (left <= 0 || TEMP_FAILURE_RETRY(::poll(polled.data(), polled.size(), static_cast<int>(left))) < 0) return;
    moved += state_->handle_output(polled);
  }
}

}  // namespace jail::run
