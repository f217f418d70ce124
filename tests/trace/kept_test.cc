// What is kept from run to run, and what must not be.
#include "scene.h"

namespace jail::trace {
namespace {

std::uint32_t id_of(const Fd& program) {
  bpf_prog_info info{};
  std::uint32_t size = sizeof info;
  return ::bpf_obj_get_info_by_fd(program.get(), &info, &size) == 0 ? info.id : 0;
}

std::vector<std::uint32_t> ids_of(const Tracer& tracer) {
  std::vector<std::uint32_t> ids;
  for (const Fd& program : tracer.programs().programs) ids.push_back(program ? id_of(program) : 0);
  return ids;
}

class Kept : public Trace {
 protected:
  void SetUp() override {
    Trace::SetUp();
    if (IsSkipped()) return;
    if (const std::string why = missing(Family::Process); !why.empty()) GTEST_SKIP() << why;
  }
  // Where they are kept.
  static std::string folder() {
    for (const auto& entry : std::filesystem::directory_iterator(own_bpf_folder() + "/jail")) return entry.path();
    return {};
  }
};

TEST_F(Kept, ThePrograms) {
  const Tracer first = Tracer::open(all_families(), own_bpf_folder());
  const Tracer second = Tracer::open(all_families(), own_bpf_folder());
  EXPECT_EQ(first.why_not_kept(), "");
  EXPECT_EQ(second.why_not_kept(), "");
  EXPECT_EQ(ids_of(first), ids_of(second));
  EXPECT_EQ(first.support().missing, second.support().missing);
}

TEST_F(Kept, NotWithoutABpfFileSystem) {
  const Tracer tracer = Tracer::open(all_families(), "/var/tmp");
  EXPECT_EQ(tracer.why_not_kept(), "no BPF file system at /var/tmp");
  EXPECT_TRUE(tracer.support().has(Family::Process));
}

TEST_F(Kept, NotInAFolderOfSomebodyElse) {
  const std::string folder = own_bpf_folder() + "/jail";
  for (const bool owner : {true, false}) {
    const Tracer before = Tracer::open(all_families(), own_bpf_folder());
    ASSERT_EQ(owner ? ::chown(folder.c_str(), 1001, 0) : ::chmod(folder.c_str(), 0755), 0);
    const Tracer tracer = Tracer::open(all_families(), own_bpf_folder());
    EXPECT_EQ(tracer.why_not_kept(), own_bpf_folder() + "/jail is not root's alone");
    EXPECT_NE(ids_of(tracer), ids_of(before));
    EXPECT_TRUE(tracer.support().has(Family::Process));
    ASSERT_EQ(::chown(folder.c_str(), 0, 0), 0);
    ASSERT_EQ(::chmod(folder.c_str(), 0700), 0);
  }
}

TEST_F(Kept, NotAnotherProgramUnderTheName) {
  const Tracer before = Tracer::open(all_families(), own_bpf_folder());
  const std::string pin = folder() + "/program_process_exec";
  ASSERT_EQ(::unlink(pin.c_str()), 0);
  ASSERT_EQ(::bpf_obj_pin(before.programs().programs[1].get(), pin.c_str()), 0);
  const Tracer after = Tracer::open(all_families(), own_bpf_folder());
  EXPECT_EQ(after.why_not_kept(), "");
  EXPECT_NE(ids_of(after), ids_of(before));
  EXPECT_EQ(ids_of(Tracer::open(all_families(), own_bpf_folder())), ids_of(after));
}

TEST_F(Kept, NotWhatWasLeftHalfDone) {
  const Tracer before = Tracer::open(all_families(), own_bpf_folder());
  ASSERT_EQ(::rmdir((folder() + "/complete").c_str()), 0);
  EXPECT_NE(ids_of(Tracer::open(all_families(), own_bpf_folder())), ids_of(before));
}

TEST_F(Kept, NotWhileAnotherHasTheFolder) {
  (void)Tracer::open(all_families(), own_bpf_folder());
  const Fd other(::open(folder().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  ASSERT_EQ(::flock(other.get(), LOCK_EX), 0);
  const Tracer tracer = Tracer::open(all_families(), own_bpf_folder());
  EXPECT_EQ(tracer.why_not_kept(), "another process works in the folder of programs");
  EXPECT_TRUE(tracer.support().has(Family::Process));
}

// Two runs at a time share one attachment, and each has its own events. That every call pays for goes with the last.
TEST_F(Kept, TheAttachmentForAsLongAsItIsUsed) {
  const auto is_attached = [](const char* program) {
    return std::filesystem::exists(folder() + "/link_" + program);
  };
  const auto scene = [](const char* word) {
    return Scene{.families = {Family::Process, Family::FileExit},
                 .what = JAIL_WANT_PROCESS | JAIL_WANT_READS,
                 .inside = [word] { run_program("/bin/true", word); }};
  };
  EXPECT_FALSE(is_attached("process_exec"));
  Outcome inner;
  Scene outer_scene = scene("outer");
  outer_scene.outside = [&] {
    inner = watch(scene("inner"));
    EXPECT_TRUE(is_attached("file_exit"));
  };
  const Outcome outer = watch(outer_scene);
  EXPECT_FALSE(is_attached("file_exit"));
  EXPECT_TRUE(is_attached("process_exec"));
  for (const std::string word : {"outer", "inner"}) {
    const auto executed = (word == "outer" ? outer : inner).told.of<event::ProcessExec>();
    ASSERT_EQ(executed.size(), 1U) << word;
    EXPECT_EQ(executed[0].first.argv.back(), word);
  }
}

std::vector<std::uint32_t> keys_of(const Fd& map) {
  std::vector<std::uint32_t> keys;
  std::uint32_t key = 0;
  for (const std::uint32_t* last = nullptr; ::bpf_map_get_next_key(map.get(), last, &key) == 0; last = &keys.back())
    keys.push_back(key);
  return keys;
}

// A process that does this and is killed in the middle of it.
void kill_in(const std::function<void(const std::function<void()>& die)>& body) {
  const pid_t child = ::fork();
  if (child == 0) {
    body([] { (void)::raise(SIGKILL); });
    ::_exit(1);
  }
  int status = 0;
  (void)::waitpid(child, &status, 0);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

TEST_F(Kept, NothingOfARunWhoseSupervisorWasKilled) {
  const Scene scene{.families = {Family::Process}, .what = JAIL_WANT_PROCESS, .inside = [] {}};
  kill_in([&](const std::function<void()>& die) {
    Scene dying = scene;
    dying.outside = die;
    (void)watch(dying);
  });
  const Tracer tracer = Tracer::open(all_families(), own_bpf_folder());
  const std::vector<std::uint32_t> left = keys_of(tracer.programs().runs);  // none: the process aside was first
  EXPECT_LE(left.size(), 1U);
  Scene next = scene;
  next.outside = [&] { EXPECT_EQ(keys_of(tracer.programs().runs).size(), 1U) << "its own, alone"; };
  EXPECT_EQ(watch(next).told.of<event::ProcessExit>().size(), 1U);
  EXPECT_EQ(keys_of(tracer.programs().runs).size(), 0U);
  for (const std::uint32_t key : left)
    EXPECT_FALSE(std::filesystem::exists(folder() + "/run_" + std::to_string(key)));
}

TEST_F(Trace, AGroupOfWhoeverWasKilledIsTakenAway) {
  std::string why;
  kill_in([&](const std::function<void()>& die) {
    const auto left = make_group("jail-left-1", why);
    if (left) die();
  });
  const auto living = make_group("jail-left-2", why);
  ASSERT_TRUE(living) << why;
  ASSERT_TRUE(make_group("jail-left-3", why)) << why;  // and goes again
  const std::filesystem::path parent = std::filesystem::path(living->path()).parent_path();
  EXPECT_FALSE(std::filesystem::exists(parent / "jail-left-1"));
  EXPECT_TRUE(std::filesystem::exists(parent / "jail-left-2"));
}

}  // namespace
}  // namespace jail::trace
