// The plan for a person: `jail show --plan`. One line a decision, grouped by layer, in an order that never varies.
#include <sys/resource.h>

#include <algorithm>
#include <chrono>

#include "base/text.h"
#include "confine/landlock_rights.h"
#include "profile/choices.h"
#include "profile/endpoint.h"
#include "run/plan.h"

namespace jail::run {
namespace {

constexpr std::size_t kMostShown = 64;  // elements of a set

std::string line(std::string_view layer, std::string_view text) {
  std::string all(layer);
  all.resize(std::max<std::size_t>(all.size() + 1, 16), ' ');
  return all.append(text) + "\n";
}

std::string placed(const profile::Place& place) { return "  # " + profile::to_string(place); }

std::string places(const std::vector<profile::Place>& places) {
  if (places.empty()) return "  (jail's own)";
  std::string all = "  #";
  for (const profile::Place& place : places) all += " " + profile::to_string(place);
  return all;
}

std::string access(unsigned access) {
  if (access & confine::view::kDevice) return "device";
  std::string all = access & confine::view::kWrite ? "write" : "read";
  if (access & confine::view::kLibrary) all += " library";
  if (access & confine::view::kExec) all += " exec";
  return all;
}

std::string describe_identity(const confine::identity::Plan& plan) {
  std::string text = "uid " + std::to_string(plan.uid) + ", gid " + std::to_string(plan.gid);
  if (plan.kept_groups.empty()) return line("userns", text + ", no other group");
  text += ", and groups that an ordinary user cannot drop:";
  for (const std::uint32_t group : plan.kept_groups) text += " " + std::to_string(group);
  return line("userns", text);
}

std::string describe_view(const confine::view::Plan& plan) {
  std::string all;
  for (const confine::view::Anchor& anchor : plan.anchors)
    all += line("mount", access(anchor.access) + " " + text::for_people(anchor.path) +
                             (anchor.mounted ? "" : " (shown by the mount above)") + places(anchor.places));
  for (const char* device : confine::view::kDevices)
    all += line("mount", std::string("device /dev/") + device + places({}));
  for (const confine::view::OwnFile& file : plan.files)
    all += line("mount", "read " + text::for_people(file.path) + " of the jail's own" + places({}));
  for (const confine::view::Link& link : plan.links)
    all += line("mount", "link " + text::for_people(link.path) + " -> " + text::for_people(link.text));
  for (const confine::view::Mask& mask : plan.masks)
    all += line("mount", "hide " + text::for_people(mask.path) + placed(mask.place));
  for (const std::string& pin : plan.pins)
    all += line("mount", "pin " + text::for_people(pin) + " (renamed, it would take along what is protected below)");
  all += line("mount", "tmpfs of " + text::human_size(plan.temporary_bytes) + " for /tmp and /dev/shm");
  return all + line("mount", "start in " + text::for_people(plan.cwd));
}

std::string describe_network(const Plan& plan) {
  if (plan.namespaces.net == confine::namespaces::Plan::Net::Hosts) return line("net", "the host's");
  if (plan.egress.missing) return {};
  const bool is_closed = plan.egress.out.empty() && plan.egress.in.empty();
  std::string all = line("net", is_closed ? "own, loopback only" : "own, with relays to the host's");
  if (plan.egress.reach == egress::Plan::Reach::Abroad) all += line("net", "every address is its own loopback");
  if (plan.wall)
    for (const std::string& one : egress::lines_of(*plan.wall, kMostShown)) all += line("net", "nft " + one);
  for (const profile::Endpoint& rule : plan.egress.rules)
    all += line("net", "allow " + profile::to_string(rule) + (rule.sni == profile::Sni::Off ? " (sni: off)" : "") +
                           placed(rule.place));
  for (const egress::Door& door : plan.egress.in)
    all += line("net", "listen at " + egress::shown(door.at) +
                           " of the host, for the same port of the jail's loopback" + placed(door.place));
  return all;
}

std::string describe_landlock(const confine::landlock::Plan& plan) {
  std::string all;
  for (const confine::landlock::Rule& rule : plan.rules) {
    std::string rights;
    for (const confine::landlock::Right& right : confine::landlock::kRights)
      if (rule.access & right.bit) rights.append(rights.empty() ? "" : " ").append(right.name);
    all += line("landlock", text::for_people(rule.path) + ": " + rights);
  }
  for (const confine::landlock::Scope& scope : confine::landlock::kScopes)
    if (plan.scopes & scope.bit) all += line("landlock", "scope " + std::string(scope.name));
  return all;
}

struct LimitName {
  int resource;
  std::string_view layer;
  bool bytes;
};
constexpr LimitName kLimitNames[] = {{RLIMIT_NOFILE, "limits.files", false},
                                     {RLIMIT_DATA, "limits.memory", true},
                                     {RLIMIT_FSIZE, "limits.file_size", true}};

std::string describe_limit(const sys::Limit& limit) {
  if (limit.resource == RLIMIT_CORE) return line("limits.core", "no core files");
  for (const LimitName& name : kLimitNames)
    if (name.resource == limit.resource)
      return line(name.layer, "at most " + (name.bytes ? text::human_size(limit.value) : std::to_string(limit.value)));
  return line("limits.cpu_time", "at most " + std::to_string(limit.value) + " s");
}

std::string describe_pids(std::uint64_t pids) {
  return line("limits.pids", "at most " + std::to_string(pids) + ", and the jail's own pid 1");
}

std::string describe_group(const confine::limits::OfGroup& limits) {
  std::string all;
  if (limits.pids) all += describe_pids(*limits.pids);
  if (limits.memory) all += line("limits.memory", "at most " + text::human_size(*limits.memory) + " for all, no swap");
  if (limits.millicpu)
    all += line("limits.cpu", "at most " + std::to_string(*limits.millicpu) + " thousandths of a core for all");
  if (limits.io)
    all += line("limits.io", "at most " + text::human_size(*limits.io) +
                                 " read a second and as much written, of each disk, for all");
  return all;
}

std::string describe_limits(const Plan& plan) {
  std::string all = describe_group(plan.limits.of_group);
  for (const sys::Limit& limit : plan.limits.rlimits)
    if (limit.resource != RLIMIT_NPROC) all += describe_limit(limit);
    else if (!plan.limits.of_group.pids) all += describe_pids(limit.value - confine::limits::kInitProcess);
  if (!plan.time_ms) return all;
  return all + line("limits.time", text::human_duration(std::chrono::milliseconds(*plan.time_ms)) +
                                       ", then SIGTERM, and after " +
                                       text::human_duration(std::chrono::milliseconds(plan.grace_ms)) + " SIGKILL");
}

std::string describe_environment(const confine::environment::Plan& plan) {
  std::string names;
  for (const std::string& variable : plan.variables)
    names += " " + text::for_people(variable.substr(0, variable.find('=')));
  return line("env", names.empty() ? "empty" : "only" + names);
}

std::string describe_seccomp(const confine::seccomp::Plan& plan) {
  std::size_t allowed = 0, checked = 0;
  for (const confine::seccomp::Rule& rule : plan.rules) {
    if (!rule.clauses.empty()) ++checked;
    else if (rule.otherwise == confine::seccomp::kAllow) ++allowed;
  }
  std::string all = line("seccomp", std::string(plan.set == profile::SyscallSet::Strict ? "strict" : "standard") +
                                        ": " + std::to_string(allowed) + " calls allowed, " + std::to_string(checked) +
                                        " by their arguments, the rest refused");
  for (const confine::seccomp::Change& change : plan.changes)
    all += line("seccomp", (change.effect == confine::seccomp::Change::Effect::Allowed ? "allow " : "deny ") +
                               change.name + placed(change.place));
  return all;
}

std::string describe_monitor(const monitor::Plan& plan) {
  if (plan.source == monitor::Source::None && plan.audit == monitor::KernelAudit::None) return {};
  const std::string_view files = profile::name_of(profile::kMonitorFiles, plan.files);
  const std::string source = std::string("source ").append(source_name(plan));
  std::string all = line("monitor", source + ", files: " + std::string(files));
  for (const std::string& told : plan.sources) all += line("monitor", told);
  for (const std::string& spot : plan.blind_spots) all += line("monitor", "not seen: " + spot);
  return all;
}

std::string describe_files(const Plan& plan) {
  std::string all;
  if (plan.integrity)
    all += line("integrity", text::for_people(plan.integrity->path) + " with digest " + plan.integrity->sha256 +
                                 placed(plan.integrity->place));
  for (const monitor::HashedFiles& files : plan.hashed)
    all += line("monitor", "digest of " + text::for_people(files.pattern.glob) + placed(files.pattern.place));
  return all;
}

std::string describe_layer(const confine::Layer& layer) {
  std::string text = confine::name_of(layer.state);
  if (!layer.reason.empty()) text += ": " + layer.reason;
  if (layer.asked_by) text += placed(*layer.asked_by);
  return line(layer.name, text);
}

}  // namespace

std::string describe(const Plan& plan) {
  std::string all;
  for (const confine::Layer& layer : plan.layers) all += describe_layer(layer);
  all += describe_identity(plan.identity);
  all += describe_network(plan);
  all += describe_view(plan.view);
  all += describe_landlock(plan.landlock);
  all += describe_seccomp(plan.seccomp);
  all += describe_limits(plan);
  all += describe_monitor(plan.monitor);
  all += describe_files(plan);
  for (const std::string& descriptor : plan.passed) all += line("fds", "pass " + descriptor);
  return all + describe_environment(plan.environment);
}

}  // namespace jail::run
