#include "monitor/links.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>

#include "sys/file.h"

namespace jail::monitor {
namespace {

const char* below_root(const std::string& path) { return path.size() > 1 ? path.c_str() + 1 : "."; }

}  // namespace

void Links::remember(const std::string& path) {
  if (without_.size() >= kMostRemembered) without_.clear();
  without_.insert(path);
}

bool Links::folder_is_without(const std::string& path) const {
  const std::size_t slash = path.rfind('/');
  return slash != 0 && slash != std::string::npos && without_.contains(path.substr(0, slash));
}

// A name in a folder that was looked at before takes one call, the first in it takes two more.
bool Links::leads_through_one(const std::string& path, Last last, Tree tree) {
  if (tree == Tree::Steady && last == Last::Followed && folder_is_without(path)) {
    char first = 0;
    return ::readlinkat(root_.get(), below_root(path), &first, 1) >= 0;
  }
  const int flags = O_PATH | (last == Last::Itself ? O_NOFOLLOW : 0);
  int error = 0;
  const Fd found = sys::try_open_at(root_.get(), below_root(path), flags, sys::Resolve::NoLinks, error);
  const bool folders_are_without = found || error == ENOENT;
  const std::size_t slash = path.rfind('/');
  if (folders_are_without && tree == Tree::Steady && slash != 0) remember(path.substr(0, slash));
  return !found && error == ELOOP;
}

bool Links::has(const std::string& path) {
  if (!root_ || (some_may_hang_ && mounts_.may_hang(path))) return true;
  int error = 0;
  const Fd found = sys::try_open_at(root_.get(), below_root(path), O_PATH | O_NOFOLLOW, sys::Resolve::NoLinks, error);
  return found || error != ENOENT;
}

std::string Links::follow(const std::string& path, Last last, Tree tree) {
  if (!root_) return {};
  const bool kept = tree == Tree::Steady && last == Last::Followed;
  if (kept && without_.contains(path)) return {};
  if (some_may_hang_ && mounts_.may_hang(path)) return {};
  if (!leads_through_one(path, last, tree)) {
    if (kept) remember(path);
    return {};
  }
  char text[PATH_MAX];
  for (std::size_t end = 1; end < path.size();) {
    end = std::min(path.find('/', end + 1), path.size());
    const std::string here = path.substr(0, end);
    const ssize_t size = ::readlinkat(root_.get(), below_root(here), text, sizeof text);
    if (size <= 0) continue;
    const std::string target(text, static_cast<std::size_t>(size));
    const std::string base = target.front() == '/' ? "" : here.substr(0, here.rfind('/') + 1);
    return base + target + path.substr(end);
  }
  return {};
}

}  // namespace jail::monitor
