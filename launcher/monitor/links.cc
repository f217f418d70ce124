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

bool Links::leads_through_one(const std::string& path, Last last) const {
  const int flags = O_PATH | (last == Last::Itself ? O_NOFOLLOW : 0);
  int error = 0;
  const Fd found = sys::try_open_at(root_.get(), below_root(path), flags, sys::Resolve::NoLinks, error);
  return !found && error == ELOOP;
}

std::string Links::follow(const std::string& path, Last last, Tree tree) {
  if (!root_) return {};
  const bool remember = tree == Tree::Steady && last == Last::Followed;
  if (remember && without_.contains(path)) return {};
  if (mounts_.may_hang(path)) return {};
  if (!leads_through_one(path, last)) {
    if (without_.size() >= kMostRemembered) without_.clear();
    if (remember) without_.insert(path);
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
