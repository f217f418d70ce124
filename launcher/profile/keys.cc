#include "profile/keys.h"

#include "profile/read_filesystem.h"
#include "profile/read_network.h"
#include "profile/read_process.h"
#include "profile/reader.h"

namespace jail::profile {
namespace {

using enum Shape;

template <Access access>
void grants(Reader& reader, const Node& list) {
  read_grants(reader, list, access);
}

// The three below put one value where two member pointers say: `&Profile::limits, &Limits::memory`.
template <auto parse, auto section, auto member>
void quantity(Reader& reader, const Node& node) {
  if (!node.is_scalar()) return reader.error(node, "a number with a unit expected");
  reader.set(node, parse(node.text), reader.profile().*section.*member);
}

template <auto section, auto member>
void cores(Reader& reader, const Node& node) {
  const auto text = reader.number_text(node);
  if (text) reader.set(node, parse_cores(*text), reader.profile().*section.*member);
}

template <std::uint64_t most, auto section, auto member>
void count(Reader& reader, const Node& node) {
  const auto text = reader.number_text(node);
  if (text) reader.set(node, parse_count(*text, most), reader.profile().*section.*member);
}

template <auto& choices, auto section, auto member>
void choice(Reader& reader, const Node& node) {
  reader.choose(node, choices, reader.profile().*section.*member);
}

constexpr auto kModeNames = names_of(kNetworkModes);
constexpr auto kSetNames = names_of(kSyscallSets);
constexpr auto kSourceNames = names_of(kMonitorSources);
constexpr auto kFilesNames = names_of(kMonitorFiles);
constexpr auto kLossNames = names_of(kOnLoss);
constexpr auto kDurableNames = names_of(kDurable);

constexpr Key kFilesystem[] = {
    {"read", Grants, grants<Access::Read>},
    {"write", Grants, grants<Access::Write>},
    {"exec", Grants, grants<Access::Exec>},
    {"libraries", Grants, grants<Access::Library>},
    {"hide", Shape::Hidden, read_hidden},
    {"temporary", Size, quantity<parse_size, &Profile::filesystem, &Filesystem::temporary>},
};

constexpr Key kNetwork[] = {
    {"allow", Destinations, read_allowed},
    {"listen", Endpoints, read_listens},
    {"unix", Sockets, read_sockets},
    {"mode", Shape::Choice, choice<kNetworkModes, &Profile::network, &Network::mode>, {}, kModeNames},
};

constexpr Key kEnv[] = {
    {"allow", EnvNames, [](Reader& r, const Node& n) { read_env_names(r, n, r.profile().env.allow); }},
    {"secret", EnvNames, [](Reader& r, const Node& n) { read_env_names(r, n, r.profile().env.secret); }},
    {"set", EnvValues, read_env_values},
};

constexpr Key kSyscalls[] = {
    {"default", Shape::Choice, choice<kSyscallSets, &Profile::syscalls, &Syscalls::set>, {}, kSetNames},
    {"allow", Calls, [](Reader& r, const Node& n) { read_calls(r, n, r.profile().syscalls.allow); }},
    {"deny", Calls, [](Reader& r, const Node& n) { read_calls(r, n, r.profile().syscalls.deny); }},
};

constexpr Key kLimits[] = {
    {"memory", Size, quantity<parse_size, &Profile::limits, &Limits::memory>},
    {"pids", Count, count<kMostPids, &Profile::limits, &Limits::pids>},
    {"cpu", Cores, cores<&Profile::limits, &Limits::cpu>},
    {"io", Size, quantity<parse_size, &Profile::limits, &Limits::io>},
    {"files", Count, count<kMostFiles, &Profile::limits, &Limits::files>},
    {"file_size", Size, quantity<parse_size, &Profile::limits, &Limits::file_size>},
    {"time", Duration, quantity<parse_duration, &Profile::limits, &Limits::time_ms>},
    {"grace", Duration, quantity<parse_duration, &Profile::limits, &Limits::grace_ms>},
    {"cpu_time", Duration, quantity<parse_duration, &Profile::limits, &Limits::cpu_time_ms>},
};

constexpr Key kMonitor[] = {
    {"source", Shape::Choice, choice<kMonitorSources, &Profile::monitor, &Monitor::source>, {}, kSourceNames},
    {"files", Shape::Choice, choice<kMonitorFiles, &Profile::monitor, &Monitor::files>, {}, kFilesNames},
    {"hash", Globs, read_globs},
    {"expect_absent", Globs, read_expect_absent},
    {"on_loss", Shape::Choice, choice<kOnLoss, &Profile::monitor, &Monitor::on_loss>, {}, kLossNames},
    {"ring", Size, quantity<parse_ring, &Profile::monitor, &Monitor::ring>},
};

constexpr Key kAudit[] = {
    {"durable", Shape::Choice, choice<profile::kDurable, &Profile::audit, &Audit::durable>, {}, kDurableNames},
};

constexpr Key kIntegrity[] = {
    {"path", Path, read_integrity_path},
    {"sha256", Digest, read_integrity_digest},
};

// One value of two halves: a template's path with a profile's digest would be neither's.
void read_integrity(Reader& reader, const Node& mapping) {
  if (mapping.kind != NodeKind::Mapping) return reader.error(mapping, "a mapping of path and sha256 expected");
  reader.profile().integrity = Integrity{{}, {}, reader.place(mapping)};
  reader.read_mapping(mapping, kIntegrity, "integrity");
  for (const Key& key : kIntegrity)
    if (find(mapping, key.name) == nullptr)
      reader.error(mapping, "'integrity' without its '" + std::string(key.name) + "'");
}

constexpr Key kProfile[] = {
    {"version", Version, read_version},
    {"name", Name, read_name},
    {"description", Text, read_description},
    {"extends", Extends, nullptr},
    {"variables", Shape::Variables, nullptr},
    {"filesystem", Section, nullptr, kFilesystem},
    {"network", Section, nullptr, kNetwork},
    {"env", Section, nullptr, kEnv},
    {"syscalls", Section, nullptr, kSyscalls},
    {"user", Shape::User, read_user},
    {"cwd", Path, read_cwd},
    {"limits", Section, nullptr, kLimits},
    {"monitor", Section, nullptr, kMonitor},
    {"audit", Section, nullptr, kAudit},
    {"integrity", Section, read_integrity, kIntegrity},
    {"best_effort", Layers, read_layers},
};

}  // namespace

std::span<const Key> profile_keys() { return kProfile; }

}  // namespace jail::profile
