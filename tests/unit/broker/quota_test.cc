#include "broker/quota.h"

#include <gtest/gtest.h>

namespace jail::broker {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::uint64_t kMiB = 1 << 20;

Limits few() {
  return {
      .connections = 2, .runs = 3, .groups = 2, .ring_bytes = 4 * kMiB, .requests_a_second = 10, .all_connections = 3};
}

TEST(Quota, ConnectionsOfAUserAndOfAll) {
  Quotas quotas(few());
  EXPECT_TRUE(quotas.take_connection(1));
  EXPECT_TRUE(quotas.take_connection(1));
  EXPECT_FALSE(quotas.take_connection(1));
  EXPECT_TRUE(quotas.take_connection(2));
  EXPECT_FALSE(quotas.take_connection(2)) << "there are three in all";
  quotas.return_connection(1);
  EXPECT_TRUE(quotas.take_connection(2));
}

TEST(Quota, RunsAndTheirRings) {
  Quotas quotas(few());
  EXPECT_TRUE(quotas.take_run(1, 2 * kMiB));
  EXPECT_FALSE(quotas.take_run(1, 3 * kMiB)) << "too much memory";
  EXPECT_TRUE(quotas.take_run(1, kMiB));
  EXPECT_TRUE(quotas.take_run(1, kMiB));
  quotas.return_run(1, 2 * kMiB);
  EXPECT_TRUE(quotas.take_run(1, kMiB));
  EXPECT_FALSE(quotas.take_run(1, 0)) << "too many runs";
  EXPECT_TRUE(quotas.take_run(2, 4 * kMiB)) << "another user's";
}

TEST(Quota, Groups) {
  Quotas quotas(few());
  EXPECT_TRUE(quotas.take_group(1));
  EXPECT_TRUE(quotas.take_group(1));
  EXPECT_FALSE(quotas.take_group(1));
  EXPECT_TRUE(quotas.take_group(2)) << "another user's";
  quotas.return_group(1);
  EXPECT_TRUE(quotas.take_group(1));
}

TEST(Quota, RequestsFlowBackWithTime) {
  Quotas quotas(few());
  std::uint64_t now = 100 * kSecond;
  int taken = 0;
  while (quotas.take_request(1, now)) ++taken;
  EXPECT_EQ(taken, 20);
  EXPECT_TRUE(quotas.take_request(2, now)) << "another user's";
  EXPECT_FALSE(quotas.take_request(1, now + kSecond / 20));
  EXPECT_TRUE(quotas.take_request(1, now + kSecond / 10));
  EXPECT_FALSE(quotas.take_request(1, now + kSecond / 10));
  now += 3600 * kSecond;
  for (taken = 0; quotas.take_request(1, now);) ++taken;
  EXPECT_EQ(taken, 20) << "no more than that at once";
}

}  // namespace
}  // namespace jail::broker
