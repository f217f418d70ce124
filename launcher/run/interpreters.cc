#include "run/interpreters.h"

#include <elf.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstring>

#include "sys/file.h"

namespace jail::run {
namespace {

constexpr int kMostScripts = 5;             // as the kernel: BINPRM_MAX_RECURSION is 4, plus the last program
constexpr std::size_t kMostInterpreter = 4096;  // PATH_MAX, execve(2)
constexpr int kMostHeaders = 256;

template <typename Value>
bool read_at(const Fd& file, Value& value, std::uint64_t offset) {
  return ::pread(file.get(), &value, sizeof value, static_cast<off_t>(offset)) == static_cast<ssize_t>(sizeof value);
}

std::string text_at(const Fd& file, std::uint64_t offset, std::size_t size) {
  std::string text(std::min(size, kMostInterpreter), '\0');
  const ssize_t got = ::pread(file.get(), text.data(), text.size(), static_cast<off_t>(offset));
  text.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
  text.resize(std::strlen(text.c_str()));
  return text;
}

std::string elf_interpreter(const Fd& file) {
  Elf64_Ehdr header{};
  if (!read_at(file, header, 0) || header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_phentsize != sizeof(Elf64_Phdr))
    return {};
  for (int i = 0; i < std::min<int>(header.e_phnum, kMostHeaders); ++i) {
    Elf64_Phdr segment{};
    if (!read_at(file, segment, header.e_phoff + static_cast<std::uint64_t>(i) * sizeof segment)) return {};
    if (segment.p_type == PT_INTERP) return text_at(file, segment.p_offset, segment.p_filesz);
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
  const Fd file = sys::try_open_at(AT_FDCWD, path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY, sys::Resolve::Anything, error);
  if (!file) return {};
  const std::string start = text_at(file, 0, 256);
  if (start.starts_with("\177ELF")) return elf_interpreter(file);
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

std::vector<std::string> standard_loaders() { return {"/lib64/ld-linux-x86-64.so.2"}; }

}  // namespace jail::run
