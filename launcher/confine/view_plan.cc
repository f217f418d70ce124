// The pure half of the view: which anchors, links and masks a profile comes to on the machine its facts describe.
#include <algorithm>
#include <map>
#include <set>

#include "confine/view.h"
#include "profile/interpreters.h"

namespace jail::confine::view {
namespace {

unsigned access_of(profile::Access access) {
  switch (access) {
    case profile::Access::Read: return kRead;
    case profile::Access::Library: return kRead | kLibrary;
    case profile::Access::Exec: return kRead | kExec;
    case profile::Access::Write: return kRead | kWrite;
  }
  return 0;
}

Node node_of(profile::PathKind kind) {
  switch (kind) {
    case profile::PathKind::Directory: return Node::Folder;
    case profile::PathKind::CharDevice:
    case profile::PathKind::BlockDevice: return Node::Device;
    default: return Node::File;
  }
}

bool beneath(const std::string& path, const std::string& folder) {
  if (folder == "/") return path.size() > 1;
  return path.size() > folder.size() && path.compare(0, folder.size(), folder) == 0 && path[folder.size()] == '/';
}

// One entry per real path: read and exec of one file are one mount.
class Anchors {
 public:
  void add(const profile::PathFact& fact, unsigned access, const profile::Place* place) {
    Anchor& anchor = by_path_[fact.real];
    if (anchor.path.empty()) {
      anchor.path = fact.real;
      anchor.node = node_of(fact.kind);
      anchor.identity = fact.identity;
    }
    anchor.access |= anchor.node == Node::Device ? access | kDevice : access;
    if (place != nullptr) anchor.places.push_back(*place);
  }

  // A map sorts "/usr" before "/usr/lib": parents come first.
  std::vector<Anchor> take() {
    std::vector<Anchor> all;
    all.reserve(by_path_.size());
    for (auto& [path, anchor] : by_path_) all.push_back(std::move(anchor));
    return all;
  }

 private:
  std::map<std::string, Anchor> by_path_;
};

bool same_mount_flags(const Anchor& a, const Anchor& b) {
  constexpr unsigned kInMountFlags = kWrite | kDevice;
  constexpr unsigned kRuns = kExec | kLibrary;
  return (a.access & kInMountFlags) == (b.access & kInMountFlags) && !(a.access & kRuns) == !(b.access & kRuns);
}

const Anchor* nearest_above(const std::vector<Anchor>& anchors, const std::string& path) {
  const Anchor* nearest = nullptr;
  for (const Anchor& anchor : anchors)
    if (beneath(path, anchor.path)) nearest = &anchor;  // parents first: the last one is the nearest
  return nearest;
}

void leave_out_needless_mounts(std::vector<Anchor>& anchors) {
  for (Anchor& anchor : anchors) {
    const Anchor* above = nearest_above(anchors, anchor.path);
    anchor.mounted = above == nullptr || !same_mount_flags(*above, anchor);
  }
}

using Links = std::map<std::string, std::string>;

void add(Anchors& anchors, Links& links, const profile::PathFact& fact, unsigned access, const profile::Place& place) {
  anchors.add(fact, access, &place);
  for (const profile::Link& link : fact.links) links.emplace(link.path, link.text);
}

void add_grants(Anchors& anchors, Links& links, const profile::Profile& profile, const profile::Facts& facts) {
  for (const profile::Grant& grant : profile.filesystem.grants) {
    const auto found = facts.paths.find(grant.path);
    if (found == facts.paths.end() || found->second.kind == profile::PathKind::Missing) continue;  // optional
    add(anchors, links, found->second, access_of(grant.access), grant.place);
    for (const std::string& interpreter : profile::brought_interpreters(profile, facts, grant))
      add(anchors, links, facts.paths.at(interpreter), access_of(profile::Access::Exec), grant.place);
  }
}

void add_sockets(Anchors& anchors, Links& links, const profile::Profile& profile, const profile::Facts& facts) {
  for (const profile::UnixSocket& socket : profile.network.unix_sockets)
    if (const auto found = facts.paths.find(socket.path); found != facts.paths.end())
      add(anchors, links, found->second, kSocket, socket.place);
}

// Where a hidden place stands seen through `top`: top's path and the names that lead down. `above` counts the steps
// from the hidden place up to top in its chain.
std::string seen_through(const std::string& top, const std::string& real, std::size_t above) {
  std::size_t cut = real.size();
  for (std::size_t step = 0; step < above; ++step) cut = real.rfind('/', cut - 1);
  return (top == "/" ? "" : top) + real.substr(cut);
}

std::vector<std::string> folders_between(const std::string& top, const std::string& path) {
  std::vector<std::string> between;
  for (std::size_t slash = path.find('/', top.size() + 1); slash != std::string::npos;
       slash = path.find('/', slash + 1))
    between.push_back(path.substr(0, slash));
  return between;
}

// A mask where `fact` is reached through the folder at `top`, if it is: by identity, so that a bind mount of the same
// tree under another name is covered too.
void add_mask(std::map<std::string, Mask>& masks, const profile::Hidden& hidden, const profile::PathFact& fact,
              const MountPoint& top) {
  const auto found = std::find(fact.chain.begin(), fact.chain.end(), top.identity);
  if (found == fact.chain.end()) return;
  Mask mask;
  mask.path = seen_through(top.path, fact.real, static_cast<std::size_t>(found - fact.chain.begin()));
  mask.node = node_of(fact.kind);
  mask.identity = fact.identity;
  mask.place = hidden.place;
  masks.emplace(mask.path, std::move(mask));
}

bool any_above(const std::vector<Mask>& masks, const std::string& path) {
  return std::any_of(masks.begin(), masks.end(), [&](const Mask& mask) { return beneath(path, mask.path); });
}

std::vector<Mask> plan_masks(const profile::Profile& profile, const profile::Facts& facts,
                             const std::vector<Anchor>& anchors, const std::vector<MountPoint>& mounts) {
  std::map<std::string, Mask> masks;
  for (const profile::Hidden& hidden : profile.filesystem.hidden) {
    const auto found = facts.paths.find(hidden.path);
    if (found == facts.paths.end() || found->second.kind == profile::PathKind::Missing) continue;
    for (const Anchor& anchor : anchors) add_mask(masks, hidden, found->second, {anchor.path, anchor.identity});
    for (const MountPoint& mount : mounts)
      if (nearest_above(anchors, mount.path) != nullptr) add_mask(masks, hidden, found->second, mount);
  }
  std::vector<Mask> all;  // below a covered folder there is nothing left to cover
  for (auto& [path, mask] : masks)
    if (!any_above(all, path)) all.push_back(std::move(mask));
  return all;
}

const Anchor* mounted_around(const std::vector<Anchor>& anchors, const std::string& path) {
  const Anchor* around = nullptr;
  for (const Anchor& anchor : anchors)
    if (anchor.mounted && beneath(path, anchor.path)) around = &anchor;  // parents first: the last one is the nearest
  return around;
}

// A mount stands fast where it stands; what lies between it and the one around it does not, if that one can be written.
void add_pins(std::set<std::string>& pins, const std::vector<Anchor>& anchors, const std::string& path) {
  const Anchor* around = mounted_around(anchors, path);
  if (around == nullptr || !(around->access & kWrite)) return;
  for (std::string& folder : folders_between(around->path, path)) pins.insert(std::move(folder));
}

// The folders of the view's own tmpfs that lead to a grant are the plugin's, too: moved away, they would give the grant
// a name that no plan knows.
void add_pins_in_temporary(std::set<std::string>& pins, const std::vector<Anchor>& anchors, const std::string& path) {
  if (nearest_above(anchors, path) != nullptr) return;
  for (const char* const temporary : kTemporary)
    if (beneath(path, temporary))
      for (std::string& folder : folders_between(temporary, path)) pins.insert(std::move(folder));
}

std::vector<std::string> plan_pins(const std::vector<Anchor>& anchors, const std::vector<Mask>& masks) {
  std::set<std::string> pins;
  for (const Anchor& anchor : anchors) add_pins_in_temporary(pins, anchors, anchor.path);
  for (const Mask& mask : masks) add_pins(pins, anchors, mask.path);
  for (const Anchor& anchor : anchors)
    if (anchor.mounted && !(anchor.access & kWrite)) add_pins(pins, anchors, anchor.path);
  return {pins.begin(), pins.end()};
}

bool is_stricter(const Anchor& anchor, const Anchor& around) {
  constexpr unsigned kRuns = kExec | kLibrary;
  const auto lacks = [&](unsigned bits) { return (around.access & bits) != 0 && (anchor.access & bits) == 0; };
  return lacks(kWrite) || lacks(kRuns);
}

// Up to the outermost grant, through grants between: were one of those moved, the outermost would show what then
// stands in its place. The outermost itself is a mount of our own folder, and stays what it is.
void add_holds(std::map<std::string, Hold>& holds, const std::vector<Anchor>& anchors, const Hold& kept) {
  const auto outermost =
      std::ranges::find_if(anchors, [&](const Anchor& anchor) { return beneath(kept.path, anchor.path); });
  if (outermost != anchors.end())
    for (std::string& folder : folders_between(outermost->path, kept.path)) {
      Hold above = kept;
      above.path = folder;
      holds.emplace(std::move(folder), std::move(above));
    }
  holds.insert_or_assign(kept.path, kept);
}

std::vector<Hold> plan_holds(const std::vector<Anchor>& anchors, const std::vector<Mask>& masks) {
  std::map<std::string, Hold> holds;
  for (const Anchor& anchor : anchors) {
    const Anchor* around = mounted_around(anchors, anchor.path);
    if (!anchor.mounted || around == nullptr || !is_stricter(anchor, *around)) continue;
    const profile::Place place = anchor.places.empty() ? profile::Place{} : anchor.places.front();
    add_holds(holds, anchors, {anchor.path, anchor.path, Hold::By::Mount, anchor.identity, place});
  }
  for (const Mask& mask : masks)
    add_holds(holds, anchors, {mask.path, mask.path, Hold::By::Mask, mask.identity, mask.place});
  std::vector<Hold> all;
  all.reserve(holds.size());
  for (auto& [path, hold] : holds) all.push_back(std::move(hold));
  return all;
}

std::string plan_cwd(const profile::Profile& profile, const profile::Facts& facts) {
  if (!profile.cwd.value.empty()) return profile.cwd.value;
  for (const profile::Grant& grant : profile.filesystem.grants) {
    if (grant.access != profile::Access::Write) continue;
    const auto found = facts.paths.find(grant.path);
    if (found != facts.paths.end() && found->second.kind == profile::PathKind::Directory) return found->second.real;
  }
  return "/";
}

}  // namespace

Plan plan(const profile::Profile& profile, const profile::Facts& facts, const std::vector<MountPoint>& mounts) {
  Anchors anchors;
  Links links;
  add_grants(anchors, links, profile, facts);
  add_sockets(anchors, links, profile, facts);
  Plan plan;
  plan.anchors = anchors.take();
  leave_out_needless_mounts(plan.anchors);
  for (const auto& [path, text] : links)
    if (nearest_above(plan.anchors, path) == nullptr) plan.links.push_back({path, text});
  plan.masks = plan_masks(profile, facts, plan.anchors, mounts);
  plan.pins = plan_pins(plan.anchors, plan.masks);
  plan.holds = plan_holds(plan.anchors, plan.masks);
  plan.temporary_bytes = profile.filesystem.temporary.value;
  plan.cwd = plan_cwd(profile, facts);
  return plan;
}

void add_file(Plan& plan, OwnFile file) {
  const auto is_around = [&](const auto& other) { return other.path == file.path || beneath(file.path, other.path); };
  if (std::ranges::none_of(plan.anchors, is_around) && std::ranges::none_of(plan.links, is_around))
    plan.files.push_back(std::move(file));
}

}  // namespace jail::confine::view
