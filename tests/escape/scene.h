// The place of one attempt: a fresh folder with something to read, something to write and a secret that nobody grants,
// owned by whoever starts the jail. It knows how to run an attack inside a jail and, as the control, outside.
//
//   {dir}/bin      the attacker                 {dir}/read    granted read: `public`, `folder/inner`
//   {dir}/log      the audit log                {dir}/write   granted write: `mine`; the current directory inside
//   {dir}/profile  the profile                  {dir}/secret  not granted: `key`
//   {dir}/home     HOME of the launcher         {dir}/side    not granted; handshakes are granted by the tests
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "launch.h"

namespace jail::test {

enum class Launcher { Root, User };

// What a profile says, line by line; `{name}` stands for a place or a value of the scene.
struct Profile {
  std::vector<std::string> read = {}, write = {}, exec = {}, libraries = {}, hide = {};
  std::string more = {};  // further YAML; what is indented continues `filesystem`
};

// What most attempts are granted: {read}, {write} and the attacker.
Profile usual_grants();
Profile operator+(Profile left, const Profile& right);

struct Verdict {
  enum class Kind { Allowed, Denied, Refused, None };  // Refused: 125, nothing of the plugin ran
  Kind kind = Kind::None;
  std::string error;   // errno by name, "-", or the signal ("SIGSYS") that ended the attacker
  std::string detail;
};

constexpr const char* kSecret = "the-secret-nobody-granted";
constexpr const char* kEnvSecret = "env-secret-nobody-granted";

class Scene {
 public:
  explicit Scene(Launcher launcher);
  Scene(const Scene&) = delete;
  Scene& operator=(const Scene&) = delete;
  ~Scene();

  const std::filesystem::path& dir() const { return dir_; }
  const Identity& identity() const { return identity_; }
  Launcher launcher() const { return launcher_; }
  std::filesystem::path at(const std::string& place) const { return expand(place); }

  void set(const std::string& name, const std::string& value) { values_[name] = value; }
  std::string value(const std::string& name) const { return values_.at(name); }
  std::string expand(const std::string& text) const;

  // Files and folders belong to the launcher; the plugin of a root launcher has another uid, so that what it may write
  // is open to all.
  void write_file(const std::string& place, const std::string& content, unsigned mode = 0644) const;
  void make_folder(const std::string& place, unsigned mode = 0755) const;
  void own(const std::filesystem::path& path) const;

  // A process of the launcher's identity that does nothing and is killed with the scene. `{victim}` is its pid.
  pid_t spawn_victim();
  bool victim_lives() const;
  // Any other child, killed with the scene.
  pid_t spawn(const std::function<void()>& body, const Identity& identity);
  // Keeps a descriptor open as long as the scene.
  void keep(int fd) { kept_.push_back(fd); }
  // What else must not outlive the scene: objects of the kernel that are not descriptors.
  void at_end(std::function<void()> action) { endings_.push_back(std::move(action)); }

  std::string profile_text(const Profile& profile) const;
  std::string write_profile(const Profile& profile, const std::string& name = "test") const;
  Launch in_jail(const Profile& profile, const std::vector<std::string>& words,
                 const std::vector<std::string>& options = {}) const;
  Launch outside(const std::vector<std::string>& words) const;
  std::vector<std::string> log_lines() const;

 private:
  Launcher launcher_;
  Identity identity_;
  std::filesystem::path dir_;
  std::map<std::string, std::string> values_;
  std::vector<pid_t> children_;
  std::vector<int> kept_;
  std::vector<std::function<void()>> endings_;
};

Verdict verdict_of(const Outcome& outcome);
std::string describe(const Outcome& outcome);

// The binary under test: JAIL_BINARY in the environment, else the one of the same build.
std::string jail_binary();
// 0 where Landlock is absent.
int landlock_abi();
bool is_root();

}  // namespace jail::test
