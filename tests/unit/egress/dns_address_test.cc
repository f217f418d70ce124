#include <gtest/gtest.h>

#include "egress/address.h"

namespace jail::egress {
namespace {

TEST(SpecialAddress, IsWhatNoNameMayPointTo) {
  for (const char* text :
       {"0.0.0.0", "0.1.2.3", "10.0.0.0", "10.255.255.255", "100.64.0.1", "100.127.255.255", "127.0.0.1", "127.9.9.9",
        "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.8", "192.88.99.1", "192.168.0.1", "198.18.0.1",
        "198.19.255.255", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255", "::", "::1", "::7f00:1", "::ffff",
        "fc00::1", "fdff::1", "fe80::1", "febf::1", "fec0::1", "ff02::1", "100::1", "2001::1", "2001:2::1",
        "64:ff9b:1::1"})
    EXPECT_TRUE(is_special(*address_of(text, 0))) << text;
}

TEST(SpecialAddress, IsNotWhatLiesBeside) {
  for (const char* text :
       {"1.0.0.0", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0",
        "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "192.0.1.0", "192.167.255.255", "192.169.0.0",
        "198.17.255.255", "198.20.0.0", "223.255.255.255", "203.0.113.7", "192.0.2.1", "198.51.100.1", "0:0:0:0:1::",
        "2001:200::1", "2001:db8::1", "2a00::1", "fbff::1", "100:0:0:1::1"})
    EXPECT_FALSE(is_special(*address_of(text, 0))) << text;
}

TEST(SpecialAddress, IsAnIPv6OneThatStandsForASpecialIPv4One) {
  for (const char* text : {"64:ff9b::127.0.0.1", "64:ff9b::10.0.0.1", "2002:7f00:1::1", "2002:c0a8:101::"})
    EXPECT_TRUE(is_special(*address_of(text, 0))) << text;
  for (const char* text : {"64:ff9b::203.0.113.1", "2002:cb00:7101::1"})
    EXPECT_FALSE(is_special(*address_of(text, 0))) << text;
  EXPECT_TRUE(is_of_this_link(*address_of("64:ff9b::127.0.0.1", 0)));
  EXPECT_FALSE(is_private(*address_of("64:ff9b::127.0.0.1", 0)));
}

// In an AAAA record nothing makes IPv4 of it.
TEST(SpecialAddress, IsIPv4InTheSpellingOfIPv6) {
  Address mapped{.family = AF_INET6, .bytes = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 203, 0, 113, 1}, .port = 0};
  EXPECT_TRUE(is_special(mapped));
}

TEST(NearNetwork, LiesThereAsAWhole) {
  for (const auto& [text, bits] : {std::pair("127.0.0.0", 8), std::pair("169.254.169.254", 32), std::pair("::", 80),
                                   std::pair("fe80::", 10), std::pair("64:ff9b::7f00:0", 104),
                                   std::pair("2002:7f00::", 24)})
    EXPECT_TRUE(is_of_this_link(*address_of(text, 0), bits)) << text;
  for (const auto& [text, bits] : {std::pair("0.0.0.0", 0), std::pair("0.0.0.0", 1), std::pair("0.0.0.0", 7),
                                   std::pair("::", 1), std::pair("::", 79), std::pair("64:ff9b::", 96),
                                   std::pair("2002::", 16), std::pair("2002::", 23), std::pair("10.0.0.0", 8)})
    EXPECT_FALSE(is_of_this_link(*address_of(text, 0), bits)) << text;
}

TEST(AddressWithin, ComparesSoManyBitsOfOneFamily) {
  const Address address = *address_of("172.20.1.2", 0);
  EXPECT_TRUE(is_within(address, *address_of("172.16.0.0", 0), 12));
  EXPECT_FALSE(is_within(address, *address_of("172.32.0.0", 0), 12));
  EXPECT_TRUE(is_within(address, *address_of("0.0.0.0", 0), 0));
  EXPECT_FALSE(is_within(address, *address_of("::", 0), 0));
  EXPECT_TRUE(is_within(address, address, 32));
  EXPECT_FALSE(is_within(address, *address_of("172.20.1.3", 0), 32));
}

}  // namespace
}  // namespace jail::egress
