// From a profile's path to a Profile: parse it and what it extends, merge, expand variables. Pure over Inputs.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>

#include "profile/profile.h"

namespace jail::profile {

// A file's text, or why there is none (missing, unreadable, too large, owned or writable by somebody else).
struct FileText {
  std::string text;
  std::string problem;  // empty when text is good
};

// Everything that loading reads besides the documents themselves.
struct Inputs {
  std::function<FileText(const std::string& path)> read_file;
  // A template by name outside those built into jail: the absolute path of its file, if any place has one.
  std::function<std::optional<std::string>(const std::string& name)> find_template;
  std::function<std::optional<std::string>(const std::string& name)> environment;  // for ${env:NAME}
  std::map<std::string, std::string> set;  // --set name=value
  std::string home;                        // ${home}
  std::string user;                        // ${user}
  std::string state_root;                  // ${state} is state_root/NAME
};

struct Loaded {
  Profile profile;          // usable only without errors
  Diagnostics diagnostics;  // all of them, in order of files and lines
};

Loaded load(const std::string& path, const Inputs& inputs);

}  // namespace jail::profile
