#include "monitor/place.h"

#include <algorithm>

#include "profile/paths.h"

namespace jail::monitor {
namespace {

std::string_view first_component(std::string_view path) { return path.substr(0, path.find('/')); }

void go_up(std::string& path) {
  if (!path.empty()) path.resize(path.rfind('/'));
}

// "self/cwd" of "/proc/self/cwd", "thread-self/fd/7", "root"; empty for what is no magic link, or one of a process that
// nobody may look into. All of a jail's processes have one root.
std::string_view magic_name(std::string_view path) {
  constexpr std::string_view kProc = "/proc/";
  if (!path.starts_with(kProc)) return {};
  path.remove_prefix(kProc.size());
  const std::string_view process = first_component(path);
  if (process.size() == path.size() || process == "1") return {};
  const std::string_view name = path.substr(process.size() + 1);
  const bool own = process == "self" || process == "thread-self";
  if (name == "root" && (own || process.find_first_not_of("0123456789") == std::string_view::npos)) return name;
  const bool is_link = name == "cwd" || (name.starts_with("fd/") && name.find('/', 3) == std::string_view::npos);
  return own && is_link ? path : std::string_view{};
}

}  // namespace

Places::Places(const confine::view::Plan& plan)
    : own_links_{{"/dev/ptmx", "pts/ptmx"},
                 {"/dev/fd", "/proc/self/fd"},
                 {"/dev/stdin", "/proc/self/fd/0"},
                 {"/dev/stdout", "/proc/self/fd/1"},
                 {"/dev/stderr", "/proc/self/fd/2"}} {
  add_own();
  for (const auto& [path, text] : own_links_) add(path).link = &text;
  for (const confine::view::Anchor& anchor : plan.anchors) add(anchor.path).anchor = &anchor;
  for (const confine::view::OwnFile& file : plan.files) add(file.path).own = Own::File;
  for (const confine::view::Link& link : plan.links) add(link.path).link = &link.text;
  for (const confine::view::Mask& mask : plan.masks) add(mask.path).mask = &mask;
}

void Places::add_own() {
  add("/").folder = true;
  add("/tmp").own = Own::Temporary;
  add("/dev/shm").own = Own::Temporary;
  add("/dev/pts").own = Own::Terminals;
  add("/proc").own = Own::Processes;
  for (const char* device : confine::view::kDevices) add(std::string("/dev/") + device).own = Own::Devices;
}

// With the folders that lead to it.
Places::Entry& Places::add(const std::string& path) {
  for (std::size_t slash = path.find('/', 1); slash != std::string::npos; slash = path.find('/', slash + 1))
    entries_[path.substr(0, slash)].folder = true;
  longest_ = std::max(longest_, path.size());
  return entries_[path];
}

// Empty: no link stands here.
std::string Places::target_of(const std::string& walked, const Magic& magic) const {
  if (const std::string_view name = magic_name(walked); !name.empty()) {
    if (name == "root") return "/";
    std::string target = magic(name);
    return target.starts_with('/') ? target : "";
  }
  if (walked.size() > longest_) return {};
  const auto entry = entries_.find(std::string_view(walked));
  return entry != entries_.end() && entry->second.link != nullptr ? *entry->second.link : "";
}

Place Places::find(std::string_view path, const Magic& magic) const {
  std::string walked;
  std::string rest(path);
  int links = 0;
  for (std::size_t from = 0; from < rest.size() && links <= kMostLinks;) {
    const std::size_t end = std::min(rest.find('/', from), rest.size());
    const std::string_view name = std::string_view(rest).substr(from, end - from);
    from = end + 1;
    if (name.empty() || name == ".") continue;
    if (name == "..") {
      go_up(walked);
      continue;
    }
    walked.append("/").append(name);
    std::string target = target_of(walked, magic);
    if (target.empty()) continue;
    ++links;
    target.starts_with('/') ? walked.clear() : go_up(walked);
    rest = std::move(target) + "/" + (from < rest.size() ? rest.substr(from) : "");
    from = 0;
  }
  Place place = judge(walked.empty() ? "/" : std::move(walked));
  place.endless = links > kMostLinks;
  return place;
}

// The entries above and at it, from the root down: the last one decides, but nothing lifts a mask.
Place Places::judge(std::string path) const {
  Place place;
  place.path = std::move(path);
  consider(place, 1);
  for (std::size_t end = 1; end < place.path.size() && end < longest_;) {
    end = std::min(place.path.find('/', end + 1), place.path.size());
    consider(place, end);
  }
  const auto parent = entries_.find(profile::folder_of(place.path));
  place.in_folder_of_view = parent != entries_.end() && parent->second.folder;
  return place;
}

// What stands at the first `length` bytes of the path.
void Places::consider(Place& place, std::size_t length) const {
  const auto found = entries_.find(std::string_view(place.path).substr(0, length));
  if (found == entries_.end()) return;
  const Entry& entry = found->second;
  const bool is_all = length == place.path.size();
  if (entry.own != Own::None) place.own = entry.own, place.anchor = nullptr;
  if (entry.anchor != nullptr) place.anchor = entry.anchor, place.own = Own::None;
  if (entry.mask != nullptr && place.mask == nullptr) place.mask = entry.mask, place.is_mask = is_all;
  if (is_all) place.leads_on = entry.folder;
  if (is_all) place.folder_of_view = entry.folder && place.anchor == nullptr && place.own == Own::None;
}

}  // namespace jail::monitor
