// What someone wrote: one profile after its templates are merged and its variables expanded. Plain data with the place
// of every line kept, because each denial must name the line that decides it. Nothing here was looked at on a machine
// yet: paths are absolute and lexically normal, but may be missing or lead through links (facts.h).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "profile/diagnostic.h"

namespace jail::profile {

// A value with the place that states it. No place: nobody wrote it, the value is the default.
template <typename Value>
struct Setting {
  Value value{};
  std::optional<Place> stated;
  bool operator==(const Setting&) const = default;
};

enum class Access {
  Read,     // open, read, list
  Library,  // read, and may be mapped as code; not started as a program
  Exec,     // read, and may be started
  Write,    // read, create, change, delete
};

struct Grant {
  Access access = Access::Read;
  std::string path;       // absolute, lexically normal
  bool optional = false;  // a missing path is skipped instead of refused
  Place place;
  bool dangerous = false;  // {path: ..., dangerous: true}: the named override of the dangerous-grant rules
  bool operator==(const Grant&) const = default;
};

struct Hidden {
  std::string path;
  bool optional = false;  // presets name places that may not exist
  Place place;
  bool operator==(const Hidden&) const = default;
};

struct Filesystem {
  std::vector<Grant> grants;
  std::vector<Hidden> hidden;
  Setting<std::uint64_t> temporary{64ULL << 20, {}};  // bytes; backs /tmp and /dev/shm together
  bool operator==(const Filesystem&) const = default;
};

enum class Protocol { Tcp, Udp };
enum class HostKind { Name, Wildcard, Address, Prefix };

struct PortRange {
  std::uint16_t first = 0;
  std::uint16_t last = 0;
  bool operator==(const PortRange&) const = default;
};

// Whether a stream to a host by name must name it, too: the server_name of TLS, the Host of HTTP.
enum class Sni { On, Off };

struct Endpoint {
  Protocol protocol = Protocol::Tcp;
  HostKind kind = HostKind::Name;
  std::string host;               // lower case name, "*.name" without its "*.", or the address in canonical text
  int prefix_length = 0;          // bits, for Prefix
  std::vector<PortRange> ports;   // empty: every port (":*", a named weakening)
  Sni sni = Sni::On;              // Off: {to: ..., sni: off}, a named weakening
  Place place;
  bool operator==(const Endpoint&) const = default;
};

struct UnixSocket {
  std::string path;
  Place place;
  bool dangerous = false;  // as in Grant
  bool operator==(const UnixSocket&) const = default;
};

enum class NetworkMode { Isolated, Host };

struct Network {
  std::vector<Endpoint> allow;
  std::vector<Endpoint> listen;
  std::vector<UnixSocket> unix_sockets;
  Setting<NetworkMode> mode;
  bool operator==(const Network&) const = default;
};

struct EnvName {
  std::string pattern;  // a name, or a glob with '*'
  Place place;
  bool operator==(const EnvName&) const = default;
};

struct EnvValue {
  std::string name;
  std::string value;
  Place place;
  bool operator==(const EnvValue&) const = default;
};

struct Environment {
  std::vector<EnvName> allow;
  std::vector<EnvName> secret;  // passed on; the value never reaches a log, an error or an event
  std::vector<EnvValue> set;    // wins over allow
  bool operator==(const Environment&) const = default;
};

enum class SyscallSet { Standard, Strict };

struct SyscallName {
  std::string name;  // a system call, or a group with its "@"
  Place place;
  bool operator==(const SyscallName&) const = default;
};

struct Syscalls {
  Setting<SyscallSet> set;
  std::vector<SyscallName> allow;
  std::vector<SyscallName> deny;
  bool operator==(const Syscalls&) const = default;
};

struct User {
  enum class Kind { Keep, Named, Root };
  Kind kind = Kind::Keep;
  std::string name;  // for Named: a user name, "uid" or "uid:gid"
  bool operator==(const User&) const = default;
};

// Sizes in bytes, times in milliseconds. A limit without a value is absent.
struct Limits {
  Setting<std::optional<std::uint64_t>> memory;
  Setting<std::uint64_t> pids{256, {}};
  Setting<std::optional<double>> cpu;        // cores
  Setting<std::optional<std::uint64_t>> io;  // bytes a second, read and as many written, of each block device
  Setting<std::uint64_t> files{1024, {}};
  Setting<std::optional<std::uint64_t>> file_size;
  Setting<std::optional<std::uint64_t>> time_ms;      // wall clock
  Setting<std::uint64_t> grace_ms{2000, {}};          // between SIGTERM and SIGKILL when time is up
  Setting<std::optional<std::uint64_t>> cpu_time_ms;  // whole seconds for the kernel (setrlimit(2)), rounded up
  bool operator==(const Limits&) const = default;
};

enum class MonitorSource { Auto, Ebpf, Notify, None };
enum class MonitorFiles { None, Denied, Changes, All };
enum class OnLoss { Count, Freeze, Kill };

struct HashPattern {
  std::string glob;
  Place place;
  bool operator==(const HashPattern&) const = default;
};

// Paths that programs look for and that need not be there.
struct AbsentPattern {
  std::string glob;  // fnmatch(3), where a star also stands for slashes
  Place place;
  bool operator==(const AbsentPattern&) const = default;
};

struct Monitor {
  Setting<MonitorSource> source;
  Setting<MonitorFiles> files{MonitorFiles::Denied, {}};
  std::vector<HashPattern> hash;
  std::vector<AbsentPattern> expect_absent;
  Setting<OnLoss> on_loss;
  Setting<std::uint64_t> ring{1ULL << 20, {}};  // bytes, a power of two; where eBPF's events wait for their reader
  bool operator==(const Monitor&) const = default;
};

enum class Durable { Batch, Each, None };

struct Audit {
  Setting<Durable> durable;
  bool operator==(const Audit&) const = default;
};

struct Integrity {
  std::string path;
  std::string sha256;  // 64 lower case hexadecimal digits
  Place place;
  bool operator==(const Integrity&) const = default;
};

struct BestEffort {
  std::string layer;  // one of the layer names of layers.h
  Place place;
  bool operator==(const BestEffort&) const = default;
};

// A file that had a part in the profile. Together their digests identify what was decided.
struct SourceFile {
  std::string path;  // absolute, or "<template>/NAME.yaml" for those built into jail
  std::string sha256;
  bool operator==(const SourceFile&) const = default;
};

struct Profile {
  std::string name;
  std::string description;
  Place place;  // of the profile's own `name:` line
  Filesystem filesystem;
  Network network;
  Environment env;
  Syscalls syscalls;
  Setting<User> user;
  Setting<std::string> cwd;  // empty: the first write grant, else "/"
  Limits limits;
  Monitor monitor;
  Audit audit;
  std::optional<Integrity> integrity;
  std::vector<BestEffort> best_effort;
  std::vector<SourceFile> sources;  // the profile first, then what it extends in order of merging
  std::string plugin;               // ${plugin} if it was given: the tree that holds the plugin's code
  std::string state;                // ${state}: `run` makes what is granted for writing there before it collects facts
  bool operator==(const Profile&) const = default;
};

// [a-z0-9][a-z0-9._-]{0,62}
bool is_profile_name(std::string_view name);

}  // namespace jail::profile
