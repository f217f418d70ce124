// Every file system right and scope of Landlock: its name for people, its bit, the ABI that brought it, what in a
// profile grants it, and what is lost below that ABI. Planning, doctor and tests read these tables; a new right is a
// new row. Source: include/uapi/linux/landlock.h of Linux 7.2.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "confine/view.h"

namespace jail::confine::landlock {

enum class Reach { Anything, FoldersOnly };  // whether a rule on a file may carry the right (EINVAL else)

struct Right {
  std::string_view name;
  std::uint64_t bit;
  int since_abi;
  unsigned granted_by;  // of view::Access; 0: never granted
  Reach reach;
  std::string_view loss;  // what a plugin can do below since_abi
};

inline constexpr std::array kRights{
    Right{"execute", 1ULL << 0, 1, view::kExec, Reach::Anything, "start any file it can see"},
    Right{"write-file", 1ULL << 1, 1, view::kWrite, Reach::Anything, "write wherever the mount allows"},
    Right{"read-file", 1ULL << 2, 1, view::kRead, Reach::Anything, "read every file of the view"},
    Right{"read-dir", 1ULL << 3, 1, view::kRead, Reach::FoldersOnly, "list every folder of the view"},
    Right{"remove-dir", 1ULL << 4, 1, view::kWrite, Reach::FoldersOnly, "remove folders where the mount allows"},
    Right{"remove-file", 1ULL << 5, 1, view::kWrite, Reach::FoldersOnly, "remove files where the mount allows"},
    Right{"make-char", 1ULL << 6, 1, 0, Reach::FoldersOnly, "nothing: device nodes need a capability"},
    Right{"make-dir", 1ULL << 7, 1, view::kWrite, Reach::FoldersOnly, "make folders where the mount allows"},
    Right{"make-reg", 1ULL << 8, 1, view::kWrite, Reach::FoldersOnly, "make files where the mount allows"},
    Right{"make-sock", 1ULL << 9, 1, view::kWrite, Reach::FoldersOnly, "make sockets where the mount allows"},
    Right{"make-fifo", 1ULL << 10, 1, view::kWrite, Reach::FoldersOnly, "make pipes where the mount allows"},
    Right{"make-block", 1ULL << 11, 1, 0, Reach::FoldersOnly, "nothing: device nodes need a capability"},
    Right{"make-sym", 1ULL << 12, 1, view::kWrite, Reach::FoldersOnly, "make links where the mount allows"},
    Right{"refer", 1ULL << 13, 2, view::kWrite, Reach::FoldersOnly, "nothing: moving between folders is always denied"},
    Right{"truncate", 1ULL << 14, 3, view::kWrite, Reach::Anything, "truncate files where the mount allows writing"},
    Right{"ioctl-dev", 1ULL << 15, 5, view::kDevice, Reach::Anything, "use ioctl(2) on the devices it is given"},
    Right{"resolve-unix", 1ULL << 16, 9, view::kSocket, Reach::Anything,
          "connect to sockets in granted folders, so AF_UNIX is denied"},
};

struct Scope {
  std::string_view name;
  std::uint64_t bit;
  int since_abi;
  std::string_view loss;
};

inline constexpr std::uint64_t kScopeSignal = 1ULL << 1;

inline constexpr std::array kScopes{
    Scope{"abstract-unix-socket", 1ULL << 0, 6, "nothing: the network namespace holds abstract sockets apart"},
    Scope{"signal", kScopeSignal, 6, "nothing: the pid namespace holds other processes apart"},
};

// Of TCP: the plugin's are held by its network, so only processes of ours have these denied.
inline constexpr std::uint64_t kBindTcp = 1ULL << 0;
inline constexpr std::uint64_t kConnectTcp = 1ULL << 1;
inline constexpr int kNetworkAbi = 4;

inline constexpr std::uint64_t kReadDir = 1ULL << 3;

inline constexpr std::uint64_t kResolveUnix = 1ULL << 16;

inline constexpr int kNewestAbi = 10;  // the newest this table was held against
inline constexpr int kResolveUnixAbi = 9;

// Records denials of programs the plugin starts, too: by default Landlock logs only until the first execve (ABI 7).
inline constexpr int kLogFlagsAbi = 7;
inline constexpr std::uint32_t kLogNewExec = 1U << 1;

template <typename Table>
constexpr std::uint64_t known_to(const Table& table, int abi) {
  std::uint64_t bits = 0;
  for (const auto& row : table)
    if (row.since_abi <= abi) bits |= row.bit;
  return bits;
}

constexpr std::uint64_t rights_of(unsigned access, view::Node node) {
  std::uint64_t bits = 0;
  for (const Right& right : kRights)
    if ((right.granted_by & access) && (right.reach == Reach::Anything || node == view::Node::Folder))
      bits |= right.bit;
  return bits;
}

}  // namespace jail::confine::landlock
