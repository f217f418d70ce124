// The programs of bpf/ in the kernel: which there are, and how they get there. What a kernel or a process may not load
// is known only by trying: `lsm=bpf` and a new release are no promise.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"

namespace jail::trace {

// One concern, one object, all or nothing.
enum class Family : std::uint8_t {
  Process,    // what is executed and what ends
  Network,    // by the cgroup of the run
  NetworkUnix,  // the same, of unix sockets
  Privilege,  // what was wanted and not given
  FileExit,   // by the end of each system call: every process of the host pays for it
  FileHooks,  // by the hooks of the security modules
  Denied,     // by any security module, of files and addresses
};
inline constexpr std::size_t kFamilies = 7;
inline constexpr std::size_t index_of(Family family) { return static_cast<std::size_t>(family); }
const std::vector<Family>& all_families();
std::string_view name_of(Family family);
// Hangs on the cgroup of a run, and on nothing that others have.
inline constexpr bool is_of_group(Family family) { return family == Family::Network || family == Family::NetworkUnix; }
// On hooks that every process passes, while it is attached.
inline constexpr bool costs_others(Family family) { return family != Family::Process && !is_of_group(family); }

struct Program {
  std::string_view name;
  Family family;
  std::uint32_t cgroup_attach = 0;  // BPF_CGROUP_*; of the other families nothing
};
inline constexpr std::size_t kProgramCount = 38;
extern const std::array<Program, kProgramCount> kPrograms;

// Why a family cannot be had, by Family; empty: it can.
struct Support {
  std::array<std::string, kFamilies> missing{};
  [[nodiscard]] const std::string& why_not(Family family) const { return missing[index_of(family)]; }
  [[nodiscard]] bool has(Family family) const { return why_not(family).empty(); }
};

struct Programs {
  Fd runs;   // hash: pid namespace of a jail to jail_run (bpf/events.h)
  Fd rings;  // the same to its ring
  std::array<Fd, kProgramCount> programs;  // by kPrograms; empty where its family is missing, or not asked for
  Support support;
};

// Loads what this kernel and this process may of them: 30 to 60 ms for all. The others are missing.
Programs load(const std::vector<Family>& families);

}  // namespace jail::trace
