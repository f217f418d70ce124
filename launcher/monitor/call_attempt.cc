#include "monitor/call_attempt.h"

#include <linux/audit.h>
#include <linux/sched.h>
#include <sys/syscall.h>

#include <utility>

#include "monitor/calls.h"

namespace jail::monitor {
namespace {

constexpr std::uint64_t kNewTime = 0x80;
constexpr std::uint64_t kNamespaces = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |
                                      CLONE_NEWPID | CLONE_NEWNET | kNewTime;

event::Counts plain_numbers(const seccomp_data& call, std::uint8_t which) {
  event::Counts numbers;
  for (unsigned argument = 0; argument < 6; ++argument)
    if (which & (1U << argument))
      numbers.emplace_back("arg" + std::to_string(argument), static_cast<std::uint32_t>(call.args[argument]));
  return numbers;
}

struct Called {
  std::uint32_t number;
  std::string_view abi;
  std::string name;
  const Privilege* privilege;
};

Called called(const seccomp_data& call) {
  const auto number = static_cast<std::uint32_t>(call.nr);
  if (call.arch != AUDIT_ARCH_X86_64) {
    const Privilege* const privilege = find_i386_privilege(number);
    return {number, "i386", privilege == nullptr ? "" : std::string(privilege->call), privilege};
  }
  const std::uint32_t plain = number & ~confine::seccomp::kX32Bit;
  std::string name = call_name(plain);
  const Privilege* const privilege = find_privilege(name);
  return {number, plain == number ? "" : "x32", std::move(name), privilege};
}

}  // namespace

std::string call_name(std::uint32_t number) { return std::string(confine::seccomp::name_of(number).value_or("")); }

bool is_ordinary_clone3(const seccomp_notif& notified, const Caller& caller) {
  if (notified.data.nr != SYS_clone3 || notified.data.arch != AUDIT_ARCH_X86_64) return false;
  const auto flags = caller.value<std::uint64_t>(notified.data.args[0]);
  return flags && (*flags & kNamespaces) == 0;
}

event::Body call_body(const seccomp_data& data, std::string_view privilege) {
  const Called call = called(data);
  if (call.privilege != nullptr && privilege.empty()) privilege = call.privilege->privilege;
  event::Counts numbers = plain_numbers(data, call.privilege == nullptr ? std::uint8_t{0} : call.privilege->numbers);
  if (!privilege.empty())
    return event::PrivilegeAttempt{std::string(privilege), call.name, call.number, std::string(call.abi),
                                   std::move(numbers)};
  return event::SyscallDenied{call.name, call.number, std::string(call.abi), std::move(numbers)};
}

}  // namespace jail::monitor
