#include "monitor/file_attempt.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "monitor/predict.h"

namespace jail::monitor {
namespace {

constexpr std::uint64_t kFirstPage = 4096;  // nothing is mapped there (vm.mmap_min_addr): EFAULT for everybody
constexpr std::uint64_t kTemporaryFile = O_TMPFILE & ~O_DIRECTORY;

NamedPlace unreadable() {
  NamedPlace place;
  place.kind = NamedPlace::Kind::Unreadable;
  return place;
}

NamedPlace found(const Places& places, const Caller& caller, std::string_view path, std::string requested) {
  NamedPlace place;
  place.requested = std::move(requested);
  if (!path.starts_with('/')) return place;
  place.kind = NamedPlace::Kind::File;
  place.place = places.find(path, [&caller](std::string_view name) { return caller.link(name); });
  return place;
}

}  // namespace

event::Named NamedPlace::named() const {
  event::Named named{.path = place.path, .unknown = kind == Kind::Unreadable};
  if (requested != place.path) named.requested = requested;
  return named;
}

NamedPlace read_place(const Places& places, const Caller& caller, const seccomp_data& call, FileArgument argument) {
  const int folder = argument.folder == kNone ? AT_FDCWD : static_cast<int>(call.args[argument.folder]);
  const auto of_descriptor = [&] {
    return found(places, caller, folder == AT_FDCWD ? caller.current_folder() : caller.descriptor(folder), {});
  };
  if (argument.path == kNone) return of_descriptor();
  const std::uint64_t address = call.args[argument.path];
  if (address < kFirstPage) return address == 0 && argument.folder != kNone ? of_descriptor() : NamedPlace{};
  std::optional<std::string> text = caller.text(address);
  if (!text) return unreadable();
  if (text->empty()) return argument.folder != kNone ? of_descriptor() : NamedPlace{};
  const std::string base = text->front() == '/'  ? ""
                           : folder == AT_FDCWD ? caller.current_folder() + "/"
                                                : caller.descriptor(folder) + "/";
  if (base == "/") return folder == AT_FDCWD ? unreadable() : NamedPlace{};
  const std::string whole = base.empty() ? *text : base + *text;
  return found(places, caller, whole, std::move(*text));
}

unsigned wants_of_open(std::uint64_t flags) {
  if (flags & O_PATH) return kLook;
  unsigned wants = 0;
  if ((flags & O_ACCMODE) != O_WRONLY) wants |= kRead;
  if ((flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC)) wants |= kWrite;
  if (flags & (O_CREAT | kTemporaryFile)) wants |= kCreate;
  return wants;
}

std::vector<std::string> access_words(std::uint64_t flags) {
  if (flags & O_PATH) return {"stat"};
  std::vector<std::string> words;
  if ((flags & O_ACCMODE) != O_WRONLY) words.emplace_back("read");
  if ((flags & O_ACCMODE) != O_RDONLY) words.emplace_back(flags & O_APPEND ? "append" : "write");
  if (flags & (O_CREAT | kTemporaryFile)) words.emplace_back("create");
  if (flags & O_TRUNC) words.emplace_back("truncate");
  return words;
}

std::string_view node_type(std::uint64_t mode) {
  switch (mode & S_IFMT) {
    case S_IFIFO: return "fifo";
    case S_IFSOCK: return "socket";
    case S_IFCHR:
    case S_IFBLK: return "device";
    default: return "file";
  }
}

}  // namespace jail::monitor
