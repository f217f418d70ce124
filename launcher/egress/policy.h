// Which destinations the profile permits: its addresses and networks as they stand, its names by the addresses that the
// resolver has opened for them. The copy that decides: whoever asks is not trusted, and nor is the resolver.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "egress/address.h"
#include "profile/profile.h"

namespace jail::egress {

class Policy {
 public:
  // `rules`: network.allow, which outlives this. `is_own`: whether an address is this host's now, which only an entry
  // of its own permits.
  using IsOwn = std::function<bool(const Address&)>;
  Policy(std::span<const profile::Endpoint> rules, IsOwn is_own);

  // The number of the rule that permits it; none: it is denied. `now_ns`: CLOCK_BOOTTIME.
  [[nodiscard]] std::optional<std::uint32_t> permits(profile::Protocol protocol, const Address& to,
                                                     std::uint64_t now_ns) const;

  // Of a TCP destination that is permitted: whether only names permit it, whose streams must say one of them (sni).
  [[nodiscard]] bool asks_for_name(const Address& to, std::uint64_t now_ns) const;
  // Whether one of these rules, of names, permits it now.
  [[nodiscard]] bool permits_by(std::span<const std::uint32_t> rules, const Address& to, std::uint64_t now_ns) const;

  // The name of this rule points there for so long. False: it is no rule of a name, or the address is one that no name
  // may point to (rebinding). Where another line has that very address its own ports are open, and no more come with
  // the name. Where a rule has kMostOpened addresses, the one that would be forgotten first makes room.
  bool open(std::uint32_t rule, const Address& to, std::uint32_t ttl_s, std::uint64_t now_ns);
  // Whether the ports of the rule have come with it.
  [[nodiscard]] bool has_opened(std::uint32_t rule, const Address& to) const;

  // Whether it is this host's now.
  [[nodiscard]] bool is_own(const Address& address) const { return is_own_(address); }

  static constexpr std::size_t kMostOpened = 512;
  static constexpr std::uint32_t kMostSeconds = 86'400;  // of a ttl
  // A connection may begin a while after its name was asked for; a resolver of the plugin's may keep answers longer.
  static constexpr std::uint32_t kGraceSeconds = 60;

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
  [[nodiscard]] bool fits(std::uint32_t rule, profile::Protocol protocol, std::uint16_t port) const;
  [[nodiscard]] std::optional<std::uint32_t> fixed_rule(profile::Protocol protocol, const Address& to) const;
  template <typename Wanted>
  std::optional<std::uint32_t> first_opened(profile::Protocol protocol, const Address& to, std::uint64_t now_ns,
                                            Wanted is_wanted) const;
  [[nodiscard]] bool covers(const Fixed& fixed, const Address& to) const;
  [[nodiscard]] bool is_near(const Address& to) const;  // this host or its link
  [[nodiscard]] const Opened* find(const Address& host, std::uint32_t rule) const;
  void make_room(std::uint32_t rule);

  std::span<const profile::Endpoint> rules_;
  std::vector<Fixed> fixed_;  // rules of addresses and networks
  IsOwn is_own_;
  std::unordered_map<Address, std::vector<Opened>, Hash> opened_;  // port 0
  std::unordered_map<std::uint32_t, std::size_t> counts_;  // of addresses, by rule
};

}  // namespace jail::egress
