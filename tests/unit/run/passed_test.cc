// What may be handed over by --pass-fd.
#include "run/passed.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include "base/fd.h"

namespace jail::run {
namespace {

PassedPlan planned(const Fd& fd) { return plan_passed({fd.get()}); }

TEST(PassedDescriptors, AFileIsPassedAndShownWithItsMode) {
  const Fd file(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const PassedPlan plan = planned(file);
  EXPECT_EQ(plan.problem, "");
  EXPECT_EQ(plan.seen, std::vector{std::to_string(file.get()) + ": character device, read, /dev/null"});
}

TEST(PassedDescriptors, AFolderIsRefused) {
  const Fd folder(::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  EXPECT_NE(planned(folder).problem.find("is a folder"), std::string::npos);
}

TEST(PassedDescriptors, APathThatWasNeverOpenedIsRefused) {
  const Fd path(::open("/etc/passwd", O_PATH | O_CLOEXEC));
  EXPECT_NE(planned(path).problem.find("O_PATH"), std::string::npos);
}

TEST(PassedDescriptors, ANumberThatIsNotOpenIsRefused) {
  const int closed = Fd(::open("/dev/null", O_RDONLY | O_CLOEXEC)).get();
  EXPECT_NE(plan_passed({closed}).problem.find("is not open"), std::string::npos);
}

TEST(PassedDescriptors, StandardOnesAreNotPassedByNumber) {
  EXPECT_NE(plan_passed({1}).problem, "");
}

TEST(PassedDescriptors, ComeSortedAndOnce) {
  const Fd low(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const Fd high(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  EXPECT_EQ(plan_passed({high.get(), low.get(), high.get()}).numbers, (std::vector{low.get(), high.get()}));
}

}  // namespace
}  // namespace jail::run
