// The sockets of doors, made in the network namespace of the caller.
#pragma once

#include <string>
#include <vector>

#include "base/fd.h"
#include "egress/plan.h"

namespace jail::egress {

struct Opened {
  std::vector<Fd> sockets;  // in the order of the doors
  int error = 0;            // of the one that could not be had (EADDRINUSE, EACCES, EADDRNOTAVAIL)
  std::size_t number = 0;   // of that one
  std::string where;        // "127.0.0.1:80"
};
Opened try_open_doors(const std::vector<Door>& doors);
// The same by SysError.
std::vector<Fd> open_doors(const std::vector<Door>& doors);

// Where a door that leads in has its connections made to: the same port of the jail's loopback.
Address within(const Door& in);

}  // namespace jail::egress
