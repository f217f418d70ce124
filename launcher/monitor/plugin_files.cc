#include "monitor/plugin_files.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <functional>
#include <set>
#include <utility>

#include "profile/paths.h"
#include "sys/file.h"

namespace jail::monitor {
namespace {

// A file that a pattern means, where it was found.
struct Match {
  int folder = AT_FDCWD;
  const std::string& name;
  sys::Resolve resolve;
  std::string path;
  struct stat seen {};
};

// What a walk meets. `problem`: with a folder that may hold matches and cannot be looked into.
struct Finder {
  std::function<void(const Match&)> match;
  std::function<void(const std::string& path, std::string_view reason)> problem;
};

class Walk {
 public:
  Walk(const profile::Glob& glob, const confine::TreeBounds& bounds, std::uint64_t& entries_left, const Finder& finder)
      : glob_(glob), bounds_(bounds), entries_left_(entries_left), finder_(finder) {}

  void run() {
    struct stat seen {};
    if (const int error = sys::try_status_at(AT_FDCWD, glob_.root.c_str(), seen))
      return error == ENOENT ? void() : finder_.problem(glob_.root, std::strerror(error));
    if (!S_ISDIR(seen.st_mode)) {
      if (glob_.names.empty()) finder_.match({AT_FDCWD, glob_.root, sys::Resolve::NoLinks, glob_.root, seen});
    } else if (!glob_.names.empty()) {
      look_into(AT_FDCWD, glob_.root, sys::Resolve::NoLinks, glob_.root, profile::start(glob_), 0);
    }
  }

 private:
  void look_into(int parent, const std::string& name, sys::Resolve resolve, const std::string& path,
                 const profile::GlobState& state, int depth) {
    if (depth > bounds_.depth)
      return finder_.problem(path, "more than " + std::to_string(bounds_.depth) + " folders deep: not looked into");
    int error = 0;
    const Fd folder = sys::try_open_at(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NONBLOCK, resolve, error);
    if (!folder) return finder_.problem(path, std::strerror(error));
    std::vector<std::string> names = sys::names_in(folder, entries_left_);
    std::ranges::sort(names);
    for (const std::string& each : names) {
      if (entries_left_ == 0) return;
      --entries_left_;
      consider(folder, each, path, profile::step(glob_, state, each), depth);
    }
  }

  void consider(const Fd& folder, const std::string& name, const std::string& above, const profile::GlobStep& step,
                int depth) {
    if (!step.matches && step.below.empty()) return;
    const std::string path = profile::joined(above, name);
    if (path.size() >= PATH_MAX) return finder_.problem(above, "it holds a path too long to be told");
    struct stat seen {};
    if (const int error = sys::try_status_at(folder.get(), name.c_str(), seen))
      return finder_.problem(path, std::strerror(error));
    if (S_ISDIR(seen.st_mode)) {
      if (!step.below.empty()) look_into(folder.get(), name, sys::Resolve::NoLinksBeneath, path, step.below, depth + 1);
    } else if (step.matches) {
      finder_.match({folder.get(), name, sys::Resolve::NoLinksBeneath, path, seen});
    }
  }

  const profile::Glob& glob_;
  const confine::TreeBounds& bounds_;
  std::uint64_t& entries_left_;
  const Finder& finder_;
};

std::string_view why_not_read(mode_t mode) {
  switch (mode & S_IFMT) {
    case S_IFREG: return {};
    case S_IFLNK: return "a link, which is not followed";
    case S_IFIFO: return "a fifo, not a file";
    case S_IFSOCK: return "a socket, not a file";
    default: return "a device, not a file";
  }
}

// The records of all walks.
class Reading {
 public:
  explicit Reading(const confine::TreeBounds& bounds) : allowance_(bounds) {}

  void add(const Match& match) {
    if (!is_new(match.path)) return;
    const std::string_view problem = why_not_read(match.seen.st_mode);
    confine::FileDigest digest{{}, std::string(problem)};
    if (problem.empty()) digest = confine::digest_file(match.folder, match.name, match.resolve, match.seen, allowance_);
    files_.push_back({match.path, std::move(digest.sha256), std::move(digest.problem)});
  }

  void add_problem(const std::string& path, std::string_view reason) {
    if (is_new(path)) files_.push_back({path, {}, std::string(reason)});
  }

  PluginFiles take(std::vector<std::uint64_t> matches, std::uint64_t entries_left) {
    PluginFiles all{.files = std::move(files_), .limits = {}, .matches = std::move(matches)};
    std::ranges::sort(all.files, {}, &event::PluginFile::path);
    if (beyond_ != 0) all.limits.push_back({"monitor.hash.files", kMostPluginFiles + beyond_, kMostPluginFiles});
    if (entries_left == 0)
      all.limits.push_back({"monitor.hash.entries", allowance_.bounds().entries, allowance_.bounds().entries});
    return all;
  }

 private:
  // Paths beyond the bound are counted and not kept: a tree may hold any number of long ones.
  bool is_new(const std::string& path) {
    if (paths_.contains(path)) return false;
    if (paths_.size() < kMostPluginFiles) return paths_.insert(path).second;
    ++beyond_;
    return false;
  }

  confine::Allowance allowance_;
  std::set<std::string> paths_;
  std::uint64_t beyond_ = 0;
  std::vector<event::PluginFile> files_;
};

}  // namespace

std::vector<HashedFiles> plan_hashed(const profile::Profile& profile, const profile::Facts& facts) {
  std::vector<HashedFiles> all;
  for (const profile::HashPattern& pattern : profile.monitor.hash) {
    HashedFiles files{profile::parse_glob(pattern.glob), pattern};
    const auto fact = facts.paths.find(files.glob.root);
    if (fact != facts.paths.end() && !fact->second.real.empty()) files.glob.root = fact->second.real;
    all.push_back(std::move(files));
  }
  return all;
}

PluginFiles read_plugin_files(const std::vector<HashedFiles>& wanted, const confine::TreeBounds& bounds) {
  Reading reading(bounds);
  std::vector<std::uint64_t> matches(wanted.size());
  std::uint64_t entries_left = bounds.entries;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const Finder finder{.match = [&](const Match& match) { ++matches[i], reading.add(match); },
                        .problem = [&](const std::string& path, auto reason) { reading.add_problem(path, reason); }};
    Walk(wanted[i].glob, bounds, entries_left, finder).run();
  }
  return reading.take(std::move(matches), entries_left);
}

std::vector<std::uint64_t> count_matches(const std::vector<HashedFiles>& wanted) {
  const confine::TreeBounds bounds;
  std::vector<std::uint64_t> matches(wanted.size());
  std::uint64_t entries_left = bounds.entries;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const Finder finder{.match = [&](const Match&) { ++matches[i]; },
                        .problem = [&](const std::string&, std::string_view) { ++matches[i]; }};
    Walk(wanted[i].glob, bounds, entries_left, finder).run();
  }
  return matches;
}

}  // namespace jail::monitor
