// Who is at the other end of a unix socket, and who has sent what comes by it (unix(7), pidfd_open(2)).
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "base/fd.h"

namespace jail::sys {

// SOCK_SEQPACKET, non-blocking; messages of its connections say who has sent them. `path`: as of address_of_path().
// ENAMETOOLONG beyond 107 bytes; EADDRINUSE: there is a file, or a socket, of this name.
Fd listen_at(const std::string& path, int backlog);
// The same, with the errno as an ordinary answer: an empty Fd and `error`.
Fd try_listen_at(const std::string& path, int backlog, int& error) noexcept;

// The same, with the errno as an ordinary answer: an empty Fd and `error`. Neither waits longer than `patience_ms`, nor
// does any later call on it.
Fd try_connect(const std::string& path, int patience_ms, int& error);

struct Peer {
  pid_t pid = 0;  // in our pid namespace; 0: it is in another
  uid_t uid = 0;  // the effective one, when it connected
};
Peer peer_of(const Fd& socket);
// The process that connected (SO_PEERPIDFD, Linux 6.5); before, whoever has its number now, who may be another of the
// same user's, never of a namespace that does not know the number. Empty: it has ended.
Fd process_of_peer(const Fd& socket, const Peer& peer) noexcept;

// Of a listening socket: messages of later connections say who has sent them.
void ask_for_senders(const Fd& socket);

struct Letter {
  std::vector<std::byte> bytes;  // empty: the other side is gone
  std::vector<Fd> descriptors;   // that came along, so far as there was room for them; the kernel drops the others
  pid_t sender = 0;              // as Peer::pid; the kernel's word
};
// What is there to be received now, of at most `most` bytes, one more where the message was longer, with at
// most so many descriptors (socket.h); none: nothing is.
std::optional<Letter> receive_letter(const Fd& socket, std::size_t most, std::size_t descriptors = 1);

// Whether it is a pidfd: never asks the file itself, which a stranger may have sent and who owns it may let hang.
bool is_process(const Fd& descriptor) noexcept;

// False: the other side is gone, or takes nothing now.
bool send_now(const Fd& socket, const void* bytes, std::size_t size, int descriptor = -1) noexcept;

}  // namespace jail::sys
