#include "run/places.h"

#include <fcntl.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "base/error.h"
#include "sys/file.h"

namespace jail::run {
namespace {

constexpr std::size_t kMostProfileBytes = 1 << 20;  // DECISIONS 23

std::string home_of(std::uint32_t uid) {
  // HOME is the operator's own word, except for root, who may have kept a user's (sudo -E).
  const char* home = std::getenv("HOME");
  if (uid != 0 && home != nullptr && home[0] == '/') return home;
  const std::unique_ptr<FILE, int (*)(FILE*)> accounts(std::fopen("/etc/passwd", "re"), std::fclose);
  while (const passwd* entry = accounts ? ::fgetpwent(accounts.get()) : nullptr)
    if (entry->pw_uid == uid) return entry->pw_dir;
  return "/";
}

std::string xdg(const char* name, const std::string& otherwise, std::string& problem) {
  const char* value = std::getenv(name);
  if (value == nullptr || *value == '\0') return otherwise;
  if (*value == '/') return value;
  problem = std::string(name) + " is not an absolute path";
  return otherwise;
}

bool writable_by_others(const struct stat& status, std::uint32_t uid) {
  if (status.st_uid != 0 && status.st_uid != uid) return true;
  const bool sticky = S_ISDIR(status.st_mode) && (status.st_mode & S_ISVTX);  // as /tmp: own files are safe in it
  return (status.st_mode & (S_IWGRP | S_IWOTH)) != 0 && !sticky;
}

std::string parent_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == 0 || slash == std::string::npos ? "/" : path.substr(0, slash);
}

std::string problem_of(const std::string& path, const struct stat& status, std::uint32_t uid) {
  struct stat folder {};
  if (!S_ISREG(status.st_mode)) return "is not a regular file";
  if (static_cast<std::size_t>(status.st_size) > kMostProfileBytes) return "is larger than 1 MiB";
  if (writable_by_others(status, uid)) return "belongs to another user, or others can write it";
  if (::stat(parent_of(path).c_str(), &folder) != 0 || writable_by_others(folder, uid))
    return "lies in a folder that belongs to another user, or that others can write";
  return {};
}

std::string own_program() {
  return sys::read_link(sys::open_at("/proc/self/exe", O_PATH | O_NOFOLLOW, sys::Resolve::Anything));
}

// A place that is not there yet has no identity of its own, but what will contain it has.
profile::ProtectedPlace protect(std::string what, const std::string& path) {
  profile::ProtectedPlace place{std::move(what), path, chain_of(path)};
  if (::access(path.c_str(), F_OK) != 0) place.chain.insert(place.chain.begin(), profile::Identity{});
  return place;
}

}  // namespace

Places find_places(std::uint32_t uid) {
  Places places;
  places.home = home_of(uid);
  if (uid == 0) {
    places.profiles = {"/etc/jail/profiles", JAIL_DATADIR "/profiles"};
    places.state = "/var/lib/jail/state";
    return places;
  }
  places.profiles = {xdg("XDG_CONFIG_HOME", places.home + "/.config", places.problem) + "/jail/profiles",
                     "/etc/jail/profiles", JAIL_DATADIR "/profiles"};
  places.state = xdg("XDG_DATA_HOME", places.home + "/.local/share", places.problem) + "/jail/state";
  return places;
}

std::optional<std::string> find_profile(const Places& places, const std::string& name) {
  if (name.find('/') != std::string::npos) {
    if (name[0] == '/') return name;
    const std::unique_ptr<char, void (*)(void*)> folder(::getcwd(nullptr, 0), std::free);
    return folder ? std::string(folder.get()) + "/" + name : name;
  }
  for (const std::string& folder : places.profiles) {
    std::string path = folder + "/" + name + ".yaml";
    if (::access(path.c_str(), F_OK) == 0) return path;
  }
  return std::nullopt;
}

profile::FileText read_trusted(const std::string& path, std::uint32_t uid) {
  // O_NONBLOCK: a FIFO planted here must not hold us up (SECURITY C14).
  int error = 0;
  const Fd file =
      sys::try_open_at(AT_FDCWD, path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY, sys::Resolve::Anything, error);
  if (!file) return {.text = {}, .problem = std::generic_category().message(error)};
  std::string problem = problem_of(path, sys::file_status(file), uid);
  if (!problem.empty()) return {.text = {}, .problem = std::move(problem)};
  return {.text = sys::read_file(file, kMostProfileBytes), .problem = {}};
}

std::vector<profile::Identity> chain_of(const std::string& path) {
  std::vector<profile::Identity> chain;
  for (std::string part = path;; part = parent_of(part)) {
    struct stat status {};
    if (::stat(part.c_str(), &status) == 0) chain.push_back({status.st_dev, status.st_ino});
    if (part == "/") return chain;
  }
}

std::vector<profile::ProtectedPlace> protected_places(const Places& places,
                                                      const std::vector<std::string>& deciding_files) {
  std::vector<profile::ProtectedPlace> all;
  for (const std::string& folder : places.profiles) all.push_back(protect("the folder of profiles", folder));
  for (const std::string& file : deciding_files)
    if (file.starts_with('/')) all.push_back(protect("a file that decided this run", file));
  all.push_back(protect("jail itself", own_program()));
  if (places.home != "/") {
    all.push_back(protect("jail's configuration", places.home + "/.config/jail"));
    all.push_back(protect("jail's log", places.home + "/.local/state/jail"));
    all.push_back(protect("jail's cache", places.home + "/.cache/jail"));
  }
  all.push_back(protect("jail's log", "/var/log/jail"));
  return all;
}

void make_state_folder(const std::string& path, std::uint32_t uid, std::uint32_t gid) {
  for (std::size_t slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
    const std::string part = path.substr(0, slash);
    const int made = ::mkdir(part.c_str(), 0700);
    if (made != 0 && errno != EEXIST) throw SysError(errno, "mkdir", part);
    const bool last = slash == std::string::npos;
    if (made == 0 && last && ::geteuid() == 0) check(::chown(part.c_str(), uid, gid), "chown", part);
    if (last) return;
  }
}

}  // namespace jail::run
