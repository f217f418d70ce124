#include "run/interpreters.h"

#include <elf.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstring>

#include "profile/interpreters.h"
#include "sys/file.h"

namespace jail::run {
namespace {

constexpr int kMostScripts = 5;                 // as the kernel: BINPRM_MAX_RECURSION is 4, plus the last program
constexpr std::size_t kMostInterpreter = 4096;  // PATH_MAX, execve(2)

// The start of the file holds the headers of every program there is; the name of the interpreter follows them.
std::string bytes_at(const Fd& file, std::uint64_t offset, std::size_t size) {
  std::string bytes(std::min(size, kMostInterpreter), '\0');
  const ssize_t got = ::pread(file.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
  bytes.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
  return bytes;
}

template <typename Value>
bool take(const std::string& start, std::uint64_t offset, Value& value) {
  if (offset > start.size() || start.size() - offset < sizeof value) return false;
  std::memcpy(&value, start.data() + offset, sizeof value);
  return true;
}

std::string elf_interpreter(const Fd& file, const std::string& start) {
  Elf64_Ehdr header{};
  if (!take(start, 0, header) || header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_phentsize != sizeof(Elf64_Phdr))
    return {};
  Elf64_Phdr segment{};
  for (std::uint64_t i = 0; i < header.e_phnum && take(start, header.e_phoff + i * sizeof segment, segment); ++i) {
    if (segment.p_type != PT_INTERP) continue;
    const std::string name = bytes_at(file, segment.p_offset, segment.p_filesz);
    return name.substr(0, name.find('\0'));
  }
  return {};
}

std::string script_interpreter(const std::string& start) {
  const std::size_t first = start.find_first_not_of(" \t", 2);
  if (first == std::string::npos) return {};
  const std::size_t end = start.find_first_of(" \t\n", first);
  return start.substr(first, end == std::string::npos ? end : end - first);
}

std::string interpreter(const std::string& path) {
  int error = 0;
  const Fd file =
      sys::try_open_at(AT_FDCWD, path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY, sys::Resolve::Anything, error);
  if (!file) return {};
  const std::string start = bytes_at(file, 0, kMostInterpreter);
  if (start.starts_with("\177ELF")) return elf_interpreter(file, start);
  return start.starts_with("#!") ? script_interpreter(start) : std::string();
}

}  // namespace

std::vector<std::string> interpreters_of(const std::string& path) {
  std::vector<std::string> all;
  std::string next = interpreter(path);
  for (int depth = 0; next.starts_with('/') && depth < kMostScripts; ++depth) {
    all.push_back(next);
    next = interpreter(next);
  }
  return all;
}

std::vector<std::string> standard_loaders() { return {std::string(profile::kLoader)}; }

}  // namespace jail::run
