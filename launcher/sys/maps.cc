#include "sys/maps.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <climits>

#include "base/fd.h"

namespace jail::sys {
namespace {

// struct procmap_query of linux/fs.h, Linux 6.11.
struct Query {
  std::uint64_t size = sizeof(Query);
  std::uint64_t flags = 0;
  std::uint64_t address = 0;
  std::uint64_t start = 0;
  std::uint64_t end = 0;
  std::uint64_t vma_flags = 0;
  std::uint64_t page_size = 0;
  std::uint64_t offset = 0;
  std::uint64_t inode = 0;
  std::uint32_t device_major = 0;
  std::uint32_t device_minor = 0;
  std::uint32_t name_size = 0;
  std::uint32_t build_id_size = 0;
  std::uint64_t name_address = 0;
  std::uint64_t build_id_address = 0;
};
constexpr unsigned long kProcmapQuery = _IOWR('f', 17, Query);

constexpr std::size_t kMostOfMaps = 4 << 20;  // some 40,000 mappings

std::string without_deleted(std::string path) {
  constexpr std::string_view kDeleted = " (deleted)";
  if (path.ends_with(kDeleted)) path.resize(path.size() - kDeleted.size());
  return path.starts_with('/') ? path : "";
}

std::string read_all(int file) {
  std::string text;
  char block[16'384];
  for (ssize_t size = 0; text.size() < kMostOfMaps && (size = ::read(file, block, sizeof block)) > 0;)
    text.append(block, static_cast<std::size_t>(size));
  return text;
}

// "7f00-7f10 r--p 00000000 00:2a 42   /path with blanks": the path begins at the first slash.
bool holds(std::string_view line, std::uint64_t address) {
  std::uint64_t start = 0, end = 0;
  const char* const last = line.data() + line.size();
  const auto [dash, error] = std::from_chars(line.data(), last, start, 16);
  if (error != std::errc{} || dash == last) return false;
  return std::from_chars(dash + 1, last, end, 16).ec == std::errc{} && start <= address && address < end;
}

}  // namespace

std::string mapped_file_in(std::string_view text, std::uint64_t address) {
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (!holds(line, address)) continue;
    const std::size_t slash = line.find('/');
    return slash == std::string_view::npos ? "" : without_deleted(std::string(line.substr(slash)));
  }
  return {};
}

std::string mapped_file(const std::string& maps, std::uint64_t address) {
  const Fd file(::open(maps.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return {};
  char name[PATH_MAX] = "";
  Query query;
  query.address = address;
  query.name_size = sizeof name;
  query.name_address = reinterpret_cast<std::uint64_t>(name);
  if (::ioctl(file.get(), kProcmapQuery, &query) == 0) return without_deleted(query.name_size != 0 ? name : "");
  if (errno != ENOTTY) return {};
  return mapped_file_in(read_all(file.get()), address);
}

}  // namespace jail::sys
