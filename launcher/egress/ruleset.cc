#include "egress/ruleset.h"

#include <netinet/in.h>

#include <algorithm>
#include <iterator>
#include <tuple>

namespace jail::egress {
namespace {

using profile::Endpoint;
using profile::HostKind;
using Set = Ruleset::Set;
using Sort = Set::Sort;
using Rule = Ruleset::Rule;
using What = Rule::What;
using Then = Rule::Then;
using Chain = Ruleset::Chain;
using Element = Ruleset::Element;

constexpr int kFamilies[] = {AF_INET, AF_INET6};

auto order_of(const Element& one) { return std::tuple(one.protocol, one.at.port, one.at.bytes, one.bits); }
bool is_before(const Element& one, const Element& other) { return order_of(one) < order_of(other); }

void add_ports(const Endpoint& rule, Element element, std::vector<Element>& elements) {
  element.protocol = number_of(rule.protocol);
  if (rule.ports.empty()) elements.push_back(element);
  for (const profile::PortRange& range : rule.ports)
    for (unsigned port = range.first; port <= range.last; ++port) {
      element.at.port = static_cast<std::uint16_t>(port);
      elements.push_back(element);
    }
}

// What is permitted at every port: an address is a network of itself.
std::optional<Sort> sort_of_all(const Endpoint& rule, const Address& at) {
  if (rule.kind != HostKind::Address && rule.kind != HostKind::Prefix) return std::nullopt;
  const int whole = static_cast<int>(octets(at).size() * 8);
  const bool lies_near = is_of_this_link(at, rule.kind == HostKind::Prefix ? rule.prefix_length : whole);
  return lies_near ? Sort::AllOfLinks : Sort::AllOfNetworks;
}

// A network of the host's link is granted by name; any other leaves out what lies there (policy.h).
std::optional<Sort> sort_of(const Endpoint& rule, const Address& at, bool near_ones) {
  if (rule.ports.empty()) return sort_of_all(rule, at);
  if (rule.kind == HostKind::Address) return near_ones ? std::nullopt : std::optional(Sort::Addresses);
  if (rule.kind != HostKind::Prefix) return std::nullopt;
  const bool lies_near = is_of_this_link(at, rule.prefix_length);
  return lies_near == near_ones ? std::optional(Sort::Networks) : std::nullopt;
}

Address first_of(Address address, int bits) {
  for (std::size_t i = 0; i < address.bytes.size(); ++i) {
    const int kept = std::clamp(bits - static_cast<int>(i) * 8, 0, 8);
    address.bytes[i] = static_cast<std::uint8_t>(address.bytes[i] & (0xff00 >> kept));
  }
  return address;
}

// The kernel takes no network that overlaps another; of two, one holds the other.
void leave_out_what_is_held(std::vector<Element>& elements) {
  std::vector<Element> kept;
  for (const Element& one : elements) {
    const bool is_held = !kept.empty() && kept.back().protocol == one.protocol &&
                         kept.back().at.port == one.at.port && is_within(one.at, kept.back().at, kept.back().bits);
    if (!is_held) kept.push_back(one);
  }
  elements = std::move(kept);
}

std::vector<Element> elements_of(const Plan& plan, Sort sort, int family, bool near_ones = false) {
  std::vector<Element> elements;
  for (const Endpoint& rule : plan.rules) {
    const std::optional<Address> at = address_of(rule.host, 0);
    if (!at || at->family != family || sort_of(rule, *at, near_ones) != sort) continue;
    const bool is_network = rule.kind == HostKind::Prefix;
    const int whole = has_networks(sort) ? static_cast<int>(octets(*at).size() * 8) : 0;
    const int bits = is_network ? rule.prefix_length : whole;
    add_ports(rule, {0, is_network ? first_of(*at, bits) : *at, bits}, elements);
  }
  std::ranges::sort(elements, is_before);
  elements.erase(std::unique(elements.begin(), elements.end()), elements.end());
  if (has_networks(sort)) leave_out_what_is_held(elements);
  return elements;
}

std::vector<Element> doors_of(const Plan& plan, int family) {
  std::vector<Element> elements;
  for (const Door& door : plan.out)
    if (is_at_every_address(door) && door.at.family == family)
      elements.push_back({number_of(door.protocol), door.at, 0});
  std::ranges::sort(elements, is_before);
  return elements;
}

std::vector<Element> elements_of_ports(const std::vector<std::uint16_t>& ports) {
  std::vector<Element> elements;
  for (const std::uint16_t port : ports) elements.push_back({.at = {.family = AF_UNSPEC, .bytes = {}, .port = port}});
  return elements;
}

std::vector<Element> near_of(int family) {
  std::vector<Element> elements;
  for (const Block& block : blocks_of_this_link(family)) elements.push_back({0, block.address, block.bits});
  std::ranges::sort(elements, is_before);
  return elements;
}

class Builder {
 public:
  Builder(const Plan& plan, Tells tells) : plan_(plan), tells_(tells) {}

  std::optional<Ruleset> build() {
    add({.what = What::FromDoors});
    add({.what = What::Established});
    for (const int family : kFamilies) add_addresses(family);
    for (const int family : kFamilies) add_own(family);
    if (plan_.resolver == Plan::Resolver::Own)
      for (const std::uint8_t protocol : {IPPROTO_TCP, IPPROTO_UDP})
        add({.what = What::Question, .protocol = protocol});
    for (const int family : kFamilies) add({.what = What::Error, .family = family});
    for (const int family : kFamilies) add_networks(family);
    add({.what = What::All, .then = Then::Refuse});
    if (fixed_ > kMostFixed || networks_ > kMostNetworks) return std::nullopt;
    ruleset_.chains = {{Chain::Hook::None, refusing()},
                       {Chain::Hook::Out, std::move(out_)},
                       {Chain::Hook::In, {{.what = What::OnLoopback}}},
                       {Chain::Hook::Forward, {}}};
    if (plan_.port_of_all) ruleset_.chains.push_back({Chain::Hook::Arriving, leading()});
    return std::move(ruleset_);
  }

 private:
  void add(Rule rule) { out_.push_back(rule); }

  void add_set(Sort sort, int family, std::vector<Element> elements) {
    ruleset_.sets.push_back({sort, family, std::move(elements)});
  }

  // What has no port, or shows none, is told.
  std::vector<Rule> refusing() {
    std::vector<Rule> rules;
    if (tells_ == Tells::AtDoors) {
      add_set(Sort::Told, AF_UNSPEC, elements_of_ports(ports_abroad(plan_)));
      rules = {{.what = What::Untold, .then = Then::Reset, .protocol = IPPROTO_TCP},
               {.what = What::Untold, .then = Then::Drop, .protocol = IPPROTO_UDP}};
    }
    rules.insert(rules.end(), {{.what = What::All, .then = Then::Count},
                               {.what = What::All, .then = Then::Tell},
                               {.what = What::Streams, .then = Then::Reset}});
    return rules;
  }

  // The wall has let it out: it is for a door. What it leads to no socket goes on as it came.
  std::vector<Rule> leading() {
    std::vector<Rule> rules;
    for (const int family : kFamilies) rules.push_back({.what = What::Own, .family = family});
    if (plan_.resolver == Plan::Resolver::Own) rules.push_back({.what = What::Question, .protocol = IPPROTO_TCP});
    rules.push_back({.what = What::Streams, .then = Then::Lead, .port = *plan_.port_of_all});
    rules.push_back({.what = What::All});
    return rules;
  }

  void add_all_of(Sort sort, int family) {
    std::vector<Element> elements = elements_of(plan_, sort, family);
    networks_ += elements.size();
    if (elements.empty() && sort != Sort::AllOfNames) return;
    add_set(sort, family, std::move(elements));
    add({.what = What::ToAll, .family = family, .set = sort});
  }

  void add_addresses(int family) {
    std::vector<Element> elements = elements_of(plan_, Sort::Addresses, family);
    fixed_ += elements.size();
    if (!elements.empty()) {
      add_set(Sort::Addresses, family, std::move(elements));
      add({.what = What::To, .family = family, .set = Sort::Addresses});
    }
    if (plan_.resolver == Plan::Resolver::None) return;
    add_set(Sort::Names, family, {});
    add({.what = What::To, .family = family, .set = Sort::Names});
    if (plan_.port_of_all) add_all_of(Sort::AllOfNames, family);
  }

  // At a port that has a door at every address the plugin cannot listen: a door is all there can be.
  void add_own(int family) {
    std::vector<Element> doors = doors_of(plan_, family);
    const bool has_doors = !doors.empty();
    if (has_doors) add_set(Sort::Doors, family, std::move(doors));
    add({.what = What::Own, .family = family, .set = has_doors ? std::optional(Sort::Doors) : std::nullopt});
  }

  void add_networks(int family) {
    std::vector<Element> near_ones = elements_of(plan_, Sort::Networks, family, true);
    std::vector<Element> others = elements_of(plan_, Sort::Networks, family);
    networks_ += near_ones.size() + others.size();
    if (!near_ones.empty()) {
      add_set(Sort::Links, family, std::move(near_ones));
      add({.what = What::To, .family = family, .set = Sort::Links});
    }
    add_all_of(Sort::AllOfLinks, family);
    if (others.empty() && !plan_.port_of_all) return;
    add_set(Sort::Near, family, near_of(family));
    add({.what = What::Near, .then = Then::Refuse, .family = family});
    add_all_of(Sort::AllOfNetworks, family);
    if (others.empty()) return;
    add_set(Sort::Networks, family, std::move(others));
    add({.what = What::To, .family = family, .set = Sort::Networks});
  }

  const Plan& plan_;
  Tells tells_;
  Ruleset ruleset_;
  std::vector<Rule> out_;
  std::size_t fixed_ = 0;
  std::size_t networks_ = 0;
};

// --- As text ---------------------------------------------------------------------------------------------------------

std::string protocol_name(std::uint8_t protocol) { return protocol == IPPROTO_TCP ? "tcp" : "udp"; }
std::string ip(int family) { return family == AF_INET ? "ip" : "ip6"; }

std::string type_of(const Set& set) {
  if (set.sort == Sort::Told) return "inet_service";
  const std::string address = set.family == AF_INET ? "ipv4_addr" : "ipv6_addr";
  if (set.sort == Sort::Near) return address;
  if (is_of_all_ports(set.sort)) return address + " . inet_proto";
  return (set.sort == Sort::Doors ? "" : address + " . ") + "inet_proto . inet_service";
}

std::string text_of(const Set& set, const Element& one) {
  if (set.sort == Sort::Told) return std::to_string(one.at.port);
  std::string address = text_of(one.at);
  const int whole = set.family == AF_INET ? 32 : 128;
  if (has_networks(set.sort) && one.bits != whole) address += "/" + std::to_string(one.bits);
  if (set.sort == Sort::Near) return address;
  if (is_of_all_ports(set.sort)) return address + " . " + protocol_name(one.protocol);
  const std::string rest = protocol_name(one.protocol) + " . " + std::to_string(one.at.port);
  return set.sort == Sort::Doors ? rest : address + " . " + rest;
}

std::string text_of(const Set& set, std::size_t most) {
  std::string text = "set " + name_of(set.sort, set.family) + " { type " + type_of(set) + ";";
  if (has_names(set.sort)) text += " size " + std::to_string(kMostNamed) + "; flags timeout;";
  if (has_networks(set.sort)) text += " flags interval;";
  const std::size_t shown = std::min(most, set.elements.size());
  for (std::size_t i = 0; i < shown; ++i)
    text += (i == 0 ? " elements = { " : ", ") + text_of(set, set.elements[i]);
  if (shown < set.elements.size()) text += ", and " + std::to_string(set.elements.size() - shown) + " more";
  return text + (shown == 0 ? " }" : " } }");
}

std::string text_of(const Rule& rule) {
  const std::string daddr = ip(rule.family) + " daddr ";
  switch (rule.what) {
    case What::FromDoors: return "meta mark 0x6a61696c";
    case What::Established: return "tcp flags != syn / syn,ack";
    case What::To: return daddr + ". meta l4proto . th dport @" + name_of(*rule.set, rule.family);
    case What::ToAll: return daddr + ". meta l4proto @" + name_of(*rule.set, rule.family);
    case What::Own:
      return daddr + (rule.family == AF_INET ? "127.0.0.0/8" : "::1") +
             (rule.set ? " meta l4proto . th dport != @" + name_of(*rule.set, rule.family) : "");
    case What::Question: return protocol_name(rule.protocol) + " dport " + std::to_string(kDnsPort);
    case What::Error: return std::string(rule.family == AF_INET ? "icmp" : "icmpv6") + " type destination-unreachable";
    case What::Near: return daddr + "@" + name_of(Sort::Near, rule.family);
    case What::OnLoopback: return "iif \"lo\"";
    case What::Untold: return protocol_name(rule.protocol) + " dport != @" + name_of(Sort::Told, AF_UNSPEC);
    case What::Streams: return "meta l4proto tcp";
    case What::All: break;
  }
  return {};
}

std::string text_of_then(const Rule& rule) {
  switch (rule.then) {
    case Then::Accept: return "accept";
    case Then::Refuse: return "goto refuse";
    case Then::Count: return std::string("counter name \"") + Ruleset::kRefused + "\"";
    case Then::Tell:
      return "limit rate " + std::to_string(kToldPerSecond) + "/second burst " + std::to_string(kToldAtOnce) +
             " packets log group " + std::to_string(kRefusedGroup) + " snaplen " + std::to_string(kRefusedBytes) +
             " queue-threshold 1";
    case Then::Reset: return "reject with tcp reset";
    case Then::Drop: return "drop";
    case Then::Lead: return "tproxy to :" + std::to_string(rule.port);
  }
  return {};
}

}  // namespace

std::uint8_t number_of(profile::Protocol protocol) {
  return protocol == profile::Protocol::Tcp ? IPPROTO_TCP : IPPROTO_UDP;
}

std::string name_of(Sort sort, int family) {
  constexpr const char* kNames[] = {"permitted", "networks", "links", "names", "near",
                                    "doors", "told", "all_networks", "all_links", "all_names"};
  const char* const of_family = family == AF_INET ? "4" : family == AF_INET6 ? "6" : "";
  return std::string(kNames[static_cast<std::size_t>(sort)]) + of_family;
}

const char* name_of(Chain::Hook hook) {
  switch (hook) {
    case Chain::Hook::None: return "refuse";
    case Chain::Hook::Out: return "output";
    case Chain::Hook::In: return "input";
    case Chain::Hook::Forward: return "forward";
    case Chain::Hook::Arriving: return "prerouting";
  }
  return "";
}

bool has_networks(Sort sort) noexcept {
  constexpr Sort kOfNetworks[] = {Sort::Networks, Sort::Links, Sort::Near, Sort::AllOfNetworks, Sort::AllOfLinks};
  return std::ranges::find(kOfNetworks, sort) != std::end(kOfNetworks);
}

bool has_names(Sort sort) noexcept { return sort == Sort::Names || sort == Sort::AllOfNames; }
bool is_of_all_ports(Sort sort) noexcept { return sort >= Sort::AllOfNetworks; }

std::optional<Ruleset> ruleset_of(const Plan& plan, Tells tells) { return Builder(plan, tells).build(); }

std::vector<std::uint16_t> ports_abroad(const Plan& plan) {
  std::vector<std::uint16_t> ports;
  if (plan.resolver == Plan::Resolver::Own) ports.push_back(kDnsPort);
  for (const Door& door : plan.out)
    if (is_at_every_address(door)) ports.push_back(door.at.port);
  std::ranges::sort(ports);
  ports.erase(std::unique(ports.begin(), ports.end()), ports.end());
  return ports;
}

std::vector<std::string> lines_of(const Ruleset& ruleset, std::size_t most) {
  std::vector<std::string> lines{std::string("counter ") + Ruleset::kRefused};
  for (const Set& set : ruleset.sets) lines.push_back(text_of(set, most));
  for (const Chain& chain : ruleset.chains) {
    const std::string name = name_of(chain.hook);
    const std::string begin = "chain " + name + ": ";
    if (chain.hook != Chain::Hook::None)
      lines.push_back(begin + "type filter hook " + name + " priority filter; policy drop;");
    for (const Rule& rule : chain.rules) {
      const std::string what = text_of(rule);
      lines.push_back(begin + what + (what.empty() ? "" : " ") + text_of_then(rule));
    }
  }
  return lines;
}

}  // namespace jail::egress
