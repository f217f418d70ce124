#include "egress/wall.h"

#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/ip_icmp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <functional>
#include <utility>

#include "base/error.h"
#include "egress/policy.h"
#include "sys/nft.h"

namespace jail::egress {
namespace {

using sys::nft::Base;
using sys::nft::Compare;
using sys::nft::Expressions;
using sys::nft::Meta;
using sys::nft::Register;
using sys::nft::Type;
using sys::nft::word;
using Set = Ruleset::Set;
using Sort = Set::Sort;
using Rule = Ruleset::Rule;
using What = Rule::What;
using Then = Rule::Then;
using Chain = Ruleset::Chain;
using Element = Ruleset::Element;

constexpr std::uint64_t kNsPerSecond = 1'000'000'000;
constexpr int kMostHeard = 256;             // messages at once
constexpr std::uint32_t kDestination = 2;   // of a transport header: where its port is, in both protocols
constexpr std::uint32_t kFlagsOfTcp = 13;
constexpr std::uint32_t kLoopback = 1;      // the number of "lo" in every network namespace

template <typename Value>
std::span<const std::uint8_t> bytes_of(const Value& value) {
  return {reinterpret_cast<const std::uint8_t*>(&value), sizeof value};
}

// --- Sets and their elements -----------------------------------------------------------------------------------------

Type address_type(int family) { return family == AF_INET ? Type::Ipv4 : Type::Ipv6; }

sys::nft::Set encoded(const Set& set) {
  sys::nft::Set all{.name = name_of(set.sort, set.family), .key = {}};
  if (set.sort == Sort::Told) return all.key = {Type::Port}, all;
  if (set.sort != Sort::Doors) all.key.push_back(address_type(set.family));
  if (set.sort != Sort::Near) all.key.push_back(Type::Protocol);
  if (set.sort != Sort::Near && !is_of_all_ports(set.sort)) all.key.push_back(Type::Port);
  if (has_networks(set.sort)) all.kind = sys::nft::Set::Kind::Intervals;
  if (has_names(set.sort)) all.kind = sys::nft::Set::Kind::Timeouts, all.most = kMostNamed;
  return all;
}

std::string text_of(std::span<const std::uint8_t> octets) { return {octets.begin(), octets.end()}; }

std::string port_key(const Element& one) {
  const std::uint16_t port = htons(one.at.port);
  return text_of(bytes_of(port));
}

// Each part in whole words.
std::string ports_key(const Element& one) {
  std::string key(8, '\0');
  key[0] = static_cast<char>(one.protocol);
  key.replace(4, 2, port_key(one));
  return key;
}

std::string protocol_key(const Element& one) { return {static_cast<char>(one.protocol), '\0', '\0', '\0'}; }

std::string key_of(Sort sort, const Element& one) {
  if (sort == Sort::Near) return text_of(octets(one.at));
  if (sort == Sort::Told) return port_key(one);
  if (is_of_all_ports(sort)) return text_of(octets(one.at)) + protocol_key(one);
  return sort == Sort::Doors ? ports_key(one) : text_of(octets(one.at)) + ports_key(one);
}

Element last_of(Element one) {
  for (std::size_t i = 0; i < octets(one.at).size(); ++i) {
    const int kept = std::clamp(one.bits - static_cast<int>(i) * 8, 0, 8);
    one.at.bytes[i] = static_cast<std::uint8_t>(one.at.bytes[i] | 0xff >> kept);
  }
  return one;
}

// Empty: there is none.
std::string successor_of(std::string key) {
  for (std::size_t i = key.size(); i-- > 0;)
    if (++reinterpret_cast<std::uint8_t&>(key[i]) != 0) return key;
  return {};
}

std::vector<sys::nft::Element> encoded_elements(const Set& set) {
  std::vector<sys::nft::Element> all;
  for (const Element& one : set.elements) {
    sys::nft::Element element{.key = key_of(set.sort, one)};
    if (has_networks(set.sort) && set.sort != Sort::Near) element.last = key_of(set.sort, last_of(one));
    all.push_back(element);
    if (set.sort != Sort::Near) continue;
    const std::string end = successor_of(key_of(set.sort, last_of(one)));
    if (!end.empty()) all.push_back({.key = end, .is_end = true});
  }
  return all;
}

// --- Rules -----------------------------------------------------------------------------------------------------------

void compare_byte(Expressions& all, std::uint8_t with) {
  all.compare(Compare::Equal, word(0), bytes_of(with));
}

void of_family(Expressions& all, int family) {
  all.load(Meta::Family, word(0));
  compare_byte(all, static_cast<std::uint8_t>(family));
}

void of_protocol(Expressions& all, std::uint8_t protocol) {
  all.load(Meta::Protocol, word(0));
  compare_byte(all, protocol);
}

void load_destination(Expressions& all, int family) {
  const bool is_ipv4 = family == AF_INET;
  all.load(Base::Network, is_ipv4 ? offsetof(ip, ip_dst) : offsetof(ip6_hdr, ip6_dst), is_ipv4 ? 4 : 16, word(0));
}

void load_ports(Expressions& all, std::uint32_t at) {
  all.load(Meta::Protocol, word(at)).load(Base::Transport, kDestination, 2, word(at + 1));
}

void add_stream_begun(Expressions& all) {
  constexpr std::uint8_t kSynAndAck = 0x12;
  constexpr std::uint8_t kSyn = 0x02;
  of_protocol(all, IPPROTO_TCP);
  all.load(Base::Transport, kFlagsOfTcp, 1, word(0)).mask(word(0), bytes_of(kSynAndAck));
  all.compare(Compare::Unequal, word(0), bytes_of(kSyn));
}

void add_destination(Expressions& all, const Rule& rule) {
  of_family(all, rule.family);
  load_destination(all, rule.family);
  load_ports(all, rule.family == AF_INET ? 1 : 4);
  all.look_up(sys::nft::Lookup::Among, name_of(*rule.set, rule.family), word(0));
}

void add_host(Expressions& all, const Rule& rule) {
  of_family(all, rule.family);
  load_destination(all, rule.family);
  all.load(Meta::Protocol, word(rule.family == AF_INET ? 1 : 4));
  all.look_up(sys::nft::Lookup::Among, name_of(*rule.set, rule.family), word(0));
}

void add_own(Expressions& all, const Rule& rule) {
  of_family(all, rule.family);
  if (rule.family == AF_INET) {
    all.load(Base::Network, offsetof(ip, ip_dst), 1, word(0));
    compare_byte(all, IN_LOOPBACKNET);
  } else {
    load_destination(all, rule.family);
    all.compare(Compare::Equal, word(0), bytes_of(in6addr_loopback));
  }
  if (!rule.set) return;
  load_ports(all, 0);
  all.look_up(sys::nft::Lookup::NotAmong, name_of(*rule.set, rule.family), word(0));
}

void load_port(Expressions& all, std::uint8_t protocol) {
  of_protocol(all, protocol);
  all.load(Base::Transport, kDestination, 2, word(0));
}

void add_error(Expressions& all, const Rule& rule) {
  const bool is_ipv4 = rule.family == AF_INET;
  of_protocol(all, is_ipv4 ? std::uint8_t{IPPROTO_ICMP} : std::uint8_t{IPPROTO_ICMPV6});
  all.load(Base::Transport, 0, 1, word(0));
  compare_byte(all, is_ipv4 ? std::uint8_t{ICMP_DEST_UNREACH} : std::uint8_t{ICMP6_DST_UNREACH});
}

void add_what(Expressions& all, const Rule& rule) {
  switch (rule.what) {
    case What::FromDoors:
      all.load(Meta::Mark, word(0)).compare(Compare::Equal, word(0), bytes_of(kMarkOfDoors));
      return;
    case What::Established: return add_stream_begun(all);
    case What::To: return add_destination(all, rule);
    case What::ToAll: return add_host(all, rule);
    case What::Own: return add_own(all, rule);
    case What::Question: {
      const std::uint16_t port = htons(kDnsPort);
      load_port(all, rule.protocol);
      all.compare(Compare::Equal, word(0), bytes_of(port));
      return;
    }
    case What::Error: return add_error(all, rule);
    case What::Near:
      of_family(all, rule.family);
      load_destination(all, rule.family);
      all.look_up(sys::nft::Lookup::Among, name_of(Sort::Near, rule.family), word(0));
      return;
    case What::OnLoopback:
      all.load(Meta::InDevice, word(0)).compare(Compare::Equal, word(0), bytes_of(kLoopback));
      return;
    case What::Untold:
      load_port(all, rule.protocol);
      all.look_up(sys::nft::Lookup::NotAmong, name_of(Sort::Told, AF_UNSPEC), word(0));
      return;
    case What::Streams: return of_protocol(all, IPPROTO_TCP);
    case What::All: return;
  }
}

void add_then(Expressions& all, const Rule& rule) {
  switch (rule.then) {
    case Then::Accept: all.accept(); return;
    case Then::Refuse: all.go_to(name_of(Chain::Hook::None)); return;
    case Then::Count: all.count(Ruleset::kRefused); return;
    case Then::Tell: all.limit(kToldPerSecond, kToldAtOnce).log(kRefusedGroup, kRefusedBytes); return;
    case Then::Reset: all.reset_stream(); return;
    case Then::Drop: all.drop(); return;
    case Then::Lead: all.lead_to(rule.port); return;
  }
}

std::optional<sys::nft::Hook> encoded(Chain::Hook hook) {
  switch (hook) {
    case Chain::Hook::None: return std::nullopt;
    case Chain::Hook::Out: return sys::nft::Hook::Out;
    case Chain::Hook::In: return sys::nft::Hook::In;
    case Chain::Hook::Forward: return sys::nft::Hook::Forward;
    case Chain::Hook::Arriving: return sys::nft::Hook::Arriving;
  }
  return std::nullopt;
}

sys::nft::Batch encoded(const Ruleset& ruleset) {
  sys::nft::Batch batch(Ruleset::kTable);
  batch.add_table();
  batch.add_counter(Ruleset::kRefused);
  for (const Set& set : ruleset.sets) {
    const sys::nft::Set head = encoded(set);
    batch.add_set(head);
    batch.add_elements(head.name, encoded_elements(set));
  }
  for (const Chain& chain : ruleset.chains) {
    batch.add_chain(name_of(chain.hook), encoded(chain.hook));
    for (const Rule& rule : chain.rules) {
      Expressions all;
      add_what(all, rule);
      add_then(all, rule);
      batch.add_rule(name_of(chain.hook), all);
    }
  }
  return batch;
}

// --- While the jail lives --------------------------------------------------------------------------------------------

struct Change {
  sys::nft::Element element;
  bool is_there = false;  // with another time
};

int make_one(const Fd& socket, const std::string& set, std::span<const Change> changes) {
  sys::nft::Batch batch(Ruleset::kTable);
  std::vector<sys::nft::Element> old;
  std::vector<sys::nft::Element> all;
  for (const Change& change : changes) {
    all.push_back(change.element);
    if (change.is_there) old.push_back({.key = change.element.key});
  }
  batch.delete_elements(set, old);
  batch.add_elements(set, all);
  return sys::nft::commit(socket, std::move(batch));
}

// Of every port: one without.
std::vector<Element> opened_by(const profile::Endpoint& name, const Address& to) {
  const std::uint8_t protocol = number_of(name.protocol);
  if (name.ports.empty()) return {{protocol, to, 0}};
  std::vector<Element> all;
  for (const profile::PortRange& range : name.ports)
    for (unsigned port = range.first; port <= range.last; ++port) {
      all.push_back({protocol, to, 0});
      all.back().at.port = static_cast<std::uint16_t>(port);
    }
  return all;
}

// What was there may have passed since: then each by itself, and that one as if it had never been.
bool make(const Fd& socket, const std::string& set, std::span<Change> changes) {
  if (changes.empty()) return true;
  int error = make_one(socket, set, changes);
  if (error != ENOENT) return error == 0;
  for (std::size_t i = 0; i < changes.size(); ++i) {
    const std::span<const Change> one = changes.subspan(i, 1);
    error = make_one(socket, set, one);
    if (error == ENOENT && std::exchange(changes[i].is_there, false)) error = make_one(socket, set, one);
    if (error != 0) return false;
  }
  return true;
}

}  // namespace

WallSockets open_wall_sockets() noexcept {
  WallSockets sockets;
  sockets.changes = sys::nft::open_socket();
  if (sockets.changes) sockets.refusals = sys::nft::open_socket();
  return sockets;
}

int raise_wall(const WallSockets& sockets, const Ruleset& ruleset) {
  const int error = sys::nft::commit(sockets.changes, encoded(ruleset));
  return error == 0 ? sys::nft::listen(sockets.refusals, kRefusedGroup, kRefusedBytes) : error;
}

bool is_exhaustion(int error) noexcept {
  constexpr std::array kRunOut{ENOMEM, ENOBUFS, EMFILE, ENFILE, ENOSPC, EAGAIN, EINTR};
  return std::ranges::find(kRunOut, error) != kRunOut.end();
}

void mark_as_doors(std::span<const Fd> sockets) {
  for (const Fd& socket : sockets)
    if (socket)
      check(::setsockopt(socket.get(), SOL_SOCKET, SO_MARK, &kMarkOfDoors, sizeof kMarkOfDoors), "setsockopt",
            "SO_MARK");
}

void take_all_ports(std::span<const Fd> sockets, const Plan& plan) {
  const int on = 1;
  for (std::size_t i = 0; i < plan.out.size(); ++i) {
    const Door& door = plan.out[i];
    if (door.at.port != plan.port_of_all || !is_at_every_address(door)) continue;
    const bool is_ipv4 = door.at.family == AF_INET;
    const int level = is_ipv4 ? IPPROTO_IP : IPPROTO_IPV6;
    const int option = is_ipv4 ? IP_TRANSPARENT : IPV6_TRANSPARENT;
    check(::setsockopt(sockets[i].get(), level, option, &on, sizeof on), "setsockopt", "IP_TRANSPARENT");
  }
}

std::optional<Attempt> attempt_of(std::string_view packet) noexcept {
  if (packet.empty()) return std::nullopt;
  const int version = static_cast<std::uint8_t>(packet[0]) >> 4;
  const std::size_t size = version == 4 ? static_cast<std::size_t>(packet[0] & 0xf) * 4 : sizeof(ip6_hdr);
  if ((version != 4 && version != 6) || size < sizeof(ip) || packet.size() < size) return std::nullopt;
  const auto at = [&](std::size_t offset) { return static_cast<std::uint8_t>(packet[offset]); };
  Attempt attempt;
  attempt.protocol = at(version == 4 ? offsetof(ip, ip_p) : offsetof(ip6_hdr, ip6_nxt));
  attempt.to.family = version == 4 ? AF_INET : AF_INET6;
  std::memcpy(attempt.to.bytes.data(),
              packet.data() + (version == 4 ? offsetof(ip, ip_dst) : offsetof(ip6_hdr, ip6_dst)),
              octets(attempt.to).size());
  if ((attempt.protocol != IPPROTO_TCP && attempt.protocol != IPPROTO_UDP) || packet.size() < size + 4) return attempt;
  attempt.own_port = static_cast<std::uint16_t>(at(size) << 8 | at(size + 1));
  attempt.to.port = static_cast<std::uint16_t>(at(size + 2) << 8 | at(size + 3));
  return attempt;
}

Wall::Wall(WallSockets sockets, std::span<const profile::Endpoint> rules)
    : sockets_(std::move(sockets)), rules_(rules) {}

std::size_t Wall::Hash::operator()(const Element& element) const noexcept {
  return std::hash<std::string>()(key_of(Sort::Names, element));
}

// Older kernels (before 6.12) leave an element's time as it is when it comes again: it goes and comes at once.
bool Wall::open(std::uint32_t rule, const Address& to, std::uint32_t ttl_s, std::uint64_t now_ns) {
  const std::uint64_t seconds = std::min(ttl_s, Policy::kMostSeconds) + Policy::kGraceSeconds;
  const std::uint64_t until = now_ns + seconds * kNsPerSecond;
  forget_passed(now_ns);
  const profile::Endpoint& endpoint = rules_[rule];  // the policy knows it
  const Sort sort = endpoint.ports.empty() ? Sort::AllOfNames : Sort::Names;
  std::vector<Element> fresh;
  std::vector<Change> changes;
  for (const Element& element : opened_by(endpoint, to)) {
    const auto found = until_ns_.find(element);
    const bool is_there = found != until_ns_.end();
    if (is_there && found->second >= until) continue;
    fresh.push_back(element);
    changes.push_back({{.key = key_of(sort, element), .timeout_ms = seconds * 1000}, is_there});
  }
  if (!make(sockets_.changes, name_of(sort, to.family), changes)) return false;
  for (const Element& element : fresh) until_ns_[element] = until;
  return true;
}

void Wall::forget_passed(std::uint64_t now_ns) {
  if (until_ns_.size() < most_kept_) return;
  std::erase_if(until_ns_, [&](const auto& one) { return one.second <= now_ns; });
  most_kept_ = std::max(most_kept_, 2 * until_ns_.size());
}

std::vector<Attempt> Wall::refused() {
  std::vector<Attempt> attempts;
  for (int heard = 0; heard < kMostHeard; ++heard) {
    const auto packets = sys::nft::logged(sockets_.refusals);
    if (!packets) break;
    told_ += packets->size();
    for (const std::string& packet : *packets)
      if (const auto attempt = attempt_of(packet)) attempts.push_back(*attempt);
  }
  return attempts;
}

// Counted first: what comes meanwhile is told at the next look.
Wall::Look Wall::look() {
  const std::uint64_t all =
      sys::nft::packets(sockets_.changes, Ruleset::kTable, Ruleset::kRefused).value_or(counted_);
  Look look{.told = refused(), .is_quiet = all == counted_};
  counted_ = all;
  if (all > told_ + lost_) look.lost = all - told_ - lost_;
  lost_ += look.lost;
  return look;
}

}  // namespace jail::egress
