// Starts a program as somebody, in a state of our making, and waits for its end: the one place where the tests fork.
// The driver is a child subreaper, so that whatever a jail leaves behind becomes its child and is counted.
#pragma once

#include <sys/types.h>

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace jail::test {

// Who starts the jail. Numbers, not names: the ordinary user needs no line in /etc/passwd.
struct Identity {
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;
};

// Seconds that anything may take: more in the virtual machines, where code runs ten times slower.
int patience();

struct Launch {
  std::vector<std::string> words;                   // words[0] is the program's path
  std::map<std::string, std::string> environment;   // all of it
  Identity identity;
  std::string folder = "/";                         // the current one
  std::string input;                                // standard input; empty: /dev/null
  std::function<void()> prepare;                    // in the child, before it gives up the driver's identity
  std::optional<pid_t> group;                       // process group to join; none: a new one
  bool session = false;                             // a session of its own instead, without a terminal
  int seconds = patience();                         // then SIGKILL, and `timed_out`
};

struct Outcome {
  int status = 0;         // of waitpid(2)
  std::string out, error; // first 4 MiB of each
  bool timed_out = false;
  int survivors = 0;      // processes still alive 2 s after the end: adopted, counted, killed

  // As a shell says it: the exit status, or 128+n.
  int code() const;
};

// A started program; its end must be awaited.
class Started {
 public:
  explicit Started(const Launch& launch);
  Started(const Started&) = delete;
  Started& operator=(const Started&) = delete;
  ~Started();

  pid_t pid() const { return pid_; }
  Outcome wait();

 private:
  pid_t pid_ = -1;
  int out_ = -1, error_ = -1, seconds_ = 0;
};

Outcome run(const Launch& launch);

// Make this process the one that orphans of its descendants fall to (prctl(2), PR_SET_CHILD_SUBREAPER).
void adopt_orphans();

// Wait up to `seconds` until no child but `spared` is left; kill and count what then remains.
int reap_survivors(double seconds, const std::vector<pid_t>& spared = {});

// True when `condition` came true within `seconds`.
bool eventually(double seconds, const std::function<bool()>& condition);

}  // namespace jail::test
