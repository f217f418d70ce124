// Where jail looks, and whom it believes there.
#include "run/places.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "../../scratch.h"

namespace jail::run {
namespace {

using test::Scratch;

// An environment variable for the length of a test.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) {
    if (const char* before = std::getenv(name)) before_ = before;
    value == nullptr ? ::unsetenv(name) : ::setenv(name, value, 1);
  }
  ~Variable() { before_ ? ::setenv(name_, before_->c_str(), 1) : ::unsetenv(name_); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
  std::optional<std::string> before_;
};

constexpr std::uint32_t kOrdinary = 1001;

TEST(Places, OfAUserFollowTheXdgVariables) {
  const Variable home("HOME", "/home/u"), config("XDG_CONFIG_HOME", "/c"), data("XDG_DATA_HOME", "/d");
  const Places places = find_places(kOrdinary);
  EXPECT_EQ(places.problem, "");
  EXPECT_EQ(places.profiles.front(), "/c/jail/profiles");
  EXPECT_EQ(places.state, "/d/jail/state");
}

TEST(Places, WithoutThemLieInTheHome) {
  const Variable home("HOME", "/home/u"), config("XDG_CONFIG_HOME", nullptr), data("XDG_DATA_HOME", "");
  const Places places = find_places(kOrdinary);
  EXPECT_EQ(places.profiles.front(), "/home/u/.config/jail/profiles");
  EXPECT_EQ(places.state, "/home/u/.local/share/jail/state");
}

TEST(Places, ARelativeXdgValueIsAProblemByName) {
  const Variable home("HOME", "/home/u");
  for (const char* name : {"XDG_CONFIG_HOME", "XDG_DATA_HOME"}) {
    const Variable relative(name, "config");
    EXPECT_NE(find_places(kOrdinary).problem.find(name), std::string::npos);
  }
}

TEST(Places, OfRootAreTheSystemsWhateverTheEnvironmentSays) {
  const Variable home("HOME", "/home/u"), config("XDG_CONFIG_HOME", "/c"), data("XDG_DATA_HOME", "relative");
  const Places places = find_places(0);
  EXPECT_EQ(places.problem, "");
  EXPECT_NE(places.home, "/home/u");
  EXPECT_EQ(places.profiles.front(), "/etc/jail/profiles");
  EXPECT_EQ(places.state, "/var/lib/jail/state");
  for (const std::string& folder : places.profiles)
    EXPECT_FALSE(folder.starts_with("/c/") || folder.starts_with("/home/u/"));
}

// ---- which profile a name stands for

TEST(FindProfile, ANameIsLookedUpInOrder) {
  Scratch scratch;
  scratch.folder("mine");
  scratch.folder("system");
  scratch.file("system/crm.yaml");
  Places places;
  places.profiles = {scratch / "mine", scratch / "system"};
  EXPECT_EQ(find_profile(places, "crm"), scratch / "system/crm.yaml");
  scratch.file("mine/crm.yaml");
  EXPECT_EQ(find_profile(places, "crm"), scratch / "mine/crm.yaml");
  EXPECT_EQ(find_profile(places, "other"), std::nullopt);
}

class InFolder {
 public:
  explicit InFolder(const std::string& path) : before_(std::filesystem::current_path()) {
    std::filesystem::current_path(path);
  }
  ~InFolder() { std::filesystem::current_path(before_); }
  InFolder(const InFolder&) = delete;
  InFolder& operator=(const InFolder&) = delete;

 private:
  std::filesystem::path before_;
};

TEST(FindProfile, ANameIsNeverLookedUpInTheWorkingFolder) {
  Scratch scratch;
  scratch.file("crm.yaml");
  scratch.file("crm");
  const InFolder here(scratch.path());
  EXPECT_EQ(find_profile({}, "crm"), std::nullopt);
  EXPECT_EQ(find_profile({}, "crm.yaml"), std::nullopt);
}

// The log of a profile is named after its path: one profile must have one.
TEST(FindProfile, APathIsAbsoluteAndTheSameHoweverItIsWritten) {
  Scratch scratch;
  scratch.folder("sub");
  const std::string path = scratch.file("crm.yaml");
  const InFolder here(scratch / "sub");
  for (const std::string& written : {path, std::string("../crm.yaml"), std::string("./../sub/../crm.yaml"),
                                     scratch / "./crm.yaml", scratch.path() + "//crm.yaml"})
    EXPECT_EQ(find_profile({}, written), path) << written;
}

// ---- what may be believed

std::string problem_with(const std::string& path) { return read_trusted(path, ::geteuid()).problem; }

TEST(ReadTrusted, AFileOfOnesOwnIsRead) {
  Scratch scratch;
  const profile::FileText text = read_trusted(scratch.file("p.yaml", "name: x\n"), ::geteuid());
  EXPECT_EQ(text.problem, "");
  EXPECT_EQ(text.text, "name: x\n");
}

TEST(ReadTrusted, AFileThatOthersMayWriteIsNot) {
  Scratch scratch;
  for (const mode_t mode : {0646, 0664, 0666})
    EXPECT_NE(problem_with(scratch.file("p" + std::to_string(mode), "x", mode)), "") << std::oct << mode;
}

TEST(ReadTrusted, AFileInAFolderThatOthersMayWriteIsNot) {
  Scratch scratch;
  scratch.folder("open");
  const std::string path = scratch.file("open/p.yaml");
  EXPECT_EQ(problem_with(path), "") << "the control";
  scratch.folder("open", 0777);
  EXPECT_NE(problem_with(path), "");
  scratch.folder("open", 01777);
  EXPECT_EQ(problem_with(path), "") << "nobody else can replace a file in a sticky folder";
}

// Whoever may write a folder further up puts another one in the place of the next.
TEST(ReadTrusted, NorOneBelowSuchAFolder) {
  Scratch scratch;
  scratch.folder("open/safe");
  const std::string path = scratch.file("open/safe/p.yaml");
  EXPECT_EQ(problem_with(path), "") << "the control";
  scratch.folder("open", 0777);
  EXPECT_NE(problem_with(path), "");
}

TEST(ReadTrusted, NorOneThatALinkLeadsToThere) {
  Scratch scratch;
  scratch.folder("open");
  scratch.file("open/p.yaml");
  const std::string link = scratch.link("p.yaml", "open/p.yaml");
  EXPECT_EQ(problem_with(link), "") << "the control";
  scratch.folder("open", 0777);
  EXPECT_NE(problem_with(link), "");
}

TEST(ReadTrusted, AnotherUsersFileOrFolderIsNot) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can make another user's file";
  Scratch scratch;
  const std::string path = scratch.file("p.yaml");
  EXPECT_EQ(problem_with(path), "") << "the control";
  EXPECT_EQ(read_trusted(path, 12345).problem, "") << "root's are good for everybody";
  ASSERT_EQ(::chown(path.c_str(), 12345, 0), 0);
  EXPECT_NE(problem_with(path), "");
  EXPECT_EQ(read_trusted(path, 12345).problem, "") << "it is that user's own";
}

TEST(ReadTrusted, APipeHoldsNobodyUpAndIsNoProfile) {
  Scratch scratch;
  EXPECT_NE(problem_with(scratch.fifo("p.yaml")), "");
  EXPECT_NE(problem_with("/dev/zero"), "");
  EXPECT_NE(problem_with(scratch.folder("folder")), "");
  EXPECT_NE(problem_with(scratch / "missing"), "");
}

TEST(ReadTrusted, AMebibyteIsTheMost) {
  Scratch scratch;
  EXPECT_EQ(problem_with(scratch.file("most", std::string(1 << 20, '#'))), "");
  EXPECT_NE(problem_with(scratch.file("more", std::string((1 << 20) + 1, '#'))), "");
}

// ---- what is protected

TEST(Chains, OfAMissingPathBeginsWithTheNearestFolderThatIsThere) {
  Scratch scratch;
  Chains chains;
  EXPECT_EQ(chains.of(scratch / "no/such/file"), chains.of(scratch.path()));
  EXPECT_EQ(chains.of(scratch.path()).size(), 4U) << "itself, tmp, var and the root";
  EXPECT_EQ(chains.of("/").size(), 1U);
}

TEST(ProtectedPlaces, AreWhateverDecidedTheRun) {
  Scratch scratch;
  const std::string deciding = scratch.file("p.yaml");
  Places places;
  places.home = "/home/u";
  places.profiles = {scratch / "profiles"};
  Chains chains;
  const auto all = protected_places(places, {deciding, "<template>/python.yaml"}, chains);
  const auto has = [&](const std::string& path) {
    return std::ranges::any_of(all, [&](const auto& place) { return place.path == path; });
  };
  EXPECT_TRUE(has(deciding));
  EXPECT_TRUE(has(scratch / "profiles"));
  EXPECT_TRUE(has("/home/u/.config/jail"));
  EXPECT_TRUE(has("/home/u/.local/state/jail"));
  EXPECT_TRUE(has("/home/u/.cache/jail"));
  EXPECT_FALSE(has("<template>/python.yaml"));
  const auto self = std::filesystem::read_symlink("/proc/self/exe").string();
  EXPECT_TRUE(has(self)) << "jail's own program";
}

TEST(ProtectedPlaces, FollowTheXdgValuesOfTheDay) {
  const Variable state("XDG_STATE_HOME", "/elsewhere/state"), cache("XDG_CACHE_HOME", "/elsewhere/cache");
  Places places;
  places.home = "/home/u";
  Chains chains;
  const auto all = protected_places(places, {}, chains);
  for (const char* path : {"/elsewhere/state/jail", "/elsewhere/cache/jail", "/home/u/.local/state/jail"})
    EXPECT_TRUE(std::ranges::any_of(all, [&](const auto& place) { return place.path == path; })) << path;
}

// Else every folder beside a place that is not there yet would look like its container's neighbour.
TEST(ProtectedPlaces, SayWhichOfThemAreNotThereYet) {
  Scratch scratch;
  scratch.folder("profiles");
  Places places;
  places.home = scratch.path();
  places.profiles = {scratch / "profiles"};
  Chains chains;
  for (const auto& place : protected_places(places, {}, chains)) {
    EXPECT_EQ(place.missing, !std::filesystem::exists(place.path)) << place.path;
    ASSERT_FALSE(place.chain.empty()) << place.path;
    EXPECT_TRUE(place.path != scratch / ".config/jail" || place.chain == chains.of(scratch.path()));
  }
}

// ---- the state folder

mode_t mode_of(const std::string& path) {
  struct stat status {};
  return ::lstat(path.c_str(), &status) == 0 ? status.st_mode & 07777 : 0;
}

TEST(StateFolder, IsMadeForThePluginAlone) {
  Scratch scratch;
  const mode_t before = ::umask(0);
  make_state_folder(scratch / "state", scratch / "state/crm/cache", ::geteuid(), ::getegid());
  ::umask(before);
  EXPECT_EQ(mode_of(scratch / "state/crm/cache"), 0700U);
  EXPECT_EQ(mode_of(scratch / "state/crm") & 077, 0U);
  make_state_folder(scratch / "state", scratch / "state/crm/cache", ::geteuid(), ::getegid());  // again: it is there
}

TEST(StateFolder, OfRootsPluginBelongsToThePluginAndCanBeReachedByNobodyElse) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root gives folders away";
  Scratch scratch;
  make_state_folder(scratch / "lib/state", scratch / "lib/state/crm/cache", 65528, 65528);
  struct stat status {};
  for (const char* name : {"lib/state/crm", "lib/state/crm/cache"}) {
    ASSERT_EQ(::stat((scratch / name).c_str(), &status), 0);
    EXPECT_EQ(status.st_uid, 65528U) << name;
    EXPECT_EQ(status.st_mode & 07777, 0700U) << name;
  }
  for (const char* name : {"lib", "lib/state"}) {
    ASSERT_EQ(::stat((scratch / name).c_str(), &status), 0);
    EXPECT_EQ(status.st_uid, 0U) << name;
    EXPECT_EQ(status.st_mode & 07777, 0700U) << name;
  }
}

// Run 1 puts a link into its state folder, run 2 must not make folders where it leads.
TEST(StateFolder, IsNotMadeThroughALinkThatAPluginPlanted) {
  Scratch scratch;
  scratch.folder("state/crm");
  scratch.folder("etc");
  scratch.link("state/crm/cache", scratch / "etc");
  make_state_folder(scratch / "state", scratch / "state/crm/cache/sub", ::geteuid(), ::getegid());
  EXPECT_FALSE(std::filesystem::exists(scratch / "etc/sub"));
}

TEST(StateFolder, MayLieBehindALinkOfTheOperators) {
  Scratch scratch;
  scratch.folder("data");
  scratch.link("home", "data");
  make_state_folder(scratch / "home/state", scratch / "home/state/crm", ::geteuid(), ::getegid());
  EXPECT_EQ(mode_of(scratch / "data/state/crm"), 0700U);
}

}  // namespace
}  // namespace jail::run
