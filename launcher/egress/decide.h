// What a profile says of one destination, without a network: `jail why --host`. Pure.
#pragma once

#include <optional>
#include <string>

#include "egress/plan.h"
#include "egress/policy.h"
#include "profile/profile.h"

namespace jail::egress {

struct Decision {
  std::optional<profile::Place> rule;  // the line that allows it; none: it is denied
  int error = 0;                       // what connect(2) says then; 0: a name, which is not found (NXDOMAIN)
  std::string reason;
};

// `asked`: a name, or an address, and at most one port.
Decision decide(const Plan& plan, const profile::Endpoint& asked, const Policy::IsOwn& is_own);

}  // namespace jail::egress
