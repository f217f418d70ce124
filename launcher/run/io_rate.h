// Whether a jail reads or writes as much as `limits.io` lets it. The kernel tells nobody whom it holds up, and a pause
// in io.pressure may be any disk's; but who is held up all the time moves just what is allowed (io.stat, of
// cgroup-v2.rst, counts a request when it has been let through). Held up for less than a span, it may go unseen.
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace jail::run {

class IoRate {
 public:
  // Each look spans what is since the last; one that comes sooner is left out: the kernel lets a tenth of a second's
  // bytes through at once.
  static constexpr std::uint64_t kLeastSpanNs = 500'000'000;

  // `limit`: bytes a second, of each device. `now_ns`: of any clock that goes on.
  IoRate(std::uint64_t limit, const std::string& io_stat, std::uint64_t now_ns);
  // Whether a device was read or written at 95 % of the limit or more.
  bool is_met(const std::string& io_stat, std::uint64_t now_ns);

 private:
  struct Moved {
    std::uint64_t read = 0, written = 0;  // bytes
  };
  using Devices = std::map<std::string, Moved>;
  static Devices devices_in(const std::string& io_stat);

  std::uint64_t limit_;
  Devices seen_;
  std::uint64_t seen_ns_;
};

}  // namespace jail::run
