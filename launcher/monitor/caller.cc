#include "monitor/caller.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <climits>
#include <cstdio>
#include <cstring>
#include <sstream>

#include "base/fd.h"
#include "sys/maps.h"
#include "sys/process.h"

namespace jail::monitor {
namespace {

constexpr std::string_view kDeleted = " (deleted)";
constexpr std::size_t kPage = 4096;
constexpr std::size_t kPiece = 256;  // most paths are shorter
constexpr std::size_t kMostOfAFile = 1 << 20;  // of /proc/PID/net: some ten thousand sockets

// "7" of "NStgid:\t4711\t7"; the last of several, the one of the innermost namespace.
std::optional<std::int32_t> last_number(std::string_view status, std::string_view key) {
  const std::size_t before = status.find(std::string("\n").append(key));
  if (before == std::string_view::npos) return std::nullopt;
  const std::size_t start = before + 1;
  std::string_view line = status.substr(start, status.find('\n', start) - start);
  line.remove_prefix(line.find_last_of(" \t") + 1);
  std::int32_t number = 0;
  const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), number);
  return error == std::errc{} && end == line.data() + line.size() ? std::optional(number) : std::nullopt;
}

// A line of /proc/net/tcp and its kin: "0: 0100007F:1F90 00000000:0000 0A ...".
struct Ends {
  std::string local, remote;
};
Ends ends_of(const std::string& line) {
  std::istringstream fields(line);
  std::string number;
  Ends ends;
  fields >> number >> ends.local >> ends.remote;
  return ends;
}

}  // namespace

// pagemap, Documentation/admin-guide/mm/pagemap.rst: bit 63 of a page's entry says present, bit 62 swapped out.
bool Caller::is_resident(std::uint64_t address) const {
  const std::string path = "/proc/" + std::to_string(thread_) + "/pagemap";
  const Fd map(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::uint64_t entry = 0;
  const auto offset = static_cast<off_t>(address / kPage * sizeof entry);
  return map && ::pread(map.get(), &entry, sizeof entry, offset) == sizeof entry && (entry >> 62) != 0;
}

ssize_t Caller::read_within_page(std::uint64_t address, std::span<std::byte> into) const {
  into = into.first(std::min<std::size_t>(kPage - address % kPage, into.size()));
  if (memory_ == Memory::Resident && !is_resident(address)) return -EAGAIN;
  return sys::process_vm_read(thread_, address, into);
}

bool Caller::bytes(std::uint64_t address, std::span<std::byte> into) const {
  while (!into.empty()) {
    const ssize_t size = read_within_page(address, into);
    if (size <= 0) return false;
    address += static_cast<std::uint64_t>(size);
    into = into.subspan(static_cast<std::size_t>(size));
  }
  return true;
}

std::optional<std::string> Caller::text(std::uint64_t address) const {
  std::array<std::byte, kPiece> piece;
  std::string text;
  while (text.size() < PATH_MAX) {
    const ssize_t size = read_within_page(address, piece);
    if (size <= 0) return std::nullopt;
    const auto* const begin = reinterpret_cast<const char*>(piece.data());
    const std::size_t length = ::strnlen(begin, static_cast<std::size_t>(size));
    text.append(begin, std::min<std::size_t>(length, PATH_MAX - text.size()));
    if (length < static_cast<std::size_t>(size)) return text;
    address += static_cast<std::uint64_t>(size);
  }
  return text;
}

std::string Caller::link(std::string_view name) const {
  char target[PATH_MAX];
  const std::string path = "/proc/" + std::to_string(thread_) + "/" + std::string(name);
  const ssize_t size = ::readlink(path.c_str(), target, sizeof target);
  std::string_view text(target, static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
  if (text.ends_with(kDeleted)) text.remove_suffix(kDeleted.size());
  return std::string(text);
}

std::string Caller::mount_of(int number) const {
  const std::string info = file(("fdinfo/" + std::to_string(number)).c_str());
  constexpr std::string_view kKey = "mnt_id:\t";
  const std::size_t at = info.find(kKey);
  if (at == std::string::npos) return {};
  const std::size_t start = at + kKey.size();
  return info.substr(start, info.find('\n', start) - start);
}

std::string Caller::file_at(std::uint64_t address) const {
  const std::string path = "/proc/" + std::to_string(thread_) + "/maps";
  return sys::mapped_file(path, address);
}

Fd Caller::take(int number) const {
  const auto process = numbers().process;
  int error = 0;
  return process ? sys::try_pidfd_getfd(*process, number, error) : Fd();
}

std::string Caller::magic_link(std::string_view name) const {
  constexpr std::string_view kThread = "thread-self/", kProcess = "self/";
  if (name.starts_with(kThread)) return link(name.substr(kThread.size()));
  const std::optional<std::int32_t> process = numbers().process;
  return process ? Caller(*process, memory_).link(name.substr(kProcess.size())) : "";
}

bool Caller::sees_process(std::string_view number) const {
  const std::string path = "/proc/" + std::to_string(thread_) + "/root/proc/" + std::string(number);
  return ::access(path.c_str(), F_OK) == 0;
}

std::string Caller::file(const char* name) const {
  char path[64];
  std::snprintf(path, sizeof path, "/proc/%d/%s", thread_, name);
  const Fd opened(::open(path, O_RDONLY | O_CLOEXEC));
  std::string text;
  char block[4096];
  while (opened && text.size() < kMostOfAFile) {
    const ssize_t size = ::read(opened.get(), block, sizeof block);
    if (size <= 0) break;
    text.append(block, static_cast<std::size_t>(size));
  }
  return text;
}

Caller::Numbers Caller::numbers() const {
  const std::string status = file("status");
  return {last_number(status, "Tgid:"), last_number(status, "NStgid:")};
}

bool Caller::has_socket(std::initializer_list<const char*> tables, std::uint16_t port, Peers peers) const {
  char wanted[8];
  std::snprintf(wanted, sizeof wanted, ":%04X", port);
  for (const char* table : tables) {
    std::istringstream lines(file(table));
    for (std::string line; std::getline(lines, line);) {
      const Ends ends = ends_of(line);
      if (ends.local.ends_with(wanted) && (peers == Peers::Any || ends.remote.ends_with(":0000"))) return true;
    }
  }
  return false;
}

bool Caller::has_abstract_listener(const std::string& name) const {
  std::istringstream lines(file("net/unix"));
  for (std::string line; std::getline(lines, line);)
    if (line.ends_with(" @" + name)) return true;
  return false;
}

}  // namespace jail::monitor
