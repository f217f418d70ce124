// What a notified call is told (SECURITY B1). A notification does not say why it came: because the call is denied, or
// because it is only watched. So the very program that denies is asked again, over the same registers, and only what it
// allows goes on.
#pragma once

#include <linux/filter.h>
#include <linux/seccomp.h>

#include <span>

namespace jail::monitor {

enum class Reply { Continue, Refuse };

struct Answer {
  Reply reply = Reply::Refuse;
  int error = 0;  // errno for Refuse
  bool operator==(const Answer&) const = default;
};

// `deny`: the plan as it stands, compiled. Whatever it says but an allowance or an errno is EPERM.
Answer answer_to(std::span<const sock_filter> deny, const seccomp_data& call) noexcept;

seccomp_notif_resp response(const seccomp_notif& notified, Answer answer) noexcept;

}  // namespace jail::monitor
