// The systemd of a user or of the machine, spoken with by its own socket ($XDG_RUNTIME_DIR/systemd/private, or below
// /run, for root alone): one call of D-Bus (the D-Bus specification, "Message Protocol"; org.freedesktop.systemd1(5)),
// without a bus between and without a library.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "base/fd.h"

namespace jail::sys {

class Systemd {
 public:
  // None: there is none, or it is another user's.
  static std::optional<Systemd> of_user();
  static std::optional<Systemd> of_machine();

  [[nodiscard]] pid_t pid() const { return pid_; }

  // Has the caller moved into a new scope of this name, whose groups are the caller's to make and which has no limit of
  // its own on how many processes there are (systemd.scope(5), Delegate=, TasksMax=). Waits for the answer, not for the
  // move: empty, or why there will be none.
  std::string start_scope(const std::string& name);

 private:
  static std::optional<Systemd> connect(const std::string& folder);
  Systemd(Fd socket, pid_t pid) : socket_(std::move(socket)), pid_(pid) {}

  Fd socket_;
  pid_t pid_;
};

}  // namespace jail::sys
