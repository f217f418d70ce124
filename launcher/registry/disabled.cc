#include "registry/disabled.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "base/error.h"
#include "base/fd.h"
#include "base/json.h"
#include "sys/file.h"

namespace jail::registry {
namespace {

constexpr const char* kAll = "@all";  // no profile's name
constexpr const char* kNew = ".new";  // nor is this
constexpr std::size_t kLargest = 16 * 1024;
constexpr std::size_t kMostListed = 10'000;

std::string file_of(const std::string& profile) { return profile.empty() ? kAll : profile; }

std::string encode(const Disabled& what) {
  json::Writer writer;
  writer.begin_object();
  writer.member("version", 1);
  writer.member("reason", what.reason);
  writer.member("by_uid", static_cast<std::uint64_t>(what.by));
  writer.member("since", what.since);
  writer.end_object();
  return writer.text() + "\n";
}

// What is damaged holds no less.
Disabled decode(const std::string& profile, const std::string& text) {
  Disabled found{.profile = profile, .reason = {}, .since = {}};
  const auto document = json::Document::parse(text);
  if (!document) {
    found.reason = "what it was disabled for cannot be read";
    return found;
  }
  const json::Value root = document->root();
  found.reason = root["reason"].bytes().value_or("");
  found.since = root["since"].bytes().value_or("");
  found.by = static_cast<uid_t>(root["by_uid"].natural().value_or(0));
  return found;
}

std::optional<Disabled> read_one(const std::string& folder, const std::string& profile) {
  int error = 0;
  const std::string path = folder + "/" + file_of(profile);
  const Fd file = sys::try_open_at(AT_FDCWD, path.c_str(), O_RDONLY | O_NONBLOCK | O_NOFOLLOW, sys::Resolve::Anything,
                                   error);
  if (!file && error == ENOENT) return std::nullopt;
  struct stat status {};
  const bool is_in_place_of_folder = error == ENOTDIR && ::lstat(folder.c_str(), &status) == 0;
  if (!file && error == ENOTDIR && !is_in_place_of_folder) return std::nullopt;  // HOME=/dev/null, as services have it
  const auto unreadable = [&](int why) {
    return Disabled{.profile = profile, .reason = "'" + path + "': " + std::strerror(why), .since = {}};
  };
  if (!file) return unreadable(error);
  std::string text(kLargest, '\0');
  const ssize_t size = ::read(file.get(), text.data(), text.size());
  if (size < 0) return unreadable(errno);
  text.resize(static_cast<std::size_t>(size));
  return decode(profile, text);
}

void sync(const std::string& path, int flags) {
  const Fd opened = sys::open_at(path, flags, sys::Resolve::Anything);
  check(::fsync(opened.get()), "fsync", path);
}

}  // namespace

std::optional<Disabled> find_disabled(const std::vector<std::string>& folders, const std::string& profile) {
  for (const std::string& folder : folders)
    for (const std::string& name : {std::string(), profile})
      if (std::optional<Disabled> found = read_one(folder, name)) return found;
  return std::nullopt;
}

std::vector<Disabled> list_disabled(const std::vector<std::string>& folders) {
  std::vector<Disabled> all;
  for (const std::string& folder : folders) {
    int error = 0;
    const Fd opened =
        sys::try_open_at(AT_FDCWD, folder.c_str(), O_RDONLY | O_DIRECTORY, sys::Resolve::Anything, error);
    if (!opened) continue;
    std::vector<std::string> names = sys::names_in(opened, kMostListed);
    std::ranges::sort(names);
    for (const std::string& name : names)
      if (name != kNew)
        if (auto found = read_one(folder, name == kAll ? "" : name)) all.push_back(std::move(*found));
  }
  return all;
}

void disable(const std::string& folder, const Disabled& what) {
  std::filesystem::create_directories(folder);
  const std::string made = folder + "/" + kNew;
  (void)::unlink(made.c_str());
  {
    constexpr int kFlags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW;
    const Fd file(check(::open(made.c_str(), kFlags, 0644), "open", made));
    const std::string text = encode(what);
    check(::write(file.get(), text.data(), text.size()), "write", made);
    check(::fsync(file.get()), "fsync", made);
  }
  const std::string path = folder + "/" + file_of(what.profile);
  check(::rename(made.c_str(), path.c_str()), "rename", path);
  sync(folder, O_RDONLY | O_DIRECTORY);
}

bool enable(const std::string& folder, const std::string& profile) {
  const std::string path = folder + "/" + file_of(profile);
  if (::unlink(path.c_str()) != 0 && (errno == ENOENT || errno == ENOTDIR)) return false;
  if (::access(path.c_str(), F_OK) == 0) throw SysError(EACCES, "unlink", path);
  sync(folder, O_RDONLY | O_DIRECTORY);
  return true;
}

}  // namespace jail::registry
