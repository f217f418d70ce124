#include "trace/pins.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <ctime>

#include "bpf/events.h"
#include "trace/objects.h"

namespace jail::trace {
namespace {

constexpr const char* kComplete = "complete";  // a folder: made when everything else is there
constexpr int kPatienceMs = 3000;
constexpr mode_t kOnlyOwner = 0700;

std::string problem(const char* what) { return std::string(what) + ": " + std::strerror(errno); }

// For calls that know paths only: nobody can put another folder in place of this one.
std::string below(const Fd& folder, std::string_view name) {
  return "/proc/self/fd/" + std::to_string(folder.get()) + "/" + std::string(name);
}

bool is_bpf(const Fd& folder) {
  struct statfs status {};
  return ::fstatfs(folder.get(), &status) == 0 && status.f_type == BPF_FS_MAGIC;
}

bool is_ours(const Fd& folder) {
  struct stat status {};
  return ::fstat(folder.get(), &status) == 0 && status.st_uid == 0 && (status.st_mode & 07777) == kOnlyOwner;
}

Fd open_folder(const Fd& in, const std::string& name) {
  return Fd(::openat(in.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
}

Fd make_folder(const Fd& in, const std::string& name) {
  if (::mkdirat(in.get(), name.c_str(), kOnlyOwner) != 0 && errno != EEXIST) return {};
  return open_folder(in, name);
}

// Held by nobody but root, and for moments; whoever was stopped in between does not stop us.
bool lock(const Fd& folder) {
  for (int waited = 0; ::flock(folder.get(), LOCK_EX | LOCK_NB) != 0; ++waited) {
    if (errno != EWOULDBLOCK || waited == kPatienceMs) return false;
    const timespec moment{0, 1'000'000};
    ::nanosleep(&moment, nullptr);
  }
  return true;
}

class Locked {
 public:
  explicit Locked(const Fd& in) : folder_(open_folder(in, ".")), locked_(folder_ && lock(folder_)) {}
  explicit operator bool() const { return locked_; }

 private:
  Fd folder_;  // one of its own: a lock is a descriptor's, and goes with it
  bool locked_;
};

Fd get(const Fd& folder, const std::string& name) { return Fd(::bpf_obj_get(below(folder, name).c_str())); }

bool is_map(const Fd& map, std::uint32_t type, std::uint32_t value_size) {
  bpf_map_info info{};
  std::uint32_t size = sizeof info;
  return map && ::bpf_obj_get_info_by_fd(map.get(), &info, &size) == 0 && info.type == type &&
         info.key_size == sizeof(std::uint32_t) && info.value_size == value_size;
}

// That root loaded it under this name, and that it looks for runs where we put them.
bool is_program(const Fd& program, std::string_view name, std::uint32_t runs) {
  bpf_prog_info info{};
  std::uint32_t maps[16] = {};
  info.nr_map_ids = std::size(maps);
  info.map_ids = reinterpret_cast<std::uintptr_t>(maps);
  std::uint32_t size = sizeof info;
  if (!program || ::bpf_obj_get_info_by_fd(program.get(), &info, &size) != 0) return false;
  if (info.created_by_uid != 0 || name.substr(0, sizeof info.name - 1) != info.name) return false;
  for (std::uint32_t i = 0; i < info.nr_map_ids && i < std::size(maps); ++i)
    if (maps[i] == runs) return true;
  return false;
}

std::uint32_t id_of(const Fd& map) {
  bpf_map_info info{};
  std::uint32_t size = sizeof info;
  return ::bpf_obj_get_info_by_fd(map.get(), &info, &size) == 0 ? info.id : 0;
}

std::string program_pin(std::size_t index) { return "program_" + std::string(kPrograms[index].name); }
std::string link_pin(std::size_t index) { return "link_" + std::string(kPrograms[index].name); }
std::string missing_pin(std::size_t family) {
  return "missing_" + std::string(name_of(static_cast<Family>(family)));
}

// A reason is the text of a link: the file system has no files.
std::string reason_in(const Fd& folder, std::size_t family) {
  char text[256];
  const ssize_t size = ::readlinkat(folder.get(), missing_pin(family).c_str(), text, sizeof text);
  return size > 0 ? std::string(text, static_cast<std::size_t>(size)) : "";
}

std::optional<Programs> kept_in(const Fd& folder, const std::vector<Family>& families) {
  if (::faccessat(folder.get(), kComplete, F_OK, 0) != 0) return std::nullopt;
  Programs kept;
  for (std::size_t family = 0; family < kFamilies; ++family) kept.support.missing[family] = reason_in(folder, family);
  kept.runs = get(folder, "map_runs");
  kept.rings = get(folder, "map_rings");
  if (!is_map(kept.runs, BPF_MAP_TYPE_HASH, sizeof(jail_run)) ||
      !is_map(kept.rings, BPF_MAP_TYPE_HASH_OF_MAPS, sizeof(std::uint32_t)))
    return std::nullopt;
  const std::uint32_t runs = id_of(kept.runs);
  for (std::size_t i = 0; i < kPrograms.size(); ++i) {
    const Family family = kPrograms[i].family;
    if (!kept.support.has(family) || std::ranges::find(families, family) == families.end()) continue;
    kept.programs[i] = get(folder, program_pin(i));
    if (!is_program(kept.programs[i], kPrograms[i].name, runs)) return std::nullopt;
  }
  return kept;
}

bool keep_in(const Fd& folder, const Programs& programs) {
  const auto pin = [&](const Fd& object, const std::string& name) {
    return ::bpf_obj_pin(object.get(), below(folder, name).c_str()) == 0;
  };
  for (std::size_t family = 0; family < kFamilies; ++family)
    if (const std::string& reason = programs.support.missing[family]; !reason.empty())
      if (::symlinkat(reason.c_str(), folder.get(), missing_pin(family).c_str()) != 0) return false;
  if (!pin(programs.runs, "map_runs") || !pin(programs.rings, "map_rings")) return false;
  for (std::size_t i = 0; i < kPrograms.size(); ++i)
    if (programs.programs[i] && !pin(programs.programs[i], program_pin(i))) return false;
  return ::mkdirat(folder.get(), kComplete, kOnlyOwner) == 0;
}

void empty(const Fd& folder) {
  DIR* all = ::fdopendir(open_folder(folder, ".").release());
  if (all == nullptr) return;
  while (const dirent* entry = ::readdir(all)) {
    const std::string name = entry->d_name;
    if (name == "." || name == ".." || name.starts_with("users_") || name.starts_with("run_")) continue;
    (void)::unlinkat(folder.get(), name.c_str(), entry->d_type == DT_DIR ? AT_REMOVEDIR : 0);
  }
  (void)::closedir(all);
}

// What starts and ends a process is seen at no cost to others, but to hang on a hook again that was left a moment ago
// makes the kernel wait for every processor, 8 to 16 ms: it stays for the next run.
bool is_kept_attached(Family family) { return family == Family::Process; }

constexpr std::string_view kRunPin = "run_";

bool is_left(const Fd& folder, const std::string& name) {
  const Fd left = open_folder(folder, name);
  return left && ::flock(left.get(), LOCK_EX | LOCK_NB) == 0;
}

// Of runs that nobody holds any more.
std::vector<std::uint32_t> left_keys(const Fd& folder) {
  std::vector<std::uint32_t> keys;
  DIR* all = ::fdopendir(open_folder(folder, ".").release());
  while (const dirent* entry = all == nullptr ? nullptr : ::readdir(all)) {
    const std::string name = entry->d_name;
    std::uint32_t key = 0;
    const char* const end = name.data() + name.size();
    if (!name.starts_with(kRunPin) || std::from_chars(name.data() + kRunPin.size(), end, key).ptr != end) continue;
    if (is_left(folder, name)) keys.push_back(key);
  }
  if (all != nullptr) (void)::closedir(all);
  return keys;
}

// Each ring takes the kernel some 10 ms, which is no reason to keep a run waiting: but it is rare, and a number that is
// left in the maps may be the next jail's.
void sweep(const Fd& folder, const Programs& programs) {
  for (const std::uint32_t key : left_keys(folder)) {
    (void)::bpf_map_delete_elem(programs.runs.get(), &key);
    (void)::bpf_map_delete_elem(programs.rings.get(), &key);
    (void)::unlinkat(folder.get(), (std::string(kRunPin) + std::to_string(key)).c_str(), AT_REMOVEDIR);
  }
}

void remove_links(const Fd& folder, Family family) {
  for (std::size_t i = 0; i < kPrograms.size(); ++i)
    if (kPrograms[i].family == family) (void)::unlinkat(folder.get(), link_pin(i).c_str(), 0);
}

}  // namespace

Fd attach_tracing(const Fd& program) { return Fd(::bpf_raw_tracepoint_open(nullptr, program.get())); }

std::optional<Pins> Pins::open(const std::string& bpf_folder, std::string& why) {
  const Fd top(::open(bpf_folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!top || !is_bpf(top)) {
    why = "no BPF file system at " + bpf_folder;
    return std::nullopt;
  }
  if (::geteuid() != 0) {
    why = "only root keeps programs";
    return std::nullopt;
  }
  Pins pins;
  const Fd jails = make_folder(top, "jail");
  if (jails && is_ours(jails))
    pins.folder_ = make_folder(jails, std::to_string(JAIL_EVENTS_VERSION) + "-" + std::string(objects_digest()));
  if (pins.folder_ && is_ours(pins.folder_) && is_bpf(pins.folder_)) return pins;
  why = bpf_folder + "/jail is not root's alone";
  return std::nullopt;
}

std::optional<Programs> Pins::programs(const std::vector<Family>& families, std::string& why) {
  const Locked locked(folder_);
  if (!locked) {
    why = "another process works in the folder of programs";
    return std::nullopt;
  }
  if (auto kept = kept_in(folder_, families)) return kept;
  empty(folder_);
  Programs loaded = load(all_families());
  if (!loaded.runs || !keep_in(folder_, loaded)) why = problem("keeping the programs");
  return loaded;
}

std::optional<Pins::Held> Pins::attach(const Programs& programs, Family family, std::string& why) const {
  const Locked locked(folder_);
  Held held;
  held.users_ = make_folder(folder_, "users_" + std::string(name_of(family)));
  if (!locked || !held.users_ || ::flock(held.users_.get(), LOCK_SH | LOCK_NB) != 0) {
    why = "another process works in the folder of programs";
    return std::nullopt;
  }
  held.folder_ = open_folder(folder_, ".");
  held.family_ = family;
  for (std::size_t i = 0; i < kPrograms.size(); ++i) {
    if (kPrograms[i].family != family) continue;
    Fd link = get(folder_, link_pin(i));
    if (!link) {
      link = attach_tracing(programs.programs[i]);
      if (!link) {
        why = problem("attaching");
        return std::nullopt;
      }
      (void)::bpf_obj_pin(link.get(), below(folder_, link_pin(i)).c_str());
    }
    held.links_.push_back(std::move(link));
  }
  return held;
}

Pins::Entry Pins::enter(const Programs& programs, std::uint32_t key) const {
  const Locked locked(folder_);
  Entry entry;
  if (!locked) return entry;
  sweep(folder_, programs);
  entry.name_ = std::string(kRunPin) + std::to_string(key);
  entry.lock_ = make_folder(folder_, entry.name_);
  if (entry.lock_ && ::flock(entry.lock_.get(), LOCK_EX | LOCK_NB) == 0) entry.folder_ = open_folder(folder_, ".");
  return entry;
}

Pins::Entry::~Entry() {
  if (folder_) (void)::unlinkat(folder_.get(), name_.c_str(), AT_REMOVEDIR);
}

Pins::Held::~Held() {
  if (!folder_) return;
  const Locked locked(folder_);
  links_.clear();
  // Nobody else has it, and nobody can get it while we hold the lock.
  const bool may_go = !is_kept_attached(family_) && locked;
  if (may_go && ::flock(users_.get(), LOCK_EX | LOCK_NB) == 0) remove_links(folder_, family_);
  users_.reset();
}

}  // namespace jail::trace
