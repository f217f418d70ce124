// Path-beneath rules by Landlock (landlock(7)): the second wall around the files, and the one that knows "read" from
// "execute". Every right of ABI 1 to 10 is one row of landlock_rights.h.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/fd.h"
#include "confine/layer.h"
#include "confine/view.h"

namespace jail::confine::landlock {

struct Support {
  int abi = 0;  // 0: absent
};

// Access for everything beneath one place: a granted one (by its anchor) or one of the view's own.
struct Rule {
  std::string path;
  std::size_t anchor = kInView;  // index of the descriptor, or
  std::uint64_t access = 0;
  static constexpr std::size_t kInView = ~std::size_t{0};
};

struct Plan {
  std::uint64_t filesystem = 0;  // handled rights: denied unless a rule allows
  std::uint64_t scopes = 0;
  std::uint32_t flags = 0;  // of landlock_restrict_self(2)
  std::vector<Rule> rules;
  Layer layer;  // names the rights this kernel cannot police
};

Support probe();
// Pure: the same view and support give the same rules on any machine.
Plan plan(const view::Plan& view, Support support);
// In the view, with the descriptors that view::enforce() returned. Needs no_new_privs.
void enforce(const Plan& plan, const std::vector<Fd>& anchors);
// Everything that Landlock knows is denied to the caller from here on: for pid 1, which needs none of it, and for those
// beside the jail, which connect to these ports of TCP and no others (ABI 4); nothing: to all.
using Ports = std::span<const std::uint16_t>;
void enforce_nothing_allowed(Support support, std::optional<Ports> but_ports = Ports());
// A place no rule can allow is denied.
bool verify();

}  // namespace jail::confine::landlock
