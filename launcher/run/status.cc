#include "run/status.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <climits>

#include "base/error.h"
#include "base/json.h"
#include "base/text.h"
#include "run/exit_status.h"

namespace jail::run {
namespace {

constexpr int kMostWaitMs = 200;  // a reader that has stopped must not hold up the supervisor

}  // namespace

StatusReport::StatusReport(int number) : number_(number) {
  if (number < 0) return;
  const int flags = check(::fcntl(number, F_GETFL), "--status-fd", std::to_string(number));
  if ((flags & O_ACCMODE) == O_RDONLY) throw SysError(EBADF, "--status-fd", std::to_string(number));
}

void StatusReport::write(const std::string& line) const {
  pollfd polled{number_, POLLOUT, 0};
  if (::poll(&polled, 1, kMostWaitMs) == 1) (void)!::write(number_, line.data(), line.size());
}

void StatusReport::started(const std::string& run, int plugin_pid) const {
  if (number_ < 0) return;
  json::Writer writer;
  writer.begin_object();
  writer.member("phase", "started");
  writer.member("run", run);
  writer.member("pid", plugin_pid);
  writer.end_object();
  write(writer.text() + "\n");
}

void StatusReport::refused(const std::string& layer, const std::string& reason) const {
  if (number_ < 0) return;
  json::Writer writer;
  writer.begin_object();
  writer.member("phase", "refused");
  writer.member("outcome", "setup-error");
  if (!layer.empty()) writer.member("layer", layer);
  writer.member("reason", reason);
  writer.member("exit_status", kExitJailFailed);
  writer.end_object();
  write(writer.text() + "\n");
}

void StatusReport::frozen(const std::string& reason) const {
  if (number_ < 0) return;
  json::Writer writer;
  writer.begin_object();
  writer.member("phase", reason.empty() ? "thawed" : "frozen");
  if (!reason.empty()) writer.member("reason", reason);
  writer.end_object();
  write(writer.text() + "\n");
}

void StatusReport::ended(const event::RunEnded& record, int exit_status) const {
  if (number_ < 0) return;
  json::Writer writer;
  writer.begin_object();
  writer.member("phase", "ended");
  writer.member("outcome", event::name_of(record.outcome));
  if (!record.reason.empty()) writer.member("reason", record.reason);
  if (record.exit) writer.member("exit", *record.exit);
  if (record.signal) writer.member("signal", *record.signal);
  writer.member("exit_status", exit_status);
  writer.end_object();
  write(writer.text() + "\n");
}

void say_now(const std::string& message) {
  const std::string line = ("jail: " + text::for_people(message)).substr(0, PIPE_BUF - 1) + "\n";
  pollfd polled{STDERR_FILENO, POLLOUT, 0};
  if (::poll(&polled, 1, 0) == 1) (void)!::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace jail::run
