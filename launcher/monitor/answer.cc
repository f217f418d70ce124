#include "monitor/answer.h"

#include <cerrno>

#include "confine/seccomp_interpreter.h"

namespace jail::monitor {

Answer answer_to(std::span<const sock_filter> deny, const seccomp_data& call) noexcept {
  const std::uint32_t verdict = confine::seccomp::interpret(deny, call);
  if (verdict == SECCOMP_RET_ALLOW) return {Reply::Continue, 0};
  const auto error = static_cast<int>(verdict & SECCOMP_RET_DATA);
  const bool named = (verdict & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO && error != 0;
  return {Reply::Refuse, named ? error : EPERM};
}

seccomp_notif_resp response(const seccomp_notif& notified, Answer answer) noexcept {
  seccomp_notif_resp told{};
  told.id = notified.id;
  if (answer.reply == Reply::Continue) told.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
  else told.error = -answer.error;
  return told;
}

}  // namespace jail::monitor
