// Paths as text: nothing here asks the machine, so nothing here knows links.
#pragma once

#include <string>
#include <string_view>

namespace jail::profile {

// Without ".", empty components and a trailing slash. The text must be absolute and hold no "..".
std::string normal_path(std::string_view absolute);

bool has_parent_component(std::string_view path);

// The same path, or below the folder. Both are normal.
bool is_within(std::string_view path, std::string_view folder);

// "/srv/crm" of "/srv/crm/profile.yaml"; "/" of "/profile.yaml".
std::string_view folder_of(std::string_view path);

// "profile.yaml" of "/srv/crm/profile.yaml".
std::string_view base_of(std::string_view path);

// "/home/ann" and ".ssh/id": "/home/ann/.ssh/id". The folder may be "/".
std::string joined(std::string_view folder, std::string_view below);

}  // namespace jail::profile
