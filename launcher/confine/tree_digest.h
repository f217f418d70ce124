// The digest of a file tree is the SHA-256 of a listing, so that anybody can compute it (`jail digest --list PATH |
// sha256sum`): the line "jail-tree 1", then one for each entry, the tree itself first, a folder before what it holds,
// the names in a folder in the order of their bytes, each line ended by a line feed:
//
//   TYPE MODE CONTENT SIZE:PATH      f 0644 9f86d081...0f00a08 9:plugin.py
//
// TYPE: f file, d folder, l link, p fifo, s socket, c and b devices. MODE: the permission bits, four octal digits.
// CONTENT: the SHA-256 of a file's bytes or of a link's text, "-" for the others. PATH: below the tree, empty for
// itself; its bytes as they are, SIZE of them in decimal: no name can pass for another line. No link is followed.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <string_view>
#include <variant>

#include "base/fd.h"
#include "sys/file.h"

namespace jail::confine {

// What reading a tree may cost. Beyond it there is no digest: a part of a tree has none.
struct TreeBounds {
  std::uint64_t entries = 250'000;
  std::uint64_t bytes = 2ULL << 30;                                    // of all files together
  int depth = 128;                                                     // folders below the tree's own
  std::uint64_t until_ns = std::numeric_limits<std::uint64_t>::max();  // CLOCK_BOOTTIME
};

// What is left of that.
class Allowance {
 public:
  explicit Allowance(const TreeBounds& bounds) : bounds_(bounds), bytes_left_(bounds.bytes) {}

  // Why not one byte more may be read of a file of this size, or nothing.
  [[nodiscard]] std::string problem_with(std::uint64_t size) const;
  void spend(std::uint64_t bytes) { bytes_left_ -= bytes < bytes_left_ ? bytes : bytes_left_; }
  [[nodiscard]] const TreeBounds& bounds() const { return bounds_; }

 private:
  TreeBounds bounds_;
  std::uint64_t bytes_left_;
};

struct FileDigest {
  std::string sha256;   // 64 hexadecimal digits; empty: there is a problem
  std::string problem;  // in words
};

// Of the regular file that `name` was when `seen` was taken of it. Neither a link nor a fifo nor a device put in its
// place is read or waited for, and a file that changes meanwhile has no digest.
FileDigest digest_file(int folder, const std::string& name, sys::Resolve resolve, const struct stat& seen,
                       Allowance& allowance);

// The same file, unchanged as far as the kernel tells: identity, size, mode, times of change.
bool unchanged(const struct stat& before, const struct stat& after);

struct TreeDigest {
  std::string sha256;   // empty: there is a problem
  std::string problem;  // "cannot read 'lib/x.py': Permission denied"
};

// `path`: absolute, no part of it a link. `list` gets the listing, piece by piece. Throws SysError where the kernel
// fails at more than a lookup.
TreeDigest digest_tree(const std::string& path, const TreeBounds& bounds = {},
                       const std::function<void(std::string_view)>& list = {});

}  // namespace jail::confine
