#include "run/mountinfo.h"

#include <unistd.h>

#include <sstream>

#include "base/error.h"
#include "sys/file.h"

namespace jail::run {
namespace {

constexpr std::size_t kMostBytes = 4 << 20;

// Space, tab, newline and backslash stand there as "\\040" and so on.
std::string unescaped(const std::string& field) {
  std::string path;
  for (std::size_t i = 0; i < field.size(); ++i) {
    const bool escape = field[i] == '\\' && i + 3 < field.size();
    path += escape ? static_cast<char>(std::stoi(field.substr(i + 1, 3), nullptr, 8)) : field[i];
    if (escape) i += 3;
  }
  return path;
}

}  // namespace

std::vector<MountEntry> read_mounts(const Fd& mountinfo) {
  check(::lseek(mountinfo.get(), 0, SEEK_SET), "lseek", "mountinfo");
  std::istringstream lines(sys::read_file(mountinfo, kMostBytes));
  std::vector<MountEntry> entries;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream fields(line);
    MountEntry entry;
    std::string parent, device;
    fields >> entry.id >> parent >> device >> entry.root >> entry.path;
    entry.root = unescaped(entry.root);
    entry.path = unescaped(entry.path);
    entries.push_back(std::move(entry));
  }
  return entries;
}

}  // namespace jail::run
