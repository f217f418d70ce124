#include "audit/generations.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <memory>
#include <optional>

#include "audit/file.h"

namespace jail::audit {
namespace {

using file::Walk;

struct Halves {
  std::string_view stem;
  std::string_view extension;  // with its dot, or empty
};

Halves halves_of(std::string_view name) {
  const std::size_t dot = name.rfind('.');
  if (dot == std::string_view::npos || dot == 0) return {name, {}};
  return {name.substr(0, dot), name.substr(dot)};
}

std::optional<std::uint64_t> number_in(std::string_view name, std::string_view candidate) {
  const auto [stem, extension] = halves_of(name);
  if (candidate.size() < stem.size() + extension.size() + 2) return std::nullopt;
  if (!candidate.starts_with(stem) || !candidate.ends_with(extension) || candidate[stem.size()] != '.')
    return std::nullopt;
  const char* const first = candidate.data() + stem.size() + 1;
  const char* const last = candidate.data() + candidate.size() - extension.size();
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(first, last, number);
  if (error != std::errc{} || end != last || number == 0 || *first == '0') return std::nullopt;
  return number;
}

std::vector<std::string> names_in(const Fd& folder) {
  std::vector<std::string> names;
  file::Opened opened = file::open(folder.get(), ".", O_RDONLY | O_DIRECTORY, 0, Walk::BeneathNoLinks);
  if (opened.error != 0) return names;
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(opened.fd.get()), ::closedir);
  if (!stream) return names;
  (void)opened.fd.release();
  while (const dirent* entry = ::readdir(stream.get())) names.emplace_back(entry->d_name);
  return names;
}

bool is_current(const FilePlace& place, const Fd& file) {
  struct stat named {};
  struct stat held {};
  return ::fstatat(place.folder.get(), place.name.c_str(), &named, AT_SYMLINK_NOFOLLOW) == 0 &&
         file::status(file.get(), held) == 0 && named.st_ino == held.st_ino && named.st_dev == held.st_dev;
}

constexpr int kAppend = O_WRONLY | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;

bool join(Sink& sink) {
  const FilePlace& place = *sink.place();
  file::Opened opened = file::open(place.folder.get(), place.name, kAppend, 0, Walk::BeneathNoLinks);
  struct stat status {};
  if (opened.error != 0 || file::status(opened.fd.get(), status) != 0) return false;
  const bool ours = S_ISREG(status.st_mode) && status.st_uid == place.owner && status.st_nlink == 1 &&
                    (status.st_mode & (S_IWGRP | S_IWOTH)) == 0;
  if (!ours) return false;
  hold(opened.fd);
  sink.move_on(std::move(opened.fd));
  return true;
}

// Only one run at a time may give the file another name.
class Turn {
 public:
  explicit Turn(const Fd& file) : file_(file), got_(set(F_WRLCK)) {}
  ~Turn() {
    if (got_) (void)set(F_UNLCK);
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  explicit operator bool() const { return got_; }

 private:
  bool set(short type) const {
    struct flock lock {};
    lock.l_type = type;
    lock.l_whence = SEEK_SET;
    lock.l_len = 1;
    return ::fcntl(file_.get(), F_OFD_SETLK, &lock) == 0;
  }

  const Fd& file_;
  bool got_;
};

bool write_whole(const Fd& file, const std::string& text) {
  return ::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

Fd make_file(const FilePlace& place, const std::string& name) {
  return file::open(place.folder.get(), name, kAppend | O_CREAT | O_EXCL, S_IRUSR | S_IWUSR, Walk::BeneathNoLinks).fd;
}

// The new file stands at the generation's name, and changes names with the old one. On failure `error` is errno.
Fd exchange(const FilePlace& place, const std::string& generation, const std::string& line, int& error) {
  const int folder = place.folder.get();
  Fd next = make_file(place, generation);
  if (!next || !write_whole(next, line)) error = ENOSPC;
  else if (::renameat2(folder, generation.c_str(), folder, place.name.c_str(), RENAME_EXCHANGE) != 0) error = errno;
  else return next;
  if (next) (void)::unlinkat(folder, generation.c_str(), 0);
  return {};
}

// Where the file system exchanges nothing: the name is missing for a moment, in which another run may begin a file of
// its own there.
Fd move_away(const FilePlace& place, const std::string& generation, const std::string& line) {
  const int folder = place.folder.get();
  if (::renameat(folder, place.name.c_str(), folder, generation.c_str()) != 0) return {};
  Fd next = make_file(place, place.name);
  if (next && !write_whole(next, line)) return {};
  return next;
}

bool is_held(const Fd& folder, const std::string& name) {
  const file::Opened opened = file::open(folder.get(), name, O_RDONLY | O_NONBLOCK, 0, Walk::BeneathNoLinks);
  return opened.error != 0 || ::flock(opened.fd.get(), LOCK_EX | LOCK_NB) != 0;
}

}  // namespace

std::string generation_name(std::string_view name, std::uint64_t number) {
  const auto [stem, extension] = halves_of(name);
  return std::string(stem).append(".").append(std::to_string(number)).append(extension);
}

std::vector<Generation> generations_of(const Fd& folder, const std::string& name) {
  std::vector<Generation> all;
  for (std::string& candidate : names_in(folder)) {
    const std::optional<std::uint64_t> number = number_in(name, candidate);
    struct stat status {};
    if (!number || ::fstatat(folder.get(), candidate.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) continue;
    if (!S_ISREG(status.st_mode)) continue;
    all.push_back({std::move(candidate), *number, static_cast<std::uint64_t>(status.st_size), status.st_ino});
  }
  std::ranges::sort(all, {}, &Generation::number);
  return all;
}

Rotation rotate(Sink& sink, const FirstLine& first_line) {
  const FilePlace& place = *sink.place();
  if (!is_current(place, sink.fd())) return join(sink) ? Rotation::Joined : Rotation::Failed;
  const Turn turn(sink.fd());
  if (!turn) return Rotation::Busy;
  if (!is_current(place, sink.fd())) return join(sink) ? Rotation::Joined : Rotation::Failed;
  const std::vector<Generation> older = generations_of(place.folder, place.name);
  const std::string name = generation_name(place.name, older.empty() ? 1 : older.back().number + 1);
  const std::string line = first_line(name, sink.look_at_size());
  int error = 0;
  Fd next = exchange(place, name, line, error);
  if (!next && error == EINVAL) next = move_away(place, name, line);  // NFS and others
  if (!next) return Rotation::Failed;
  hold(next);
  sink.move_on(std::move(next));
  return Rotation::Made;
}

void trim(const FilePlace& place, const Retention& retention) {
  const std::vector<Generation> all = generations_of(place.folder, place.name);
  std::size_t count = all.size();
  struct stat newest {};
  (void)::fstatat(place.folder.get(), place.name.c_str(), &newest, AT_SYMLINK_NOFOLLOW);
  std::uint64_t total = static_cast<std::uint64_t>(newest.st_size);
  for (const Generation& generation : all) total += generation.size;
  for (const Generation& generation : all) {
    if (count <= retention.generations && total <= retention.total) return;
    if (is_held(place.folder, generation.name)) continue;
    if (::unlinkat(place.folder.get(), generation.name.c_str(), 0) != 0) continue;
    --count;
    total -= generation.size;
  }
}

void hold(const Fd& file) noexcept { (void)::flock(file.get(), LOCK_SH | LOCK_NB); }

}  // namespace jail::audit
