// What joins the relay and the resolver: one end of two SOCK_SEQPACKET pairs. Empty: there is no other.
#pragma once

#include "base/fd.h"

namespace jail::egress {

struct Link {
  Fd openings;    // opening.h
  Fd judgements;  // judgement.h
};

}  // namespace jail::egress
