// The kernel's audit, as far as one may listen to it (netlink(7), include/uapi/linux/audit.h; Linux 3.16). Nothing here
// changes what the administrator has set.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>

#include "base/fd.h"

namespace jail::sys {

enum class AuditState { Absent, Off, On, Unknown };  // Unknown: only who has CAP_AUDIT_CONTROL may ask
AuditState audit_state() noexcept;

// What is told from here on: records of these types and no other. Needs CAP_AUDIT_READ in the first user namespace, and
// tells something only in the first network namespace. Empty: `error`, an errno.
Fd open_audit_records(std::initializer_list<std::uint16_t> types, int& error);

struct AuditRecord {
  enum class State { Told, None, Lost };  // Lost: the kernel had no room for some (ENOBUFS)
  State state = State::None;
  std::uint16_t type = 0;
  std::string_view text{};  // in the caller's buffer
};
inline constexpr std::size_t kLongestAuditRecord = 16384;  // MAX_AUDIT_MESSAGE_LENGTH is 8970

// The next one, without waiting. A longer one than the buffer is lost. SysError.
AuditRecord next_audit_record(const Fd& records, std::span<char> buffer);

}  // namespace jail::sys
