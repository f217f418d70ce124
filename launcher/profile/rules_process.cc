// As what and with what the plugin runs.
#include <algorithm>
#include <array>

#include "base/text.h"
#include "profile/environment.h"
#include "profile/paths.h"
#include "profile/quantity.h"
#include "profile/quoted.h"
#include "profile/rules.h"

namespace jail::profile {
namespace {

constexpr std::array<std::string_view, 38> kInterpreters{
    "python",  "pypy",   "node",   "nodejs",  "deno", "bun",     "ruby",  "perl",  "lua",   "luajit",
    "php",     "java",   "dotnet", "mono",    "R",    "Rscript", "julia", "guile", "tclsh", "erl",
    "escript", "elixir", "ghci",   "runghc",  "sh",   "bash",    "dash",  "ash",   "zsh",   "ksh",
    "fish",    "csh",    "tcsh",   "busybox", "awk",  "gawk",    "mawk",  "gdb"};

// "python" of "/usr/bin/python3.11".
std::string_view without_version(std::string_view path) {
  std::string_view name = base_of(path);
  while (!name.empty() && std::string_view("0123456789.-").find(name.back()) != std::string_view::npos)
    name.remove_suffix(1);
  return name;
}

bool is_interpreter(std::string_view path) {
  return std::ranges::find(kInterpreters, without_version(path)) != kInterpreters.end();
}

bool runs_any_code(const Case& now, const Grant& grant) {
  const PathFact& fact = now.fact(grant.path);
  if (fact.kind == PathKind::Missing) return false;
  return fact.kind == PathKind::Directory || is_interpreter(grant.path) || is_interpreter(now.real(grant.path));
}

void check_program(Case& now, const Grant& grant) {
  const PathFact& fact = now.fact(grant.path);
  if (fact.kind == PathKind::File && (fact.mode & 0111) == 0)
    now.warning(grant.place, quoted(grant.path) + " is not executable (mode without x)");
  if (fact.kind != PathKind::Missing && fact.kind != PathKind::File && fact.kind != PathKind::Directory)
    now.error(grant.place, quoted(grant.path) + " is neither a program nor a folder of them");
}

bool looks_secret(std::string_view name) {
  constexpr std::array<std::string_view, 10> kMarks{"TOKEN",      "SECRET",  "PASSWORD", "PASSWD", "API_KEY",
                                                    "CREDENTIAL", "PRIVATE", "_KEY",     "_DSN",   "DATABASE_URL"};
  return std::ranges::any_of(kMarks, [&](std::string_view mark) { return name.find(mark) != std::string_view::npos; });
}

bool is_glob(std::string_view pattern) { return pattern.find('*') != std::string_view::npos; }

// What a glob says it passes and yet does not: told, so that nobody waits for it.
void check_glob(Case& now, const EnvName& entry) {
  if (entry.pattern.find_first_not_of('*') == std::string::npos)
    now.warning(entry.place, "'*' passes the whole environment, secrets too", "name the variables the plugin needs");
  const std::string_view stem = std::string_view(entry.pattern).substr(0, entry.pattern.find('*'));
  const auto begins_with_stem = [&](std::string_view name) { return name.starts_with(stem); };
  if (stem.size() >= 2 && (runs_code(stem) || std::ranges::any_of(code_variables(), begins_with_stem)))
    now.warning(entry.place, quoted(entry.pattern) + " leaves out variables that make programs run code",
                "name such a variable in full if the plugin must have it");
}

void warn_of_code(Case& now, std::string_view name, const Place& place) {
  if (runs_code(name)) now.warning(place, quoted(name) + " makes programs run code of whoever sets it");
}

void check_names(Case& now, const std::vector<EnvName>& names) {
  for (const EnvName& entry : names) {
    if (is_glob(entry.pattern)) check_glob(now, entry);
    else warn_of_code(now, entry.pattern, entry.place);
  }
}

bool is_listed(const std::vector<EnvName>& names, std::string_view name) {
  return std::ranges::find(names, name, &EnvName::pattern) != names.end();
}

// `run` makes such folders (rules_paths.cc); `check` may come before the first run.
bool is_of_state(const Case& now, const std::string& path) {
  return !now.profile.state.empty() && is_within(path, now.profile.state);
}

// Folders every jail has, granted or not (DECISIONS 7).
bool is_own_folder(std::string_view path) { return path == "/" || is_within(path, "/tmp"); }

// Below these nothing can be started, and what the kernel says of it then explains nothing. A static program that does
// nothing has about as much data; between the last stage and the plugin some descriptors are open.
constexpr std::uint64_t kLeastMemory = 1ULL << 20;
constexpr std::uint64_t kLeastFiles = 16;

// The kernel lets a request through whole, which may be of a MiB: with less, one would wait for more than 16 seconds.
constexpr std::uint64_t kLeastIo = 64ULL << 10;

// Who is asked to end runs on for so long, whatever `time` says.
constexpr std::uint64_t kMostGraceMs = 10 * 60 * 1000;

void check_bounds(Case& now, const Limits& limits) {
  const auto place = [&](const auto& setting) { return setting.stated.value_or(now.profile.place); };
  if (limits.memory.value && *limits.memory.value < kLeastMemory)
    now.error(place(limits.memory), "limits.memory: no program starts with less than 1M", "most need 64M and more");
  if (limits.io.value && *limits.io.value < kLeastIo)
    now.error(place(limits.io), "limits.io: with less than 64K a second a program does nothing but wait",
              "most need 1M and more");
  if (limits.files.value < kLeastFiles)
    now.error(place(limits.files), "limits.files: no program starts with fewer than " + std::to_string(kLeastFiles));
  if (limits.cpu_time_ms.value && *limits.cpu_time_ms.value % 1000 != 0)
    now.error(place(limits.cpu_time_ms), "limits.cpu_time: the kernel counts whole seconds");
  if (limits.grace_ms.value > kMostGraceMs)
    now.error(place(limits.grace_ms), "limits.grace: whoever is asked to end has " + format_duration(kMostGraceMs) +
                                          " at most", "most need a few seconds");
}

// What stands in /tmp is memory: of the jail where that is bounded, else of everybody.
void check_temporary(Case& now, const Limits& limits) {
  const Setting<std::uint64_t>& temporary = now.profile.filesystem.temporary;
  if (!temporary.stated) return;
  if (limits.memory.value && temporary.value >= *limits.memory.value)
    now.warning(*temporary.stated,
                "filesystem.temporary is not below limits.memory: what stands in /tmp counts as memory",
                "a full /tmp would end the run");
  else if (now.facts.memory != 0 && temporary.value >= now.facts.memory)
    now.warning(*temporary.stated,
                "filesystem.temporary is not below this machine's memory, " + text::human_size(now.facts.memory) +
                    ": what stands in /tmp is kept there",
                "a full /tmp would leave none to anybody");
}

}  // namespace

void check_programs(Case& now) {
  const Grant* interpreter = nullptr;
  for (const Grant& grant : now.profile.filesystem.grants) {
    if (grant.access != Access::Exec) continue;
    check_program(now, grant);
    if (interpreter == nullptr && runs_any_code(now, grant)) interpreter = &grant;
  }
  if (interpreter != nullptr)
    now.warning(
        interpreter->place,
        quoted(interpreter->path) + " runs whatever code it is given: exec says which files start, not which code",
        "what such code can do is bounded by the other grants alone");
}

void check_environment(Case& now) {
  const Environment& env = now.profile.env;
  check_names(now, env.allow);
  check_names(now, env.secret);
  for (const EnvValue& value : env.set) {
    warn_of_code(now, value.name, value.place);
    if (is_listed(env.secret, value.name))
      now.error(value.place, quoted(value.name) + " is set here and passed on as a secret",
                "a secret's value does not belong into a profile: leave one of the two out");
  }
  for (const EnvName& entry : env.allow)
    if (!is_glob(entry.pattern) && looks_secret(entry.pattern) && !is_listed(env.secret, entry.pattern))
      now.warning(entry.place, quoted(entry.pattern) + " looks like a secret, and allow lets it into the log",
                  "list it under env.secret");
}

void check_syscalls(Case& now) {
  const Syscalls& calls = now.profile.syscalls;
  for (const SyscallName& allowed : calls.allow) {
    const auto denied = std::ranges::find(calls.deny, allowed.name, &SyscallName::name);
    if (denied != calls.deny.end())
      now.error(allowed.place, quoted(allowed.name) + " is allowed and " + see("denied", denied->place),
                "leave one of the two out");
  }
}

void check_user(Case& now) {
  const Setting<User>& user = now.profile.user;
  if (user.value.kind != User::Kind::Root) return;
  const Place place = user.stated.value_or(now.profile.place);
  if (now.facts.uid != 0)
    now.error(place, "only root can start a plugin as root", "leave 'user' out: the plugin runs as who starts it");
  else now.warning(place, "the plugin runs as root: what the jail misses, it may do to the whole machine");
}

void check_cwd(Case& now) {
  const Setting<std::string>& cwd = now.profile.cwd;
  if (cwd.value.empty() || is_own_folder(cwd.value)) return;
  const Place place = cwd.stated.value_or(now.profile.place);
  const PathFact& fact = now.fact(cwd.value);
  if (!is_reachable(now, cwd.value))
    now.error(place, "the working folder " + quoted(cwd.value) + " is not granted", "grant it, or use /tmp");
  else if (fact.kind != PathKind::Directory && !is_of_state(now, cwd.value))
    now.error(place, "the working folder " + quoted(cwd.value) + " is no folder");
}

// The digest is that of the host's tree, and what is hidden reads otherwise in the jail.
void check_integrity(Case& now) {
  if (!now.profile.integrity) return;
  const Integrity& integrity = *now.profile.integrity;
  if (!is_reachable(now, integrity.path))
    return now.error(integrity.place,
                     quoted(integrity.path) + " is not granted: its digest is taken inside the jail",
                     "grant it under filesystem.read");
  for (const Hidden& hidden : now.profile.filesystem.hidden)
    if (now.fact(hidden.path).kind != PathKind::Missing && now.contains(integrity.path, hidden.path))
      now.error(hidden.place,
                quoted(hidden.path) + " lies in the tree of " + see("integrity", integrity.place) +
                    ": hidden, it has another digest",
                "state the digest of a tree that holds nothing to hide");
}

void check_limits(Case& now) {
  const Limits& limits = now.profile.limits;
  check_bounds(now, limits);
  check_temporary(now, limits);
}

}  // namespace jail::profile
