// Terminals: termios(3), ioctl_tty(2), pty(7), credentials(7). Functions that are used after the plugin runs do not
// throw: a terminal may go away at any moment, and that is nobody's error.
#pragma once

#include <sys/ioctl.h>
#include <sys/types.h>
#include <termios.h>

#include <optional>
#include <string>

#include "base/fd.h"

namespace jail::sys {

bool is_terminal(int fd) noexcept;

// The device number of the terminal behind the descriptor, also when that is /dev/tty or /dev/console (TIOCGDEV); 0
// when there is none.
dev_t terminal_device(int fd) noexcept;

// tcgetattr(3); of a master: the attributes of its slave. Nothing when the terminal is gone.
std::optional<termios> terminal_attributes(int fd) noexcept;
// At once (TCSANOW): waiting for the output to drain could wait for ever. False when the terminal is gone.
bool set_terminal_attributes(int fd, const termios& attributes) noexcept;

std::optional<winsize> window_size(int fd) noexcept;
// Given a master, the slave's foreground group gets SIGWINCH if the size is a new one.
void set_window_size(int fd, const winsize& size) noexcept;

// The foreground process group; nothing when it is not the controlling terminal of the caller's session (tcgetpgrp(3)).
std::optional<pid_t> foreground_group(int fd) noexcept;

// What was typed and not yet read (tcflush(3), TCIFLUSH).
void discard_input(int fd) noexcept;

struct TerminalPair {
  Fd master;  // non-blocking
  Fd slave;
};
// A new one, unlocked, in the devpts that `multiplexer` ("/dev/pts/ptmx") belongs to. Both ends close-on-exec; neither
// becomes anybody's controlling terminal. TIOCGPTPEER: Linux 4.13.
TerminalPair make_terminal(const std::string& multiplexer);

// One more descriptor of the slave, non-blocking; empty with errno where it is refused.
Fd terminal_peer(const Fd& master) noexcept;

// The caller, a session leader without a terminal, gets this one (TIOCSCTTY).
void take_controlling_terminal(const Fd& terminal);

enum class TerminalOwner { Session, Nobody, Unknown };
// Whether the terminal is the controlling one of any session, which no call tells for sessions other than one's own: a
// short-lived child tries to take it for a session of its own, which EPERM forbids exactly then.
TerminalOwner terminal_owner(int fd);

}  // namespace jail::sys
