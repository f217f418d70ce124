#include "blindspot/action.h"

#include <utility>

namespace jail::blindspot {

std::span<const Group> groups() {
  static const std::array all{Group{"files", file_actions()}, Group{"what files are said to be", metadata_actions()},
                              Group{"programs and processes", program_actions()}, Group{"network", network_actions()},
                              Group{"power", power_actions()}};
  return all;
}

std::string expand(std::string_view subject, const Scene& scene) {
  const std::string given = std::to_string(scene.given);
  const std::pair<std::string_view, std::string> places[] = {{"{granted}", scene.folder + "/granted"},
                                                             {"{hidden}", scene.folder + "/hidden"},
                                                             {"{given}", scene.folder + "/given"},
                                                             {"{given descriptor}", "/proc/self/fd/" + given},
                                                             {"{program}", scene.program}};
  std::string expanded(subject);
  for (const auto& [name, path] : places)
    for (std::size_t at = 0; (at = expanded.find(name, at)) != std::string::npos; at += path.size())
      expanded.replace(at, name.size(), path);
  return expanded;
}

}  // namespace jail::blindspot
