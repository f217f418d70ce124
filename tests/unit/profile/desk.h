// What a profile is loaded from, as values: files, environment, settings. And the machine it is held against.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <string_view>

#include "profile/load.h"
#include "profile/validate.h"

namespace jail::test {

inline constexpr const char* kProfilePath = "/srv/profiles/crm.yaml";

// The two keys every profile needs, on lines 1 and 2, so that what follows begins on line 3.
inline std::string minimal(std::string_view rest) { return "version: 1\nname: crm\n" + std::string(rest); }

class Desk {
 public:
  std::map<std::string, std::string> files;
  std::map<std::string, std::string> environment;
  std::map<std::string, std::string> set;
  std::map<std::string, std::string> templates;  // names to paths of files

  profile::Loaded load() const { return profile::load(kProfilePath, inputs()); }

  profile::Loaded load(std::string text) {
    files[kProfilePath] = std::move(text);
    return load();
  }

  profile::Inputs inputs() const {
    profile::Inputs inputs;
    inputs.read_file = [this](const std::string& path) {
      const auto found = files.find(path);
      return found == files.end() ? profile::FileText{{}, "no such file"} : profile::FileText{found->second, {}};
    };
    inputs.find_template = [this](const std::string& name) { return look_up(templates, name); };
    inputs.environment = [this](const std::string& name) { return look_up(environment, name); };
    inputs.set = set;
    inputs.home = "/home/ann";
    inputs.user = "ann";
    inputs.state_root = "/home/ann/.local/share/jail/state";
    return inputs;
  }

 private:
  static std::optional<std::string> look_up(const std::map<std::string, std::string>& values, const std::string& name) {
    const auto found = values.find(name);
    return found == values.end() ? std::nullopt : std::optional(found->second);
  }
};

// What is said of a profile's text that follows the minimal keys.
inline std::string complaints(std::string_view rest) {
  return profile::to_text(Desk().load(minimal(rest)).diagnostics);
}

// The profile of a text that nothing is wrong with.
inline profile::Profile good(Desk& desk, std::string_view rest) {
  profile::Loaded loaded = desk.load(minimal(rest));
  EXPECT_EQ(profile::to_text(loaded.diagnostics), "");
  return std::move(loaded.profile);
}

inline profile::Profile good(std::string_view rest) {
  Desk desk;
  return good(desk, rest);
}

}  // namespace jail::test
