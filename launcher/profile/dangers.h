// Places whose grant is worth more than it looks: tables that the rules and the tests read.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace jail::profile {

enum class Reach { Exactly, OrBelow };
enum class Override { None, Named };  // whether {dangerous: true} lifts the refusal

struct Danger {
  std::string_view path;
  Reach reach;
  Override override_by;
  std::string_view reason;
};

// Folders that hold everybody's doors (DECISIONS 10). $HOME is judged by the rule itself: it has no fixed path.
std::span<const Danger> dangerous_places();
// The first of them that a grant of this path, absolute and normal, would open; null: none.
const Danger* danger_of(const std::string& path);

struct DangerousSocket {
  std::string_view pattern;  // fnmatch(3) with FNM_PATHNAME; one that ends in "/*" means the folder as well
  Override override_by;
  std::string_view owner;  // "a container engine"
};

// Sockets behind which somebody does things for whoever connects.
std::span<const DangerousSocket> dangerous_sockets();

}  // namespace jail::profile
