#include <gtest/gtest.h>

#include "registry/live.h"

namespace jail::registry {
namespace {

Live live(std::string run, std::string profile) {
  Live live;
  live.run = std::move(run);
  live.profile = std::move(profile);
  return live;
}

std::vector<Live> some() {
  std::vector<Live> all;
  all.push_back(live("aaaa1", "crm"));
  all.push_back(live("aaaa2", "crm"));
  all.push_back(live("bbbb1", "aaaa"));
  return all;
}

TEST(Meant, ByProfileBeforeTheBeginningOfARun) {
  EXPECT_EQ(find_meant(some(), "crm").jails.size(), 2u);
  const Meant meant = find_meant(some(), "aaaa");
  EXPECT_FALSE(meant.problem);
  ASSERT_EQ(meant.jails.size(), 1u);
  EXPECT_EQ(meant.jails.front().run, "bbbb1");
  EXPECT_EQ(find_meant(some(), "bbbb").jails.size(), 1u);
}

TEST(Meant, OneOfSeveralAndWhichTheyAre) {
  std::vector<Live> all = some();
  all.pop_back();
  const Meant meant = find_meant(std::move(all), "aaaa");
  ASSERT_TRUE(meant.problem);
  EXPECT_EQ(meant.problem->message, "2 runs begin with 'aaaa': aaaa1 (crm), aaaa2 (crm)");
  EXPECT_EQ(meant.jails.size(), 2u);
}

TEST(Meant, Nobody) {
  const Meant meant = find_meant(some(), "aaa");
  ASSERT_TRUE(meant.problem);
  EXPECT_TRUE(meant.problem->message.ends_with("by four characters or more")) << meant.problem->message;
  EXPECT_TRUE(meant.jails.empty());
}

TEST(Meant, OfManyTheFirstFewAreSaid) {
  std::vector<registry::Run> runs;
  for (const char end : std::string("0123456")) runs.push_back({std::string("aaaa") + end, "crm"});
  EXPECT_EQ(say_several("aaaa", runs).message,
            "7 runs begin with 'aaaa': aaaa0 (crm), aaaa1 (crm), aaaa2 (crm), aaaa3 (crm), aaaa4 (crm) and 2 more");
}

}  // namespace
}  // namespace jail::registry
