// The file system a plugin sees: built from an empty tmpfs, nothing in it but what is granted.
//
// Each granted path is opened once (an anchor). The same descriptor is checked against what the plan saw, is cloned and
// attached as a mount, and later carries the Landlock rule, so that no second lookup can be led elsewhere. Links the
// grant went through are made again as links; what is hidden is covered by something empty.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/fd.h"
#include "confine/layer.h"
#include "profile/facts.h"
#include "profile/profile.h"

namespace jail::confine::view {

enum class Node { Folder, File, Device };

// What the profile lets the plugin do with a place; a place may be named by several grants.
enum Access : unsigned { kRead = 1, kWrite = 2, kExec = 4, kLibrary = 8, kDevice = 16, kSocket = 32 };

struct Anchor {
  std::string path;  // without links
  Node node = Node::File;
  profile::Identity identity;
  unsigned access = 0;  // of Access
  bool mounted = true;  // false: the mount of an anchor above shows it with the same flags
  std::vector<profile::Place> places;  // the profile lines; empty: jail's own
};

struct Link {
  std::string path;
  std::string text;
};

// A hidden place in one mount through which it can be reached.
struct Mask {
  std::string path;
  Node node = Node::File;
  profile::Identity identity;
  profile::Place place;
};

// What must stay where it is on the host while the jail lives: a mount that takes something away (a mask, or a grant
// stricter than the one around it), or a folder on the way to it. Moved or replaced, it would lie bare (run/guard.h).
struct Hold {
  enum class By { Mask, Mount };
  std::string path;
  std::string kept;  // the place that is protected: `path` itself, or below it
  By by = By::Mask;
  profile::Identity identity;  // of `kept`
  profile::Place place;        // the profile line that protects it
};

// A file of the jail's own, which anybody in it may read.
struct OwnFile {
  std::string path;
  std::string content;
};

struct Plan {
  std::vector<Anchor> anchors;  // parents before children
  std::vector<OwnFile> files{};
  std::vector<Link> links;
  // Folders in write grants with something hidden or less than writable below: were they renamed, the next run would
  // protect a new folder of that name. And those of the own /tmp above a grant. Parents before children.
  std::vector<std::string> pins;
  std::vector<Mask> masks;
  std::vector<Hold> holds;  // parents before children; empty where nothing is taken out of a grant
  std::uint64_t temporary_bytes = 0;
  std::string cwd;
};

// `mounts`: the mount points below granted folders (only looked at when something is hidden).
struct MountPoint {
  std::string path;
  profile::Identity identity;  // of the folder mounted there
};

Plan plan(const profile::Profile& profile, const profile::Facts& facts, const std::vector<MountPoint>& mounts);

// Unless a grant or a link stands there or above it: the plugin has what the profile says.
void add_file(Plan& plan, OwnFile file);

// /dev/null and its kin: what every jail has, as far as the machine has them.
inline constexpr const char* kDevices[] = {"null", "zero", "full", "random", "urandom", "tty"};

// The tmpfs of a jail's own, by both its names.
inline constexpr const char* kTemporary[] = {"/tmp", "/dev/shm"};

// The empty root with /dev in it: what does not depend on the profile, made by pid 1 while the profile is read.
// Attached over the host's /proc, the one folder that must be there and that nothing is granted from; host paths still
// resolve.
Fd make_root();
// A /proc of the caller's pid namespace, by pid 1. EPERM where a container has masked parts of its own: the folder
// stays empty then.
void attach_proc(const Fd& root);

// The granted paths, one descriptor for each of plan.anchors, in that order. Apart from build(), because root opens
// them with all its power and builds with none. Throws SysError; ESTALE: a path is no longer what the plan saw.
std::vector<Fd> open_anchors(const Plan& plan);

// In the jail's mount namespace, with the host's tree still as its root. `root`: from make_root().
void build(const Plan& plan, const Fd& root, const std::vector<Fd>& anchors);

// The view becomes the root of its namespace, read-only but for what is granted.
void enter(const Fd& root);
// Then the host's tree is taken away, by another process of the namespace, so that nobody waits for it in vain.
void leave_host();

// Nothing of the host's old root is left: the root is our read-only tmpfs.
bool verify();

}  // namespace jail::confine::view
