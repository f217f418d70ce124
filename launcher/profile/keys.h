// Every key of the profile language, its shape and what it does to a Profile, in one table: the reader walks it, hints
// are made from it, and a test holds profiles/schema.json against it in both directions.
#pragma once

#include <array>
#include <span>
#include <string_view>

#include "profile/document.h"

namespace jail::profile {

class Reader;

// What a value must look like; each has one definition in the schema's "$defs".
enum class Shape {
  Section,  // a mapping with keys of its own
  Version,  // the number 1
  Name,     // of a profile
  Text,
  Extends,    // a list of template names and ./relative.yaml
  Variables,  // a mapping of variable names to texts
  Path,
  Grants,   // a list of paths or kGrantKeys mappings
  Hidden,   // a list of paths, presets or kHiddenKeys mappings
  Sockets,  // a list of paths or kSocketKeys mappings
  Destinations,  // a list of endpoints or kDestinationKeys mappings
  Endpoints,
  EnvNames,   // a list of names or globs
  EnvValues,  // a mapping of names to texts
  Calls,      // a list of system calls or @groups
  User,
  Choice,
  Size,
  Duration,
  Cores,
  Count,
  Globs,
  Digest,
  Layers,
};

struct Key {
  std::string_view name;
  Shape shape;
  void (*read)(Reader& reader, const Node& value);  // nullptr for a Section (its keys are read) or what load() reads
  std::span<const Key> below = {};                  // of a Section
  std::span<const std::string_view> choices = {};   // of a Choice
};

// The top level of a profile.
std::span<const Key> profile_keys();

inline constexpr std::array<std::string_view, 3> kGrantKeys{"path", "optional", "dangerous"};
inline constexpr std::array<std::string_view, 2> kHiddenKeys{"path", "optional"};
inline constexpr std::array<std::string_view, 2> kSocketKeys{"path", "dangerous"};

inline constexpr std::array<std::string_view, 2> kDestinationKeys{"to", "sni"};

inline constexpr int kVersion = 1;
inline constexpr std::uint64_t kMostPids = 4'194'304;   // PID_MAX_LIMIT, Documentation/admin-guide/sysctl/kernel.rst
inline constexpr std::uint64_t kMostFiles = 1'048'576;  // fs.nr_open unless somebody raised it, proc_sys_fs(5)

}  // namespace jail::profile
