// Changes under a live jail, and between two runs (SECURITY C4 to C7): the host mounts, saves and renames as hosts do;
// a plugin plants a link where the next run will look for a grant. `--after` holds the attack until the host is done.
#include "case.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

namespace jail::test {
namespace {

using Act = std::function<void(const Scene&)>;

void save(const std::filesystem::path& path, const std::string& text) {
  std::ofstream(path) << text;
  ::chmod(path.c_str(), 0666);
}

bool is_jail(pid_t pid) {
  std::string name;
  return std::getline(std::ifstream("/proc/" + std::to_string(pid) + "/comm"), name) && name == "jail";
}

// A process of the host that waits until the attack is ready, acts, and lets it go on.
Act meanwhile(Act act) {
  return [act = std::move(act)](const Scene& scene) {
    if (::fork() != 0) return;
    for (int tries = 0; tries < 1500 && ::access(scene.at("{write}/ready").c_str(), F_OK) != 0; ++tries) ::usleep(2000);
    act(scene);
    save(scene.at("{write}/go"), "");
    ::_exit(0);
  };
}

// Where the promise is that the jail gets killed: what it does in the moment until then is no breach (SECURITY C4), so
// the attack goes on only when the jail had time to end, two seconds, and did not. The control has no jail to wait for.
Act and_jail_ends(Act act) {
  return [act = std::move(act)](const Scene& scene) {
    act(scene);
    const pid_t launcher = ::getppid();
    for (int tries = 0; tries < 1000 && ::getppid() == launcher && is_jail(launcher); ++tries) ::usleep(2000);
  };
}

std::vector<std::string> afterwards(std::vector<std::string> attack) {
  attack.insert(attack.begin(), {"--after", "{write}/ready", "{write}/go"});
  return attack;
}

// New mounts of the host propagate into namespaces that are its slaves.
Act shared_namespace(Act act) {
  return [act = std::move(act)](const Scene& scene) {
    if (::unshare(CLONE_NEWNS) != 0 || ::mount(nullptr, "/", nullptr, MS_REC | MS_SHARED, nullptr) != 0) ::_exit(98);
    act(scene);
  };
}

void add_late_mounts(std::vector<Case>& table) {
  const Act mount_late = [](const Scene& scene) {
    ::mount("tmpfs", scene.at("{read}/late").c_str(), "tmpfs", 0, "mode=777,size=1m");
    save(scene.at("{read}/late/marker"), "late");
  };
  const auto make_point = [](Scene& scene) { scene.make_folder("{read}/late"); };
  table.push_back({.name = "late_mount_is_written", .attack = afterwards({"change-by", "create", "{read}/late/x"}),
                   .errors = kReadOnly, .setup = make_point, .prepare = shared_namespace(meanwhile(mount_late))});
  table.push_back({.name = "late_mount_is_seen", .attack = afterwards({"read-by", "open", "{read}/late/marker"}),
                   .errors = kNotThere, .setup = make_point, .prepare = shared_namespace(meanwhile(mount_late))});
}

// An ordinary save on the host: the new file has the old one's name, the mask stays on the old one.
void add_saves(std::vector<Case>& table) {
  const Errors denied = {"EACCES", "ENOENT", "EPERM", "ENODATA", "EROFS", "SIGKILL"};
  const Act save_file = [](const Scene& scene) {
    save(scene.at("{read}/env.new"), kSecret);
    std::filesystem::rename(scene.at("{read}/env.new"), scene.at("{read}/env"));
  };
  const Act replace_folder = [](const Scene& scene) {
    std::filesystem::rename(scene.at("{write}/keys"), scene.at("{write}/keys.old"));
    std::filesystem::create_directory(scene.at("{write}/keys"));
    ::chmod(scene.at("{write}/keys").c_str(), 0777);
    save(scene.at("{write}/keys/private"), kSecret);
  };
  const auto make_file = [](Scene& scene) { scene.write_file("{read}/env", kSecret); };
  const auto make_folder = [](Scene& scene) {
    scene.make_folder("{write}/keys", 0777);
    scene.write_file("{write}/keys/private", kSecret, 0666);
  };
  const Profile hidden_file = {.hide = {"{read}/env"}}, hidden_folder = {.hide = {"{write}/keys"}};
  const Profile read_only_folder = {.read = {"{write}/keys"}};
  table.push_back({.name = "host_saves_hidden_file", .attack = afterwards({"read-by", "open", "{read}/env"}),
                   .errors = denied, .expect = Expect::DeniedOrRefused, .profile = hidden_file, .setup = make_file,
                   .prepare = meanwhile(and_jail_ends(save_file))});
  // The file lives on under its second name: nothing is told of its end, only the mask goes.
  table.push_back({.name = "host_saves_hidden_file_of_two_names",
                   .attack = afterwards({"read-by", "open", "{read}/env"}), .errors = denied,
                   .expect = Expect::DeniedOrRefused, .profile = hidden_file,
                   .setup = [make_file](Scene& scene) {
                     make_file(scene);
                     std::filesystem::create_hard_link(scene.at("{read}/env"), scene.at("{dir}/env"));
                   },
                   .prepare = meanwhile(and_jail_ends(save_file))});
  table.push_back({.name = "host_replaces_hidden_folder",
                   .attack = afterwards({"read-by", "open", "{write}/keys/private"}), .errors = denied,
                   .expect = Expect::DeniedOrRefused, .profile = hidden_folder, .setup = make_folder,
                   .prepare = meanwhile(and_jail_ends(replace_folder))});
  table.push_back({.name = "host_moves_hidden_folder_away",
                   .attack = afterwards({"read-by", "open", "{write}/keys.old/private"}), .errors = denied,
                   .expect = Expect::DeniedOrRefused, .profile = hidden_folder, .setup = make_folder,
                   .prepare = meanwhile(and_jail_ends(replace_folder))});
  table.push_back({.name = "host_replaces_read_only_folder",
                   .attack = afterwards({"change-by", "create", "{write}/keys/x"}), .errors = denied,
                   .expect = Expect::DeniedOrRefused, .profile = read_only_folder, .setup = make_folder,
                   .prepare = meanwhile(and_jail_ends(replace_folder))});
}

// Ways around the guard of what is above: farther up, under another name, in the noise.
void add_guarded(std::vector<Case>& table) {
  const Errors killed = {"SIGKILL"};
  const auto make_deep = [](Scene& scene) {
    for (const char* place : {"{write}/a", "{write}/a/b", "{write}/a/b/keys"}) scene.make_folder(place, 0777);
    scene.write_file("{write}/a/b/keys/private", kSecret, 0666);
  };
  const Act move_far_above = [](const Scene& scene) {
    std::filesystem::rename(scene.at("{write}/a"), scene.at("{write}/z"));
    std::filesystem::create_directories(scene.at("{write}/a/b/keys"));
    save(scene.at("{write}/a/b/keys/private"), kSecret);
  };
  table.push_back({.name = "host_moves_a_folder_two_levels_up",
                   .attack = afterwards({"read-by", "open", "{write}/a/b/keys/private"}), .errors = killed,
                   .profile = {.hide = {"{write}/a/b/keys"}}, .setup = make_deep,
                   .prepare = meanwhile(and_jail_ends(move_far_above))});
  // A read grant between the write grant around it and the mask: moved, the outer one shows what stands in its place.
  table.push_back({.name = "host_moves_a_grant_between",
                   .attack = afterwards({"read-by", "open", "{write}/a/b/keys/private"}), .errors = killed,
                   .profile = {.read = {"{write}/a/b"}, .hide = {"{write}/a/b/keys"}}, .setup = make_deep,
                   .prepare = meanwhile(and_jail_ends(move_far_above))});
  const Act move_grant = [](const Scene& scene) {
    std::filesystem::rename(scene.at("{read}"), scene.at("{dir}/read.old"));
    std::filesystem::create_directories(scene.at("{read}/folder"));
    save(scene.at("{read}/folder/inner"), kSecret);
  };
  table.push_back({.name = "host_moves_the_grant_itself",
                   .attack = afterwards({"read-by", "open", "{read}/folder/inner"}), .errors = {"EACCES", "ENOENT"},
                   .profile = {.hide = {"{read}/folder"}}, .prepare = meanwhile(move_grant)});
  const Act delete_folder = [](const Scene& scene) {
    std::filesystem::remove_all(scene.at("{write}/a/b/keys"));
    scene.make_folder("{write}/a/b/keys", 0777);
  };
  table.push_back({.name = "host_deletes_read_only_folder",
                   .attack = afterwards({"change-by", "create", "{write}/a/b/keys/x"}), .errors = killed,
                   .profile = {.read = {"{write}/a/b/keys"}}, .setup = make_deep,
                   .prepare = meanwhile(and_jail_ends(delete_folder))});
}

void bind_alias(const Scene& scene) {
  if (::unshare(CLONE_NEWNS) != 0 || ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      ::mount(scene.at("{read}").c_str(), scene.at("{dir}/alias").c_str(), nullptr, MS_BIND, nullptr) != 0)
    ::_exit(98);
}

// The folder has two names on the host: which of them it is changed by, and which is granted, makes no difference.
void add_guarded_aliases(std::vector<Case>& table) {
  for (const auto& [name, changed, granted] : {std::tuple{"host_saves_through_an_alias", "{dir}/alias", "{read}"},
                                               {"host_saves_what_an_alias_shows", "{read}", "{dir}/alias"}})
    for (const std::string how : {"save", "move"}) {
      const Act act = [how, changed = std::string(changed)](const Scene& scene) {
        if (how == "move") std::filesystem::rename(scene.at(changed + "/env"), scene.at(changed + "/old"));
        save(scene.at(changed + "/new"), kSecret);
        std::filesystem::rename(scene.at(changed + "/new"), scene.at(changed + "/env"));
      };
      table.push_back({.name = std::string(name) + "_" + how,
                       .attack = afterwards({"read-by", "open", std::string(granted) + "/env"}),
                       .errors = {"SIGKILL"}, .profile = {.read = {"{dir}/alias"}, .hide = {"{read}/env"}},
                       .setup = [](Scene& scene) {
                         scene.write_file("{read}/env", kSecret);
                         scene.make_folder("{dir}/alias");
                       },
                       .prepare = [act](const Scene& scene) {
                         bind_alias(scene);
                         meanwhile(and_jail_ends(act))(scene);
                       }});
    }
}

// The plugin's own work beside a guarded place is no breach, and drowns none.
void add_guarded_noise(std::vector<Case>& table) {
  const auto make = [](unsigned mode) {
    return [=](Scene& scene) {
      scene.make_folder("{write}/keys", 0777);
      scene.make_folder("{write}/other", 0777);
      scene.write_file("{write}/keys/private", kSecret, 0666);
      scene.make_folder("{write}/keys", mode);
    };
  };
  const Profile hidden = {.hide = {"{write}/keys"}};
  const auto churn = [](const char* path) {
    return std::vector<std::string>{"churn", "{write}", "20000", "{write}/ready", "{write}/go", path};
  };
  const Act replace = [](const Scene& scene) {
    std::filesystem::rename(scene.at("{write}/keys"), scene.at("{write}/keys.old"));
    std::filesystem::create_directory(scene.at("{write}/keys"));
    save(scene.at("{write}/keys/private"), kSecret);
  };
  table.push_back({.name = "plugin_works_beside_a_hidden_folder", .attack = churn("{write}/mine"),
                   .expect = Expect::Allowed, .profile = hidden, .setup = make(0777),
                   .prepare = meanwhile([](const Scene&) {})});
  // A folder that an ordinary launcher cannot read is watched by its name, amid all the others.
  for (const auto& [name, mode] : {std::pair{"noise_hides_no_move", 0777U}, {"noise_hides_no_move_by_name", 0U}})
    table.push_back({.name = name, .attack = churn("{write}/keys/private"), .errors = {"SIGKILL"}, .profile = hidden,
                     .setup = make(mode), .prepare = meanwhile(and_jail_ends(replace))});
  for (const auto& [name, from, to] :
       {std::tuple{"away", "{write}/keys", "{write}/gone"}, {"over", "{write}/keys", "{write}/other"}})
    table.push_back({.name = std::string("plugin_moves_hidden_") + name, .attack = {"rename", from, to},
                     .errors = {"EBUSY", "EACCES", "EPERM", "EXDEV", "EROFS"}, .profile = hidden,
                     .setup = make(0777)});
}

// SECURITY C5: what hides today must hide in the next run too.
void add_hidden_ancestors(std::vector<Case>& table) {
  const auto make = [](Scene& scene) {
    scene.make_folder("{write}/a", 0777);
    scene.make_folder("{write}/a/keys", 0777);
    scene.write_file("{write}/a/keys/private", kSecret, 0666);
    scene.make_folder("{dir}/alias");
  };
  const Errors denied = {"EBUSY", "EACCES", "EPERM", "EXDEV", "EROFS"};
  const Profile hidden = {.hide = {"{write}/a/keys"}};
  for (const auto& [name, attack] : std::vector<std::pair<std::string, std::vector<std::string>>>{
           {"rename", {"rename", "{write}/a", "{write}/b"}}, {"exchange", {"exchange", "{write}/a", "{write}/mine"}}})
    table.push_back({.name = "hidden_ancestor_" + name, .attack = attack, .errors = denied,
                     .expect = Expect::DeniedOrRefused, .profile = hidden, .setup = make});
  // What the operator made read-only inside a write grant is lost when its parent can be renamed away.
  const Profile read_only = {.read = {"{write}/a/keys"}}, library = {.libraries = {"{write}/a/keys"}};
  for (const auto& [name, profile] : {std::pair{"read_only", read_only}, std::pair{"library", library}})
    for (const std::string how : {"rename", "exchange"})
      table.push_back({.name = std::string(name) + "_ancestor_" + how,
                       .attack = {how, "{write}/a", how == "rename" ? "{write}/b" : "{write}/mine"}, .errors = denied,
                       .expect = Expect::DeniedOrRefused, .profile = profile, .setup = make});
  // The same tree under a second name: a bind mount of the host's.
  table.push_back({.name = "hidden_under_an_alias", .attack = {"read-by", "open", "{dir}/alias/folder/inner"},
                   .errors = {"EACCES", "ENOENT", "EPERM", "ENODATA"}, .expect = Expect::DeniedOrRefused,
                   .profile = {.read = {"{dir}/alias"}, .hide = {"{read}/folder"}}, .setup = make,
                   .prepare = bind_alias});
}

// A program's interpreter is added to the plan (DECISIONS 9). The program's author chooses it: it must not be a way to
// any file that happens to be executable.
void add_planted_interpreters(std::vector<Case>& table) {
  const auto script = [](Scene& scene) {
    ::chmod(scene.at("{secret}/key").c_str(), 0755);
    scene.write_file("{read}/tool", "#!" + scene.at("{secret}/key").string() + "\n", 0755);
  };
  const auto shell_script = [](Scene& scene) { scene.write_file("{read}/tool", "#!/bin/sh\n", 0755); };
  const Profile of_plugin = {.exec = {"${plugin}/tool"}};
  table.push_back({.name = "planted_interpreter_is_read", .attack = {"read-by", "open", "{secret}/key"},
                   .errors = kNotThere, .expect = Expect::DeniedOrRefused, .profile = of_plugin, .control = outside(),
                   .options = {"--set", "plugin={read}"}, .setup = script});
  table.push_back({.name = "planted_interpreter_is_run", .attack = {"start-file", "/bin/sh"},
                   .errors = kNotRunnable, .expect = Expect::DeniedOrRefused,
                   .profile = {.exec = {"${plugin}/tool"}, .more = "extends: [base]\n"}, .control = outside(),
                   .options = {"--set", "plugin={read}"}, .setup = shell_script});
  // Named by the operator it starts, and so does the interpreter of a program that only the operator can have written.
  const Profile named = {.exec = {"${plugin}/tool", "/bin/sh"}, .more = "extends: [base]\n"};
  const Profile unnamed = {.exec = {"{read}/tool"}, .more = "extends: [base]\n"};
  table.push_back({.name = "named_interpreter_works", .attack = {"start-file", "{read}/tool"},
                   .expect = Expect::Allowed, .profile = named, .options = {"--set", "plugin={read}"},
                   .setup = shell_script});
  table.push_back({.name = "interpreter_of_the_operators_script_works", .attack = {"start-file", "{read}/tool"},
                   .expect = Expect::Allowed, .profile = unnamed, .setup = shell_script});
  table.push_back({.name = "strangers_script_brings_nothing", .attack = {"start-file", "/bin/sh"},
                   .expect = Expect::Refused, .profile = unnamed, .control = outside(),
                   .setup = [shell_script](Scene& scene) {
                     shell_script(scene);
                     ::chmod(scene.at("{read}/tool").c_str(), 0777);
                   },
                   .names = "/bin/sh"});
}

// SECURITY C6: links where a plugin could have planted them. The run must not start, and must name the link.
void add_planted_links(std::vector<Case>& table) {
  const auto plant = [](const std::string& link, const std::string& target) {
    return [=](Scene& scene) {
      EXPECT_EQ(::symlink(scene.expand(target).c_str(), scene.at(link).c_str()), 0);
      scene.own(scene.at(link));
    };
  };
  const Profile plugin_data = {.read = {"${plugin}/data"}};
  const std::tuple<std::string, Profile, std::string, std::string> plants[] = {
      {"grant_below_write_grant", {.read = {"{write}/cache"}}, "{write}/cache", "{secret}"},
      {"parent_of_grant", {.read = {"{write}/link/key"}}, "{write}/link", "{secret}"},
      {"relative_parent_of_grant", {.read = {"{write}/link/key"}}, "{write}/link", "../secret"},
      {"write_grant_below_write_grant", {.write = {"{write}/cache"}}, "{write}/cache", "{secret}"},
      {"exec_grant_below_write_grant", {.exec = {"{write}/tool"}}, "{write}/tool", "{attacker}"},
      {"plugin_data", plugin_data, "{read}/data", "{secret}"},
  };
  for (const auto& [name, profile, link, target] : plants)
    table.push_back({.name = "planted_" + name, .attack = {"read-by", "open", "{secret}/key"},
                     .expect = Expect::Refused, .profile = profile, .control = outside(),
                     .options = {"--set", "plugin={read}"}, .setup = plant(link, target),
                     .names = link.substr(link.rfind('/') + 1)});
  table.push_back({.name = "link_of_the_system_works", .attack = {"read-by", "open", "/etc/localtime"},
                   .expect = Expect::Allowed, .profile = {.read = {"/etc/localtime"}}});
}

}  // namespace

std::vector<Case> change_cases() {
  std::vector<Case> table;
  add_late_mounts(table);
  add_saves(table);
  add_guarded(table);
  add_guarded_aliases(table);
  add_guarded_noise(table);
  add_hidden_ancestors(table);
  add_planted_interpreters(table);
  add_planted_links(table);
  return table;
}

}  // namespace jail::test
