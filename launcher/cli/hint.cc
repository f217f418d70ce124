#include "cli/hint.h"

#include <algorithm>
#include <cerrno>

#include "base/text.h"
#include "profile/dangers.h"
#include "profile/emit.h"
#include "profile/paths.h"

namespace jail::cli {
namespace {

// The jail's own: what a profile grants there is the host's, and another file.
constexpr const char* kOwn[] = {"/tmp", "/dev/shm"};

// Lines of templates that are built into jail are nobody's to change.
std::string where(const std::string& rule, const std::string& profile) {
  if (rule.empty() || rule == "default" || rule.starts_with('<')) return "add to profile " + text::for_people(profile);
  return "add to " + text::for_people(rule);
}

std::string brackets(std::string_view key, const std::string& item) {
  return std::string(key).append(": [").append(item).append("]");
}

bool asks_for(const event::FileOpen& opened, std::initializer_list<std::string_view> words) {
  return std::ranges::any_of(opened.access, [&](const std::string& access) {
    return std::ranges::find(words, access) != words.end();
  });
}

// What of a place that a line grants is still read: something there is hidden.
bool is_hidden(const event::Verdict& verdict, Grant grant) {
  return grant == Grant::Read && verdict.layer == "mount" && verdict.rule != "default" && !verdict.rule.empty();
}

class HintOf {
 public:
  HintOf(const event::Verdict& verdict, const std::string& profile) : verdict_(verdict), profile_(profile) {}

  std::string operator()(const event::FileOpen& opened) const {
    if (asks_for(opened, {"write", "append", "create", "truncate"})) return path(Grant::Write, opened.named);
    return path(asks_for(opened, {"execute"}) ? Grant::Exec : Grant::Read, opened.named);
  }
  std::string operator()(const event::FileCreate& created) const { return path(Grant::Write, created.named); }
  std::string operator()(const event::FileDelete& deleted) const { return path(Grant::Write, deleted.named); }
  std::string operator()(const event::FileMetadata& changed) const { return path(Grant::Write, changed.named); }
  std::string operator()(const event::ProcessExec& executed) const { return path(Grant::Exec, executed.named); }
  std::string operator()(const event::NetConnect& net) const { return peer(net.peer, "tcp"); }
  std::string operator()(const event::NetSend& net) const { return peer(net.peer, "udp"); }
  std::string operator()(const event::SyscallDenied& denied) const {
    if (denied.call.empty() || !denied.abi.empty()) return {};
    return hint_for_syscall(denied.call, verdict_.rule, profile_);
  }
  template <typename Body>
  std::string operator()(const Body&) const {
    return {};
  }

 private:
  std::string path(Grant grant, const event::Named& named) const {
    if (named.unknown || named.path.empty() || verdict_.layer == "permission") return {};
    if (is_hidden(verdict_, grant)) return "hidden by " + text::for_people(verdict_.rule) + ": take it out of hide";
    return hint_for_path(grant, named.path, verdict_.rule, profile_);
  }

  std::string peer(const event::Peer& peer, std::string_view protocol) const {
    if (peer.path.starts_with('/'))
      return where(verdict_.rule, profile_) + ", network: " + brackets("unix", profile::emit_path(peer.path));
    if (peer.address.empty() || !peer.port) return {};
    const bool brackets_needed = peer.address.find(':') != std::string::npos;
    const std::string host = brackets_needed ? "[" + peer.address + "]" : peer.address;
    const std::string endpoint = std::string(protocol) + "://" + host + ":" + std::to_string(*peer.port);
    return where(verdict_.rule, profile_) + ", network: " + brackets("allow", "\"" + text::for_people(endpoint) + "\"");
  }

  const event::Verdict& verdict_;
  const std::string& profile_;
};

}  // namespace

std::string hint_for_path(Grant grant, const std::string& path, const std::string& rule, const std::string& profile) {
  const auto lies_in = [&](const char* folder) { return profile::is_within(path, folder); };
  if (std::ranges::any_of(kOwn, lies_in)) return {};
  const std::string plain = profile::emit_path(path);
  const bool is_dangerous = profile::danger_of(path) != nullptr;
  const std::string item = is_dangerous ? "{path: " + plain + ", dangerous: true}" : plain;
  const std::string_view key = grant == Grant::Read ? "read" : grant == Grant::Write ? "write" : "exec";
  return where(rule, profile) + ", filesystem: " + brackets(key, item);
}

std::string hint_for_syscall(const std::string& call, const std::string& rule, const std::string& profile) {
  return where(rule, profile) + ", syscalls: " + brackets("allow", text::for_people(call));
}

std::string hint_for(const event::Record& record) {
  if (!record.event.verdict || record.event.verdict->decision != event::Decision::Denied) return {};
  return std::visit(HintOf(*record.event.verdict, record.stamp.profile), record.event.body);
}

}  // namespace jail::cli
