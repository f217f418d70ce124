#include "broker/mirror.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "sys/cgroup.h"
#include "sys/delegation.h"

namespace jail::broker {
namespace {

constexpr std::size_t kDeepest = 32;
constexpr const char* kPrefix = "of_";  // never "jail-", by which a plugin's group is known
// A write to it says what holds one disk: what is lifted later would stand in a copy for ever.
constexpr std::string_view kOfDisks = "io.max";

Fd open_folder(const std::string& path) { return Fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)); }

enum class Maker { Root, Another, Unknown };

// Of a file that nobody is given along with the group, as its folder is; only the highest of all has none.
Maker maker_of(const std::string& group) {
  struct stat status {};
  if (::stat((group + "/cgroup.events").c_str(), &status) != 0) return Maker::Unknown;
  return status.st_uid == 0 ? Maker::Root : Maker::Another;
}

bool is_there(const std::string& folder) {
  struct stat status {};
  return ::stat(folder.c_str(), &status) == 0 || errno != ENOENT;
}

// "/a/b" of "/top/a/b": "a", "b".
std::vector<std::string> names_below(const std::string& top, const std::string& path) {
  std::vector<std::string> names;
  for (std::size_t start = top.size() + 1; start < path.size();) {
    const std::size_t end = std::min(path.find('/', start), path.size());
    names.push_back(path.substr(start, end - start));
    start = end + 1;
  }
  return names;
}

bool is_in(const std::string& folder, const std::string& path) { return (path + "/").starts_with(folder + "/"); }

// What does not hold `to` yet. Empty, or the file of a limit that cannot be seen, or cannot be had there.
const char* copy_limits(const Fd& from, const Fd& to) {
  namespace delegation = sys::delegation;
  for (const char* file : delegation::kLimits) {
    if (::faccessat(from.get(), file, R_OK, AT_EACCESS) != 0 && errno != ENOENT) return file;
    const std::string limit = sys::read_group_file(from, file), stands = sys::read_group_file(to, file);
    if (file == kOfDisks && !delegation::is_no_limit(limit)) return file;
    if (limit == stands || (delegation::is_no_limit(limit) && delegation::is_no_limit(stands))) continue;
    const std::string_view text = delegation::is_no_limit(limit) ? "max" : std::string_view(limit);
    if (sys::write_group_file(to, file, text) != 0) return file;
  }
  return "";
}

}  // namespace

std::optional<std::string> Mirror::enter(const std::string& group, std::string& why) {
  constexpr const char* kOutOfReach = "who asks is in a control group that is out of reach";
  const std::vector<std::string> names = names_below(top_, group);
  if (!is_in(top_, group) || names.size() > kDeepest || std::ranges::find(names, "..") != names.end()) {
    why = kOutOfReach;
    return std::nullopt;
  }
  std::string from = top_, to = base_, prefix = kPrefix;
  for (const std::string& name : names) {
    from += "/" + name;
    if (is_in(from, base_)) {  // its limits hold there as well; who is in it is not taken for one beside it
      prefix += "_";
      continue;
    }
    const Maker maker = maker_of(from);
    if (maker == Maker::Another) break;
    to += "/" + (std::exchange(prefix, kPrefix) + name);
    if (maker == Maker::Unknown) why = kOutOfReach;  // it has gone, or what is the matter: there may be limits
    if (maker == Maker::Unknown || !copy(from, to, why)) return std::nullopt;
  }
  return to;
}

bool Mirror::copy(const std::string& from, const std::string& to, std::string& why) {
  const bool made = ::mkdir(to.c_str(), 0755) == 0 || errno == EEXIST;
  if (made) copies_.insert_or_assign(to, from);
  const Fd source = open_folder(from), folder = made ? open_folder(to) : Fd();
  if (!source || !folder) {
    why = "making " + to + ": " + std::strerror(errno);
    return false;
  }
  (void)sys::delegation::pass_on(folder);
  if (const char* limit = copy_limits(source, folder); *limit != '\0') {
    why = from + " has a limit of its own (" + limit + "), which would not hold outside it";
    return false;
  }
  return true;
}

// Those in a group come behind it.
void Mirror::tidy() noexcept {
  for (auto copy = copies_.end(); copy != copies_.begin();) {
    --copy;
    if (!is_there(copy->second) && ::rmdir(copy->first.c_str()) == 0) copy = copies_.erase(copy);
  }
}

}  // namespace jail::broker
