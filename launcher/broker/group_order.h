// What `jaild` and its maker of groups, two processes of one program, say to each other: records over a SOCK_SEQPACKET
// pair, with descriptors beside them.
#pragma once

#include <cstdint>

#include "broker/protocol.h"

namespace jail::broker {

struct GroupOrder {
  enum class What : std::uint32_t {
    Make,   // beside it the pidfds of who asks and of its child: a group where the limits of who asks hold, and the
            // child in it
    Join,   // beside it a pidfd: into that group, too
    Leave,  // it is nobody's any more: whoever is left there is killed
  };
  What what = What::Make;
  std::uint32_t unused = 0;
  std::uint64_t group = 0;  // a number that was no other group's
};

// Of each, of Leave as soon as nobody is left in it; and the first of all, of no group, when it is ready. Beside that
// of Make the folder of the group that who asks is in, that of the new one, and then what `files` says.
struct GroupDone {
  GroupOrder::What what = GroupOrder::What::Make;
  std::uint32_t unused = 0;
  std::uint64_t group = 0;
  std::uint32_t controllers = 0;  // of sys::delegation::Controller
  std::uint32_t files = 0;        // of kLentFiles
  char refused[kReasonBytes] = {};
};

}  // namespace jail::broker
