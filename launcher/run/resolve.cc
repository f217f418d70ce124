// A path is walked component by component by its names, each link held against the rule. That somebody swaps a
// component meanwhile is noticed later: the view opens the path found here without following any link and wants the
// very same inode.
#include "run/resolve.h"

#include <limits.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <deque>

#include "base/error.h"

namespace jail::run {
namespace {

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

std::string text_of(const std::string& link) {
  char text[PATH_MAX];
  const ssize_t size = check(::readlink(link.c_str(), text, sizeof text), "readlink", link);
  return std::string(text, static_cast<std::size_t>(size));
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

const Resolver::Look& Resolver::look(const std::string& path) const {
  const auto [entry, fresh] = looks_.try_emplace(path);
  Look& found = entry->second;
  if (!fresh) return found;
  if (::lstat(path.empty() ? "/" : path.c_str(), &found.status) != 0) found.error = errno;
  else if (!S_ISLNK(found.status.st_mode))
    chains_.learn(path.empty() ? "/" : path, {found.status.st_dev, found.status.st_ino});
  return found;
}

std::string Resolver::why_not_followed(const std::string& folder, const std::string& link,
                                       const struct stat& status) const {
  if (in_untrusted(link)) return "'" + link + "' is a link in a place that a plugin may write";
  if (status.st_uid != 0 && status.st_uid != uid_) return "'" + link + "' is another user's link";
  if (writable_by_strangers(look(folder).status, uid_)) return "'" + link + "' is a link in a folder others can write";
  return {};
}

std::string Resolver::foreign(const std::string& real) const {
  for (std::string part = real;; part.resize(part.rfind('/'))) {
    const Look& here = look(part);
    const std::string name = "'" + (part.empty() ? "/" : part) + "'";
    if (here.error == 0 && here.status.st_uid != 0 && here.status.st_uid != uid_)
      return name + " belongs to another user";
    if (here.error == 0 && writable_by_strangers(here.status, uid_)) return "others can write " + name;
    if (part.empty()) return {};
  }
}

profile::PathFact Resolver::resolve(const std::string& path) const {
  profile::PathFact fact;
  std::deque<std::string> names = split(path);
  while (!names.empty()) {
    const std::string folder = fact.real;
    const std::string name = names.front();
    names.pop_front();
    if (name == "..") {
      fact.real.resize(folder.empty() ? 0 : folder.rfind('/'));
      continue;
    }
    fact.real += "/" + name;
    const Look& here = look(fact.real);
    if (here.error != 0) {
      if (here.error != ENOENT && here.error != ENOTDIR)
        fact.refused = std::generic_category().message(here.error) + " at '" + fact.real + "'";
      for (const std::string& rest : names) fact.real += "/" + rest;
      return fact;
    }
    if (!S_ISLNK(here.status.st_mode)) continue;
    fact.refused = fact.links.size() == kMostLinks ? "too many links on the way"
                                                   : why_not_followed(folder, fact.real, here.status);
    if (!fact.refused.empty()) return fact;
    const std::string text = text_of(fact.real);
    fact.links.push_back({fact.real, text});
    fact.real = text.starts_with('/') ? "" : folder;
    const std::deque<std::string> more = split(text);
    names.insert(names.begin(), more.begin(), more.end());
  }
  fill(fact, look(fact.real).status);
  if (fact.real.empty()) fact.real = "/";
  fact.chain = chains_.of(fact.real);
  return fact;
}

}  // namespace jail::run
