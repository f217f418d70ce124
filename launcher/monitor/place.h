// Where a path leads in the view of a jail, found without asking the kernel: the plan says what stands where. It knows
// the links that the view makes and the magic ones of /proc that lead back into the tree. Links inside granted trees no
// plan knows: links.h looks for those.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "confine/view.h"

namespace jail::monitor {

inline constexpr int kMostLinks = 40;  // on the way to one file: MAXSYMLINKS of the kernel

// What a jail has that no profile grants.
enum class Own : std::uint8_t { None, Temporary, Devices, Terminals, Processes, File };

struct Place {
  std::string path;  // absolute, normal, the links above followed
  const confine::view::Anchor* anchor = nullptr;  // the nearest grant at or above
  const confine::view::Mask* mask = nullptr;      // the hidden place at or above
  bool is_mask = false;                           // it is the hidden place itself
  Own own = Own::None;                            // nearer than any anchor
  bool leads_on = false;                          // to something that the view shows
  bool folder_of_view = false;                    // one of the empty folders that lead to what is granted
  bool in_folder_of_view = false;                 // its parent is one: the name is looked up there
  bool endless = false;                           // too many links
};

class Places {
 public:
  // The plan must live as long.
  explicit Places(const confine::view::Plan& plan);

  // What a magic link of the caller's own in /proc leads to: of "self/cwd", of "thread-self/fd/7".
  using Magic = std::function<std::string(std::string_view name)>;

  // `path` is absolute.
  [[nodiscard]] Place find(std::string_view path, const Magic& magic) const;

 private:
  struct Entry {
    const confine::view::Anchor* anchor = nullptr;
    const confine::view::Mask* mask = nullptr;
    const std::string* link = nullptr;
    Own own = Own::None;
    bool folder = false;
  };
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>{}(text); }
  };

  [[nodiscard]] std::string target_of(const std::string& walked, const Magic& magic) const;
  Entry& add(const std::string& path);
  void add_own();
  [[nodiscard]] Place judge(std::string path) const;
  void consider(Place& place, std::size_t length) const;

  std::unordered_map<std::string, Entry, Hash, std::equal_to<>> entries_;
  std::size_t longest_ = 0;  // no entry has more bytes
  std::vector<std::pair<std::string, std::string>> own_links_;
};

}  // namespace jail::monitor
