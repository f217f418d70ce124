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

std::string own_name() { return "jail-" + std::to_string(::getpid()); }

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

bool lacks(const sys::delegation::Place& place, unsigned needed) {
  return (needed & ~place.support.controllers) != 0;
}

}  // namespace

sys::delegation::Support Group::foresee(const std::string& broker, unsigned needed) {
  Group group;
  group.broker_ = broker;
  group.stand_at(sys::delegation::find(needed));
  const sys::delegation::Place& found = group.place_;
  const bool through_scope = found.entry == sys::delegation::Place::Entry::ThroughAScope;
  if (through_scope || found.support.controllers == 0 || lacks(found, needed)) (void)group.borrow(needed);
  return group.place_.support;
}

Group::~Group() { let_go(); }

void Group::let_go() {
  group_.reset();
  lease_.reset();
  sys::delegation::leave(place_);
}

const sys::delegation::Support& Group::make(const std::string& broker) {
  broker_ = broker;
  make_at(sys::delegation::find());
  return place_.support;
}

void Group::make_at(sys::delegation::Place place) {
  stand_at(std::move(place));
  if (auto made = sys::delegation::make(place_, own_name())) group_ = std::make_unique<sys::Cgroup>(std::move(*made));
  else if (!borrow(0)) make_bare();
}

void Group::stand_at(sys::delegation::Place place) {
  place_ = std::move(place);
  why_not_ours_ = place_.support.why;
}

void Group::make_bare() {
  why_none_.clear();
  if (auto made = sys::delegation::make_bare(place_, own_name(), why_none_))
    group_ = std::make_unique<sys::Cgroup>(std::move(*made));
}

// Root makes its own, wherever one can be had. What is stated is worth waiting for a jaild that has to start first.
bool Group::borrow(unsigned needed) {
  using Patience = broker::Line::Patience;
  if (::geteuid() == 0 || lease_) return false;
  std::string why;
  lease_ = broker::GroupLease::open(broker_, needed == 0 ? Patience::AMoment : Patience::WhileItStarts, why);
  if (lease_ && (needed & ~lease_->controllers()) != 0) lease_.reset();
  if (lease_) place_.support.controllers = lease_->controllers();
  place_.support.why = why_not_ours_ + (why.empty() ? "" : "; " + why);
  return lease_.has_value();
}

void Group::ask_for(const Fd& first) {
  if (lease_) lease_->ask(first);
}

std::string Group::add(const Fd& process) const { return lease_ ? lease_->add(process) : ""; }

bool Group::take() {
  std::string why;
  group_ = lease_->take(why);
  if (!group_) place_.support.why = why_not_ours_ + "; " + why;
  else place_.support.counts_swap = sys::delegation::counts_swap(group_->folder());
  return group_ != nullptr;
}

bool Group::settle(unsigned needed, const std::function<void()>& empty) {
  if (lease_ && !group_ && !take()) {
    empty();
    lease_.reset();
    place_.support.controllers = 0;
    make_bare();
    return true;
  }
  if (!lacks(place_, needed) || std::exchange(asked_elsewhere_, true)) return false;
  sys::delegation::Place found = lease_ ? sys::delegation::Place() : sys::delegation::find(needed);
  if (has_more(found, needed)) return false;
  if (borrow(needed)) {
    empty();
    group_.reset();
    sys::delegation::leave(place_);
    return true;
  }
  if (lease_) return false;
  if (found.entry != sys::delegation::Place::Entry::ThroughAScope && lacks(found, needed)) return false;
  empty();
  let_go();
  make_at(std::move(found));
  return true;
}

// What is looked for only where it is stated may be had where we are.
bool Group::has_more(const sys::delegation::Place& found, unsigned needed) {
  if (lease_) return false;
  why_not_ours_ = place_.support.why = found.support.why;
  const bool is_here = found.entry != sys::delegation::Place::Entry::ThroughAScope && found.parent == place_.parent;
  if (is_here && place_.support.controllers != 0) place_.support.controllers |= found.support.controllers;
  return !lacks(place_, needed);
}

std::vector<Group::Failure> Group::hold(const confine::limits::OfGroup& limits) {
  std::vector<Failure> failures;
  const auto disks = limits.io ? sys::limitable(sys::disks_of_machine()) : std::vector<std::string>();
  if (limits.io && disks.empty()) failures.push_back({"limits.io", "this machine shows no disk that could be limited"});
  if (!group_) {
    for (const confine::limits::Setting& setting : confine::limits::settings_of(limits, disks))
      failures.push_back({setting.layer, place_.support.why});
    return failures;
  }
  limits_ = limits;
  if (!lease_) give_on_demand(failures);
  for (const confine::limits::Setting& setting : confine::limits::settings_of(limits, disks))
    if (std::string problem = confine::limits::apply(setting, *group_); !problem.empty())
      failures.push_back({setting.layer, std::move(problem)});
  if (limits.memory) memory_events_ = open_events(group_->folder(), "memory.events");
  if (limits.pids) pids_events_ = open_events(group_->folder(), "pids.events");
  (void)read_events(memory_events_);
  (void)read_events(pids_events_);
  if (limits.io) io_rate_.emplace(*limits.io, sys::read_group_file(group_->folder(), "io.stat"), clock::boottime_ns());
  return failures;
}

void Group::give_on_demand(std::vector<Failure>& failures) {
  const auto give = [&](std::string_view layer, sys::delegation::Controller controller) {
    const int error = sys::delegation::give(place_, controller);
    if (error != 0) failures.push_back({layer, "no controller for it: " + std::string(std::strerror(error))});
  };
  if (limits_.millicpu) give("limits.cpu", sys::delegation::kCpu);
  if (limits_.io) give("limits.io", sys::delegation::kIo);
}

// From the write on nobody comes back from the kernel: who is long in there holds it up, but does not run.
bool Group::freeze() const {
  if (!group_ || group_->write("cgroup.freeze", "1") != 0) return false;
  const Fd events = open_events(group_->folder(), "cgroup.events");
  const std::uint64_t until = clock::boottime_ns() + kFreezeNs;
  while (count_of(events, "frozen") == 0 && clock::boottime_ns() < until) {
    pollfd change{events.get(), POLLPRI, 0};
    (void)::poll(&change, 1, 1);
  }
  return true;
}

void Group::thaw() const {
  if (group_) (void)group_->write("cgroup.freeze", "0");
}

void Group::kill() const noexcept {
  let_end();
  if (group_) (void)group_->write("cgroup.kill", "1");
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
  const auto peak = without_init(sys::number_in(group_->folder(), "pids.peak"));
  if (!peak || *peak >= limits_.pids) reached("limits.pids", times, *limits_.pids, log);
}

void Group::look_at_cpu(const Log& log) {
  if (!limits_.millicpu) return;
  const auto throttled = sys::keyed_number(sys::read_group_file(group_->folder(), "cpu.stat"), "nr_throttled");
  reached("limits.cpu", throttled.value_or(0), *limits_.millicpu, log);
}

void Group::look_at_io(const Log& log) {
  if (!io_rate_) return;
  if (io_rate_->is_met(sys::read_group_file(group_->folder(), "io.stat"), clock::boottime_ns())) ++io_times_;
  reached("limits.io", io_times_, *limits_.io, log);
}

void Group::let_end() const noexcept {
  if (group_ && limits_.millicpu) (void)group_->write("cpu.max", "max");
  if (group_ && limits_.io) sys::lift_io_limits(*group_);
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
  if (!group_) return use;
  const std::string cpu = sys::read_group_file(group_->folder(), "cpu.stat");
  use.user_ms = milliseconds(cpu, "user_usec");
  use.system_ms = milliseconds(cpu, "system_usec");
  if (limits_.millicpu) use.throttled_ms = milliseconds(cpu, "throttled_usec");
  use.memory = sys::number_in(group_->folder(), "memory.current");
  use.memory_peak = sys::number_in(group_->folder(), "memory.peak");
  use.processes = without_init(sys::number_in(group_->folder(), "pids.current"));
  use.processes_peak = without_init(sys::number_in(group_->folder(), "pids.peak"));
  if (::faccessat(group_->folder().get(), "io.stat", F_OK, 0) != 0) return use;
  const std::string devices = sys::read_group_file(group_->folder(), "io.stat");
  use.read = sum_of(devices, "rbytes=");
  use.written = sum_of(devices, "wbytes=");
  return use;
}

bool Group::counts_use() const { return group_ && ::faccessat(group_->folder().get(), "memory.peak", R_OK, 0) == 0; }

}  // namespace jail::run
