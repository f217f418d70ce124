// Records of the kernel's audit about Landlock (Linux 6.15; security/landlock/audit.c), as the kernel words them:
//
//   1423 audit(T:SERIAL): domain=1f4bc6d62 blockers=fs.read_file path="/srv/no/f" dev="vda" ino=11102349
//   1424 audit(T:SERIAL): domain=1f4bc6d62 status=allocated mode=enforcing pid=28608 uid=0 exe="/bin/x" comm="x"
//   1424 audit(T:SERIAL): domain=1f4bc6d62 status=deallocated denials=3
//   1300 audit(T:SERIAL): arch=c000003e syscall=257 success=no exit=-13 ... ppid=1 pid=7 ... comm="x" exe="/bin/x"
//
// Bytes of others (paths, names) stand in quotes, or in hexadecimal digits where they hold a quote, a space, a control
// character or what is not ASCII (audit_log_untrustedstring()), so no value can look like a member. Pure.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace jail::trace {

inline constexpr std::uint16_t kAuditSyscall = 1300;         // AUDIT_SYSCALL
inline constexpr std::uint16_t kAuditLandlockAccess = 1423;  // AUDIT_LANDLOCK_ACCESS
inline constexpr std::uint16_t kAuditLandlockDomain = 1424;  // AUDIT_LANDLOCK_DOMAIN

// Told with the first denial of a domain that is in the log.
struct DomainBegun {
  std::uint64_t domain = 0;
  pid_t pid = 0;  // who has made it, in the first pid namespace
  std::string comm{};  // its name then
};

struct DomainEnded {
  std::uint64_t domain = 0;
  std::uint64_t denials = 0;  // all there were, whatever became of their records
};

// The last link of what denied it is the domain.
struct DomainDenial {
  std::uint64_t serial = 0;
  std::uint64_t domain = 0;
  std::vector<std::string> blockers{};  // "fs.make_reg": what it lacks
  std::string path{};     // in the view of who asked; the folder, of a name that is made or removed; or a socket's
  std::string address{};  // of the other side, or of our own where it is bound
  std::optional<std::uint16_t> port{};
  std::optional<pid_t> target{};  // of a signal, of ptrace(2)
};

// What the caller of the same serial was about; only where the administrator has these recorded.
struct AuditedCall {
  std::uint64_t serial = 0;
  std::uint32_t number = 0;
  pid_t pid = 0;
};

using LandlockRecord = std::variant<std::monostate, DomainBegun, DomainEnded, DomainDenial, AuditedCall>;

// Nothing: of another type, or not of the form above; a member that comes twice is none.
LandlockRecord parse_landlock_record(std::uint16_t type, std::string_view text);

}  // namespace jail::trace
