#include "monitor/file_attempt.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <algorithm>
#include <iterator>
#include <optional>

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

// Only where somebody else than jail has put something can links be.
std::optional<Tree> tree_of(const Place& place) {
  if (place.endless || place.mask != nullptr) return std::nullopt;
  if (place.own == Own::Temporary) return Tree::Changing;
  if (place.own != Own::None || place.anchor == nullptr) return std::nullopt;
  return place.anchor->access & confine::view::kWrite ? Tree::Changing : Tree::Steady;
}

NamedPlace found(const Maps& maps, const Caller& caller, std::string_view path, std::string requested, Last last) {
  NamedPlace place;
  place.requested = std::move(requested);
  if (!path.starts_with('/')) return place;
  place.kind = NamedPlace::Kind::File;
  const auto magic = [&caller](std::string_view name) { return caller.magic_link(name); };
  place.place = maps.places.find(path, magic);
  for (int followed = 0; followed < kMostLinks; ++followed) {
    const std::optional<Tree> tree = tree_of(place.place);
    const std::string target = tree ? maps.links.follow(place.place.path, last, *tree) : "";
    if (target.empty()) return place;
    place.place = maps.places.find(target, magic);
  }
  place.place.endless = true;
  return place;
}

// Of the calls that look at a link itself if a flag says so: which argument has AT_SYMLINK_NOFOLLOW.
std::int8_t flag_argument(std::uint16_t number) {
  switch (number) {
    case SYS_statx:
    case 463:  // setxattrat and its kin, Linux 6.13
    case 464:
    case 465:
    case 466: return 2;
    case SYS_newfstatat:
    case SYS_faccessat2:
    case SYS_utimensat:
    case 452: return 3;  // fchmodat2
    case SYS_fchownat:
    case SYS_execveat:
    case 468:  // file_getattr and file_setattr, Linux 6.17
    case 469: return 4;
    default: return kNone;
  }
}

bool never_follows(std::uint16_t number) {
  switch (number) {
    case SYS_lstat:
    case SYS_readlink:
    case SYS_readlinkat:
    case SYS_lgetxattr:
    case SYS_llistxattr:
    case SYS_lsetxattr:
    case SYS_lremovexattr:
    case SYS_lchown: return true;
    default: return false;
  }
}

}  // namespace

event::Named NamedPlace::named() const {
  event::Named named{.path = place.path, .unknown = kind == Kind::Unreadable};
  if (requested != place.path) named.requested = requested;
  return named;
}

Last last_of(const seccomp_data& call, const Call& row) {
  switch (row.operation) {
    case Operation::Create:
    case Operation::Delete:
    case Operation::Rename:
    case Operation::Symlink: return Last::Itself;
    case Operation::Link:
      return row.number == SYS_linkat && (call.args[4] & AT_SYMLINK_FOLLOW) ? Last::Followed : Last::Itself;
    case Operation::Open: {
      const std::uint64_t flags = row.flags == kNone ? 0 : call.args[row.flags];
      const bool fresh = (flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL);
      return fresh || (flags & O_NOFOLLOW) ? Last::Itself : Last::Followed;
    }
    default: break;
  }
  const std::int8_t flags = flag_argument(row.number);
  const bool asked = flags != kNone && (call.args[flags] & AT_SYMLINK_NOFOLLOW);
  return asked || never_follows(row.number) ? Last::Itself : Last::Followed;
}

bool looks_at_descriptor(const Caller& caller, const seccomp_data& call, const Call& row) {
  const std::int8_t flags = row.operation == Operation::Look ? flag_argument(row.number) : kNone;
  if (flags == kNone || !(call.args[flags] & AT_EMPTY_PATH)) return false;
  const std::uint64_t name = call.args[row.first.path];
  return name == 0 || caller.value<char>(name) == '\0';
}

NamedPlace read_place(const Maps& maps, const Caller& caller, const seccomp_data& call, FileArgument argument,
                      Last last) {
  const int folder = argument.folder == kNone ? AT_FDCWD : static_cast<int>(call.args[argument.folder]);
  const auto of_descriptor = [&] {
    NamedPlace place = found(maps, caller, folder == AT_FDCWD ? caller.current_folder() : caller.descriptor(folder),
                             {}, Last::Itself);
    if (folder != AT_FDCWD) place.descriptor = folder;
    return place;
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
  return found(maps, caller, whole, std::move(*text), last);
}

seccomp_data registers_of(const trace::FileCall& told) {
  seccomp_data data{};
  data.nr = static_cast<int>(told.number);
  data.arch = AUDIT_ARCH_X86_64;
  std::ranges::copy(told.arguments, std::begin(data.args));
  return data;
}

NamedPlace place_told(const Maps& maps, const Caller& caller, const trace::FileCall& call,
                      const trace::FileCall::Name& name, FileArgument argument, Last last) {
  if (name.unreadable) return unreadable();
  if (name.text.starts_with('/')) return found(maps, caller, name.text, name.text, last);
  if (!name.text.empty()) return found(maps, caller, name.folder + "/" + name.text, name.text, last);
  if (argument.folder == kNone) return {};
  NamedPlace place = found(maps, caller, name.folder, {}, Last::Itself);
  const int descriptor = static_cast<int>(call.arguments[static_cast<std::size_t>(argument.folder)]);
  if (descriptor != AT_FDCWD) place.descriptor = descriptor;
  return place;
}

unsigned wants_of_open(std::uint64_t flags) {
  const bool is_for_neither = (flags & O_ACCMODE) == O_ACCMODE;  // reading nor writing: for ioctl(2)
  if ((flags & O_PATH) || (is_for_neither && !(flags & (O_TRUNC | O_CREAT)))) return kLook;
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
