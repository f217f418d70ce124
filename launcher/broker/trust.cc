#include "broker/trust.h"

#include <algorithm>

namespace jail::broker {
namespace {

bool any_is(const std::vector<jail_task>& threads, std::uint32_t flag) {
  return std::ranges::any_of(threads, [flag](const jail_task& thread) { return (thread.flags & flag) != 0; });
}

bool all_are(const std::vector<jail_task>& threads, std::uint32_t uid) {
  const auto is_users = [uid](const jail_task& thread) { return thread.uid == uid && thread.euid == uid; };
  return std::ranges::all_of(threads, is_users);
}

// As it was forked by the peer itself, before it has done anything.
std::string why_no_child(const std::vector<jail_task>& child, const jail_task& peer) {
  if (child.empty()) return "the child has ended";
  const jail_task& first = child.front();
  if (first.parent != peer.process) return "the process is no child of who asks";
  if (child.size() != 1 || (first.flags & JAIL_TASK_NOT_EXECUTED) == 0) return "the child has executed a program";
  if (!all_are(child, peer.uid)) return "the child is another user's";
  return {};
}

}  // namespace

std::string why_not_served(const std::vector<jail_task>& peer, std::uint32_t uid, const jail_task& own) {
  const auto is_abroad = [&own](const jail_task& thread) {
    return thread.pid_space != own.pid_space || thread.user_space != own.user_space;
  };
  if (peer.empty()) return "who asks has ended";
  if (std::ranges::any_of(peer, is_abroad)) return "who asks is in a pid or user namespace of its own";
  if (any_is(peer, JAIL_TASK_NO_NEW_PRIVILEGES)) return "who asks has given up new privileges (no_new_privs)";
  if (any_is(peer, JAIL_TASK_FILTERED)) return "who asks is under a seccomp filter";
  if (any_is(peer, JAIL_TASK_IN_JAIL_GROUP)) return "who asks is in the control group of a jail";
  if (!all_are(peer, uid)) return "who asks has changed its user";
  return {};
}

std::string why_not_taken(const std::vector<jail_task>& child, const jail_task& peer, const jail_task& own) {
  if (std::string why = why_no_child(child, peer); !why.empty()) return why;
  const jail_task& first = child.front();
  const bool is_below = first.pid_space != own.pid_space && first.pid_space_level == own.pid_space_level + 1;
  if (!is_below || first.pid_in_space != 1) return "the child is not the first process of a pid namespace";
  return {};
}

std::string why_not_joined(const std::vector<jail_task>& child, const jail_task& peer, std::uint32_t pid_space) {
  if (std::string why = why_no_child(child, peer); !why.empty()) return why;
  return child.front().pid_space == pid_space ? "" : "the child is in another pid namespace than the first";
}

}  // namespace jail::broker
