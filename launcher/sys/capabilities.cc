#include "sys/capabilities.h"

#include <sys/capability.h>
#include <sys/prctl.h>

#include <algorithm>
#include <memory>

#include "base/error.h"

namespace jail::sys {
namespace {

struct FreeCapabilities {
  void operator()(cap_t capabilities) const { ::cap_free(capabilities); }
};
using Capabilities = std::unique_ptr<std::remove_pointer_t<cap_t>, FreeCapabilities>;

// SECBIT_NOROOT, NO_SETUID_FIXUP, KEEP_CAPS (off), NO_CAP_AMBIENT_RAISE, each with its lock.
constexpr unsigned kSecurebits = 0x01 | 0x02 | 0x04 | 0x08 | 0x20 | 0x40 | 0x80;

}  // namespace

void drop_all_capabilities() {
  const int count = ::cap_max_bits();
  for (cap_value_t capability = 0; capability < count; ++capability)
    check(::cap_drop_bound(capability), "cap_drop_bound");
  drop_own_capabilities();
}

void drop_own_capabilities() {
  check(::prctl(PR_SET_SECUREBITS, kSecurebits, 0, 0, 0), "prctl", "PR_SET_SECUREBITS");
  check(::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0), "prctl", "PR_CAP_AMBIENT_CLEAR_ALL");
  const Capabilities none(::cap_init());
  check(::cap_set_proc(none.get()), "capset");
}

void keep_capabilities(const std::vector<int>& kept) {
  const int count = ::cap_max_bits();
  for (cap_value_t capability = 0; capability < count; ++capability)
    if (std::ranges::find(kept, capability) == kept.end()) check(::cap_drop_bound(capability), "cap_drop_bound");
  check(::prctl(PR_SET_SECUREBITS, kSecurebits, 0, 0, 0), "prctl", "PR_SET_SECUREBITS");
  check(::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0), "prctl", "PR_CAP_AMBIENT_CLEAR_ALL");
  const Capabilities rest(::cap_init());
  for (const cap_flag_t set : {CAP_PERMITTED, CAP_EFFECTIVE})
    check(::cap_set_flag(rest.get(), set, static_cast<int>(kept.size()), kept.data(), CAP_SET), "cap_set_flag");
  check(::cap_set_proc(rest.get()), "capset");
}

bool has_capability(int capability) {
  const Capabilities current(::cap_get_proc());
  cap_flag_value_t effective = CAP_CLEAR;
  check(::cap_get_flag(current.get(), capability, CAP_EFFECTIVE, &effective), "cap_get_flag");
  return effective == CAP_SET;
}

std::vector<std::string> remaining_capabilities() {
  std::vector<std::string> names;
  const Capabilities current(::cap_get_proc());
  for (cap_value_t capability = 0; ::cap_get_bound(capability) >= 0; ++capability) {
    cap_flag_value_t permitted = CAP_CLEAR;
    check(::cap_get_flag(current.get(), capability, CAP_PERMITTED, &permitted), "cap_get_flag");
    if (permitted == CAP_CLEAR && ::cap_get_bound(capability) == 0 && ::cap_get_ambient(capability) == 0) continue;
    char* name = ::cap_to_name(capability);
    names.emplace_back(name);
    ::cap_free(name);
  }
  return names;
}

}  // namespace jail::sys
