// One openat2(2) does where no link stands on the way, which is the usual case. Else the path is walked component by
// component, each link held against the rule.
#include "run/resolve.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <optional>

#include "base/error.h"
#include "sys/file.h"

namespace jail::run {
namespace {

constexpr int kPathOnly = O_PATH | O_NOFOLLOW;
constexpr int kMostLinks = 40;  // as the kernel (path_resolution(7))

profile::PathKind kind_of(mode_t mode) {
  switch (mode & S_IFMT) {
    case S_IFREG: return profile::PathKind::File;
    case S_IFDIR: return profile::PathKind::Directory;
    case S_IFCHR: return profile::PathKind::CharDevice;
    case S_IFBLK: return profile::PathKind::BlockDevice;
    case S_IFIFO: return profile::PathKind::Fifo;
    case S_IFSOCK: return profile::PathKind::Socket;
    default: return profile::PathKind::Missing;
  }
}

void fill(profile::PathFact& fact, const struct stat& status) {
  fact.kind = kind_of(status.st_mode);
  fact.identity = {status.st_dev, status.st_ino};
  fact.owner = status.st_uid;
  fact.group = status.st_gid;
  fact.mode = status.st_mode & 07777;
}

std::deque<std::string> split(const std::string& path) {
  std::deque<std::string> names;
  for (std::size_t start = 0; start < path.size();) {
    std::size_t end = path.find('/', start);
    if (end == std::string::npos) end = path.size();
    if (end > start && path.compare(start, end - start, ".") != 0) names.push_back(path.substr(start, end - start));
    start = end + 1;
  }
  return names;
}

bool beneath(const std::string& path, const std::string& tree) {
  return path.size() > tree.size() && path.starts_with(tree) && path[tree.size()] == '/';
}

// A position in the tree: where the walk is, by descriptor and by name.
struct Position {
  Fd folder;
  std::string path;  // "" for the root
};

Position at_root() { return {sys::open_at("/", O_PATH, sys::Resolve::NoLinks), ""}; }

void go_up(Position& position) {
  position.path.resize(position.path.empty() ? 0 : position.path.rfind('/'));
  position.folder = sys::open_at(position.folder, "..", O_PATH, sys::Resolve::NoLinks);
}

bool writable_by_strangers(const struct stat& folder, std::uint32_t uid) {
  if (folder.st_uid != 0 && folder.st_uid != uid) return true;
  return (folder.st_mode & (S_IWGRP | S_IWOTH)) != 0 && !(folder.st_mode & S_ISVTX);
}

}  // namespace

Resolver::Resolver(std::vector<std::string> untrusted, std::uint32_t uid, Chains& chains)
    : untrusted_(std::move(untrusted)), uid_(uid), chains_(chains) {
  for (const std::string& tree : untrusted_) {
    struct stat status {};
    if (::stat(tree.c_str(), &status) == 0) untrusted_folders_.push_back({status.st_dev, status.st_ino});
  }
}

// By name, for what is not there yet, and by what its folders are: the profile may name the tree through a link.
bool Resolver::in_untrusted(const std::string& path) const {
  if (std::ranges::any_of(untrusted_, [&](const std::string& tree) { return beneath(path, tree); })) return true;
  const std::vector<profile::Identity> above = chains_.of(path.substr(0, path.rfind('/')));
  return std::ranges::find_first_of(above, untrusted_folders_) != above.end();
}

profile::PathFact Resolver::resolve(const std::string& path) const {
  int error = 0;
  const Fd opened = sys::try_open_at(AT_FDCWD, path.c_str(), kPathOnly, sys::Resolve::NoLinks, error);
  if (!opened) {
    if (error == ELOOP || error == ENOENT) return walk(path);
    profile::PathFact fact;
    fact.real = path;
    if (error != ENOTDIR) fact.refused = std::generic_category().message(error);
    return fact;
  }
  const struct stat status = sys::file_status(opened);
  if (S_ISLNK(status.st_mode)) return walk(path);
  profile::PathFact fact;
  fact.real = path;
  fill(fact, status);
  fact.chain = chains_.of(fact.real);
  return fact;
}

profile::PathFact Resolver::walk(const std::string& path) const {
  profile::PathFact fact;
  Position here = at_root();
  std::deque<std::string> names = split(path);
  struct stat status = sys::file_status(here.folder);
  while (!names.empty()) {
    const std::string name = names.front();
    names.pop_front();
    if (name == "..") {
      go_up(here);
      continue;
    }
    const std::string next = here.path + "/" + name;
    int error = 0;
    Fd opened = sys::try_open_at(here.folder.get(), name.c_str(), kPathOnly, sys::Resolve::Anything, error);
    if (!opened) {
      fact.real = next;
      for (const std::string& rest : names) fact.real += "/" + rest;
      if (error != ENOENT && error != ENOTDIR) fact.refused = std::generic_category().message(error) + " at '" + next + "'";
      return fact;
    }
    status = sys::file_status(opened);
    if (!S_ISLNK(status.st_mode)) {
      here = {std::move(opened), next};
      continue;
    }
    const struct stat folder = sys::file_status(here.folder);
    if (in_untrusted(next)) fact.refused = "'" + next + "' is a link in a place that a plugin may write";
    else if (status.st_uid != 0 && status.st_uid != uid_) fact.refused = "'" + next + "' is another user's link";
    else if (writable_by_strangers(folder, uid_)) fact.refused = "'" + next + "' is a link in a folder others can write";
    else if (fact.links.size() == kMostLinks) fact.refused = "too many links on the way";
    if (!fact.refused.empty()) {
      fact.real = next;
      return fact;
    }
    const std::string text = sys::read_link(opened);
    fact.links.push_back({next, text});
    if (text.starts_with('/')) here = at_root();
    const std::deque<std::string> more = split(text);
    names.insert(names.begin(), more.begin(), more.end());
    status = sys::file_status(here.folder);
  }
  fact.real = here.path.empty() ? "/" : here.path;
  fill(fact, sys::file_status(here.folder));
  fact.chain = chains_.of(fact.real);
  return fact;
}

}  // namespace jail::run
