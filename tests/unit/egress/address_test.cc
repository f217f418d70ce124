#include "egress/address.h"

#include <gtest/gtest.h>

namespace jail::egress {
namespace {

TEST(Address, IsThatOfTheTextAndOfTheSocket) {
  for (const char* text : {"127.0.0.1", "203.0.113.7", "::1", "2001:db8::1", "255.255.255.255"}) {
    const std::optional<Address> address = address_of(text, 443);
    ASSERT_TRUE(address) << text;
    EXPECT_EQ(text_of(*address), text);
    EXPECT_EQ(from_socket(to_socket(*address).storage), address);
  }
}

TEST(Address, IPv4WithinIPv6IsIPv4) {
  EXPECT_EQ(address_of("::ffff:127.0.0.1", 80), address_of("127.0.0.1", 80));
  EXPECT_NE(address_of("::127.0.0.1", 80), address_of("127.0.0.1", 80));
}

TEST(Address, OddTextsAreNone) {
  for (const char* text : {"", "localhost", "127.1", "0x7f.0.0.1", "1.2.3.4.5", ":::", "::1%lo", "[::1]"})
    EXPECT_FALSE(address_of(text, 80)) << text;
}

TEST(Address, LoopbackIsAWholeNetworkOfIPv4AndOneAddressOfIPv6) {
  for (const char* text : {"127.0.0.1", "127.255.255.254", "::1", "::ffff:127.0.0.1"})
    EXPECT_TRUE(is_loopback(*address_of(text, 0))) << text;
  for (const char* text : {"126.255.255.255", "128.0.0.1", "::", "::2", "2001:db8::1"})
    EXPECT_FALSE(is_loopback(*address_of(text, 0))) << text;
}

}  // namespace
}  // namespace jail::egress
