// The kernel's own wall around the way out: what nf_tables in the jail's network lets pass, out of the plan. Pure.
//
// Nobody in that network is a stranger: it has one device, its own loopback, and every address is there. So the wall
// stands before what the plugin sends (output). A stream is judged by its first packet, the only one that begins a
// connection, so nothing is tracked: what belongs to one is a comparison of flags. Of datagrams each is judged. What
// a door answers has a mark that only a capability gives. The rest is refused at once: a stream is reset
// (ECONNREFUSED), of everything else sending fails (EPERM, what the kernel says of a packet it drops there). Told at a
// rate are those refusals alone that nobody else tells: others would use it up.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "egress/address.h"
#include "egress/plan.h"

namespace jail::egress {

inline constexpr std::uint32_t kMarkOfDoors = 0x6a61696c;  // SO_MARK (socket(7))
inline constexpr std::uint16_t kRefusedGroup = 1;          // of nflog, in the jail's network
inline constexpr std::uint32_t kRefusedBytes = 96;         // of a packet: its headers
inline constexpr std::uint32_t kToldPerSecond = 1000;      // of refused packets; all are counted
inline constexpr std::uint32_t kToldAtOnce = 1000;
inline constexpr std::uint32_t kMostNamed = 65'536;        // elements of the addresses of names, for each family

struct Ruleset {
  static constexpr const char* kTable = "jail";
  static constexpr const char* kRefused = "refused";  // the counter

  struct Element {
    std::uint8_t protocol = 0;  // IPPROTO_*
    Address at;                 // with its port
    int bits = 0;               // of the address, in a set of networks
    bool operator==(const Element&) const = default;
  };
  struct Set {
    // Links: networks of the host's own link, where the profile names them; Near: all of those. Told: ports, of either
    // protocol and family (AF_UNSPEC). AllOf...: what is permitted at every port.
    enum class Sort { Addresses, Networks, Links, Names, Near, Doors, Told, AllOfNetworks, AllOfLinks, AllOfNames };
    Sort sort = Sort::Addresses;
    int family = AF_INET;
    std::vector<Element> elements;
  };
  struct Rule {
    enum class What { FromDoors, Established, To, ToAll, Own, Question, Error, Near, OnLoopback, Untold, Streams, All };
    enum class Then { Accept, Refuse, Count, Tell, Reset, Drop, Lead };
    What what = What::All;
    Then then = Then::Accept;
    int family = AF_UNSPEC;                   // of To, Own, Error and Near
    std::optional<Set::Sort> set = {};        // of To, ToAll: which destinations; of Own: but for these ports
    std::uint8_t protocol = 0;                // of Question and Untold
    std::uint16_t port = 0;                   // of Lead: who listens there takes it, as it is (TPROXY)
  };
  struct Chain {
    enum class Hook { None, Out, In, Forward, Arriving } hook = Hook::None;
    std::vector<Rule> rules;
  };
  std::vector<Set> sets;
  std::vector<Chain> chains;  // in an order in which none leads to a later one
};

// IPPROTO_*.
std::uint8_t number_of(profile::Protocol protocol);

// "permitted4".
std::string name_of(Ruleset::Set::Sort sort, int family);
const char* name_of(Ruleset::Chain::Hook hook);

// Nothing: the kernel would take too long to be told (more than kMostFixed addresses with their ports, or kMostNetworks
// networks). Of a plan that reaches abroad.
inline constexpr std::size_t kMostFixed = 8192;
inline constexpr std::size_t kMostNetworks = 512;
// AtDoors: who notifies of calls (monitor/examine.h) tells of those to other ports than ports_abroad().
enum class Tells { All, AtDoors };
std::optional<Ruleset> ruleset_of(const Plan& plan, Tells tells = Tells::All);

// The ports that have a door at every address, ascending: what goes there is refused by the wall or the relay, what
// goes to another port abroad finds nobody either way.
std::vector<std::uint16_t> ports_abroad(const Plan& plan);

bool has_networks(Ruleset::Set::Sort sort) noexcept;
bool has_names(Ruleset::Set::Sort sort) noexcept;  // which come and pass
bool is_of_all_ports(Ruleset::Set::Sort sort) noexcept;

// As nft(8) has it, a line each, at most `most` elements of a set.
std::vector<std::string> lines_of(const Ruleset& ruleset, std::size_t most);

}  // namespace jail::egress
