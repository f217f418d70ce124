#include "confine/tree_digest.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstring>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "base/sha256.h"
#include "base/text.h"

namespace jail::confine {
namespace {

constexpr std::string_view kHeading = "jail-tree 1\n";
constexpr std::string_view kChanged = "it changed while it was read";
constexpr std::string_view kNoContent = "-";
constexpr std::size_t kBlock = 64 * 1024;

bool equal(const timespec& a, const timespec& b) { return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec; }

std::string reason_of(int error) {
  return error == ELOOP || error == EXDEV ? std::string(kChanged) : std::strerror(error);  // it is a link by now
}

char letter_of(mode_t mode) {
  switch (mode & S_IFMT) {
    case S_IFREG: return 'f';
    case S_IFDIR: return 'd';
    case S_IFLNK: return 'l';
    case S_IFIFO: return 'p';
    case S_IFSOCK: return 's';
    case S_IFCHR: return 'c';
    case S_IFBLK: return 'b';
    default: return '?';
  }
}

std::string joined(const std::string& folder, const std::string& name) {
  return folder.empty() ? name : folder + "/" + name;
}

class Walk {
 public:
  Walk(const TreeBounds& bounds, const std::function<void(std::string_view)>& list)
      : allowance_(bounds), list_(list), entries_left_(bounds.entries) {}

  TreeDigest run(const std::string& path) {
    put(kHeading);
    if (!add(AT_FDCWD, path, sys::Resolve::NoLinks, {}, 0)) return {{}, problem_};
    return {sha256_.hex(), {}};
  }

 private:
  // Each of these: false when there is a problem, after which there is no digest.
  bool add(int folder, const std::string& name, sys::Resolve resolve, const std::string& path, int depth) {
    if (entries_left_ == 0) return too_many(path);
    --entries_left_;
    struct stat seen {};
    if (const int error = sys::try_status_at(folder, name.c_str(), seen)) return fail(path, reason_of(error));
    switch (seen.st_mode & S_IFMT) {
      case S_IFREG: return add_file(folder, name, resolve, path, seen);
      case S_IFDIR: return add_folder(folder, name, resolve, path, seen, depth);
      case S_IFLNK: return add_link(folder, name, path, seen);
      default: return put_line(seen, kNoContent, path);
    }
  }

  bool add_file(int folder, const std::string& name, sys::Resolve resolve, const std::string& path,
                const struct stat& seen) {
    const FileDigest digest = digest_file(folder, name, resolve, seen, allowance_);
    return digest.problem.empty() ? put_line(seen, digest.sha256, path) : fail(path, digest.problem);
  }

  // One link in exchange for another shows in the times of its folder.
  bool add_link(int folder, const std::string& name, const std::string& path, const struct stat& seen) {
    std::array<char, PATH_MAX> text{};
    const ssize_t size = ::readlinkat(folder, name.c_str(), text.data(), text.size());
    if (size < 0) return fail(path, errno == EINVAL ? std::string(kChanged) : std::strerror(errno));
    return put_line(seen, sha256_hex({text.data(), static_cast<std::size_t>(size)}), path);
  }

  bool add_folder(int parent, const std::string& name, sys::Resolve resolve, const std::string& path,
                  const struct stat& seen, int depth) {
    const TreeBounds& bounds = allowance_.bounds();
    if (depth > bounds.depth) return fail(path, "more than " + std::to_string(bounds.depth) + " folders deep");
    int error = 0;
    const Fd folder = sys::try_open_at(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NONBLOCK, resolve, error);
    if (!folder) return fail(path, error == ENOTDIR ? std::string(kChanged) : reason_of(error));
    if (!unchanged(seen, sys::file_status(folder))) return fail(path, kChanged);
    if (!put_line(seen, kNoContent, path)) return false;
    std::vector<std::string> names = sys::names_in(folder, entries_left_);
    if (names.size() > entries_left_) return too_many(path);
    std::ranges::sort(names);  // char_traits compares as unsigned bytes
    for (const std::string& each : names)
      if (!add(folder.get(), each, sys::Resolve::NoLinksBeneath, joined(path, each), depth + 1)) return false;
    return unchanged(seen, sys::file_status(folder)) || fail(path, kChanged);
  }

  bool put_line(const struct stat& seen, std::string_view content, const std::string& path) {
    std::array<char, 16> mode{};
    std::snprintf(mode.data(), mode.size(), "%04o", static_cast<unsigned>(seen.st_mode & 07777));
    std::string line{letter_of(seen.st_mode)};
    line.append(" ").append(mode.data()).append(" ").append(content).append(" ");
    put(line.append(std::to_string(path.size())).append(":").append(path).append("\n"));
    return true;
  }

  void put(std::string_view text) {
    sha256_.update(text);
    if (list_) list_(text);
  }

  bool too_many(const std::string& path) {
    return fail(path, "more than " + std::to_string(allowance_.bounds().entries) + " entries in all");
  }

  bool fail(const std::string& path, std::string_view reason) {
    problem_ =
        "cannot take the digest: " + (path.empty() ? "" : "'" + text::escape(path) + "': ") + std::string(reason);
    return false;
  }

  Allowance allowance_;
  const std::function<void(std::string_view)>& list_;
  std::uint64_t entries_left_;
  Sha256 sha256_;
  std::string problem_;
};

// At most `size` bytes and one more, which tells that it has grown.
std::optional<std::uint64_t> read_into(Sha256& sha256, const Fd& file, std::uint64_t size, const Allowance& allowance) {
  std::array<unsigned char, kBlock> block;
  std::uint64_t done = 0;
  while (done <= size && allowance.problem_with(0).empty()) {
    const ssize_t got = TEMP_FAILURE_RETRY(::read(file.get(), block.data(), block.size()));
    if (got < 0) return std::nullopt;
    if (got == 0) break;
    sha256.update(std::span(block.data(), static_cast<std::size_t>(got)));
    done += static_cast<std::uint64_t>(got);
  }
  return done;
}

}  // namespace

std::string Allowance::problem_with(std::uint64_t size) const {
  if (size > bytes_left_) return "more than " + text::human_size(bounds_.bytes) + " in all";
  const bool timed = bounds_.until_ns != TreeBounds{}.until_ns;
  return timed && clock::boottime_ns() > bounds_.until_ns ? "it takes too long" : "";
}

bool unchanged(const struct stat& before, const struct stat& after) {
  return before.st_dev == after.st_dev && before.st_ino == after.st_ino && before.st_mode == after.st_mode &&
         before.st_size == after.st_size && equal(before.st_mtim, after.st_mtim) &&
         equal(before.st_ctim, after.st_ctim);
}

FileDigest digest_file(int folder, const std::string& name, sys::Resolve resolve, const struct stat& seen,
                       Allowance& allowance) {
  const auto size = static_cast<std::uint64_t>(seen.st_size);
  if (const std::string problem = allowance.problem_with(size); !problem.empty()) return {{}, problem};
  int error = 0;
  const Fd file = sys::try_open_at(folder, name.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY, resolve, error);
  if (!file) return {{}, reason_of(error)};
  if (!unchanged(seen, sys::file_status(file))) return {{}, std::string(kChanged)};
  Sha256 sha256;
  const std::optional<std::uint64_t> done = read_into(sha256, file, size, allowance);
  if (!done) return {{}, std::strerror(errno)};
  allowance.spend(*done);
  if (const std::string problem = allowance.problem_with(0); !problem.empty()) return {{}, problem};
  if (*done != size || !unchanged(seen, sys::file_status(file))) return {{}, std::string(kChanged)};
  return {sha256.hex(), {}};
}

TreeDigest digest_tree(const std::string& path, const TreeBounds& bounds,
                       const std::function<void(std::string_view)>& list) {
  return Walk(bounds, list).run(path);
}

}  // namespace jail::confine
