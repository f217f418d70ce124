// Descriptors 0, 1 and 2 of the plugin: none of them may hand it something of the operator's that it was not given to
// use (SECURITY D1). A terminal is replaced by one of the jail's own, with the supervisor passing bytes between the
// two. A pipe, a socket, a file open for reading and writing or for appending is replaced by a pipe: through
// /proc/self/fd a plugin opens the very same pipe the other way round and writes commands into the script that `bash
// -s` is reading, or reads what the host logs (no Landlock rule reaches a pipe: measured on Linux 6.18), and O_APPEND
// does not keep anybody from truncating a log. So is a file of the plugin's own user, whose mode and times it could
// change. A closed one is /dev/null. What is left, a file of somebody else's that is open one way and the memory
// devices such as /dev/null, is passed as it is.
#pragma once

#include <poll.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "base/fd.h"

namespace jail::run {

enum class Wire { Pass, Null, Pipe, Terminal };
enum class Flow { In, Out };  // as the plugin sees it

// When the supervisor may read the operator's terminal. Never: descriptor 0 is no terminal, or it is the terminal of
// somebody else's session, where what is typed is not meant for us. WhileForeground: it is our session's. Always: it
// is no session's, as when a host program made it for this run. Shared: as WhileForeground, but standard output is a
// pipe, and its reader may be a pager that reads the same terminal: it is ours only when nobody has taken it out of
// its line mode for a second.
enum class TerminalInput { Never, WhileForeground, Shared, Always };

struct StdioPlan {
  std::array<Wire, 3> wires{Wire::Pass, Wire::Pass, Wire::Pass};
  std::array<Flow, 3> flows{Flow::In, Flow::Out, Flow::Out};  // for Pipe: by the way it is open, else by its number
  std::array<int, 3> pipe{-1, -1, -1};      // for Pipe: the lowest of 0-2 that is the same description, so that `2>&1`
                                            // keeps its order
  std::array<int, 3> terminal{-1, -1, -1};  // for Terminal: which of the jail's terminals; the same operator's terminal
                                            // on several descriptors is one terminal in the jail
  int terminals = 0;
  TerminalInput input = TerminalInput::Never;
  // What the supervisor itself goes on writing to: its messages on 2, and 0 or 1 where --audit-fd or --status-fd says
  // so. The others it lets go of as soon as the plugin is done with them, so that their other ends notice.
  std::array<bool, 3> kept{false, false, true};
  std::array<std::string, 3> seen;  // "terminal", "pipe", "file (write)", "socket", "closed", ...: for plan and log
  std::string problem;              // not empty: the run must be refused (a folder as standard input, ...)
};

// Looks at descriptors 0-2 of this process, on behalf of a plugin with this host uid.
StdioPlan plan_stdio(uid_t plugin);

// Opens /dev/null for what is closed, so that no later descriptor lands on 0-2. First thing in main().
void fill_closed_stdio();

// The plugin's ends of the pipes, made before the fork. The rest is the supervisor's: its ends of the pipes,
// descriptions of its own (O_NONBLOCK) of what stands on the operator's side, and /dev/null, opened here because the
// supervisor will see neither /dev nor /proc.
struct StdioEnds {
  std::array<Fd, 3> plugin;
  std::array<Fd, 3> supervisor;
  std::array<Fd, 3> operators;
  Fd nowhere;
  std::vector<std::string>
      notes;  // what could not be opened again: such a sink may keep the supervisor for 10 ms a turn
};
StdioEnds make_ends(const StdioPlan& plan);

// In the jail, in its view: makes the terminals in the jail's own devpts. The masters go to the supervisor.
struct Terminals {
  std::vector<Fd> masters;
  std::vector<Fd> slaves;
};
Terminals make_terminals(const StdioPlan& plan, const std::string& multiplexer = "/dev/pts/ptmx");

// In the plugin process, before its filter: a new session, the terminal as the controlling one, 0-2 in place. All else
// that was made here is close-on-exec.
void connect_stdio(const StdioPlan& plan, const StdioEnds& ends, const Terminals& terminals);

// The supervisor's side: a bounded buffer a direction, never a blocking call, O_NONBLOCK never set on a description
// that was inherited. Bytes leave the operator's input only as the plugin reads them: what it leaves is still there for
// the next program, as it would be without a jail. Restores the operator's terminal (and drops unread input, among it
// the terminal's answers to questions that the plugin's output asked) when it goes. After SIGKILL of the supervisor
// nobody restores it: `stty sane`, typed blindly and ended with Ctrl-J, does.
// Made after the plugin's process; ignores SIGPIPE and SIGXFSZ, and keeps SIGTTIN and SIGTTOU blocked while it lives.
class StdioProxy {
 public:
  StdioProxy(const StdioPlan& plan, StdioEnds ends, std::vector<Fd> masters);
  ~StdioProxy();
  StdioProxy(const StdioProxy&) = delete;
  StdioProxy& operator=(const StdioProxy&) = delete;

  void add_to(std::vector<pollfd>& polled) const;  // appends what it waits for now
  void handle(const std::vector<pollfd>& polled);  // moves what can be moved
  void window_changed();                           // SIGWINCH
  void continued();  // SIGCONT: the shell may have changed the terminal and who stands in its foreground
  // From here on nobody in the jail reads what is typed: the terminal is the operator's again, so that Ctrl-C ends us
  // while we wait for a slow reader.
  void plugin_ended();
  // After the plugin's end: whether some of its output still waits for a sink that takes it. A program without a jail
  // would go on waiting for its reader, too: `jail run report | less`.
  [[nodiscard]] bool pending() const;
  void drain();  // after the plugin's end: what is still in the pipes, bounded in time: 200 ms, 1 MiB

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace jail::run
