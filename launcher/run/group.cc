#include "run/group.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "base/clock.h"
#include "sys/cgroup.h"
#include "sys/disks.h"

namespace jail::run {
namespace {

constexpr std::uint64_t kUsPerMs = 1000;
constexpr std::uint64_t kFreezeNs = 20'000'000;  // what lasts longer is somebody in the kernel

Fd open_events(const Fd& group, const char* name) { return Fd(::openat(group.get(), name, O_RDONLY | O_CLOEXEC)); }

// From the start; poll(2) waits for the next change from here on.
std::string read_events(const Fd& events) {
  char text[1024];
  const ssize_t size = events ? ::pread(events.get(), text, sizeof text, 0) : 0;
  return size > 0 ? std::string(text, static_cast<std::size_t>(size)) : "";
}

std::uint64_t count_of(const Fd& events, std::string_view key) {
  return sys::keyed_number(read_events(events), key).value_or(0);
}

std::optional<std::uint64_t> milliseconds(const std::string& text, std::string_view key) {
  const auto us = sys::keyed_number(text, key);
  return us ? std::optional(*us / kUsPerMs) : std::nullopt;
}

std::optional<std::uint64_t> without_init(std::optional<std::uint64_t> processes) {
  if (processes) *processes -= std::min(*processes, confine::limits::kInitProcess);
  return processes;
}

// Lines "8:0 rbytes=1 wbytes=2 ..." (io.stat), one a device.
std::uint64_t sum_of(const std::string& text, std::string_view key) {
  std::uint64_t sum = 0;
  for (std::size_t at = text.find(key); at != std::string::npos; at = text.find(key, at + 1))
    sum += std::strtoull(text.c_str() + at + key.size(), nullptr, 10);
  return sum;
}

}  // namespace

std::vector<Group::Failure> Group::hold(const confine::limits::OfGroup& limits) {
  std::vector<Failure> failures;
  const auto disks = limits.io ? sys::limitable(sys::disks_of_machine()) : std::vector<std::string>();
  if (limits.io && disks.empty()) failures.push_back({"limits.io", "this machine shows no disk that could be limited"});
  if (group() == nullptr) {
    for (const confine::limits::Setting& setting : confine::limits::settings_of(limits, disks))
      failures.push_back({setting.layer, placement_.support().why});
    return failures;
  }
  limits_ = limits;
  give_on_demand(failures);
  for (const confine::limits::Setting& setting : confine::limits::settings_of(limits, disks))
    if (std::string problem = confine::limits::apply(setting, *group()); !problem.empty())
      failures.push_back({setting.layer, std::move(problem)});
  if (limits.memory) memory_events_ = open_events(group()->folder(), "memory.events");
  if (limits.pids) pids_events_ = open_events(group()->folder(), "pids.events");
  (void)read_events(memory_events_);
  (void)read_events(pids_events_);
  if (limits.io) io_rate_.emplace(*limits.io, sys::read_group_file(group()->folder(), "io.stat"), clock::boottime_ns());
  return failures;
}

void Group::give_on_demand(std::vector<Failure>& failures) {
  const auto give = [&](std::string_view layer, sys::delegation::Controller controller) {
    const int error = placement_.give(controller);
    if (error != 0) failures.push_back({layer, "no controller for it: " + std::string(std::strerror(error))});
  };
  if (limits_.millicpu) give("limits.cpu", sys::delegation::kCpu);
  if (limits_.io) give("limits.io", sys::delegation::kIo);
}

// From the write on nobody comes back from the kernel: who is long in there holds it up, but does not run.
bool Group::freeze() const {
  if (group() == nullptr || group()->write("cgroup.freeze", "1") != 0) return false;
  const Fd events = open_events(group()->folder(), "cgroup.events");
  const std::uint64_t until = clock::boottime_ns() + kFreezeNs;
  while (count_of(events, "frozen") == 0 && clock::boottime_ns() < until) {
    pollfd change{events.get(), POLLPRI, 0};
    (void)::poll(&change, 1, 1);
  }
  return true;
}

void Group::thaw() const {
  if (group() != nullptr) (void)group()->write("cgroup.freeze", "0");
}

void Group::kill() const noexcept {
  let_end();
  if (group() != nullptr) (void)group()->write("cgroup.kill", "1");
}

void Group::add_to(std::vector<pollfd>& polled) {
  first_ = polled.size();
  for (const Fd* events : {&memory_events_, &pids_events_}) polled.push_back({events->get(), POLLPRI, 0});
}

void Group::handle(const std::vector<pollfd>& polled, const Log& log) {
  if (polled[first_].revents != 0) look_at_memory(log);
  if (polled[first_ + 1].revents != 0) look_at_pids(log);
}

void Group::look(const Log& log) {
  look_at_memory(log);
  look_at_pids(log);
  look_at_cpu(log);
  look_at_io(log);
}

void Group::reached(std::string_view which, std::uint64_t times, std::uint64_t limit, const Log& log) {
  if (times == 0) return;
  const bool known = std::exchange(reached_[which], times) != 0;
  if (known) return;
  log({.body = event::LimitReached{.which = std::string(which), .value = limit, .limit = limit},
       .source = event::Source::Supervisor});
}

// Not "max", which counts how often room was made by giving up what is only a copy of files.
void Group::look_at_memory(const Log& log) {
  const std::string events = read_events(memory_events_);
  if (sys::keyed_number(events, "oom_kill").value_or(0) != 0) let_end();
  reached("limits.memory", sys::keyed_number(events, "oom").value_or(0), limits_.memory.value_or(0), log);
}

// Before Linux 6.11 this counts what a limit above has refused, too; then it has never been full itself.
void Group::look_at_pids(const Log& log) {
  const std::uint64_t times = count_of(pids_events_, "max");
  if (times == 0) return;
  const auto peak = without_init(sys::number_in(group()->folder(), "pids.peak"));
  if (!peak || *peak >= limits_.pids) reached("limits.pids", times, *limits_.pids, log);
}

void Group::look_at_cpu(const Log& log) {
  if (!limits_.millicpu) return;
  const auto throttled = sys::keyed_number(sys::read_group_file(group()->folder(), "cpu.stat"), "nr_throttled");
  reached("limits.cpu", throttled.value_or(0), *limits_.millicpu, log);
}

void Group::look_at_io(const Log& log) {
  if (!io_rate_) return;
  if (io_rate_->is_met(sys::read_group_file(group()->folder(), "io.stat"), clock::boottime_ns())) ++io_times_;
  reached("limits.io", io_times_, *limits_.io, log);
}

void Group::let_end() const noexcept {
  if (group() != nullptr && limits_.millicpu) (void)group()->write("cpu.max", "max");
  if (group() != nullptr && limits_.io) sys::lift_io_limits(*group());
}

event::Counts Group::reached() const {
  event::Counts counts;
  for (const auto& [which, times] : reached_) counts.emplace_back(which, times);
  return counts;
}

Group::OutOfMemory Group::out_of_memory() const {
  if (count_of(memory_events_, "oom_kill") == 0) return OutOfMemory::No;
  return count_of(memory_events_, "oom") == 0 ? OutOfMemory::Others : OutOfMemory::Own;
}

Group::Use Group::use() const {
  Use use;
  if (group() == nullptr) return use;
  const std::string cpu = sys::read_group_file(group()->folder(), "cpu.stat");
  use.user_ms = milliseconds(cpu, "user_usec");
  use.system_ms = milliseconds(cpu, "system_usec");
  if (limits_.millicpu) use.throttled_ms = milliseconds(cpu, "throttled_usec");
  use.memory = sys::number_in(group()->folder(), "memory.current");
  use.memory_peak = sys::number_in(group()->folder(), "memory.peak");
  use.processes = without_init(sys::number_in(group()->folder(), "pids.current"));
  use.processes_peak = without_init(sys::number_in(group()->folder(), "pids.peak"));
  if (::faccessat(group()->folder().get(), "io.stat", F_OK, 0) != 0) return use;
  const std::string devices = sys::read_group_file(group()->folder(), "io.stat");
  use.read = sum_of(devices, "rbytes=");
  use.written = sum_of(devices, "wbytes=");
  return use;
}

bool Group::counts_use() const {
  return group() != nullptr && ::faccessat(group()->folder().get(), "memory.peak", R_OK, 0) == 0;
}

}  // namespace jail::run
