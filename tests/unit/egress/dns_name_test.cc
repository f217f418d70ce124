#include "egress/dns_name.h"

#include <gtest/gtest.h>

namespace jail::egress {
namespace {

using namespace std::string_literals;

std::optional<DnsName> read(const std::string& message, std::size_t offset, Pointers pointers) {
  return read_name(Octets(reinterpret_cast<const std::uint8_t*>(message.data()), message.size()), offset, pointers);
}

TEST(DnsName, IsReadAsItTravels) {
  const auto name = read("xx\3wWw\7example\0yy"s, 2, Pointers::Refused);
  ASSERT_TRUE(name);
  EXPECT_EQ(name->wire, "\3wWw\7example\0"s);
  EXPECT_EQ(name->end, 15U);
  EXPECT_EQ(text_of_name(name->wire), "www.example");
}

TEST(DnsName, FollowsPointersBack) {
  const std::string message = "\7example\0\3www\xc0\0\1a\xc0\x09zz"s;
  const auto name = read(message, 15, Pointers::Followed);
  ASSERT_TRUE(name);
  EXPECT_EQ(text_of_name(name->wire), "a.www.example");
  EXPECT_EQ(name->end, 19U);
  EXPECT_FALSE(read(message, 15, Pointers::Refused));
}

TEST(DnsName, RefusesWhatDoesNotEnd) {
  for (const std::string& message : {""s, "\3ww"s, "\3www"s, "\xc0"s, "\xc0\0"s, "\xc0\5\0\0\0\0"s, "\1a\xc0\0"s,
                                     "\x40x\0"s, "\x80x\0"s, "\xff\xff"s})
    EXPECT_FALSE(read(message, 0, Pointers::Followed));
  EXPECT_FALSE(read("\0"s, 1, Pointers::Followed));
  EXPECT_FALSE(read("\0"s, 99, Pointers::Followed));
}

TEST(DnsName, HasAtMost255Octets) {
  const std::string label = "\x3f"s + std::string(63, 'a');
  const std::string three = label + label + label;
  EXPECT_TRUE(read(three + "\x3d"s + std::string(61, 'b') + "\0"s, 0, Pointers::Refused));
  EXPECT_FALSE(read(three + "\x3e"s + std::string(62, 'b') + "\0"s, 0, Pointers::Refused));
  EXPECT_FALSE(read(label + "\0"s + three + "\xc0\0"s, 65, Pointers::Followed));
}

TEST(DnsName, AsTextHasDotsBetweenLabelsOnly) {
  EXPECT_EQ(text_of_name("\0"s), "");
  EXPECT_EQ(text_of_name("\3a.b\1c\0"s), "a\\046b.c");
  EXPECT_EQ(text_of_name("\4_x-\xff\1\0\0"s), "_x-\\255.\\000");
}

TEST(DnsName, ComesBackFromText) {
  EXPECT_EQ(wire_of_name("www.example"), "\3www\7example\0"s);
  EXPECT_EQ(wire_of_name(""), "\0"s);
  for (const std::string& text : {"."s, "a..b"s, ".a"s, std::string(64, 'a'), std::string(300, 'a')})
    EXPECT_FALSE(wire_of_name(text)) << text;
}

TEST(DnsName, MixesTheCaseOfLettersOnly) {
  const std::string wire = "\4a1-Z\3com\0"s;
  const std::array<std::uint8_t, 2> all{0xff, 0xff};
  EXPECT_EQ(mix_case(wire, all), "\4A1-z\3COM\0"s);
  EXPECT_EQ(lower(mix_case(wire, all)), lower(wire));
  EXPECT_EQ(mix_case(wire, {}), wire);
}

}  // namespace
}  // namespace jail::egress
