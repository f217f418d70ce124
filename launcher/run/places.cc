#include "run/places.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>

#include "base/error.h"
#include "profile/paths.h"
#include "registry/disabled.h"
#include "sys/accounts.h"
#include "sys/file.h"

namespace jail::run {
namespace {

constexpr std::size_t kMostProfileBytes = 1 << 20;  // DECISIONS 23

// Whatever the variable says today, yesterday it may have said nothing.
struct OwnFolder {
  const char* what;
  const char* variable;
  const char* below_home;
};
constexpr OwnFolder kOwnFolders[] = {{"jail's configuration", "XDG_CONFIG_HOME", "/.config"},
                                     {"jail's log", "XDG_STATE_HOME", "/.local/state"},
                                     {"jail's cache", "XDG_CACHE_HOME", "/.cache"}};

std::string home_of(std::uint32_t uid) {
  // HOME is the operator's own word, except for root, who may have kept a user's (sudo -E).
  const char* home = std::getenv("HOME");
  if (uid != 0 && home != nullptr && home[0] == '/') return home;
  const auto account = sys::account_of(uid);
  return account ? account->home : "/";
}

std::string xdg(const char* name, const std::string& otherwise, std::string& problem) {
  const char* value = std::getenv(name);
  if (value == nullptr || *value == '\0') return otherwise;
  if (*value == '/') return value;
  problem = std::string(name) + " is not an absolute path";
  return otherwise;
}

// Who besides root and the operator changes this, or nothing.
std::string others_who_write(const struct stat& status, std::uint32_t uid) {
  if (status.st_uid != 0 && status.st_uid != uid)
    return "belongs to another user (uid " + std::to_string(status.st_uid) + ")";
  const bool sticky = S_ISDIR(status.st_mode) && (status.st_mode & S_ISVTX);  // as /tmp: own files are safe in it
  return (status.st_mode & (S_IWGRP | S_IWOTH)) != 0 && !sticky ? "can be written by others (chmod go-w)" : "";
}

// Whoever may write any folder on the way puts another file in this one's place.
std::string problem_of_folders(const std::string& path, std::uint32_t uid) {
  for (std::string folder(profile::folder_of(path));; folder = std::string(profile::folder_of(folder))) {
    struct stat status {};
    const std::string why =
        ::stat(folder.c_str(), &status) != 0 ? "cannot be looked at" : others_who_write(status, uid);
    if (!why.empty()) return "lies in '" + folder + "', which " + why;
    if (folder == "/") return {};
  }
}

std::string problem_of(const std::string& path, const struct stat& status, std::uint32_t uid) {
  if (!S_ISREG(status.st_mode)) return "is not a regular file";
  if (static_cast<std::size_t>(status.st_size) > kMostProfileBytes) return "is larger than 1 MiB";
  if (std::string why = others_who_write(status, uid); !why.empty()) return why;
  if (std::string why = problem_of_folders(path, uid); !why.empty()) return why;
  return problem_of_folders(without_links(path), uid);
}

std::string own_program() {
  return sys::read_link(sys::open_at("/proc/self/exe", O_PATH | O_NOFOLLOW, sys::Resolve::Anything));
}

// Nobody else's business, whatever a plugin makes of the mode of its own folder further down. Root's plugins need no
// way through: root opens what is granted.
void make_folders(const std::string& path) {
  for (std::size_t slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
    const std::string part = path.substr(0, slash);
    if (::mkdir(part.c_str(), 0700) != 0 && errno != EEXIST) throw SysError(errno, "mkdir", part);
    if (slash == std::string::npos) return;
  }
}

// One folder further down; empty where a link stands.
Fd step_down(const Fd& folder, const std::string& name, std::uint32_t uid, std::uint32_t gid) {
  const int made = ::mkdirat(folder.get(), name.c_str(), 0700);
  if (made != 0 && errno != EEXIST) throw SysError(errno, "mkdir", name);
  int error = 0;
  Fd next = sys::try_open_at(folder.get(), name.c_str(), O_RDONLY | O_DIRECTORY, sys::Resolve::NoLinksBeneath, error);
  if (next && made == 0 && ::geteuid() == 0) check(::fchown(next.get(), uid, gid), "chown", name);
  return next;
}

}  // namespace

Places find_places(std::uint32_t uid) {
  Places places;
  places.home = home_of(uid);
  places.disabled = {registry::kDisabledByRoot};
  if (uid == 0) {
    places.profiles = {"/etc/jail/profiles", JAIL_DATADIR "/profiles"};
    places.state = "/var/lib/jail/state";
    return places;
  }
  places.profiles = {xdg("XDG_CONFIG_HOME", places.home + "/.config", places.problem) + "/jail/profiles",
                     "/etc/jail/profiles", JAIL_DATADIR "/profiles"};
  places.state = xdg("XDG_DATA_HOME", places.home + "/.local/share", places.problem) + "/jail/state";
  const std::string usual = places.home + "/.local/state";
  const std::string states = xdg("XDG_STATE_HOME", usual, places.problem);
  if (states != usual) places.disabled.push_back(usual + "/jail/disabled");  // whatever the variable said that day
  places.disabled.push_back(states + "/jail/disabled");
  return places;
}

std::string without_links(const std::string& path) {
  std::error_code error;
  std::string absolute = std::filesystem::absolute(path, error);
  std::string real = std::filesystem::weakly_canonical(absolute, error);
  return error ? absolute : real;
}

std::optional<std::string> find_profile(const Places& places, const std::string& name) {
  if (name.find('/') != std::string::npos) return without_links(name);
  for (const std::string& folder : places.profiles) {
    std::string path = folder + "/" + name + ".yaml";
    if (::access(path.c_str(), F_OK) == 0) return without_links(path);
  }
  return std::nullopt;
}

profile::FileText read_trusted(const std::string& path, std::uint32_t uid) {
  // O_NONBLOCK: a FIFO planted here must not hold us up (SECURITY C14).
  int error = 0;
  const Fd file =
      sys::try_open_at(AT_FDCWD, path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY, sys::Resolve::Anything, error);
  if (!file && error == ENOSYS)
    return {.text = {}, .problem = "openat2(2) is closed here, as inside a jail, where no further one can be built"};
  if (!file) return {.text = {}, .problem = std::generic_category().message(error)};
  std::string problem = problem_of(path, sys::file_status(file), uid);
  if (!problem.empty()) return {.text = {}, .problem = std::move(problem)};
  return {.text = sys::read_file(file, kMostProfileBytes), .problem = {}};
}

profile::ProtectedPlace protect(Chains& chains, std::string what, const std::string& path) {
  profile::ProtectedPlace place;
  place.what = std::move(what);
  place.path = path;
  place.chain = chains.of(path);
  place.missing = ::access(path.c_str(), F_OK) != 0;
  return place;
}

std::vector<profile::ProtectedPlace> protected_places(const Places& places,
                                                      const std::vector<std::string>& deciding_files, Chains& chains) {
  std::vector<profile::ProtectedPlace> all;
  for (const std::string& folder : places.profiles) all.push_back(protect(chains, "the folder of profiles", folder));
  for (const std::string& file : deciding_files)
    if (file.starts_with('/')) all.push_back(protect(chains, "a file that decided this run", file));
  all.push_back(protect(chains, "jail itself", own_program()));
  if (places.home != "/") {
    std::string ignored;  // a relative value is no place; find_places() says so
    for (const OwnFolder& own : kOwnFolders)
      for (const std::string& base :
           {places.home + own.below_home, xdg(own.variable, places.home + own.below_home, ignored)})
        all.push_back(protect(chains, own.what, base + "/jail"));
  }
  all.push_back(protect(chains, "jail's log", "/var/log/jail"));
  all.push_back(protect(chains, "the list of disabled profiles", registry::kDisabledByRoot));
  return all;
}

void make_state_folder(const std::string& root, const std::string& path, std::uint32_t uid, std::uint32_t gid) {
  make_folders(root);
  Fd here = sys::open_at(root, O_RDONLY | O_DIRECTORY, sys::Resolve::Anything);
  for (const std::filesystem::path& name : std::filesystem::path(path).lexically_relative(root)) {
    here = step_down(here, name, uid, gid);
    if (!here) return;
  }
}

}  // namespace jail::run
