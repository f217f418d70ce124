#include "confine/landlock.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.h"
#include "confine/landlock_rights.h"
#include "sys/file.h"
#include "sys/landlock.h"

namespace jail::confine::landlock {
namespace {

// Of the view's own places: what a plugin may do there. The root itself may be listed, nothing more.
struct OwnPlace {
  const char* path;
  unsigned access;
};
constexpr unsigned kTemporaryAccess = view::kRead | view::kWrite;
constexpr OwnPlace kDevices = {"/dev", view::kRead | view::kWrite | view::kDevice};  // nodes and terminals
constexpr OwnPlace kProcesses = {"/proc", view::kRead | view::kWrite};

std::vector<Rule> rules_of(const view::Plan& view, std::uint64_t handled) {
  std::vector<Rule> rules;
  const auto add = [&](const std::string& path, std::size_t anchor, std::uint64_t access) {
    if ((access & handled) != 0) rules.push_back({path, anchor, access & handled});  // an empty rule is ENOMSG
  };
  for (std::size_t i = 0; i < view.anchors.size(); ++i)
    add(view.anchors[i].path, i, rights_of(view.anchors[i].access, view.anchors[i].node));
  for (const char* path : view::kTemporary) add(path, Rule::kInView, rights_of(kTemporaryAccess, view::Node::Folder));
  for (const view::OwnFile& file : view.files)
    add(file.path, Rule::kInView, rights_of(view::kRead, view::Node::File));
  add("/", Rule::kInView, kReadDir);
  add(kDevices.path, Rule::kInView, rights_of(kDevices.access, view::Node::File) | kReadDir);
  // /proc/self/oom_score_adj, comm and the like are written by ordinary programs.
  add(kProcesses.path, Rule::kInView, rights_of(kProcesses.access, view::Node::File) | kReadDir);
  return rules;
}

template <typename Table>
void name_losses(const Table& table, int abi, std::string& text) {
  for (const auto& row : table) {
    if (row.since_abi <= abi || row.loss.starts_with("nothing")) continue;
    text.append(text.empty() ? "" : "; ").append(row.name).append(" (ABI ").append(std::to_string(row.since_abi));
    text.append("): it can ").append(row.loss);
  }
}

Layer describe(int abi) {
  Layer layer{.name = "landlock", .state = LayerState::Enforced, .reason = {}, .asked_by = {}};
  if (abi == 0) {
    layer.state = LayerState::Absent;
    layer.reason = "this kernel has no Landlock, or it is not in its lsm= list";
    return layer;
  }
  std::string losses;
  name_losses(kRights, abi, losses);
  name_losses(kScopes, abi, losses);
  if (losses.empty()) return layer;
  layer.state = LayerState::Partial;
  layer.reason = "ABI " + std::to_string(abi) + " lacks " + losses;
  return layer;
}

}  // namespace

Support probe() { return {sys::landlock_abi()}; }

Plan plan(const view::Plan& view, Support support) {
  Plan plan;
  plan.filesystem = known_to(kRights, support.abi);
  plan.scopes = known_to(kScopes, support.abi);
  plan.flags = support.abi >= kLogFlagsAbi ? kLogNewExec : 0;
  plan.rules = rules_of(view, plan.filesystem);
  plan.layer = describe(support.abi);
  return plan;
}

void enforce(const Plan& plan, const std::vector<Fd>& anchors) {
  if (plan.filesystem == 0) return;
  const Fd ruleset = sys::landlock_create_ruleset({.filesystem = plan.filesystem, .network = 0, .scopes = plan.scopes});
  for (const Rule& rule : plan.rules) {
    const bool in_view = rule.anchor == Rule::kInView;
    const Fd opened = in_view ? sys::open_at(rule.path, O_PATH, sys::Resolve::NoLinks) : Fd();
    sys::landlock_allow_beneath(ruleset, in_view ? opened : anchors.at(rule.anchor), rule.access, rule.path);
  }
  sys::landlock_restrict_self(ruleset, plan.flags);
}

void enforce_nothing_allowed(Support support, std::optional<Ports> but_ports) {
  if (support.abi == 0) return;
  const bool knows_ports = support.abi >= kNetworkAbi;
  const std::uint64_t network = but_ports ? kBindTcp | kConnectTcp : kBindTcp;
  const Fd ruleset = sys::landlock_create_ruleset({.filesystem = known_to(kRights, support.abi),
                                                   .network = knows_ports ? network : 0,
                                                   .scopes = known_to(kScopes, support.abi)});
  if (knows_ports && but_ports)
    for (const std::uint16_t port : *but_ports) sys::landlock_allow_port(ruleset, port, kConnectTcp);
  sys::landlock_restrict_self(ruleset, 0);
}

bool verify() {
  // No grant allows a device node, and in /tmp neither mount nor mode stands in the way: EACCES is Landlock's word.
  // Without it the kernel asks for a capability (EPERM), or makes the node.
  constexpr const char* kNode = "/tmp/.landlock";
  if (::mknod(kNode, S_IFCHR, makedev(1, 3)) != 0) return errno == EACCES;
  (void)::unlink(kNode);
  return false;
}

}  // namespace jail::confine::landlock
