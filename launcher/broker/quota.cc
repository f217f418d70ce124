#include "broker/quota.h"

#include <algorithm>

namespace jail::broker {
namespace {

constexpr std::uint64_t kNsPerThousandth = 1'000'000;  // of a second
constexpr std::uint64_t kOneRequest = 1000;

}  // namespace

bool Quotas::take_connection(std::uint32_t user) {
  Account& account = accounts_[user];
  if (account.connections >= limits_.connections || connections_ >= limits_.all_connections) return false;
  ++account.connections;
  ++connections_;
  return true;
}

void Quotas::return_connection(std::uint32_t user) {
  --accounts_[user].connections;
  --connections_;
}

// A bucket that fills while nobody asks.
bool Quotas::take_request(std::uint32_t user, std::uint64_t now_ns) {
  Account& account = accounts_[user];
  const std::uint64_t most = 2 * kOneRequest * limits_.requests_a_second;
  const std::uint64_t passed = account.filled_ns == 0 ? ~0ULL : (now_ns - account.filled_ns) / kNsPerThousandth;
  const std::uint64_t more = std::min(passed, 2 * kOneRequest) * limits_.requests_a_second;
  if (more > 0) {
    account.requests = std::min(most, account.requests + more);
    account.filled_ns = now_ns;
  }
  if (account.requests < kOneRequest) return false;
  account.requests -= kOneRequest;
  return true;
}

bool Quotas::take_run(std::uint32_t user, std::uint64_t ring_bytes) {
  Account& account = accounts_[user];
  if (account.runs >= limits_.runs || account.ring_bytes + ring_bytes > limits_.ring_bytes) return false;
  ++account.runs;
  account.ring_bytes += ring_bytes;
  return true;
}

void Quotas::return_run(std::uint32_t user, std::uint64_t ring_bytes) {
  Account& account = accounts_[user];
  --account.runs;
  account.ring_bytes -= ring_bytes;
}

bool Quotas::take_group(std::uint32_t user) {
  Account& account = accounts_[user];
  if (account.groups >= limits_.groups) return false;
  ++account.groups;
  return true;
}

void Quotas::return_group(std::uint32_t user) { --accounts_[user].groups; }

}  // namespace jail::broker
