// What the machine says, as plain data: collected once by run/facts.cc, read by everything that is pure. The same
// profile and the same facts give the same answer everywhere.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace jail::profile {

// A file's identity (stat(2)).
struct Identity {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  auto operator<=>(const Identity&) const = default;
};

enum class PathKind { Missing, File, Directory, CharDevice, BlockDevice, Fifo, Socket };

// A symbolic link followed on the way to a path: where it stands and the text it holds.
struct Link {
  std::string path;
  std::string text;
};

struct PathFact {
  PathKind kind = PathKind::Missing;
  std::string real;      // the path without links; for a missing one as far as it could be followed
  Identity identity;
  std::uint32_t owner = 0;
  std::uint32_t group = 0;
  std::uint32_t mode = 0;             // permission bits, 07777
  std::vector<Link> links;            // followed, outermost first
  std::string refused;                // not empty: why it may not be resolved (a link somebody else may have planted)
  std::vector<Identity> chain;        // itself, its parent, ... up to "/": who contains it, whatever it is called
  std::vector<std::string> interpreters;  // of a program: ELF interpreter, #! program and theirs
  std::string foreign;  // of a program and its interpreters; not empty: who besides root and the operator writes it
};

// A place that belongs to jail itself or decided this run: no write grant may touch it (SECURITY C10).
struct ProtectedPlace {
  std::string what;  // "the audit log folder"
  std::string path;
  std::vector<Identity> chain;
  bool missing = false;  // then the chain begins with the nearest folder that exists
};

struct Facts {
  std::map<std::string, PathFact> paths;  // by the path as paths_of_interest() names it; `home` may be among them
  std::vector<ProtectedPlace> protected_places;
  std::string home;                       // of the operator; absolute
  std::string runtime;                    // of the operator's session ($XDG_RUNTIME_DIR); empty when there is none
  std::vector<std::string> search_path;   // the operator's own PATH: programs the host starts
  std::uint64_t memory = 0;               // of the machine, in bytes; 0: nobody looked
  std::uint32_t uid = 0;                  // of the launcher
  std::vector<std::uint32_t> groups;      // supplementary
  std::map<std::uint32_t, std::string> group_names;  // of those, as far as somebody looked them up
};

}  // namespace jail::profile
