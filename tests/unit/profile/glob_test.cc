#include "profile/glob.h"

#include <gtest/gtest.h>

#include <sstream>

namespace jail::profile {
namespace {

// Whether the pattern means the file at this path below its root, as a walk would find it.
bool finds(const std::string& pattern, const std::string& below) {
  const Glob glob = parse_glob(pattern);
  GlobStep last{.matches = false, .below = start(glob)};
  std::istringstream components(below);
  for (std::string name; std::getline(components, name, '/');) last = step(glob, last.below, name);
  return last.matches;
}

TEST(Glob, BeginsWithWhatIsNoPattern) {
  EXPECT_EQ(parse_glob("/srv/crm/**/*.py").root, "/srv/crm");
  EXPECT_EQ(parse_glob("/srv/crm/**/*.py").names, (std::vector<std::string>{"**", "*.py"}));
  EXPECT_EQ(parse_glob("/srv/crm/main.py").root, "/srv/crm/main.py");
  EXPECT_TRUE(parse_glob("/srv/crm/main.py").names.empty());
  EXPECT_EQ(parse_glob("/*").root, "/");
  EXPECT_EQ(parse_glob("/srv/a[bc]/x").root, "/srv");
}

TEST(Glob, EscapedCharactersAreNoPattern) {
  EXPECT_EQ(parse_glob("/srv/a\\*\\[b\\]\\?\\\\/*.py").root, "/srv/a*[b]?\\");
  EXPECT_TRUE(finds("/srv/*\\*", "a*"));
  EXPECT_FALSE(finds("/srv/*\\*", "ab"));
}

TEST(Glob, StarsStayInOneFolderAndTwoDoNot) {
  EXPECT_TRUE(finds("/p/*.py", "a.py"));
  EXPECT_TRUE(finds("/p/*.py", ".hidden.py"));
  EXPECT_FALSE(finds("/p/*.py", "sub/a.py"));
  EXPECT_TRUE(finds("/p/**/*.py", "a.py"));
  EXPECT_TRUE(finds("/p/**/*.py", "a/b/c.py"));
  EXPECT_FALSE(finds("/p/**/*.py", "a/b/c.pyc"));
  EXPECT_TRUE(finds("/p/**", "a/b/c.pyc"));
  EXPECT_TRUE(finds("/p/**/lib/**/x?.so", "lib/x1.so"));
  EXPECT_TRUE(finds("/p/**/lib/**/x?.so", "a/lib/lib/b/x1.so"));
  EXPECT_FALSE(finds("/p/**/lib/**/x?.so", "a/x1.so"));
  EXPECT_TRUE(finds("/p/[ab].py", "b.py"));
  EXPECT_FALSE(finds("/p/[ab].py", "c.py"));
}

TEST(Glob, GoesNowhereInVain) {
  const Glob glob = parse_glob("/p/lib/*/x.py");
  EXPECT_TRUE(step(glob, start(glob), "sub").below == GlobState{1});
  EXPECT_TRUE(step(glob, {1}, "deeper").below.empty());
}

TEST(Glob, BytesThatAreNoTextMatchToo) { EXPECT_TRUE(finds("/p/*\n\xff.py", "a\n\xff.py")); }

TEST(Glob, ManyStarsAreNoTrap) {
  std::string pattern = "/p", below;
  for (int i = 0; i < 40; ++i) pattern += "/**/a*a", below += "aaaaaaaaaa/";
  EXPECT_FALSE(finds(pattern + "/b", below + "c"));
}

TEST(Glob, SaysWhereItMayMatch) {
  const Glob glob = parse_glob("/srv/p/**/lib/*.py");
  for (const char* path : {"/", "/srv", "/srv/p", "/srv/p/data", "/srv/p/lib", "/srv/p/lib/x.py"})
    EXPECT_TRUE(may_match_at(glob, path)) << path;
  for (const char* path : {"/srv/q", "/srv/pp", "/opt"}) EXPECT_FALSE(may_match_at(glob, path)) << path;
  EXPECT_FALSE(may_match_at(parse_glob("/srv/p/*.py"), "/srv/p/data"));
  EXPECT_TRUE(may_match_at(parse_glob("/srv/p/*.py"), "/srv/p/x.py"));
  EXPECT_FALSE(may_match_at(parse_glob("/srv/p/*.py"), "/srv/p/x.py/deeper"));
}

}  // namespace
}  // namespace jail::profile
