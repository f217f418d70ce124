#include "run/protocol.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <span>

#include "base/error.h"
#include "sys/socket.h"

namespace jail::run {
namespace {

constexpr std::byte kProceed{'p'};

template <std::size_t Size>
void fill(char (&field)[Size], std::string_view text) {
  std::memcpy(field, text.data(), std::min(text.size(), Size - 1));
}

}  // namespace

Report report_of(ReportKind kind, std::string_view stage, int error, std::string_view text) {
  Report report;
  report.kind = kind;
  report.error = error;
  fill(report.stage, stage);
  fill(report.text, text);
  return report;
}

void send_report(const Fd& socket, const Report& report, const std::vector<int>& descriptors) {
  if (!sys::send_message(socket, std::as_bytes(std::span(&report, 1)), descriptors)) throw SysError(EPIPE, "report");
}

void send_report_raw(int socket, const Report& report) noexcept {
  (void)::send(socket, &report, sizeof report, MSG_NOSIGNAL);
}

std::optional<Received> receive_report(const Fd& socket) {
  sys::Message message = sys::receive_message(socket);
  if (message.bytes.size() != sizeof(Report)) return std::nullopt;
  Received received;
  std::memcpy(&received.report, message.bytes.data(), sizeof(Report));
  received.report.stage[sizeof received.report.stage - 1] = '\0';
  received.report.text[sizeof received.report.text - 1] = '\0';
  received.descriptors = std::move(message.descriptors);
  return received;
}

void send_proceed(const Fd& socket) { (void)sys::send_message(socket, std::span(&kProceed, 1)); }

bool receive_proceed(const Fd& socket) { return !sys::receive_message(socket).bytes.empty(); }

}  // namespace jail::run
