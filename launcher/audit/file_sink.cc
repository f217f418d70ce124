#include "audit/file_sink.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ctime>
#include <optional>
#include <vector>

#include "audit/file.h"
#include "audit/generations.h"

namespace jail::audit {
namespace {

using file::Walk;

constexpr mode_t kWritableByOthers = S_IWGRP | S_IWOTH;
constexpr mode_t kFileMode = S_IRUSR | S_IWUSR;

std::optional<Problem> fault_of_folder(const Fd& folder, const std::string& path, uid_t owner) {
  struct stat status {};
  if (const int error = file::status(folder.get(), status)) return file::problem("stat", path, error);
  if (status.st_uid != owner)
    return Problem{"log folder '" + path + "': belongs to uid " + std::to_string(status.st_uid),
                   "the log is kept only where uid " + std::to_string(owner) + " alone may write"};
  if ((status.st_mode & kWritableByOthers) != 0)
    return Problem{"log folder '" + path + "': others may write to it", "chmod go-w '" + path + "'"};
  return std::nullopt;
}

Or<Fd> open_folder(int from, const std::string& name, const std::string& shown, uid_t owner, Walk walk) {
  if (const int error = file::make_folder(from, name)) return file::problem("mkdir", shown, error);
  file::Opened folder = file::open(from, name, O_PATH | O_DIRECTORY, 0, walk);
  if (folder.error != 0) return file::problem("open", shown, folder.error);
  if (std::optional<Problem> fault = fault_of_folder(folder.fd, shown, owner)) return *fault;
  return std::move(folder.fd);
}

// The state home need not exist yet, nor the folders above it (XDG Base Directory: make them 0700).
int make_parents(const std::string& path) {
  for (std::size_t slash = path.find('/', 1); slash != std::string::npos; slash = path.find('/', slash + 1))
    if (const int error = file::make_folder(-1, path.substr(0, slash))) return error;
  return 0;
}

// The user's own environment may lead to `base` by links; from there on none is followed.
Or<Fd> open_below(const std::string& base, const std::vector<std::string>& names, uid_t owner) {
  if (const int error = make_parents(base)) return file::problem("mkdir", base, error);
  Or<Fd> folder = open_folder(-1, base, base, owner, Walk::AnyLinks);
  std::string path = base;
  for (const std::string& name : names) {
    if (std::holds_alternative<Problem>(folder)) break;
    path += "/" + name;
    folder = open_folder(std::get<Fd>(folder).get(), name, path, owner, Walk::BeneathNoLinks);
  }
  return folder;
}

// "/state/home" of "/state/home/jail/log"
std::string parent(const std::string& path) { return path.substr(0, path.rfind('/')); }

std::optional<Problem> fault_of_file(const struct stat& status, const std::string& path, uid_t euid) {
  const std::string named = "log file '" + path + "': ";
  if (status.st_uid != euid) return Problem{named + "belongs to uid " + std::to_string(status.st_uid), "name another"};
  if (status.st_nlink != 1) return Problem{named + "has more than one name (hard links)", "name another"};
  if ((status.st_mode & kWritableByOthers) != 0)
    return Problem{named + "others may write to it", "chmod go-w '" + path + "'"};
  return std::nullopt;
}

// A FIFO or device serves when its owner cannot be a stranger.
std::optional<Problem> fault_of_special(const struct stat& status, const std::string& path, uid_t euid) {
  if (!S_ISFIFO(status.st_mode) && !S_ISCHR(status.st_mode))
    return Problem{"log file '" + path + "': neither a file nor a FIFO nor a terminal", "name another"};
  if (status.st_uid != euid && status.st_uid != 0)
    return Problem{"log file '" + path + "': belongs to uid " + std::to_string(status.st_uid), "name another"};
  return std::nullopt;
}

Problem cannot_open(const std::string& path, int error) {
  if (error == ELOOP) return file::problem("open", path, error, "name the log by a path without symbolic links");
  if (error == ENXIO) return file::problem("open", path, error, "nobody reads from it: start the reader first");
  if (error == ENOSYS) return file::problem("openat2", path, error, "jail needs Linux 5.6 or later to open its log");
  return file::problem("open", path, error);
}

// What cannot be read is taken to end properly.
bool ends_properly(const Fd& reader) {
  struct stat status {};
  char last = '\n';
  if (file::status(reader.get(), status) == 0 && status.st_size > 0)
    (void)!::pread(reader.get(), &last, 1, status.st_size - 1);
  return last == '\n';
}

// Whether the file ends in the middle of a record. Another run may be in the middle of one right now (a file grows page
// by page within one write), so only an end that stays as it is is torn.
Sink::Tail tail_of(const Fd& folder, const std::string& name, const struct stat& written) {
  const file::Opened reader = file::open(folder.get(), name, O_RDONLY | O_NONBLOCK, 0, Walk::BeneathNoLinks);
  struct stat status {};
  if (reader.error != 0 || file::status(reader.fd.get(), status) != 0) return Sink::Tail::Clean;
  if (status.st_ino != written.st_ino || status.st_dev != written.st_dev) return Sink::Tail::Clean;
  for (int look = 0; look < 4; ++look) {
    if (ends_properly(reader.fd)) return Sink::Tail::Clean;
    const timespec moment{.tv_sec = 0, .tv_nsec = 1'000'000};
    ::nanosleep(&moment, nullptr);
  }
  return Sink::Tail::Torn;
}

// O_NONBLOCK keeps a FIFO without reader from holding us here; a regular file knows no such thing (open(2)).
constexpr int kAppend = O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;

}  // namespace

Or<Fd> open_default_folder(const std::string& path, uid_t euid) {
  if (euid == 0) return open_below(parent(path), {"jail"}, euid);
  return open_below(parent(parent(path)), {"jail", "log"}, euid);
}

Or<Fd> open_named_folder(const std::string& path) {
  file::Opened folder = file::open(-1, path, O_PATH | O_DIRECTORY, 0, Walk::NoLinks);
  if (folder.error != 0) return cannot_open(path, folder.error);
  return std::move(folder.fd);
}

Or<OpenSink> open_file(Fd folder, const std::string& name, const std::string& path, uid_t euid, Special special) {
  file::Opened opened = file::open(folder.get(), name, kAppend, kFileMode, Walk::BeneathNoLinks);
  if (opened.error != 0) return cannot_open(path, opened.error);
  struct stat status {};
  if (const int error = file::status(opened.fd.get(), status)) return file::problem("stat", path, error);
  if (!S_ISREG(status.st_mode) && special == Special::Welcome) {
    if (std::optional<Problem> fault = fault_of_special(status, path, euid)) return *fault;
    return OpenSink{Sink(path, std::move(opened.fd), Sink::Sort::Own)};
  }
  if (!S_ISREG(status.st_mode)) return Problem{"log file '" + path + "': not a regular file", "remove it"};
  if (std::optional<Problem> fault = fault_of_file(status, path, euid)) return *fault;
  hold(opened.fd);
  OpenSink open{Sink(path, std::move(opened.fd), Sink::sort_of_files())};
  open.age = status.st_size == 0 ? OpenSink::Age::New : OpenSink::Age::Old;
  const Sink::Tail tail = tail_of(folder, name, status);
  open.sink.keep({std::move(folder), name, euid}, tail);
  return open;
}

}  // namespace jail::audit
