// Which destinations the profile permits: its addresses and networks as they stand, its names by the addresses that the
// resolver has opened for them. The copy that decides: whoever asks is not trusted, and nor is the resolver.
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "egress/address.h"
#include "profile/profile.h"

namespace jail::egress {

class Policy {
 public:
  // `rules`: network.allow. `own`: addresses of this host, which only an entry of their own permits.
  Policy(std::vector<profile::Endpoint> rules, std::vector<Address> own);

  // The number of the rule that permits it; none: it is denied. `now_ns`: CLOCK_BOOTTIME.
  [[nodiscard]] std::optional<std::uint32_t> permits(profile::Protocol protocol, const Address& to,
                                                     std::uint64_t now_ns) const;

  // The name of this rule points there for so long. False: it is no rule of a name, the address is one that no name may
  // point to (rebinding), or there is no room (kMostOpened).
  bool open(std::uint32_t rule, const Address& to, std::uint32_t ttl_s, std::uint64_t now_ns);

  static constexpr std::size_t kMostOpened = 4096;

 private:
  struct Opened {
    std::uint32_t rule;
    std::uint64_t until_ns;
  };
  struct Hash {
    std::size_t operator()(const Address& address) const noexcept;
  };
  struct Fixed {
    std::uint32_t rule;
    Address at;
    std::optional<int> bits;  // none: this address alone
  };
  [[nodiscard]] bool covers(const Fixed& fixed, const Address& to) const;
  [[nodiscard]] bool is_near(const Address& to) const;  // this host or its link
  void forget_old(std::uint64_t now_ns);

  std::vector<profile::Endpoint> rules_;
  std::vector<Fixed> fixed_;  // rules of addresses and networks
  std::vector<Address> own_;
  std::unordered_map<Address, std::vector<Opened>, Hash> opened_;  // port 0
  std::size_t count_ = 0;
};

}  // namespace jail::egress
