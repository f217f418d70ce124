#include "run/findings.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include "../../scratch.h"
#include "base/error.h"
#include "sys/file.h"

namespace jail::run {
namespace {

const std::string kDigest(64, 'a');

Findings some() {
  Findings findings;
  findings.tree = {kDigest, ""};
  findings.plugin.files = {{"/p/x\n:1\xff", kDigest, ""}, {"/p/y", "", "a fifo, not a file"}};
  findings.plugin.limits = {{"monitor.hash.files", 10'007, 10'000}};
  findings.plugin.matches = {2, 0};
  return findings;
}

Plan stating(const std::string& digest) {
  Plan plan;
  plan.integrity = profile::Integrity{"/srv/p", digest, {"crm.yaml", 7, 12}};
  return plan;
}

TEST(Findings, ComeBackAsTheyWere) {
  const Findings back = unpack(pack(some()));
  EXPECT_EQ(back.tree.sha256, kDigest);
  EXPECT_EQ(back.plugin.files, some().plugin.files);
  EXPECT_EQ(back.plugin.limits, some().plugin.limits);
  EXPECT_EQ(back.plugin.matches, some().plugin.matches);
  EXPECT_TRUE(unpack(pack({})).plugin.files.empty());
}

TEST(Findings, OfAnotherMakingAreRefused) {
  test::Scratch scratch;
  for (const char* text : {"", "1", ":", "-1:x", "99:x", "0:0:3:abc", "0:0:20:184467440737095516151:x"}) {
    const Fd file = sys::open_at(scratch.file("packed", text), O_RDONLY, sys::Resolve::Anything);
    EXPECT_THROW((void)unpack(file), SysError) << text;
  }
}

TEST(Findings, LetThePluginStartOnlyWithTheDigestThatIsStated) {
  EXPECT_FALSE(refusal_for(Plan{}, some()));
  EXPECT_FALSE(refusal_for(stating(kDigest), some()));
  const auto refusal = refusal_for(stating(std::string(64, 'b')), some());
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->layer, "integrity");
  EXPECT_EQ(refusal->reason,
            "'/srv/p' is not what the profile says: its digest is " + kDigest + ", not " + std::string(64, 'b'));
  EXPECT_EQ(refusal->place, (profile::Place{"crm.yaml", 7, 12}));
  EXPECT_TRUE(refusal_for(stating(kDigest), {})) << "no digest is no match";
}

TEST(Findings, WarnOfAPatternThatMatchesNothing) {
  const std::vector<monitor::HashedFiles> hashed{{{}, {"/p/*.py", {"crm.yaml", 5, 9}}},
                                                 {{}, {"/p/*.no", {"crm.yaml", 5, 18}}}};
  const profile::Diagnostics warnings = unmatched(hashed, {2, 0});
  ASSERT_EQ(warnings.size(), 1U);
  EXPECT_EQ(profile::to_string(warnings[0].place), "crm.yaml:5:18");
}

}  // namespace
}  // namespace jail::run
