// What is lent: to whom, how much of it, and that nothing of it is left or lent again (SECURITY E1).
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <set>
#include <vector>

#include "broker/quota.h"
#include "scene.h"
#include "trace/ring.h"
#include "trace/programs.h"

namespace jail::broker {
namespace {

class Lease : public Broker {};

// A jail: the first process of a namespace, and one that executes a program when it is told to.
class Scene {
 public:
  Scene() : child_([this] { serve(); }) {}

  [[nodiscard]] const Fd& first() const { return child_.pidfd(); }
  [[nodiscard]] pid_t pid() const { return child_.pid(); }
  void end() { child_.end(); }
  void execute() {
    char byte = 0;
    (void)!::write(go_.write.get(), &byte, 1);
    (void)!::read(done_.read.get(), &byte, 1);
  }

 private:
  void serve() {
    for (char byte = 0; ::read(go_.read.get(), &byte, 1) == 1;) {
      const pid_t second = ::fork();
      if (second == 0) {
        ::execl("/bin/true", "true", nullptr);
        ::_exit(99);
      }
      (void)::waitpid(second, nullptr, 0);
      (void)!::write(done_.write.get(), &byte, 1);
    }
  }

  sys::Pipe go_ = sys::make_pipe(), done_ = sys::make_pipe();
  Child child_;
};

// What has come into a ring by now.
std::size_t records_in(const Fd& ring) {
  std::size_t count = 0;
  const auto add = [](void* state, void*, std::size_t) { return ++*static_cast<std::size_t*>(state), 0; };
  ring_buffer* reader = ::ring_buffer__new(ring.get(), add, &count, nullptr);
  if (reader == nullptr) return 1'000'000;
  (void)::ring_buffer__consume(reader);
  ::ring_buffer__free(reader);
  return count;
}

std::uint32_t id_of(const Fd& map) {
  bpf_map_info info{};
  std::uint32_t size = sizeof info;
  return ::bpf_obj_get_info_by_fd(map.get(), &info, &size) == 0 ? info.id : 0;
}

TEST_F(Lease, TellsOfTheJailAndOfNobodyElse) {
  EXPECT_EQ(as_user(kAnn,
                    [] {
                      Scene mine, other;
                      const Line line(socket());
                      const Heard heard = line.trace(mine.first());
                      if (!heard.ring) return heard.refused;
                      other.execute();
                      const std::size_t before = records_in(heard.ring);
                      mine.execute();
                      return std::to_string(before) + " " + std::to_string(records_in(heard.ring));
                    }),
            "0 2");
}

TEST_F(Lease, ARingIsReadAndNotWritten) {
  EXPECT_EQ(as_user(kAnn,
                    [] {
                      const Scene mine;
                      const Line line(socket());
                      const Heard heard = line.trace(mine.first());
                      const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
                      const auto maps = [&](int protection, off_t at) {
                        return ::mmap(nullptr, page, protection, MAP_SHARED, heard.ring.get(), at) != MAP_FAILED;
                      };
                      const auto data = static_cast<off_t>(page);
                      return std::string(maps(PROT_READ | PROT_WRITE, 0) ? "position" : "") +
                             (maps(PROT_READ, data) ? " data" : "") +
                             (maps(PROT_READ | PROT_WRITE, data) ? " writes data" : "");
                    }),
            "position data");
}

// Whoever keeps its ring, or what of it is in its memory, has it alone.
TEST_F(Lease, ARingIsNeverAnothers) {
  const Fd first = [] {
    const Scene mine;  // root's, so that we are who keeps it
    const Line line(socket());
    Heard heard = line.trace(mine.first());
    EXPECT_EQ(heard.refused, "");
    return std::move(heard.ring);
  }();
  ASSERT_TRUE(first);
  std::set<std::uint32_t> seen{id_of(first)};
  for (int run = 0; run < 20; ++run) {
    Scene other;
    const Line line(socket());
    const Heard heard = line.trace(other.first());
    ASSERT_TRUE(heard.ring) << heard.refused;
    EXPECT_TRUE(seen.insert(id_of(heard.ring)).second) << run;
    other.execute();
    EXPECT_EQ(records_in(heard.ring), 2U);
  }
  EXPECT_EQ(records_in(first), 0U);
}

// 0: none.
std::uint32_t number_of(const Child& child) {
  const std::optional<trace::Space> space = trace::space_of(child.pid());
  return space ? space->number : 0;
}

bool comes_again(std::uint32_t space) {
  for (int tries = 0; tries < 200; ++tries)
    if (number_of(Child()) == space) return true;
  return false;
}

// The kernel numbers a new namespace like one that is gone; while a run is leased its number is not given away.
TEST_F(Lease, TheNumberOfANamespaceIsNobodyElses) {
  const std::uint32_t free = number_of(Child());
  if (!comes_again(free)) GTEST_SKIP() << "others have so many new namespaces that no number comes again";
  auto mine = std::make_unique<Child>();
  const std::uint32_t space = number_of(*mine);
  const Line line(socket());
  const Heard heard = line.trace(mine->pidfd());
  ASSERT_TRUE(heard.ring) << heard.refused;
  mine.reset();
  EXPECT_FALSE(comes_again(space));
}

TEST_F(Lease, EndsWithItsConnection) {
  Scene mine;
  Line line(socket());
  const Heard heard = line.trace(mine.first());
  ASSERT_TRUE(heard.ring) << heard.refused;
  line.close();
  EXPECT_TRUE(jaild().comes_to_rest());
  mine.execute();
  EXPECT_EQ(records_in(heard.ring), 0U) << "nothing is told any more";
}

TEST_F(Lease, AKilledLauncherLeavesNothing) {
  const std::string said = as_user(kAnn, [] {
    const Scene mine;
    const Line line(socket());
    if (!line.trace(mine.first()).ring) return std::string("no ring");
    (void)::kill(::getpid(), SIGKILL);
    return std::string();
  });
  EXPECT_EQ(said, " (died)");
  EXPECT_TRUE(jaild().comes_to_rest());
}

TEST_F(Lease, SoManyConnectionsOfAUser) {
  EXPECT_EQ(as_user(kAnn,
                    [] {
                      const Limits limits;
                      std::vector<Line> lines;
                      for (std::uint32_t i = 0; i < limits.connections; ++i) lines.emplace_back(socket());
                      const std::string last = lines.back().look().refused;
                      return last + "|" + Line(socket()).hear().refused;
                    }),
            "|too many connections");
  EXPECT_EQ(as_user(kBob + 1, [] { return Line(socket()).look().refused; }), "") << "another user's";
}

// Or what was passed along and nobody has taken would be more and more.
TEST_F(Lease, AConnectionThatWasGivenUpIsOneUntilItIsClosed) {
  EXPECT_EQ(as_user(kBob + 4,
                    [] {
                      const Limits limits;
                      std::vector<Line> lines;
                      for (std::uint32_t i = 0; i < limits.connections; ++i) {
                        lines.emplace_back(socket());
                        (void)sys::send_now(lines.back().socket(), "x", 1);
                        if (!lines.back().hear().is_closed && !lines.back().hear().is_closed) return std::string("?");
                      }
                      const std::string said = Line(socket()).hear().refused;
                      lines.clear();
                      return said + "|" + Line(socket()).look().refused;
                    }),
            "too many connections|");
}

TEST_F(Lease, SoManyRunsOfAUser) {
  EXPECT_EQ(as_user(kBob + 2,
                    [] {
                      const Limits limits;
                      std::vector<Line> lines;
                      std::vector<std::unique_ptr<Child>> children;
                      std::vector<Heard> heard;
                      for (std::uint32_t i = 0; i <= limits.runs; ++i) {
                        lines.emplace_back(socket());
                        children.push_back(std::make_unique<Child>());
                        heard.push_back(lines.back().trace(children.back()->pidfd()));
                        if (!heard.back().refused.empty()) return std::to_string(i) + ": " + heard.back().refused;
                      }
                      return std::string("no end");
                    }),
            std::to_string(Limits().runs) + ": too many runs, or too much room for events");
}

TEST_F(Lease, SoManyRequestsOfAUser) {
  EXPECT_EQ(as_user(kBob + 3,
                    [] {
                      const Line line(socket());
                      for (int i = 0; i < 100'000; ++i)
                        if (const Heard heard = line.look(); !heard.refused.empty()) return heard.refused;
                      return std::string("no end");
                    }),
            "too many requests");
}

}  // namespace
}  // namespace jail::broker
