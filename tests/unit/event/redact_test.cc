#include "event/redact.h"

#include <gtest/gtest.h>

namespace jail::event {
namespace {

TEST(Redactor, ReplacesEveryOccurrence) {
  const Redactor redactor({"hunter2hunter2"});
  EXPECT_EQ(redactor.redact("a=hunter2hunter2 b=hunter2hunter2!"), "a=[secret] b=[secret]!");
  EXPECT_EQ(redactor.redact("hunter2hunter"), "hunter2hunter");
  EXPECT_EQ(redactor.redact(""), "");
}

TEST(Redactor, TakesOutWhatSecretsShare) {
  const Redactor redactor({"abcdefgh", "efghijkl", "abcdefghijklmnop"});
  EXPECT_EQ(redactor.redact("<abcdefghijkl>"), "<[secret]>");
  EXPECT_EQ(redactor.redact("<abcdefghijklmnop>"), "<[secret]>");
}

TEST(Redactor, TakesOutAValueThatOverlapsItself) {
  EXPECT_EQ(Redactor({"aaaaaaaa"}).redact("<aaaaaaaaaaa>"), "<[secret]>");
}

TEST(Redactor, SearchesForNothingShort) {
  EXPECT_TRUE(Redactor({"", "1", "1234567"}).finds_nothing());
  EXPECT_FALSE(Redactor({"12345678"}).finds_nothing());
  EXPECT_EQ(Redactor({"1", "12345678"}).redact("1 12345678"), "1 [secret]");
}

TEST(Redactor, FindsSecretsOfAnyBytes) {
  const std::string secret("\0\xff\\\"\n123", 8);
  EXPECT_EQ(Redactor({secret}).redact("x" + secret + "y"), "x[secret]y");
}

TEST(RedactPositions, ReplacesArgumentsWholeWhateverTheirLength) {
  const std::vector<std::size_t> positions{2, 9};
  EXPECT_EQ(redact_positions({"login", "--pin", "1", "1"}, positions),
            (std::vector<std::string>{"login", "--pin", "[secret]", "1"}));
}

}  // namespace
}  // namespace jail::event
