// load(emit(x)) is x, whatever the names and values of x are made of; and what the text looks like to a person.
#include "profile/emit.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <random>

#include "base/text.h"
#include "desk.h"
#include "profile/choices.h"
#include "profile/endpoint.h"
#include "profile/layers.h"

namespace jail::profile {
namespace {

using test::Desk;

// --- a profile without what emit() cannot bring back: places and where it was read from ---

template <typename Value>
void forget(Setting<Value>& setting) {
  if (setting.stated) setting.stated = Place{};
}

template <typename Entry>
void forget(std::vector<Entry>& entries) {
  for (Entry& entry : entries) entry.place = {};
}

void forget(Limits& limits) {
  forget(limits.memory), forget(limits.pids), forget(limits.cpu), forget(limits.io), forget(limits.files);
  forget(limits.file_size), forget(limits.time_ms), forget(limits.grace_ms), forget(limits.cpu_time_ms);
}

Profile bare(Profile profile) {
  profile.place = {};
  profile.sources.clear();
  profile.plugin.clear();
  profile.state.clear();
  forget(profile.filesystem.grants), forget(profile.filesystem.hidden), forget(profile.filesystem.temporary);
  forget(profile.network.allow), forget(profile.network.listen), forget(profile.network.unix_sockets);
  forget(profile.network.mode), forget(profile.env.allow), forget(profile.env.secret), forget(profile.env.set);
  forget(profile.syscalls.set), forget(profile.syscalls.allow), forget(profile.syscalls.deny);
  forget(profile.user), forget(profile.cwd), forget(profile.limits);
  forget(profile.monitor.source), forget(profile.monitor.files), forget(profile.monitor.hash);
  forget(profile.monitor.expect_absent);
  forget(profile.monitor.on_loss), forget(profile.monitor.ring);
  forget(profile.audit.durable), forget(profile.best_effort);
  if (profile.integrity) profile.integrity->place = {};
  return profile;
}

// --- profiles of chance ---

class Chance {
 public:
  explicit Chance(std::uint64_t seed) : random_(seed) {}

  std::uint64_t below(std::uint64_t bound) { return random_() % bound; }
  bool yes() { return below(2) == 0; }

  template <typename List>
  auto one_of(const List& list) {
    return list[below(std::size(list))];
  }

  // Text that breaks formats: quotes, escapes, variables, wildcards, comments, keys, controls, all of Unicode.
  std::string text() {
    static const std::array<std::string, 30> kNasty{"\n",
                                                    "\n  write: [/]",
                                                    ": ",
                                                    " #",
                                                    "\"",
                                                    "'",
                                                    "\\",
                                                    "\\\\x41",
                                                    "${home}",
                                                    "$${x}",
                                                    "$",
                                                    "{",
                                                    "}",
                                                    "[",
                                                    "]",
                                                    "*",
                                                    "?",
                                                    "&a",
                                                    "!t",
                                                    "~",
                                                    "\t",
                                                    "\r",
                                                    "\x1b[2J",
                                                    "\x7f",
                                                    "\xc2\x85",
                                                    "\xe2\x80\xa8",
                                                    "\xe2\x80\xae",
                                                    "\xef\xbb\xbf",
                                                    "\xf0\x9f\x98\x80",
                                                    "%"};
    std::string text;
    for (std::uint64_t i = below(8); i > 0; --i) text += yes() ? one_of(kNasty) : std::string(1, printable());
    return text;
  }

  // A component of a path: any bytes but '/' and the zero byte.
  std::string component() {
    std::string name = text();
    if (below(4) == 0) name += static_cast<char>(0x80 + below(0x80));
    std::erase(name, '/');
    return name.empty() || name == "." || name == ".." ? "x" + name : name;
  }

  std::string path() {
    std::string path;
    for (std::uint64_t i = 1 + below(3); i > 0; --i) path += "/" + component();
    return path;
  }

  std::string word() {
    std::string word(1, static_cast<char>('a' + below(26)));
    for (std::uint64_t i = below(6); i > 0; --i) word += one_of(std::string_view("abcxyz019_"));
    return word;
  }

  Place place() { return {"/srv/" + text(), static_cast<int>(1 + below(99)), 1}; }

  template <typename Value>
  Setting<Value> maybe(Value given, Value usual) {
    return yes() ? Setting<Value>{std::move(given), place()} : Setting<Value>{std::move(usual), {}};
  }

  template <typename Make>
  auto list(Make make) {
    std::vector<decltype(make())> entries;
    for (std::uint64_t i = below(4); i > 0; --i) entries.push_back(make());
    return entries;
  }

 private:
  char printable() { return static_cast<char>(' ' + below(95)); }

  std::mt19937_64 random_;
};

Endpoint endpoint(Chance& chance) {
  static const std::array<const char*, 6> kHosts{"api.acme.example", "*.a.example",     "10.0.0.0/8",
                                                 "127.0.0.1",        "[2001:db8::]/32", "[::1]"};
  static const std::array<const char*, 4> kPorts{"443", "53,123", "8000-8100", "*"};
  const std::string text = std::string(chance.yes() ? "tcp://" : "udp://") + chance.one_of(kHosts) + ":";
  Endpoint endpoint = parse_endpoint(text + chance.one_of(kPorts)).endpoint;
  endpoint.place = chance.place();
  const bool is_name = endpoint.kind == HostKind::Name || endpoint.kind == HostKind::Wildcard;
  if (is_name && endpoint.protocol == Protocol::Tcp) endpoint.sni = chance.one_of(kSniChecks).value;
  return endpoint;
}

Filesystem filesystem(Chance& chance) {
  Filesystem filesystem;
  for (const Access access : {Access::Read, Access::Library, Access::Exec, Access::Write})
    for (std::uint64_t i = chance.below(3); i > 0; --i)
      filesystem.grants.push_back({access, chance.path(), chance.yes(), chance.place(), chance.yes()});
  filesystem.hidden = chance.list([&] { return Hidden{chance.path(), chance.yes(), chance.place()}; });
  filesystem.temporary = chance.maybe<std::uint64_t>(1 + chance.below(1 << 30), 64u << 20);
  return filesystem;
}

Network network(Chance& chance) {
  Network network;
  network.allow = chance.list([&] { return endpoint(chance); });
  network.listen = chance.list([&] {
    Endpoint listener = parse_endpoint("tcp://127.0.0.1:8080").endpoint;
    listener.place = chance.place();
    return listener;
  });
  network.unix_sockets = chance.list([&] { return UnixSocket{chance.path(), chance.place(), chance.yes()}; });
  network.mode = chance.maybe(chance.one_of(kNetworkModes).value, NetworkMode::Isolated);
  return network;
}

Environment environment(Chance& chance) {
  Environment env;
  env.allow = chance.list([&] { return EnvName{chance.word() + (chance.yes() ? "*" : ""), chance.place()}; });
  env.secret = chance.list([&] { return EnvName{chance.word() + "_TOKEN", chance.place()}; });
  int number = 0;
  env.set = chance.list([&] { return EnvValue{"V" + std::to_string(number++), chance.text(), chance.place()}; });
  return env;
}

Limits limits(Chance& chance) {
  Limits limits;
  const auto amount = [&] { return std::optional<std::uint64_t>(1 + chance.below(1ULL << 42)); };
  limits.memory = chance.maybe(amount(), {});
  limits.pids = chance.maybe<std::uint64_t>(1 + chance.below(4096), 256);
  limits.cpu = chance.maybe(std::optional(0.01 + static_cast<double>(chance.below(4000)) / 7), {});
  limits.files = chance.maybe<std::uint64_t>(1 + chance.below(4096), 1024);
  limits.file_size = chance.maybe(amount(), {});
  limits.time_ms = chance.maybe(amount(), {});
  limits.grace_ms = chance.maybe<std::uint64_t>(1 + chance.below(1 << 20), 2000);
  limits.cpu_time_ms = chance.maybe(amount(), {});
  limits.io = chance.maybe(amount(), {});
  return limits;
}

Profile any_profile(std::uint64_t seed) {
  Chance chance(seed);
  Profile profile;
  profile.name = chance.word();
  profile.description = chance.text();
  profile.place = chance.place();
  profile.filesystem = filesystem(chance);
  profile.network = network(chance);
  profile.env = environment(chance);
  profile.syscalls.set = chance.maybe(SyscallSet::Strict, SyscallSet::Standard);
  profile.syscalls.allow = chance.list([&] { return SyscallName{"@" + chance.word(), chance.place()}; });
  profile.syscalls.deny = chance.list([&] { return SyscallName{chance.word(), chance.place()}; });
  profile.user = chance.maybe(chance.yes() ? User{User::Kind::Root, {}} : User{User::Kind::Named, "1000:100"}, User{});
  profile.cwd = chance.maybe(chance.path(), std::string());
  profile.limits = limits(chance);
  profile.monitor.source = chance.maybe(chance.one_of(kMonitorSources).value, MonitorSource::Auto);
  profile.monitor.files = chance.maybe(chance.one_of(kMonitorFiles).value, MonitorFiles::Denied);
  profile.monitor.hash = chance.list([&] { return HashPattern{"/" + chance.word() + "/**/*${.py", chance.place()}; });
  profile.monitor.expect_absent =
      chance.list([&] { return AbsentPattern{"/" + chance.word() + "/*", chance.place()}; });
  profile.monitor.on_loss = chance.maybe(chance.one_of(kOnLoss).value, OnLoss::Count);
  profile.monitor.ring = chance.maybe<std::uint64_t>(1ULL << (16 + chance.below(13)), 1U << 20);
  profile.audit.durable = chance.maybe(chance.one_of(kDurable).value, Durable::Batch);
  if (chance.yes()) profile.integrity = Integrity{chance.path(), std::string(64, 'a'), chance.place()};
  profile.best_effort = chance.list([&] { return BestEffort{std::string(chance.one_of(kLayers)), chance.place()}; });
  return profile;
}

// load() keeps one of two equal grants, so equal ones are none of emit's business.
bool has_equal_paths(const Profile& profile) {
  std::vector<std::string> paths;
  for (const Grant& grant : profile.filesystem.grants) paths.push_back(grant.path);
  for (const Hidden& hidden : profile.filesystem.hidden) paths.push_back(hidden.path);
  std::ranges::sort(paths);
  return std::ranges::adjacent_find(paths) != paths.end();
}

TEST(Emit, ComesBackAsTheSameProfile) {
  for (std::uint64_t seed = 1; seed <= 1500; ++seed) {
    const Profile profile = any_profile(seed);
    if (has_equal_paths(profile)) continue;
    const std::string text = emit(profile, {seed % 2 == 0 ? Origins::Shown : Origins::Left});
    Desk desk;
    const Loaded loaded = desk.load(text);
    ASSERT_EQ(to_text(loaded.diagnostics), "") << "seed " << seed << "\n" << text;
    ASSERT_TRUE(bare(loaded.profile) == bare(profile)) << "seed " << seed << "\n" << text;
  }
}

TEST(Emit, IsHarmlessTextOnEveryLine) {
  for (std::uint64_t seed = 1; seed <= 500; ++seed) {
    std::string_view rest = "";
    const std::string text = emit(any_profile(seed));
    for (rest = text; !rest.empty();) {
      const text::Character character = text::first_character(rest);
      ASSERT_TRUE(character.valid);
      ASSERT_TRUE(character.point == '\n' || !text::is_deceptive(character.point)) << seed;
      rest.remove_prefix(character.size);
    }
  }
}

// SECURITY G1: a plugin that chooses file names must not choose lines of a profile.
TEST(Emit, LeavesNoNameAMeaning) {
  Profile profile;
  profile.name = "learned";
  for (const char* path : {"/srv/x\n  write: [/]", "/srv/${home}", "/srv/~", "/srv/a*b", "/srv/# no", "/srv/\"] }"})
    profile.filesystem.grants.push_back({Access::Read, path, false, {"/srv/p\n.yaml", 1, 1}, false});
  Desk desk;
  const Loaded loaded = desk.load(emit(profile));
  ASSERT_EQ(to_text(loaded.diagnostics), "");
  ASSERT_EQ(loaded.profile.filesystem.grants.size(), 6u);
  for (std::size_t i = 0; i < 6; ++i) {
    EXPECT_EQ(loaded.profile.filesystem.grants[i].path, profile.filesystem.grants[i].path);
    EXPECT_EQ(loaded.profile.filesystem.grants[i].access, Access::Read);
  }
}

TEST(Emit, WritesBytesThatAreNoUtf8) {
  Profile profile;
  profile.name = "p";
  profile.filesystem.grants.push_back({Access::Read, "/srv/\xff\xfe\x80", false, {}, false});
  profile.env.set.push_back({"V", "a\xff", {}});
  Desk desk;
  const Loaded loaded = desk.load(emit(profile));
  ASSERT_EQ(to_text(loaded.diagnostics), "");
  EXPECT_EQ(loaded.profile.filesystem.grants.front().path, "/srv/\xff\xfe\x80");
  EXPECT_EQ(loaded.profile.env.set.front().value, "a\xef\xbf\xbd");  // YAML has no form for it
}

TEST(Emit, NamesTheLineThatSaysIt) {
  Desk desk;
  desk.set = {{"plugin", "/srv/plugin"}};
  const Profile profile = test::good(
      desk,
      "filesystem:\n  read: [\"${plugin}\"]\n  write: [{path: /var/lib/crm, dangerous: true}]\n  temporary: 1M\n"
      "env: {set: {GREETING: \"say \\\"hello\\\"\"}}\nnetwork: {allow: [tcp://a.example:443]}\n"
      "cwd: /var/lib/crm\nlimits: {time: 90s}\n");
  EXPECT_EQ(emit(profile), R"(version: 1
name: "crm"                                             # /srv/profiles/crm.yaml:2

filesystem:
  read:
    - "/srv/plugin"                                     # /srv/profiles/crm.yaml:4
  write:
    - {path: "/var/lib/crm", dangerous: true}           # /srv/profiles/crm.yaml:5
  temporary: 1M                                         # /srv/profiles/crm.yaml:6

network:
  allow:
    - "tcp://a.example:443"                             # /srv/profiles/crm.yaml:8

env:
  set:
    "GREETING": "say \"hello\""                         # /srv/profiles/crm.yaml:7

cwd: "/var/lib/crm"                                     # /srv/profiles/crm.yaml:9

limits:
  time: 90s                                             # /srv/profiles/crm.yaml:10
)");
  EXPECT_EQ(emit(profile, {Origins::Left}).find('#'), std::string::npos);
}

}  // namespace
}  // namespace jail::profile
