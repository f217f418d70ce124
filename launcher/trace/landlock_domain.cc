#include "trace/landlock_domain.h"

#include <sys/syscall.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

namespace jail::trace {
namespace {

using event::Body;
using event::Named;

enum class What : std::uint8_t { Open, Create, Link, Delete, Move, Control, Connect, Listen, Signal, Trace, Mount };

struct Blocker {
  std::string_view name;  // as security/landlock/audit.c spells it
  What what;
  std::string_view detail = {};  // how it was opened, what was made
  int error = EACCES;
};

// What says more stands first: to rename is to remove and to make.
constexpr std::array kBlockers{
    Blocker{"fs.refer", What::Move, {}, EXDEV},
    Blocker{"fs.make_char", What::Create, "device"},
    Blocker{"fs.make_block", What::Create, "device"},
    Blocker{"fs.make_dir", What::Create, "folder"},
    Blocker{"fs.make_reg", What::Create, "file"},
    Blocker{"fs.make_sock", What::Create, "socket"},
    Blocker{"fs.make_fifo", What::Create, "fifo"},
    Blocker{"fs.make_sym", What::Link},
    Blocker{"fs.remove_dir", What::Delete, "rmdir"},
    Blocker{"fs.remove_file", What::Delete, "unlink"},
    Blocker{"fs.execute", What::Open, "execute"},
    Blocker{"fs.read_file", What::Open, "read"},
    Blocker{"fs.read_dir", What::Open, "read"},
    Blocker{"fs.write_file", What::Open, "write"},
    Blocker{"fs.truncate", What::Open, "truncate"},
    Blocker{"fs.ioctl_dev", What::Control},
    Blocker{"fs.resolve_unix", What::Connect},
    Blocker{"fs.change_topology", What::Mount, {}, EPERM},
    Blocker{"net.connect_tcp", What::Connect},
    Blocker{"net.bind_tcp", What::Listen},
    Blocker{"scope.abstract_unix_socket", What::Connect, {}, EPERM},
    Blocker{"scope.signal", What::Signal, {}, EPERM},
    Blocker{"ptrace", What::Trace, {}, EPERM},
};

bool lacks(const DomainDenial& denial, std::string_view name) {
  return std::ranges::find(denial.blockers, name) != denial.blockers.end();
}

const Blocker* first_of(const DomainDenial& denial) {
  const auto found = std::ranges::find_if(kBlockers, [&](const Blocker& row) { return lacks(denial, row.name); });
  return found == kBlockers.end() ? nullptr : &*found;
}

Body opened(const DomainDenial& denial) {
  std::vector<std::string> access;
  for (const Blocker& row : kBlockers)
    if (row.what == What::Open && lacks(denial, row.name) && std::ranges::find(access, row.detail) == access.end())
      access.emplace_back(row.detail);
  std::string call(event::usual_call(access));
  return event::FileOpen{std::move(call), {.path = denial.path}, std::move(access)};
}

event::Peer peer_of(const DomainDenial& denial) {
  event::Peer peer{.address = denial.address, .port = denial.port, .path = denial.path};
  if (peer.path.starts_with('\0')) peer.path.front() = '@';
  return peer;
}

event::PrivilegeAttempt power(std::string_view privilege, std::string_view call, std::uint32_t number,
                              const DomainDenial& denial) {
  event::PrivilegeAttempt attempt{.privilege = std::string(privilege), .call = std::string(call), .number = number};
  if (denial.target) attempt.arguments.emplace_back("pid", static_cast<std::uint64_t>(*denial.target));
  return attempt;
}

Body body_of(const DomainDenial& denial, const Blocker& blocker) {
  const Named in_folder{.path = denial.path, .marks = {"folder"}};
  switch (blocker.what) {
    case What::Open: return opened(denial);
    case What::Create:
      return event::FileCreate{blocker.detail == "folder" ? "mkdir" : "mknod", in_folder, std::string(blocker.detail)};
    case What::Link: return event::FileLink{"symlink", in_folder, {}};
    case What::Delete: return event::FileDelete{std::string(blocker.detail), in_folder};
    case What::Move: return event::FileRename{"rename", in_folder, {}};
    case What::Control: return event::FileMetadata{"ioctl", {.path = denial.path}, "flags"};
    case What::Connect: return event::NetConnect{"connect", peer_of(denial)};
    case What::Listen: return event::NetListen{"bind", peer_of(denial)};
    case What::Signal: return power("signal", "kill", SYS_kill, denial);
    case What::Trace: return power("ptrace", "ptrace", SYS_ptrace, denial);
    case What::Mount: return power("mount", "mount", SYS_mount, denial);
  }
  return {};
}

bool moves(const DomainDenial& denial) {
  const auto any = [&](std::string_view prefix) {
    return std::ranges::any_of(denial.blockers, [&](const std::string& name) { return name.starts_with(prefix); });
  };
  return any("fs.remove_") && any("fs.make_");
}

}  // namespace

event::Event event_of(const DomainDenial& denial) {
  constexpr Blocker kRenamed{"", What::Move};
  constexpr Blocker kUnknown{"", What::Open};  // of a newer kernel: a path that may not be had
  const Blocker* blocker = first_of(denial);
  if (blocker == nullptr) blocker = &kUnknown;
  else if (blocker->what != What::Move && moves(denial)) blocker = &kRenamed;
  event::Event event{.body = body_of(denial, *blocker), .source = event::Source::KernelAudit};
  event.verdict = {event::Decision::Denied, "landlock", "default", blocker->error};
  return event;
}

void LandlockDomain::add(std::uint16_t type, std::string_view text, std::uint64_t now_ns) {
  const LandlockRecord record = parse_landlock_record(type, text);
  if (const auto* begun = std::get_if<DomainBegun>(&record)) {
    if (!domain_ && begun->pid == builder_ && begun->comm == name_) domain_ = begun->domain;
  } else if (const auto* ended = std::get_if<DomainEnded>(&record)) {
    if (domain_ == ended->domain && !denials_) denials_ = ended->denials - std::min<std::uint64_t>(1, ended->denials);
  } else if (const auto* denial = std::get_if<DomainDenial>(&record)) {
    if (domain_ == denial->domain) deny(*denial, now_ns);
  } else if (const auto* call = std::get_if<AuditedCall>(&record)) {
    name_caller(*call);
  }
}

void LandlockDomain::deny(const DomainDenial& denial, std::uint64_t now_ns) {
  if (waiting_.size() == kMostWaiting) pass_first();
  waiting_.push_back({denial.serial, event_of(denial)});
  waiting_.back().event.mono_ns = now_ns;
}

void LandlockDomain::name_caller(const AuditedCall& call) {
  const auto found = std::ranges::find(waiting_, call.serial, &Waiting::serial);
  if (found == waiting_.end()) return;
  found->event.pid = call.pid;
  if (auto* power = std::get_if<event::PrivilegeAttempt>(&found->event.body)) power->number = call.number;
  pass_(found->event);
  waiting_.erase(found);
}

void LandlockDomain::pass_first() {
  pass_(waiting_.front().event);
  waiting_.pop_front();
}

void LandlockDomain::pass_on(std::uint64_t until_ns) {
  while (waits() && waiting_.front().event.mono_ns <= until_ns) pass_first();
}

}  // namespace jail::trace
