// Descriptors 0, 1 and 2 of the plugin: none of them may hand it something of the operator's that it was not given to use
// (SECURITY D1). A terminal is replaced by one of the jail's own, with the supervisor passing bytes between the two; a
// socket or a file open for reading and writing is replaced by a pipe; a closed one is /dev/null. What is left, a pipe or
// a file open one way, is passed as it is.
#pragma once

#include <poll.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "base/fd.h"

namespace jail::run {

enum class Wire { Pass, Null, Pipe, Terminal };

struct StdioPlan {
  std::array<Wire, 3> wires{Wire::Pass, Wire::Pass, Wire::Pass};
  std::array<int, 3> terminal{-1, -1, -1};  // for Terminal: which of the jail's terminals; the same operator's terminal
                                            // on several descriptors is one terminal in the jail
  int terminals = 0;
  std::array<std::string, 3> seen;  // "terminal", "pipe", "file (write)", "socket", "closed", ...: for plan and log
  std::string problem;              // not empty: the run must be refused (a folder as standard input, ...)
};

// Looks at descriptors 0-2 of this process.
StdioPlan plan_stdio();

// Opens /dev/null for what is closed, so that no later descriptor lands on 0-2. First thing in main().
void fill_closed_stdio();

// The plugin's ends of the pipes, made before the fork.
struct StdioEnds {
  std::array<Fd, 3> plugin;
  std::array<Fd, 3> supervisor;
};
StdioEnds make_ends(const StdioPlan& plan);

// In the jail, in its view: makes the terminals in the jail's own devpts. The masters go to the supervisor.
struct Terminals {
  std::vector<Fd> masters;
  std::vector<Fd> slaves;
};
Terminals make_terminals(const StdioPlan& plan);

// In the plugin process, before its filter: a new session, the terminal as the controlling one, 0-2 in place.
void connect_stdio(const StdioPlan& plan, const StdioEnds& ends, const Terminals& terminals);

// The supervisor's side: a bounded buffer a direction, never a blocking call, O_NONBLOCK never set on a description
// that was inherited. Restores the operator's terminal (and drops unread input) when it goes.
class StdioProxy {
 public:
  StdioProxy(const StdioPlan& plan, StdioEnds ends, std::vector<Fd> masters);
  ~StdioProxy();
  StdioProxy(const StdioProxy&) = delete;
  StdioProxy& operator=(const StdioProxy&) = delete;

  void add_to(std::vector<pollfd>& polled) const;  // appends what it waits for now
  void handle(const std::vector<pollfd>& polled);  // moves what can be moved
  void window_changed();                           // SIGWINCH
  void drain();                                    // after the plugin's end: what is still in the pipes, bounded in time

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace jail::run
