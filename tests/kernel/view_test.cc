// The view on the running kernel: what it shows, what each mount forbids, and what hiding and changing paths come to.
// Whoever looks here still has every capability of its user namespace: what holds against that holds against a plugin.
#include "confine/view.h"

#include <dirent.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <fstream>
#include <set>

#include "jailed.h"
#include "run/facts.h"
#include "run/resolve.h"

namespace jail::confine::view {
namespace {

using profile::Access;
using test::all;
using test::expect;
using test::expect_failure;
using test::in_view;
using test::Scratch;

profile::Profile granting(const std::vector<std::pair<Access, std::string>>& grants,
                          const std::vector<std::string>& hidden = {}) {
  profile::Profile profile;
  profile.filesystem.temporary.value = 1 << 20;
  for (const auto& [access, path] : grants)
    profile.filesystem.grants.push_back({.access = access, .path = path, .optional = false, .place = {}});
  for (const std::string& path : hidden)
    profile.filesystem.hidden.push_back({.path = path, .optional = false, .place = {}});
  return profile;
}

// As `run` does it, with the machine looked at by whoever is asked.
Plan planned(const profile::Profile& profile) {
  profile::Facts facts;
  run::Chains chains;
  const run::Resolver resolver({}, ::geteuid(), chains);
  for (const auto& grant : profile.filesystem.grants) facts.paths[grant.path] = resolver.resolve(grant.path);
  for (const auto& hidden : profile.filesystem.hidden) facts.paths[hidden.path] = resolver.resolve(hidden.path);
  return view::plan(profile, facts, run::collect_mounts(profile));
}

std::set<std::string> names_in(const std::string& path) {
  std::set<std::string> names;
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir(path.c_str()), ::closedir);
  while (const dirent* entry = folder ? ::readdir(folder.get()) : nullptr)
    if (entry->d_name != std::string(".") && entry->d_name != std::string("..")) names.insert(entry->d_name);
  return names;
}

std::string joined(const std::set<std::string>& names) {
  std::string all;
  for (const std::string& name : names) all += name + " ";
  return all;
}

std::string expect_names(const std::string& path, const std::set<std::string>& wanted) {
  const std::set<std::string> names = names_in(path);
  return expect(names == wanted, path + " shows " + joined(names) + "instead of " + joined(wanted));
}

bool writes(const std::string& path) {
  const Fd file(::open(path.c_str(), O_WRONLY | O_CREAT, 0600));
  return static_cast<bool>(file);
}

bool reads(const std::string& path) { return static_cast<bool>(Fd(::open(path.c_str(), O_RDONLY))); }

std::string text_of(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// Runs the file; true when the kernel started it.
bool starts(const std::string& path) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::execl(path.c_str(), "plugin", "exit", "0", nullptr);
    ::_exit(99);
  }
  return test::status_of(child) == 0;
}

class View : public test::ForEitherStarter {
 protected:
  // A folder with a program, a file and a folder in it, all of them the plugin's own.
  View() {
    scratch.folder("tree/sub/deep");
    scratch.file("tree/file", "text");
    scratch.file("tree/sub/deep/file", "text");
    std::filesystem::copy_file(JAIL_TEST_PLUGIN, scratch / "tree/program");
    if (::geteuid() == 0) scratch.give_to(plugin_uid(), "tree");
  }
  [[nodiscard]] std::string inside(const profile::Profile& profile, const std::function<std::string()>& body) const {
    return in_view(
        GetParam(), [plan = planned(profile)] { return plan; }, body);
  }

  Scratch scratch;
  std::string tree = scratch / "tree";
};
INSTANTIATE_TEST_SUITE_P(, View, test::either_starter(), test::name_of);

// ---- what is there

TEST_P(View, ShowsNothingButWhatIsGranted) {
  EXPECT_EQ(
      inside(granting({{Access::Read, tree + "/sub"}, {Access::Read, tree + "/file"}}),
             [&] {
               return all({expect_names("/", {"dev", "proc", "tmp", "var"}), expect_names("/var", {"tmp"}),
                           expect_names("/var/tmp", {scratch.path().substr(9)}), expect_names(scratch.path(), {"tree"}),
                           expect_names(tree, {"file", "sub"}), expect_names(tree + "/sub", {"deep"}),
                           expect(text_of(tree + "/file") == "text", "the granted file cannot be read")});
             }),
      "");
}

TEST_P(View, OfNothingIsEmpty) {
  EXPECT_TRUE(names_in("/").contains("etc")) << "the control: the host has more";
  EXPECT_EQ(inside(granting({}),
                   [] {
                     return all({expect_names("/", {"dev", "proc", "tmp"}), expect_names("/tmp", {}),
                                 expect_names("/dev/shm", {}),
                                 expect_names("/dev", {"fd", "full", "null", "ptmx", "pts", "random", "shm", "stderr",
                                                       "stdin", "stdout", "tty", "urandom", "zero"})});
                   }),
            "");
}

TEST_P(View, LeavesNoWayBackToTheHostsTree) {
  EXPECT_EQ(
      inside(granting({}),
             [] {
               std::string text = expect(verify(), "the root is not the view's");
               for (const char* way : {"/../../etc/passwd", "/proc/1/root/etc/passwd", "/proc/self/cwd/../etc/passwd"})
                 text += expect(!reads(way), std::string(way) + " can be read");
               if (::syscall(SYS_pivot_root, ".", ".") == 0) text += "the root can be changed again\n";
               (void)::umount2("/", MNT_DETACH);
               return all({text, expect(!reads("/etc/passwd"), "/etc/passwd can be read with the root taken away")});
             }),
      "");
  EXPECT_FALSE(verify()) << "the control: here the host's root still stands";
}

TEST_P(View, MakesTheLinksOfAGrantAgain) {
  scratch.link("way", "tree/sub");
  EXPECT_EQ(inside(granting({{Access::Read, scratch / "way"}}),
                   [&] {
                     return all({expect_names(scratch.path(), {"tree", "way"}), expect_names(tree, {"sub"}),
                                 expect(text_of(scratch / "way/deep/file") == "text", "the link leads nowhere")});
                   }),
            "");
}

TEST_P(View, AGrantBelowTheTemporaryFolderLiesOnTopOfIt) {
  char name[] = "/tmp/jail-test-XXXXXX";
  ASSERT_NE(::mkdtemp(name), nullptr);
  ASSERT_EQ(::chmod(name, 0755), 0);
  const std::string folder = name;
  EXPECT_EQ(
      inside(
          granting({{Access::Read, folder}}),
          [&] {
            return all({expect_names("/tmp", {folder.substr(5)}), expect(writes("/tmp/own"), "/tmp is not writable")});
          }),
      "");
  ::rmdir(name);
}

// ---- what each mount forbids

struct Flags {
  const char* path;
  unsigned long wanted;
};

std::string expect_flags(const std::string& path, unsigned long wanted) {
  constexpr unsigned long kAll = ST_RDONLY | ST_NOSUID | ST_NODEV | ST_NOEXEC;
  struct statvfs status {};
  if (::statvfs(path.c_str(), &status) != 0) return path + " is not there\n";
  return expect((status.f_flag & kAll) == wanted,
                path + " has flags " + std::to_string(status.f_flag & kAll) + ", wanted " + std::to_string(wanted));
}

TEST_P(View, EachGrantForbidsWhatItDoesNotMean) {
  const std::vector<std::pair<Access, unsigned long>> all = {
      {Access::Read, ST_RDONLY | ST_NOSUID | ST_NODEV | ST_NOEXEC},
      {Access::Write, ST_NOSUID | ST_NODEV | ST_NOEXEC},
      {Access::Exec, ST_RDONLY | ST_NOSUID | ST_NODEV},
      {Access::Library, ST_RDONLY | ST_NOSUID | ST_NODEV}};
  for (const auto& [access, flags] : all)
    EXPECT_EQ(inside(granting({{access, tree}}), [&, flags = flags] { return expect_flags(tree, flags); }), "");
}

TEST_P(View, ItsOwnPlacesForbidAllTheyCan) {
  EXPECT_EQ(inside(granting({}),
                   [] {
                     constexpr unsigned long kData = ST_NOSUID | ST_NODEV | ST_NOEXEC;
                     std::string text;
                     for (const Flags& row : {Flags{"/", kData | ST_RDONLY},
                                              {"/dev", kData | ST_RDONLY},
                                              {"/tmp", kData},
                                              {"/dev/shm", kData},
                                              {"/proc", kData},
                                              {"/dev/pts", ST_NOSUID | ST_NOEXEC},
                                              {"/dev/null", ST_NOSUID | ST_NOEXEC}})
                       text += expect_flags(row.path, row.wanted);
                     return text;
                   }),
            "");
}

TEST_P(View, OnlyAWriteGrantIsWritten) {
  for (const Access access : {Access::Read, Access::Exec, Access::Library})
    EXPECT_EQ(inside(granting({{access, tree}}),
                     [&] {
                       return all({expect_failure(!writes(tree + "/new"), EROFS, "a new file"),
                                   expect_failure(!writes(tree + "/file"), EROFS, "the file"),
                                   expect_failure(::unlink((tree + "/file").c_str()) != 0, EROFS, "unlink"),
                                   expect_failure(::chmod((tree + "/file").c_str(), 0600) != 0, EROFS, "chmod"),
                                   expect_failure(::rename((tree + "/file").c_str(), (tree + "/f").c_str()) != 0, EROFS,
                                                  "rename")});
                     }),
              "");
  EXPECT_EQ(inside(granting({{Access::Write, tree}}),
                   [&] {
                     return all({expect(writes(tree + "/new"), "the control: no new file"),
                                 expect(writes(tree + "/file"), "not the file"),
                                 expect(::rename((tree + "/new").c_str(), (tree + "/n").c_str()) == 0, "no rename"),
                                 expect(::unlink((tree + "/n").c_str()) == 0, "no unlink")});
                   }),
            "");
}

TEST_P(View, OnlyAnExecGrantStartsPrograms) {
  for (const Access access : {Access::Read, Access::Write})
    EXPECT_EQ(inside(granting({{access, tree}}), [&] { return expect(!starts(tree + "/program"), "it was started"); }),
              "");
  EXPECT_EQ(inside(granting({{Access::Exec, tree + "/program"}}),
                   [&] { return expect(starts(tree + "/program"), "the control: not started"); }),
            "");
}

TEST_P(View, AReadOnlyPlaceInsideAWriteGrantStaysSo) {
  EXPECT_EQ(
      inside(granting({{Access::Write, tree}, {Access::Read, tree + "/sub"}, {Access::Write, tree + "/sub/deep"}}),
             [&] {
               return all({expect(writes(tree + "/new"), "the control: the grant around it"),
                           expect_failure(!writes(tree + "/sub/new"), EROFS, "in the read-only place"),
                           expect(writes(tree + "/sub/deep/new"), "the control: the grant inside it")});
             }),
      "");
}

// Else the next run would protect a new, empty folder of that name, and the old one would be writable under another.
TEST_P(View, NoRenameOfAFolderAboveMovesAReadOnlyPlaceAway) {
  const std::string sub = tree + "/sub", other = tree + "/other";
  EXPECT_EQ(
      inside(granting({{Access::Write, tree}, {Access::Read, sub + "/deep"}}),
             [&] {
               return all(
                   {expect_failure(::rename(sub.c_str(), other.c_str()) != 0, EBUSY, "rename of the folder above"),
                    expect_failure(::rename((sub + "/deep").c_str(), (sub + "/x").c_str()) != 0, EBUSY, "of the place"),
                    expect(writes(sub + "/new"), "the control: the folder above cannot be written")});
             }),
      "");
  EXPECT_EQ(inside(granting({{Access::Write, tree}, {Access::Write, sub + "/deep"}}),
                   [&] {
                     return expect(::rename(sub.c_str(), other.c_str()) == 0,
                                   "the control: nothing to protect, not renamed");
                   }),
            "");
}

// A mount that stands below a granted folder comes with it, and must not be freer than the grant.
TEST_P(View, TheFlagsReachEveryMountBelowAGrant) {
  const auto with_mount = [&](const profile::Profile& profile) {
    return [&, profile] {
      check(::mount("test", (tree + "/sub/deep").c_str(), "tmpfs", 0, "mode=0777"), "mount");
      std::filesystem::copy_file(JAIL_TEST_PLUGIN, tree + "/sub/deep/program");
      return planned(profile);
    };
  };
  EXPECT_EQ(in_view(GetParam(), with_mount(granting({{Access::Read, tree}})),
                    [&] {
                      return all({expect_failure(!writes(tree + "/sub/deep/new"), EROFS, "a file in the mount below"),
                                  expect(!starts(tree + "/sub/deep/program"), "a program there was started"),
                                  expect_flags(tree + "/sub/deep", ST_RDONLY | ST_NOSUID | ST_NODEV | ST_NOEXEC)});
                    }),
            "");
  EXPECT_EQ(
      in_view(GetParam(), with_mount(granting({{Access::Write, tree}})),
              [&] { return expect(writes(tree + "/sub/deep/new"), "the control: not written under a write grant"); }),
      "");
}

TEST_P(View, DeviceNodesOfAGrantAreDead) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root makes device nodes";
  const std::string node = tree + "/zero";
  ASSERT_EQ(::mknod(node.c_str(), S_IFCHR | 0666, makedev(1, 5)), 0);
  ASSERT_EQ(::chmod(node.c_str(), 0666), 0);
  EXPECT_TRUE(reads(node)) << "the control: a node like this works on the host";
  EXPECT_EQ(inside(granting({{Access::Write, tree}}), [&] { return expect_failure(!reads(node), EACCES, "the node"); }),
            "");
}

TEST_P(View, ItsOwnDevicesWork) {
  EXPECT_EQ(inside(granting({}),
                   [] {
                     char byte = 1;
                     const Fd zero(::open("/dev/zero", O_RDONLY)), null(::open("/dev/null", O_WRONLY));
                     std::string text = all({expect(::read(zero.get(), &byte, 1) == 1 && byte == 0, "/dev/zero"),
                                             expect(::write(null.get(), "x", 1) == 1, "/dev/null")});
                     for (const char* name : {"/dev/random", "/dev/urandom", "/dev/full", "/dev/fd/0", "/dev/ptmx"})
                       text += expect(reads(name), name);
                     for (const char* name : {"/dev/mem", "/dev/kmsg", "/dev/console", "/dev/net/tun", "/dev/fuse",
                                              "/dev/kvm", "/dev/vda"})
                       text += expect(::access(name, F_OK) != 0, std::string(name) + " is there");
                     return text;
                   }),
            "");
}

TEST_P(View, ProcShowsTheJailsProcessesAndNothingOfTheKernel) {
  const std::string host_pid = std::to_string(::getpid());
  EXPECT_EQ(inside(granting({}),
                   [&] {
                     std::string text;
                     for (const char* name :
                          {"sys", "kcore", "sysrq-trigger", "keys", "kallsyms", "kmsg", "net", "mounts", "bus", "irq"})
                       text += expect(::access((std::string("/proc/") + name).c_str(), F_OK) != 0 ||
                                          name == std::string("net") || name == std::string("mounts"),
                                      std::string("/proc/") + name + " is there");
                     text +=
                         expect(::access(("/proc/" + host_pid).c_str(), F_OK) != 0, "a process of the host is there");
                     return all({text, expect(text_of("/proc/self/status").find("\nPid:\t1\n") != std::string::npos,
                                              "we are not pid 1")});
                   }),
            "");
}

// ---- sizes

TEST_P(View, TheTemporaryFoldersShareOneSize) {
  const auto fill = [](const std::string& path, std::size_t bytes) {
    const Fd file(::open(path.c_str(), O_WRONLY | O_CREAT, 0600));
    const std::string block(bytes, 'x');
    return ::write(file.get(), block.data(), block.size());
  };
  EXPECT_EQ(inside(granting({}),
                   [&] {
                     std::string text =
                         expect(fill("/tmp/a", 600'000) == 600'000, "the control: 600 kB of 1 MiB do not fit");
                     const ssize_t second = fill("/dev/shm/b", 600'000);
                     text += expect(second >= 0 && second < 600'000, "1.2 MB fit into 1 MiB");
                     text += expect_failure(fill("/tmp/c", 4096) < 0, ENOSPC, "one page more");
                     return all({text, expect(::unlink("/tmp/a") == 0 && fill("/dev/shm/d", 4096) == 4096,
                                              "room is not given back")});
                   }),
            "");
}

TEST_P(View, TheTemporaryFoldersHaveABoundOfFilesToo) {
  EXPECT_EQ(inside(granting({}),
                   [] {
                     int made = 0;
                     while (made < 5000 && ::mkdir(("/tmp/" + std::to_string(made)).c_str(), 0700) == 0) ++made;
                     return all({expect(made > 500, "only " + std::to_string(made) + " folders"),
                                 expect_failure(made < 5000, ENOSPC, "5000 folders")});
                   }),
            "");
}

TEST_P(View, AnybodyMayUseTheTemporaryFoldersAndNobodyAnothersFiles) {
  EXPECT_EQ(inside(granting({}),
                   [] {
                     struct stat tmp {
                     }, shm{};
                     check(::stat("/tmp", &tmp), "stat");
                     check(::stat("/dev/shm", &shm), "stat");
                     return expect((tmp.st_mode & 07777) == 01777 && (shm.st_mode & 07777) == 01777, "not mode 1777");
                   }),
            "");
}

TEST_P(View, TheRootAndDevTakeNothingNew) {
  EXPECT_EQ(inside(granting({{Access::Read, tree}}),
                   [&] {
                     return all({expect_failure(!writes("/new"), EROFS, "in /"),
                                 expect_failure(!writes("/dev/new"), EROFS, "in /dev"),
                                 expect_failure(::mkdir((scratch / "new").c_str(), 0700) != 0, EROFS, "beside a grant"),
                                 expect_failure(::unlink("/dev/fd") != 0, EROFS, "a link of ours"),
                                 expect(writes("/tmp/new"), "the control: in /tmp")});
                   }),
            "");
}

// ---- what is hidden

std::string expect_hidden_folder(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return path + " is not even there\n";
  return all({expect((status.st_mode & 07777) == 0, path + " has a mode"),
              expect(names_in(path).empty(), path + " shows " + joined(names_in(path))),
              expect(::access((path + "/file").c_str(), F_OK) != 0, path + "/file is there"),
              expect(!writes(path + "/file"), "a file can be made in " + path),
              expect_failure(::chmod(path.c_str(), 0700) != 0, EROFS, "chmod of " + path)});
}

TEST_P(View, AHiddenFolderReadsAsEmptyAndTakesNothing) {
  EXPECT_EQ(inside(granting({{Access::Write, tree}}),
                   [&] { return expect(reads(tree + "/sub/deep/file"), "the control: not hidden"); }),
            "");
  EXPECT_EQ(inside(granting({{Access::Write, tree}}, {tree + "/sub/deep"}),
                   [&] {
                     return all({expect_hidden_folder(tree + "/sub/deep"),
                                 expect(reads(tree + "/file"), "the control: its neighbour"),
                                 expect_names(tree + "/sub", {"deep"})});
                   }),
            "");
}

TEST_P(View, AHiddenFileReadsAsNothing) {
  EXPECT_EQ(
      inside(granting({{Access::Write, tree}}, {tree + "/file"}),
             [&] {
               struct stat status {};
               check(::stat((tree + "/file").c_str(), &status), "stat");
               return all(
                   {expect(status.st_size == 0 && (status.st_mode & 07777) == 0, "it has a size or a mode"),
                    expect(text_of(tree + "/file").empty(), "it can be read"),
                    expect_failure(::truncate((tree + "/file").c_str(), 0) != 0, EROFS, "truncate"),
                    expect_failure(::unlink((tree + "/file").c_str()) != 0, EBUSY, "unlink"),
                    expect_failure(::rename((tree + "/file").c_str(), (tree + "/x").c_str()) != 0, EBUSY, "rename"),
                    expect_failure(::link((tree + "/file").c_str(), (tree + "/x").c_str()) != 0, EXDEV, "link"),
                    expect_failure(::rename((tree + "/program").c_str(), (tree + "/file").c_str()) != 0, EBUSY,
                                   "rename over it")});
             }),
      "");
}

TEST_P(View, NoRenameOfAFolderAboveUndoesAMask) {
  const std::string sub = tree + "/sub", other = tree + "/other", deep = sub + "/deep";
  EXPECT_EQ(inside(granting({{Access::Write, tree}}),
                   [&] {
                     return expect(
                         ::rename(sub.c_str(), other.c_str()) == 0 && ::rename(other.c_str(), sub.c_str()) == 0,
                         "the control: not renamed");
                   }),
            "");
  EXPECT_EQ(
      inside(granting({{Access::Write, tree}}, {deep}),
             [&] {
               return all(
                   {expect_failure(::rename(sub.c_str(), other.c_str()) != 0, EBUSY, "rename of the folder above"),
                    expect_failure(::rename(deep.c_str(), (sub + "/x").c_str()) != 0, EBUSY, "rename of the mask"),
                    expect_failure(::rmdir(deep.c_str()) != 0, EBUSY, "rmdir of the mask"),
                    expect_hidden_folder(deep)});
             }),
      "");
}

TEST_P(View, WhatIsHiddenIsHiddenByEveryNameItHas) {
  scratch.folder("alias");
  const std::string deep = tree + "/sub/deep", alias = scratch / "alias";
  const profile::Profile profile = granting({{Access::Read, tree}, {Access::Read, alias}}, {deep});
  EXPECT_EQ(in_view(
                GetParam(),
                [&] {
                  check(::mount((tree + "/sub").c_str(), alias.c_str(), nullptr, MS_BIND, nullptr), "bind");
                  return planned(profile);
                },
                [&] {
                  return all({expect_hidden_folder(deep), expect_hidden_folder(alias + "/deep")});
                }),
            "");
}

TEST_P(View, WhatALinkNamesIsHiddenWhereItIs) {
  scratch.link("link", "tree/sub/deep");
  EXPECT_EQ(inside(granting({{Access::Read, tree}, {Access::Read, scratch / "link"}}, {scratch / "link"}),
                   [&] {
                     return all({expect_hidden_folder(tree + "/sub/deep"), expect_hidden_folder(scratch / "link")});
                   }),
            "");
}

TEST_P(View, WhatIsHiddenIsHiddenThroughAMountBelowAGrantWhateverItsName) {
  scratch.folder("secret");
  scratch.file("secret/key", "key");
  scratch.folder("tree/a space\tand a tab");
  if (::geteuid() == 0) scratch.give_to(plugin_uid());
  const std::string mounted = tree + "/a space\tand a tab";
  const auto mount_it = [&](const profile::Profile& profile) {
    return [&, profile] {
      check(::mount((scratch / "secret").c_str(), mounted.c_str(), nullptr, MS_BIND, nullptr), "bind");
      return planned(profile);
    };
  };
  EXPECT_EQ(in_view(GetParam(), mount_it(granting({{Access::Read, tree}})),
                    [&] {
                      return expect(text_of(mounted + "/key") == "key",
                                    "the control: not readable where it is not hidden");
                    }),
            "");
  EXPECT_EQ(in_view(GetParam(), mount_it(granting({{Access::Read, tree}}, {scratch / "secret/key"})),
                    [&] {
                      return expect(!reads(mounted + "/key") || text_of(mounted + "/key").empty(),
                                    "the hidden file can be read");
                    }),
            "");
}

TEST_P(View, SeveralHiddenPlacesAndOneInsideAnotherCanBeHad) {
  EXPECT_EQ(inside(granting({{Access::Write, tree}},
                            {tree + "/sub/deep/file", tree + "/sub", tree + "/file", tree + "/sub/deep"}),
                   [&] {
                     return all({expect_hidden_folder(tree + "/sub"),
                                 expect(text_of(tree + "/file").empty(), "the file can be read")});
                   }),
            "");
}

TEST_P(View, TwoMasksBelowOneFolderBothHold) {
  scratch.folder("tree/sub/other");
  scratch.file("tree/sub/other/file", "text");
  if (::geteuid() == 0) scratch.give_to(plugin_uid());
  EXPECT_EQ(
      inside(granting({{Access::Write, tree}}, {tree + "/sub/deep", tree + "/sub/other"}),
             [&] {
               return all({expect_hidden_folder(tree + "/sub/deep"), expect_hidden_folder(tree + "/sub/other"),
                           expect(writes(tree + "/sub/new"), "the control: the pinned folder itself is not writable")});
             }),
      "");
}

// ---- what changed between plan and mount

TEST_P(View, APathThatWasExchangedAfterThePlanIsStale) {
  const std::string sub = tree + "/sub";
  const auto built = [&](const std::function<void()>& exchange) {
    return in_view(
        GetParam(),
        [&] {
          const Plan plan = planned(granting({{Access::Read, sub}}));
          exchange();
          return plan;
        },
        [] { return std::string("built"); });
  };
  EXPECT_EQ(built([] {}), "built") << "the control";
  const std::string complaint = built([&] {
    check(::rename(sub.c_str(), (tree + "/old").c_str()), "rename");
    check(::mkdir(sub.c_str(), 0700), "mkdir");
  });
  EXPECT_NE(complaint.find("Stale file handle"), std::string::npos) << complaint;
  EXPECT_NE(complaint.find(sub), std::string::npos) << complaint;
}

TEST_P(View, APathThatBecameALinkIsNotFollowed) {
  scratch.folder("secret");
  if (::geteuid() == 0) scratch.give_to(plugin_uid());
  const std::string sub = tree + "/sub";
  const std::string complaint = in_view(
      GetParam(),
      [&] {
        const Plan plan = planned(granting({{Access::Read, sub}}));
        check(::rename(sub.c_str(), (tree + "/old").c_str()), "rename");
        check(::symlink((scratch / "secret").c_str(), sub.c_str()), "symlink");
        return plan;
      },
      [] { return std::string("built"); });
  EXPECT_NE(complaint.find(sub), std::string::npos) << complaint;
  EXPECT_EQ(complaint.find("built"), std::string::npos);
}

TEST_P(View, AMaskWhosePlaceWasExchangedIsStale) {
  const std::string deep = tree + "/sub/deep";
  const std::string complaint = in_view(
      GetParam(),
      [&] {
        const Plan plan = planned(granting({{Access::Read, tree}}, {deep}));
        check(::rename(deep.c_str(), (tree + "/old").c_str()), "rename");
        check(::mkdir(deep.c_str(), 0700), "mkdir");
        return plan;
      },
      [] { return std::string("built"); });
  EXPECT_NE(complaint.find("Stale file handle"), std::string::npos) << complaint;
}

}  // namespace
}  // namespace jail::confine::view
