#include "scene.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <system_error>

namespace jail::test {
namespace {

namespace fs = std::filesystem;

// No account has this number: above the ordinary ones (59999 is the last of Debian's), below systemd's (60001).
constexpr uid_t kUserId = 60000;

Identity identity_of(Launcher launcher) {
  if (!is_root()) return {::getuid(), ::getgid(), {}};
  if (launcher == Launcher::Root) return {0, 0, {}};
  const char* chosen = std::getenv("JAIL_TEST_UID");
  const auto id = chosen != nullptr ? static_cast<uid_t>(std::strtoul(chosen, nullptr, 10)) : kUserId;
  return {id, id, {}};
}

fs::path make_dir() {
  const char* base = std::getenv("JAIL_TEST_DIR");
  std::string name = std::string(base != nullptr ? base : "/var/tmp") + "/jail-escape-XXXXXX";
  if (::mkdtemp(name.data()) == nullptr) throw std::system_error(errno, std::system_category(), name);
  ::chmod(name.c_str(), 0755);
  return name;
}

// The attacker, copied once for each owner; scenes have links to it. Where code is emulated, running it from the new
// pages of another copy costs more than the whole jail.
class Attackers {
 public:
  Attackers() : dir_(make_dir()), maker_(::getpid()) {}
  ~Attackers() {
    std::error_code ignored;
    if (::getpid() == maker_) fs::remove_all(dir_, ignored);
  }
  Attackers(const Attackers&) = delete;
  Attackers& operator=(const Attackers&) = delete;

  fs::path of(const Identity& owner) {
    const fs::path path = dir_ / std::to_string(owner.uid);
    if (fs::exists(path)) return path;
    fs::copy_file(ATTACKER, path);
    if (is_root() && ::lchown(path.c_str(), owner.uid, owner.gid) != 0)
      throw std::system_error(errno, std::system_category(), path);
    return path;
  }

 private:
  fs::path dir_;
  pid_t maker_;
};

fs::path attacker_of(const Identity& owner) {
  static Attackers attackers;
  return attackers.of(owner);
}

std::string list(const std::string& key, const std::vector<std::string>& entries) {
  if (entries.empty()) return {};
  std::string text = "  " + key + ":\n";
  for (const std::string& entry : entries) text += "    - " + (entry[0] == '{' ? entry : "\"" + entry + "\"") + "\n";
  return text;
}

}  // namespace

Scene::Scene(Launcher launcher) : launcher_(launcher), identity_(identity_of(launcher)), dir_(make_dir()) {
  own(dir_);
  for (const char* place : {"dir", "bin", "read", "write", "secret", "log", "profile", "home", "side"})
    values_[place] = std::string(place) == "dir" ? dir_.string() : (dir_ / place).string();
  for (const char* place : {"{bin}", "{read}", "{secret}", "{log}", "{profile}", "{home}", "{read}/folder"})
    make_folder(place);
  const unsigned open_to_plugin = launcher == Launcher::Root ? 0777 : 0755;
  make_folder("{write}", open_to_plugin);
  make_folder("{side}", open_to_plugin);
  values_["attacker"] = (dir_ / "bin/attacker").string();
  fs::create_hard_link(attacker_of(identity_), at("{attacker}"));
  write_file("{read}/public", "public", open_to_plugin & 0666);
  write_file("{read}/folder/inner", "inner", open_to_plugin & 0666);
  write_file("{write}/mine", "mine", open_to_plugin & 0666);
  write_file("{secret}/key", kSecret, 0644);
  values_["uid"] = std::to_string(identity_.uid);
}

Scene::~Scene() {
  for (const pid_t child : children_) {
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
  }
  for (const int fd : kept_) ::close(fd);
  for (const auto& ending : endings_) ending();
  std::error_code ignored;
  fs::remove_all(dir_, ignored);
}

std::string Scene::expand(const std::string& text) const {
  std::string result;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const std::size_t end = text[at] == '{' ? text.find('}', at) : std::string::npos;
    const auto value = end == std::string::npos ? values_.end() : values_.find(text.substr(at + 1, end - at - 1));
    if (value == values_.end()) {
      result += text[at];
      continue;
    }
    result += value->second;
    at = end;
  }
  return result;
}

void Scene::own(const fs::path& path) const {
  if (is_root() && ::lchown(path.c_str(), identity_.uid, identity_.gid) != 0)
    throw std::system_error(errno, std::system_category(), path);
}

void Scene::write_file(const std::string& place, const std::string& content, unsigned mode) const {
  const fs::path path = at(place);
  std::ofstream(path) << content;
  if (::chmod(path.c_str(), mode) != 0) throw std::system_error(errno, std::system_category(), path);
  own(path);
}

void Scene::make_folder(const std::string& place, unsigned mode) const {
  fs::create_directories(at(place));
  ::chmod(at(place).c_str(), mode);
  own(at(place));
}

pid_t Scene::spawn(const std::function<void()>& body, const Identity& identity) {
  int ready[2];
  if (::pipe2(ready, O_CLOEXEC) != 0) throw std::system_error(errno, std::system_category(), "pipe2");
  const pid_t child = ::fork();
  if (child == 0) {
    ::setpgid(0, 0);
    if (::geteuid() == 0 && (::setresgid(identity.gid, identity.gid, identity.gid) != 0 ||
                             ::setresuid(identity.uid, identity.uid, identity.uid) != 0))
      ::_exit(99);
    ::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);  // the change of uid took it away; an ordinary process has it
    ::close(ready[0]);
    ::close(ready[1]);
    body();
    ::_exit(0);
  }
  children_.push_back(child);
  ::close(ready[1]);
  char none;
  if (::read(ready[0], &none, 1) != 0) throw std::runtime_error("a child that writes");  // end of file: it is ready
  ::close(ready[0]);
  return child;
}

pid_t Scene::spawn_victim() {
  const pid_t victim = spawn([] { ::sleep(120); }, identity_);
  set("victim", std::to_string(victim));
  return victim;
}

bool Scene::victim_lives() const {
  siginfo_t info{};
  const auto pid = static_cast<id_t>(std::stoul(value("victim")));
  return ::waitid(P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == 0;
}

std::string Scene::profile_text(const Profile& profile) const {
  const std::string text = "version: 1\nname: escape\nfilesystem:\n" + list("read", profile.read) +
                           list("write", profile.write) + list("exec", profile.exec) +
                           list("libraries", profile.libraries) + list("hide", profile.hide) + profile.more;
  return expand(text);
}

std::string Scene::write_profile(const Profile& profile, const std::string& name) const {
  const std::string path = "{profile}/" + name + ".yaml";
  write_file(path, profile_text(profile));
  return at(path);
}

Launch Scene::in_jail(const Profile& profile, const std::vector<std::string>& words,
                      const std::vector<std::string>& options) const {
  Launch launch = outside(words);
  std::vector<std::string> command = {jail_binary(), "run", "--audit", at("{log}/run.jsonl")};
  for (const std::string& option : options) command.push_back(expand(option));
  command.insert(command.end(), {write_profile(profile), "--"});
  command.insert(command.end(), launch.words.begin(), launch.words.end());
  launch.words = command;
  return launch;
}

Launch Scene::outside(const std::vector<std::string>& words) const {
  Launch launch;
  launch.words = {at("{attacker}")};
  for (const std::string& word : words) launch.words.push_back(expand(word));
  launch.environment = {{"PATH", "/usr/bin:/bin"}, {"HOME", at("{home}")}, {"API_TOKEN", kEnvSecret}};
  launch.identity = identity_;
  launch.folder = at("{write}");
  return launch;
}

std::vector<std::string> Scene::log_lines() const {
  std::vector<std::string> lines;
  std::ifstream log(at("{log}/run.jsonl"));
  for (std::string line; std::getline(log, line);) lines.push_back(line);
  return lines;
}

Profile usual_grants() { return {.read = {"{read}"}, .write = {"{write}"}, .exec = {"{attacker}"}}; }

Profile operator+(Profile left, const Profile& right) {
  const auto add = [](std::vector<std::string>& to, const std::vector<std::string>& from) {
    to.insert(to.end(), from.begin(), from.end());
  };
  add(left.read, right.read);
  add(left.write, right.write);
  add(left.exec, right.exec);
  add(left.libraries, right.libraries);
  add(left.hide, right.hide);
  left.more += right.more;
  return left;
}

Verdict verdict_of(const Outcome& outcome) {
  std::istringstream out(outcome.out);
  std::string word, result;
  Verdict verdict;
  if (outcome.out.starts_with("VERDICT ")) {
    out >> word >> result >> verdict.error;
    std::getline(out >> std::ws, verdict.detail);
    if (result == "allowed") verdict.kind = Verdict::Kind::Allowed;
    if (result == "denied") verdict.kind = Verdict::Kind::Denied;
    return verdict;
  }
  verdict.detail = outcome.error;
  if (outcome.code() == 125) verdict.kind = Verdict::Kind::Refused;
  if (outcome.code() > 128)
    verdict = {Verdict::Kind::Denied, "SIG" + std::string(::sigabbrev_np(outcome.code() - 128)), "killed"};
  return verdict;
}

std::string describe(const Outcome& outcome) {
  return "status " + std::to_string(outcome.code()) + (outcome.timed_out ? " (timed out)" : "") + "\nstdout: " +
         outcome.out + "\nstderr: " + outcome.error;
}

std::string jail_binary() {
  const char* chosen = std::getenv("JAIL_BINARY");
  return chosen != nullptr ? chosen : JAIL_BINARY;
}

int landlock_abi() {
  static const long abi = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  return abi < 0 ? 0 : static_cast<int>(abi);
}

bool is_root() { return ::geteuid() == 0; }

}  // namespace jail::test
