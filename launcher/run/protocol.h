// What the jail's processes tell the supervisor while they are built: fixed-size records over a SOCK_SEQPACKET pair. The
// other way there is one message, "go": first after the supervisor wrote the id maps (only if it must), last when
// run.started is written and the plugin may be executed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"

namespace jail::run {

enum class ReportKind : std::uint8_t {
  Ready,       // the plugin process stands before its filter and execve; descriptors: its pidfd, then terminal masters
  Failed,      // a stage failed: stage, error, text
  ExecFailed,  // execve failed: error
  Ended,       // the plugin ended: status as of waitpid(2)
};

struct Report {
  ReportKind kind = ReportKind::Failed;
  std::int32_t error = 0;
  std::int32_t status = 0;
  char stage[24] = {};
  char text[256] = {};
};

Report report_failure(std::string_view stage, int error, std::string_view text);

void send_report(const Fd& socket, const Report& report, const std::vector<int>& descriptors = {});
// For the last yard: one raw call, no allocation.
void send_report_raw(int socket, const Report& report) noexcept;

struct Received {
  Report report;
  std::vector<Fd> descriptors;
};
// Empty: the other side is gone.
std::optional<Received> receive_report(const Fd& socket);

void send_go(const Fd& socket);
// False: the supervisor is gone.
bool receive_go(const Fd& socket);

}  // namespace jail::run
