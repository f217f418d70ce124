// The wall in the kernel: a ruleset put up in the jail's network, by who has the power there; addresses of names added
// while the jail lives, by the supervisor, who alone holds the sockets for it; and what the wall has refused.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/fd.h"
#include "egress/ruleset.h"

namespace jail::egress {

// Of the network that they are made in, whoever holds them.
struct WallSockets {
  Fd changes;
  Fd refusals;
};

// In the network of the caller. `refusals` is empty where they cannot be had (errno).
WallSockets open_wall_sockets() noexcept;

// In their network, in one transaction; who made them and the caller have CAP_NET_ADMIN there, as the owner of its user
// namespace has. 0, or the errno that says why there is no wall.
int raise_wall(const WallSockets& sockets, const Ruleset& ruleset);
// Of these, whether something has run out, which may be there another time; else this kernel has no such wall.
bool is_exhaustion(int error) noexcept;

// The sockets of the jail's network that answer for others: what they send passes the wall. Needs CAP_NET_ADMIN.
void mark_as_doors(std::span<const Fd> sockets);

// Of the plan's doors, the one for every port takes what the kernel leads to it. Needs CAP_NET_ADMIN.
void take_all_ports(std::span<const Fd> doors, const Plan& plan);

// What the plugin has sent that was refused.
struct Attempt {
  std::uint8_t protocol = 0;  // IPPROTO_*
  Address to;                 // port 0 where its protocol has none
  std::uint16_t own_port = 0;
};
// From the IP header on; nothing for what is not one.
std::optional<Attempt> attempt_of(std::string_view packet) noexcept;

class Wall {
 public:
  Wall() = default;
  // `rules` outlives this.
  Wall(WallSockets sockets, std::span<const profile::Endpoint> rules);

  [[nodiscard]] bool stands() const noexcept { return static_cast<bool>(sockets_.changes); }

  // Lets the ports of a name's rule through for an address, for so long and the grace of a name (policy.h). False: the
  // kernel did not take it.
  bool open(std::uint32_t rule, const Address& to, std::uint32_t ttl_s, std::uint64_t now_ns);

  // Readable where something was refused.
  [[nodiscard]] const Fd& refusals() const noexcept { return sockets_.refusals; }
  // Of what was refused, as much as is there.
  std::vector<Attempt> refused();
  // The same, and how many since the last look nobody heard of: beyond the rate, or without room.
  struct Look {
    std::vector<Attempt> told;
    std::uint64_t lost = 0;
    bool is_quiet = false;  // nothing at all was refused since
  };
  Look look();

 private:
  using Element = Ruleset::Element;
  struct Hash {
    std::size_t operator()(const Element& element) const noexcept;
  };
  void forget_passed(std::uint64_t now_ns);

  WallSockets sockets_;
  std::span<const profile::Endpoint> rules_;
  std::unordered_map<Element, std::uint64_t, Hash> until_ns_;
  std::size_t most_kept_ = 4096;  // before those are looked for that have passed
  std::uint64_t counted_ = 0;
  std::uint64_t told_ = 0;
  std::uint64_t lost_ = 0;
};

}  // namespace jail::egress
