// What stands between the two sides: pipes and descriptions made before the fork, terminals made in the jail, and the
// plugin's 0-2 put in their places.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "run/stdio.h"
#include "sys/pipe.h"
#include "sys/terminal.h"

namespace jail::run {
namespace {

void make_pipe(StdioEnds& ends, std::size_t wire, Flow flow) {
  sys::Pipe pipe = sys::make_pipe();
  if (flow == Flow::In) sys::set_least_pipe_size(pipe.write);
  ends.plugin[wire] = flow == Flow::In ? std::move(pipe.read) : std::move(pipe.write);
  ends.supervisor[wire] = flow == Flow::In ? std::move(pipe.write) : std::move(pipe.read);
  sys::set_nonblocking(ends.supervisor[wire]);
}

Fd open_nowhere() { return sys::beyond_stdio(Fd(check(::open("/dev/null", O_RDWR | O_CLOEXEC), "open", "/dev/null"))); }

// Files that opening once more neither moves nor changes. A device may do anything when it is opened, a regular file
// would be written from its beginning.
bool may_be_reopened(const StdioPlan& plan, std::size_t wire) {
  if (plan.wires[wire] == Wire::Terminal) return true;
  struct stat status {};
  return plan.flows[wire] == Flow::Out && ::fstat(static_cast<int>(wire), &status) == 0 && S_ISFIFO(status.st_mode);
}

// A terminal is opened both ways, for its one description serves both directions; after `su` it may be somebody else's.
void reopen(StdioEnds& ends, const StdioPlan& plan, std::size_t wire) {
  const int mode = plan.wires[wire] == Wire::Terminal ? O_RDWR : O_WRONLY;
  ends.operators[wire] = sys::beyond_stdio(sys::reopen(static_cast<int>(wire), mode | O_NONBLOCK));
  if (!ends.operators[wire])
    ends.notes.push_back("descriptor " + std::to_string(wire) + " could not be opened again (" + errno_name(errno) +
                         "): a reader that stops reading keeps the supervisor waiting, 10 ms at a time");
}

bool is_first_of_terminal(const StdioPlan& plan, std::size_t wire) {
  for (std::size_t earlier = 0; earlier < wire; ++earlier)
    if (plan.terminal[earlier] == plan.terminal[wire]) return false;
  return true;
}

bool leads(const StdioPlan& plan, std::size_t wire) {
  if (plan.wires[wire] == Wire::Pipe) return plan.pipe[wire] == static_cast<int>(wire);
  return plan.wires[wire] == Wire::Terminal && is_first_of_terminal(plan, wire);
}

// A terminal of the size and with the settings of the operator's.
void imitate(int operators, const Fd& slave) {
  if (const auto attributes = sys::terminal_attributes(operators))
    (void)sys::set_terminal_attributes(slave.get(), *attributes);
  if (const auto size = sys::window_size(operators)) sys::set_window_size(slave.get(), *size);
}

// The caller may be one already: a child that its parent made one.
void start_session() {
  if (::getsid(0) != ::getpid()) check(::setsid(), "setsid");
}

const Fd& slave_for(const StdioPlan& plan, const Terminals& terminals, std::size_t wire) {
  return terminals.slaves.at(static_cast<std::size_t>(plan.terminal[wire]));
}

void take_terminal(const StdioPlan& plan, const Terminals& terminals) {
  for (std::size_t wire = 0; wire < 3; ++wire)
    if (plan.wires[wire] == Wire::Terminal) return sys::take_controlling_terminal(slave_for(plan, terminals, wire));
}

void put(const Fd& file, std::size_t wire) {
  check(::dup2(file.get(), static_cast<int>(wire)), "dup2", std::to_string(wire));
}

void connect(const StdioPlan& plan, const StdioEnds& ends, const Terminals& terminals, std::size_t wire) {
  switch (plan.wires[wire]) {
    case Wire::Pass: return;
    case Wire::Null: return put(open_nowhere(), wire);
    case Wire::Pipe: return put(ends.plugin.at(static_cast<std::size_t>(plan.pipe[wire])), wire);
    case Wire::Terminal: return put(slave_for(plan, terminals, wire), wire);
  }
}

}  // namespace

StdioEnds make_ends(const StdioPlan& plan) {
  StdioEnds ends;
  ends.nowhere = open_nowhere();
  for (std::size_t wire = 0; wire < 3; ++wire) {
    if (!leads(plan, wire)) continue;
    if (plan.wires[wire] == Wire::Pipe) make_pipe(ends, wire, plan.flows[wire]);
    if (may_be_reopened(plan, wire)) reopen(ends, plan, wire);
  }
  return ends;
}

Terminals make_terminals(const StdioPlan& plan, const std::string& multiplexer) {
  Terminals terminals;
  for (std::size_t wire = 0; wire < 3; ++wire) {
    if (plan.wires[wire] != Wire::Terminal || !leads(plan, wire)) continue;
    sys::TerminalPair pair = sys::make_terminal(multiplexer);
    imitate(static_cast<int>(wire), pair.slave);
    terminals.masters.push_back(sys::beyond_stdio(std::move(pair.master)));
    terminals.slaves.push_back(sys::beyond_stdio(std::move(pair.slave)));
  }
  return terminals;
}

void connect_stdio(const StdioPlan& plan, const StdioEnds& ends, const Terminals& terminals) {
  start_session();
  take_terminal(plan, terminals);
  for (std::size_t wire = 0; wire < 3; ++wire) connect(plan, ends, terminals, wire);
}

}  // namespace jail::run
