#include "egress/given_names.h"

#include <gtest/gtest.h>

#include <string>

namespace jail::egress {
namespace {

Address address(const std::string& text) { return *address_of(text, 0); }

TEST(GivenNames, TheLastNameOfAnAddress) {
  GivenNames names;
  EXPECT_EQ(names.name_of(address("203.0.113.1")), "");
  names.add(address("203.0.113.1"), "a.example");
  names.add(address("2001:db8::1"), "b.example");
  names.add(address("203.0.113.1"), "c.example");
  EXPECT_EQ(names.name_of(address("203.0.113.1")), "c.example");
  EXPECT_EQ(names.name_of(address("2001:db8::1")), "b.example");
}

TEST(GivenNames, TheOldestAreForgotten) {
  GivenNames names;
  for (unsigned i = 0; i <= GivenNames::kMost; ++i)
    names.add(address("10.0." + std::to_string(i / 256) + "." + std::to_string(i % 256)), "n" + std::to_string(i));
  EXPECT_EQ(names.name_of(address("10.0.0.0")), "");
  EXPECT_EQ(names.name_of(address("10.0.0.1")), "n1");
  EXPECT_EQ(names.name_of(address("10.0.4.0")), "n1024");
}

}  // namespace
}  // namespace jail::egress
