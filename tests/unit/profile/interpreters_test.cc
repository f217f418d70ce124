// Which interpreters come with a program, and what is said of those that do not.
#include "profile/interpreters.h"

#include <gtest/gtest.h>

#include "verdict.h"

namespace jail::profile {
namespace {

using test::Trial;

Trial with_script() {
  Trial trial;
  trial.machine.program("/srv/tool/run.sh", {"/opt/shell/sh"}).program("/opt/shell/sh");
  return trial;
}

const std::string kExecutes = "filesystem: {exec: [/srv/tool/run.sh]}\n";

TEST(Interpreters, ComeWithAProgramOfTheOperators) { EXPECT_EQ(with_script().said(kExecutes), ""); }

TEST(Interpreters, OfThePluginsOwnProgramsMustBeNamed) {
  const auto said = [](const std::string& exec) {
    Trial trial = with_script();
    trial.machine.folder("/srv/tool");
    trial.desk.set["plugin"] = "/srv/tool";
    return trial.said("filesystem: {exec: [" + exec + "]}\n");
  };
  const std::string alone = said("\"${plugin}/run.sh\"");
  EXPECT_NE(alone.find("error: '/srv/tool/run.sh' is started by '/opt/shell/sh'"), std::string::npos) << alone;
  EXPECT_NE(alone.find("exec: [/opt/shell/sh]"), std::string::npos) << alone;
  EXPECT_EQ(said("\"${plugin}/run.sh\", /opt/shell/sh").find("error"), std::string::npos);
  EXPECT_EQ(said("\"${plugin}/run.sh\", /opt/shell").find("error"), std::string::npos) << "by its folder";
}

TEST(Interpreters, ThatOthersCanWriteMustBeNamed) {
  for (const char* foreign : {"/srv/tool/run.sh", "/opt/shell/sh"}) {
    Trial trial = with_script();
    trial.machine.facts().paths[foreign].foreign = "others can write it";
    const std::string said = trial.said(kExecutes);
    EXPECT_NE(said.find("error: "), std::string::npos) << foreign;
    EXPECT_NE(said.find("others can write it"), std::string::npos) << said;
  }
}

TEST(Interpreters, ThatAreNoProgramsAreLeftOutWithAWarning) {
  const auto said = [](const char* interpreter) {
    Trial trial;
    trial.machine.program("/srv/run.sh", {interpreter}).file("/srv/data");
    trial.machine.program("/proc/self/exe");
    const std::string all = trial.said("filesystem: {exec: [/srv/run.sh]}\n");
    EXPECT_EQ(all.find("error"), std::string::npos) << all;
    return all;
  };
  EXPECT_NE(said("/srv/data").find("is no program: it is left out"), std::string::npos);
  EXPECT_NE(said("/srv/missing").find("is not there: it is left out"), std::string::npos);
  EXPECT_NE(said("/proc/self/exe").find("no program of its own"), std::string::npos);
}

TEST(Interpreters, AWrittenOneEndsTheChain) {
  Trial trial;
  trial.machine.program("/srv/run.sh", {"/opt/a", "/opt/b"}).program("/opt/a").program("/opt/b");
  trial.machine.facts().paths["/opt/a"].foreign = "others can write it";
  Profile profile;
  profile.filesystem.grants.emplace_back();
  profile.filesystem.grants[0].access = Access::Exec;
  profile.filesystem.grants[0].path = "/srv/run.sh";
  EXPECT_TRUE(brought_interpreters(profile, trial.machine.facts(), profile.filesystem.grants[0]).empty());
}

}  // namespace
}  // namespace jail::profile
