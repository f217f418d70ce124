// Opening and reading files: openat2(2), fstat(2), read(2), one typed function each.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"

namespace jail::sys {

// Which links a lookup may follow (openat2(2), Linux 5.6).
enum class Resolve {
  Anything,        // as open(2) does
  NoLinks,         // no symbolic or magic link anywhere
  NoLinksBeneath,  // nor above the starting folder
};

// Throws SysError: ELOOP a link stands on the way and may not be followed, EXDEV the lookup leaves the folder.
Fd open_at(const Fd& folder, const std::string& path, int flags, Resolve resolve, mode_t mode = 0);
Fd open_at(const std::string& path, int flags, Resolve resolve, mode_t mode = 0);

// The same, with the errno as an ordinary answer: an empty Fd and `error`.
Fd try_open_at(int folder, const char* path, int flags, Resolve resolve, int& error) noexcept;

struct stat file_status(const Fd& file);
// Of the name itself, also where it is a link (fstatat(2)): 0, or errno.
int try_status_at(int folder, const char* name, struct stat& status) noexcept;

// The names in a folder that is open for reading, in no order, without "." and "..". `most` + 1 of them where there are
// more than `most`: nobody has to hold what a folder of millions holds.
std::vector<std::string> names_in(const Fd& folder, std::size_t most);

// The text a symbolic link holds; `link` is an O_PATH descriptor of the link itself.
std::string read_link(const Fd& link);

// The whole content, at most `most` bytes (EFBIG beyond).
std::string read_file(const Fd& file, std::size_t most);

// One write(2) of the whole text: what files of /proc expect.
void write_file(const std::string& path, std::string_view text);
void write_file(const Fd& folder, const std::string& name, std::string_view text);

void make_folder(const Fd& parent, const std::string& name, mode_t mode);
// An empty regular file: what a bind mount of a file stands on.
void make_file(const Fd& parent, const std::string& name, mode_t mode);
void make_link(const std::string& text, const Fd& parent, const std::string& name);

}  // namespace jail::sys
