// How much of the machine one user may have by way of `jaild`. Pure: the time is given.
#pragma once

#include <cstdint>
#include <map>

namespace jail::broker {

struct Limits {
  std::uint32_t connections = 384;           // of a user, and with them descriptors of ours
  std::uint32_t runs = 64;                   // of a user that are traced at once
  std::uint32_t groups = 256;                // of a user at once
  std::uint64_t ring_bytes = 128ULL << 20;   // of a user, of the kernel's memory
  std::uint32_t requests_a_second = 500;     // of a user; twice as many at once: a run makes about five
  std::uint32_t all_connections = 2048;
};

class Quotas {
 public:
  explicit Quotas(const Limits& limits) : limits_(limits) {}

  // False: there is no room, and nothing was taken.
  bool take_connection(std::uint32_t user);
  bool take_request(std::uint32_t user, std::uint64_t now_ns);
  bool take_run(std::uint32_t user, std::uint64_t ring_bytes);
  bool take_group(std::uint32_t user);
  void return_connection(std::uint32_t user);
  void return_run(std::uint32_t user, std::uint64_t ring_bytes);
  void return_group(std::uint32_t user);

 private:
  struct Account {
    std::uint32_t connections = 0, runs = 0, groups = 0;
    std::uint64_t ring_bytes = 0;
    std::uint64_t requests = 0;  // in thousandths
    std::uint64_t filled_ns = 0;
  };

  Limits limits_;
  std::map<std::uint32_t, Account> accounts_;  // for good: who comes back has asked before
  std::uint32_t connections_ = 0;
};

}  // namespace jail::broker
