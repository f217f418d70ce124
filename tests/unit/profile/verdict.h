// A profile's text held against a machine on paper: what the profile names exists, as a folder or a socket, unless the
// test says otherwise.
#pragma once

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "../machine.h"
#include "desk.h"
#include "profile/validate.h"

namespace jail::test {

class Trial {
 public:
  Desk desk;
  Machine machine;
  std::set<std::string> missing;

  Trial() {
    machine.facts().home = "/home/ann";
    machine.facts().uid = 1000;
    machine.facts().search_path = {"/home/ann/tools", "/usr/bin"};
  }

  // "" when there is nothing to say.
  std::string said(const std::string& text) { return profile::to_text(found(text)); }

  profile::Diagnostics found(const std::string& text) { return found_in(minimal(text)); }

  profile::Diagnostics found_in(const std::string& whole_text) {
    profile::Loaded loaded = desk.load(whole_text);
    EXPECT_EQ(profile::to_text(loaded.diagnostics), "");
    fill(loaded.profile);
    return profile::validate(loaded.profile, machine.facts());
  }

 private:
  void assume_folder(const std::string& path) {
    if (!machine.facts().paths.contains(path) && !missing.contains(path)) machine.folder(path);
  }

  void fill(const profile::Profile& profile) {
    for (const profile::Grant& grant : profile.filesystem.grants) assume_folder(grant.path);
    for (const profile::Hidden& hidden : profile.filesystem.hidden)
      if (!hidden.optional) assume_folder(hidden.path);
    if (profile.integrity) assume_folder(profile.integrity->path);
    for (const profile::UnixSocket& socket : profile.network.unix_sockets) {
      if (machine.facts().paths.contains(socket.path) || missing.contains(socket.path)) continue;
      machine.file(socket.path);
      machine.facts().paths[socket.path].kind = profile::PathKind::Socket;
    }
  }
};

inline std::string verdict(const std::string& text) { return Trial().said(text); }

inline std::string granting_text(const std::string& access, const std::string& entry) {
  return "filesystem: {" + access + ": [" + entry + "]}\n";
}

inline std::string writing(const std::string& path) { return granting_text("write", "\"" + path + "\""); }
inline std::string reading(const std::string& path) { return granting_text("read", "\"" + path + "\""); }

inline std::string overridden(const std::string& access, const std::string& path) {
  return granting_text(access, "{path: \"" + path + "\", dangerous: true}");
}

inline bool is_error(const std::string& said) { return said.find(": error: ") != std::string::npos; }
inline bool is_warning(const std::string& said) { return said.find(": warning: ") != std::string::npos; }

}  // namespace jail::test
