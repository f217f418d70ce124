// The sockets of doors, made in the network namespace of the caller.
#pragma once

#include <string>
#include <vector>

#include "base/fd.h"
#include "egress/datagram.h"
#include "egress/plan.h"

namespace jail::egress {

// A stream socket that listens there, non-blocking; empty, and errno.
Fd open_listener(const Address& at, Side side) noexcept;

struct Opened {
  std::vector<Fd> sockets;  // in the order of the doors
  int error = 0;            // of the one that could not be had (EADDRINUSE, EACCES, EADDRNOTAVAIL)
  std::size_t number = 0;   // of that one
  std::string where;        // "127.0.0.1:80"
};
Opened try_open_doors(const std::vector<Door>& doors, Side side);
// Of the jail, and by SysError.
std::vector<Fd> open_doors(const std::vector<Door>& doors);

}  // namespace jail::egress
