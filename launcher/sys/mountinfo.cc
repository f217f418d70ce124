#include "sys/mountinfo.h"

#include <unistd.h>

#include <sstream>

#include "base/error.h"
#include "sys/file.h"

namespace jail::sys {
namespace {

constexpr std::size_t kMostBytes = 4 << 20;

// Space, tab, newline and backslash stand there as "\\040" and so on.
std::string unescaped(const std::string& field) {
  std::string path;
  for (std::size_t i = 0; i < field.size(); ++i) {
    const bool escape = field[i] == '\\' && i + 3 < field.size();
    path += escape ? static_cast<char>((field[i + 1] - '0') * 64 + (field[i + 2] - '0') * 8 + (field[i + 3] - '0'))
                   : field[i];
    if (escape) i += 3;
  }
  return path;
}

}  // namespace

std::vector<MountEntry> parse_mounts(const std::string& mountinfo) {
  std::istringstream lines(mountinfo);
  std::vector<MountEntry> entries;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream fields(line);
    MountEntry entry;
    std::string skipped;
    fields >> entry.id >> skipped >> skipped >> entry.root >> entry.path;
    entry.root = unescaped(entry.root);
    entry.path = unescaped(entry.path);
    while (fields >> skipped && skipped != "-") {}  // any number of optional fields
    fields >> entry.type;
    entries.push_back(std::move(entry));
  }
  return entries;
}

std::vector<MountEntry> read_mounts(const Fd& mountinfo) {
  check(::lseek(mountinfo.get(), 0, SEEK_SET), "lseek", "mountinfo");
  return parse_mounts(read_file(mountinfo, kMostBytes));
}

}  // namespace jail::sys
