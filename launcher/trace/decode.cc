#include "trace/decode.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

#include "bpf/events.h"
#include "trace/decode_network.h"
#include "trace/decode_privilege.h"

namespace jail::trace {
namespace {

using event::Body;
using event::Named;

enum class What : std::uint8_t { Open, Look, Create, Delete, Rename, Link, Symlink, Metadata, Truncate, Execute };

struct Call {
  std::uint32_t number;
  What what;
  std::string_view name;
  std::string_view detail = {};  // of what is created or changed
};

constexpr Call kCalls[] = {
    {SYS_open, What::Open, "open"},
    {SYS_creat, What::Open, "creat"},
    {SYS_openat, What::Open, "openat"},
    {SYS_openat2, What::Open, "openat2"},
    {SYS_stat, What::Look, "stat"},
    {SYS_lstat, What::Look, "lstat"},
    {SYS_access, What::Look, "access"},
    {SYS_readlink, What::Look, "readlink"},
    {SYS_newfstatat, What::Look, "newfstatat"},
    {SYS_readlinkat, What::Look, "readlinkat"},
    {SYS_faccessat, What::Look, "faccessat"},
    {SYS_faccessat2, What::Look, "faccessat2"},
    {SYS_statx, What::Look, "statx"},
    {SYS_chdir, What::Look, "chdir"},
    {SYS_statfs, What::Look, "statfs"},
    {SYS_getxattr, What::Look, "getxattr"},
    {SYS_lgetxattr, What::Look, "lgetxattr"},
    {SYS_listxattr, What::Look, "listxattr"},
    {SYS_llistxattr, What::Look, "llistxattr"},
    {SYS_inotify_add_watch, What::Look, "inotify_add_watch"},
    {464, What::Look, "getxattrat"},  // Linux 6.13
    {465, What::Look, "listxattrat"},
    {468, What::Look, "file_getattr"},  // Linux 6.17
    {SYS_mkdir, What::Create, "mkdir", "folder"},
    {SYS_mkdirat, What::Create, "mkdirat", "folder"},
    {SYS_mknod, What::Create, "mknod"},
    {SYS_mknodat, What::Create, "mknodat"},
    {SYS_bind, What::Create, "bind", "socket"},
    {SYS_rmdir, What::Delete, "rmdir"},
    {SYS_unlink, What::Delete, "unlink"},
    {SYS_unlinkat, What::Delete, "unlinkat"},
    {SYS_rename, What::Rename, "rename"},
    {SYS_renameat, What::Rename, "renameat"},
    {SYS_renameat2, What::Rename, "renameat2"},
    {SYS_link, What::Link, "link"},
    {SYS_linkat, What::Link, "linkat"},
    {SYS_symlink, What::Symlink, "symlink"},
    {SYS_symlinkat, What::Symlink, "symlinkat"},
    {SYS_truncate, What::Truncate, "truncate"},
    {SYS_ftruncate, What::Truncate, "ftruncate"},
    {SYS_fallocate, What::Truncate, "fallocate"},
    {SYS_chmod, What::Metadata, "chmod", "mode"},
    {SYS_fchmod, What::Metadata, "fchmod", "mode"},
    {SYS_fchmodat, What::Metadata, "fchmodat", "mode"},
    {452, What::Metadata, "fchmodat2", "mode"},  // Linux 6.6
    {SYS_chown, What::Metadata, "chown", "owner"},
    {SYS_fchown, What::Metadata, "fchown", "owner"},
    {SYS_lchown, What::Metadata, "lchown", "owner"},
    {SYS_fchownat, What::Metadata, "fchownat", "owner"},
    {SYS_utime, What::Metadata, "utime", "times"},
    {SYS_utimes, What::Metadata, "utimes", "times"},
    {SYS_futimesat, What::Metadata, "futimesat", "times"},
    {SYS_utimensat, What::Metadata, "utimensat", "times"},
    {SYS_setxattr, What::Metadata, "setxattr", "xattr"},
    {SYS_lsetxattr, What::Metadata, "lsetxattr", "xattr"},
    {SYS_removexattr, What::Metadata, "removexattr", "xattr"},
    {SYS_lremovexattr, What::Metadata, "lremovexattr", "xattr"},
    {SYS_fsetxattr, What::Metadata, "fsetxattr", "xattr"},
    {SYS_fremovexattr, What::Metadata, "fremovexattr", "xattr"},
    {463, What::Metadata, "setxattrat", "xattr"},
    {466, What::Metadata, "removexattrat", "xattr"},
    {469, What::Metadata, "file_setattr", "flags"},
    {SYS_execve, What::Execute, "execve"},
    {SYS_execveat, What::Execute, "execveat"},
};

const Call* find_call(std::uint32_t number) {
  const auto* found = std::ranges::find(kCalls, number, &Call::number);
  return found == std::end(kCalls) ? nullptr : found;
}

struct Record {
  jail_event head{};
  std::array<std::string_view, 2UL * JAIL_PATHS> text{};
};

std::optional<Record> parse(std::span<const std::byte> bytes) {
  Record record;
  if (bytes.size() < sizeof record.head) return std::nullopt;
  std::memcpy(&record.head, bytes.data(), sizeof record.head);
  std::string_view rest(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  rest.remove_prefix(sizeof record.head);
  for (std::size_t i = 0; i < record.text.size(); ++i) {
    const std::size_t size = record.head.text[i];
    if (size > rest.size()) return std::nullopt;
    record.text[i] = rest.substr(0, size);
    rest.remove_prefix(size);
  }
  return record;
}

void mark(Named& named, std::uint16_t flags) {
  if (flags & JAIL_TRUNCATED) named.marks.emplace_back("truncated");
  if (flags & JAIL_DELETED) named.marks.emplace_back("deleted");
  if (flags & JAIL_OUTSIDE) named.marks.emplace_back("outside");
}

// As stat(2) gives it.
std::uint64_t device_number(std::uint32_t device) { return ::makedev(device >> 20, device & 0xfffff); }

// A file without a name is told by the folder it was made in.
std::string_view walk_of(const Record& record) {
  constexpr std::uint32_t kTemporary = O_TMPFILE & ~O_DIRECTORY;
  std::string_view walk = record.text[0];
  const bool nameless = record.head.kind == JAIL_OPEN && (record.head.place.flags & kTemporary) != 0;
  if (nameless) walk.remove_prefix(std::min(walk.find('\0') + 1, walk.size()));
  return walk;
}

// A file that was reached: where it is, and which it is.
Named reached(const Record& record) {
  const jail_place& place = record.head.place;
  Named named{.path = path_of_walk(walk_of(record))};
  mark(named, record.head.flags);
  if (place.inode != 0)
    named.file = event::FileId{device_number(place.device), place.inode, place.mount};
  return named;
}

// A file as a call names it.
Named named_in(const Record& record, std::size_t part) {
  const std::string_view name = record.text[part + 1];
  Named named;
  if (record.head.flags & JAIL_UNREADABLE && name.empty()) {
    named.unknown = true;
    return named;
  }
  named.path = path_in(path_of_walk(record.text[part]), name);
  if (name != named.path && !(record.head.flags & JAIL_PREDICTED)) named.requested = name;
  mark(named, record.head.flags);
  return named;
}

FileCall::Name name_in(const Record& record, std::size_t part) {
  FileCall::Name name{.folder = {}, .text = std::string(record.text[part + 1])};
  const bool unreadable = (record.head.flags & JAIL_UNREADABLE) != 0;
  if (!name.text.starts_with('/') && !unreadable) name.folder = path_of_walk(record.text[part]);
  name.unreadable = unreadable && !name.text.starts_with('/');
  return name;
}

std::vector<std::string> access_of(std::uint32_t flags) {
  std::vector<std::string> words;
  const std::uint32_t mode = flags & O_ACCMODE;
  if (flags & O_PATH) return {"stat"};
  if (mode != O_WRONLY) words.emplace_back("read");
  if (mode != O_RDONLY) words.emplace_back(flags & O_APPEND ? "append" : "write");
  if (flags & O_CREAT) words.emplace_back("create");
  if (flags & O_TRUNC) words.emplace_back("truncate");
  return words;
}

std::uint32_t flags_of_open(const jail_event& head) {
  if (head.call == SYS_creat) return O_CREAT | O_WRONLY | O_TRUNC;
  return head.at_hand.arguments[head.call == SYS_open ? 1 : 2];
}

Body named_body(const Call& call, const Record& record) {
  const std::string name(call.name), detail(call.detail);
  const Named first = named_in(record, 0);
  switch (call.what) {
    case What::Open: return event::FileOpen{name, first, access_of(flags_of_open(record.head))};
    case What::Create: return event::FileCreate{name, first, detail.empty() ? "file" : detail};
    case What::Delete: return event::FileDelete{name, first};
    case What::Rename: return event::FileRename{name, first, named_in(record, 2)};
    case What::Link: return event::FileLink{name, named_in(record, 2), first};
    case What::Symlink:
      return event::FileLink{name, named_in(record, 2), Named{.path = std::string(record.text[1])}};
    case What::Metadata: return event::FileMetadata{name, first, detail};
    case What::Truncate: return event::FileOpen{name, first, {"truncate"}};
    case What::Execute: return event::ProcessExec{.call = name, .named = first};
    case What::Look: break;
  }
  return event::FileOpen{name, first, {"stat"}};
}

event::ProcessExec exec_body(const Record& record) {
  event::ProcessExec executed{.call = "execve", .named = reached(record)};
  if (record.text[1] != executed.named.path) executed.named.requested = record.text[1];
  for (std::string_view rest = record.text[2]; !rest.empty();) {
    const std::size_t end = std::min(rest.find('\0'), rest.size());
    executed.argv.emplace_back(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  executed.argv_cut = (record.head.flags & JAIL_ARGUMENTS_CUT) != 0;
  if (record.head.parent != 0) executed.parent = static_cast<std::int32_t>(record.head.parent);
  return executed;
}

event::ProcessExit exit_body(int status) {
  event::ProcessExit ended;
  if (WIFEXITED(status)) ended.exit = WEXITSTATUS(status);
  else ended.signal = WTERMSIG(status);
  return ended;
}

std::optional<Body> body_of(const Record& record) {
  const jail_event& head = record.head;
  const Call* const call = find_call(head.call);
  switch (head.kind) {
    case JAIL_EXEC: return exec_body(record);
    case JAIL_EXIT: return exit_body(head.result);
    case JAIL_OPEN:
      return event::FileOpen{std::string(call == nullptr ? "open" : call->name), reached(record),
                             access_of(head.place.flags)};
    case JAIL_FILE:
      if (call == nullptr) return std::nullopt;
      return named_body(*call, record);
    case JAIL_CONNECT: return event::NetConnect{"connect", peer_of(head.address)};
    case JAIL_BIND: return event::NetListen{"bind", peer_of(head.address)};
    case JAIL_SEND: return event::NetSend{"sendto", peer_of(head.address)};
    case JAIL_FLOW: return flow_of(head, record.text[0]);
    case JAIL_CONNECT_UNIX: return event::NetConnect{"connect", peer_of_unix(record.text[0])};
    case JAIL_POWER: return privilege_of(head);
    default: return std::nullopt;
  }
}

// Who denied it is not in the kernel's answer: the notification source knows the plan.
std::optional<event::Verdict> verdict_of(const jail_event& head) {
  if (head.kind == JAIL_EXIT || head.kind == JAIL_FLOW) return std::nullopt;
  if (head.kind == JAIL_POWER) return event::Verdict{event::Decision::Denied, "permission", "default", EPERM};
  event::Verdict verdict{.predicted = (head.flags & JAIL_PREDICTED) != 0};
  if (head.result >= 0) return verdict;
  verdict.error = -head.result;
  const bool refused = verdict.error == EACCES || verdict.error == EPERM || verdict.error == EROFS;
  verdict.decision = refused ? event::Decision::Denied : event::Decision::Failed;
  return verdict;
}

}  // namespace

std::string path_of_walk(std::string_view walk) {
  std::string path;
  while (!walk.empty()) {
    walk.remove_suffix(1);  // the NUL of the last name
    const std::size_t before = walk.rfind('\0');
    const std::size_t start = before == std::string_view::npos ? 0 : before + 1;
    path.append("/").append(walk.substr(start));
    walk = walk.substr(0, start);
  }
  return path.empty() ? "/" : path;
}

std::string path_in(const std::string& folder, std::string_view name) {
  std::string all = name.starts_with('/') ? std::string(name) : folder + "/" + std::string(name);
  std::string path;
  for (std::string_view rest = all; !rest.empty();) {
    rest.remove_prefix(1);
    const std::size_t end = std::min(rest.find('/'), rest.size());
    const std::string_view part = rest.substr(0, end);
    rest.remove_prefix(end);
    if (part == "..") path.resize(std::min(path.rfind('/'), path.size()));
    else if (!part.empty() && part != ".") path.append("/").append(part);
  }
  return path.empty() ? "/" : path;
}

std::optional<FileCall> decode_call(std::span<const std::byte> bytes) {
  const std::optional<Record> record = parse(bytes);
  if (!record || record->head.kind != JAIL_FILE || record->head.flags & JAIL_PREDICTED) return std::nullopt;
  const jail_event& head = record->head;
  FileCall call{.number = head.call, .first = name_in(*record, 0), .second = name_in(*record, 2)};
  std::ranges::copy(head.at_hand.arguments, call.arguments.begin());
  call.error = head.result < 0 ? -head.result : 0;
  call.pid = static_cast<std::int32_t>(head.pid);
  call.jail_pid = static_cast<std::int32_t>(head.jail_pid);
  call.mono_ns = head.time_ns;
  return call;
}

std::optional<event::Event> decode(std::span<const std::byte> bytes) {
  const std::optional<Record> record = parse(bytes);
  if (!record) return std::nullopt;
  std::optional<Body> body = body_of(*record);
  if (!body) return std::nullopt;
  event::Event event{.body = std::move(*body), .source = event::Source::Ebpf};
  event.pid = static_cast<std::int32_t>(record->head.pid);
  event.jail_pid = static_cast<std::int32_t>(record->head.jail_pid);
  event.mono_ns = record->head.time_ns;
  event.verdict = verdict_of(record->head);
  return event;
}

}  // namespace jail::trace
