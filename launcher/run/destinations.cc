#include "run/destinations.h"

#include <algorithm>
#include <cerrno>
#include <utility>
#include <variant>

namespace jail::run {
namespace {

struct Asked {
  event::Peer* peer = nullptr;
  std::string* call = nullptr;
  bool connects = false;
};

// Of another kind: no peer.
Asked asked_by(event::Body& body) {
  if (auto* connect = std::get_if<event::NetConnect>(&body)) return {&connect->peer, &connect->call, true};
  if (auto* send = std::get_if<event::NetSend>(&body)) return {&send->peer, &send->call, false};
  return {};
}

// A stream that was refused for the name in it is for that name, or for none.
bool may_be_named(const event::Body& body, const event::Peer& peer) {
  const auto* connect = std::get_if<event::NetConnect>(&body);
  return peer.host.empty() && (connect == nullptr || connect->reason.empty());
}

// Where the kernel leads who asks for no address (ip(7), ipv6(7)).
egress::Address led_to(egress::Address to) {
  if (to.bytes != decltype(to.bytes){}) return to;
  return *egress::address_of(to.family == AF_INET ? "127.0.0.1" : "::1", to.port);
}

std::optional<egress::Address> destination_of(const event::Peer& peer) {
  const auto to = egress::address_of(peer.address, peer.port.value_or(0));
  return to ? std::optional(led_to(*to)) : std::nullopt;
}

}  // namespace

event::Event refused_in_network(event::Peer peer, std::string_view call, bool connects) {
  event::Event event{.body = event::NetSend{std::string(call), peer}};
  if (connects) event.body = event::NetConnect{std::string(call), std::move(peer)};
  event.verdict = event::Verdict{.decision = event::Decision::Denied,
                                 .layer = "network",
                                 .rule = "default",
                                 .error = connects ? ECONNREFUSED : EPERM};
  return event;
}

const egress::Names& Destinations::lines() {
  std::call_once(made_lines_, [this] { lines_.emplace(plan_.rules); });
  return *lines_;
}

void Destinations::add_name(const egress::Address& address, std::string_view name) {
  const std::lock_guard lock(mutex_);
  names_.add(address, name);
}

std::string Destinations::name_of(const egress::Address& address) const {
  const std::lock_guard lock(mutex_);
  return std::string(names_.name_of(address));
}

void Destinations::add_call(const event::Event& call) {
  event::Body body = call.body;
  const Asked asked = asked_by(body);
  const auto to = asked.peer == nullptr ? std::nullopt : destination_of(*asked.peer);
  if (!to || !call.pid) return;
  Caller caller{*to, *asked.call, *call.pid, call.jail_pid, asked.connects, call.mono_ns, call.mono_ns};
  const std::lock_guard lock(mutex_);
  const auto same = std::ranges::find_if(callers_, [&](const Caller& one) {
    return one.to == caller.to && one.pid == caller.pid && one.call == caller.call;
  });
  if (same != callers_.end()) same->last_ns = caller.last_ns;
  else if (callers_.size() < kMostCallers) callers_.push_back(std::move(caller));
  else *std::ranges::min_element(callers_, {}, &Caller::last_ns) = std::move(caller);
}

void Destinations::complete(event::Event& event, std::uint64_t when_ns) {
  const Asked asked = asked_by(event.body);
  const auto to = asked.peer == nullptr ? std::nullopt : destination_of(*asked.peer);
  if (!to) return;
  const std::lock_guard lock(mutex_);
  if (may_be_named(event.body, *asked.peer)) asked.peer->host = names_.name_of(*to);
  const bool is_denied = event.verdict && event.verdict->decision == event::Decision::Denied;
  if (is_denied && event.verdict->layer == "network" && event.verdict->rule == "default")
    event.verdict->rule = line_of(*to, asked.peer->host);
  Caller* const caller = event.pid ? nullptr : caller_of(*to, asked.connects, when_ns);
  if (caller == nullptr) return;
  caller->is_told |= is_denied;
  event.pid = caller->pid;
  event.jail_pid = caller->jail_pid;
  if (asked.connects || !caller->connects) *asked.call = caller->call;  // else one that names nobody, such as send(2)
}

std::vector<event::Event> Destinations::take_untold(const IsPermitted& is_permitted, std::uint64_t before_ns) {
  std::vector<event::Event> events;
  const std::lock_guard lock(mutex_);
  for (Caller& one : callers_) {
    if (one.is_told || one.last_ns >= before_ns || is_permitted(one.to, one.last_ns)) continue;
    one.is_told = true;
    event::Event event =
        refused_in_network({.address = egress::text_of(one.to), .port = one.to.port}, one.call, one.connects);
    event.verdict->predicted = true;
    event.source = event::Source::Notify;
    event.mono_ns = one.last_ns;
    event.pid = one.pid;
    event.jail_pid = one.jail_pid;
    events.push_back(std::move(event));
  }
  return events;
}

std::string Destinations::line_of(const egress::Address& to, const std::string& host) {
  const std::vector<egress::Rule> named = lines().permits(host).rules;
  const auto rule = named.empty() ? lines().find(to) : std::optional(named.front());
  return rule ? profile::line_of(plan_.rules[*rule].place) : "default";
}

// Of those who had asked by then the one whose call is the nearest; of the same sort, if there is one.
Destinations::Caller* Destinations::caller_of(const egress::Address& to, bool connects, std::uint64_t when_ns) {
  const auto rank = [&](const Caller& one) {
    return std::pair(one.connects == connects, std::min(one.last_ns, when_ns));
  };
  Caller* nearest = nullptr;
  for (Caller& one : callers_) {
    const bool had_asked = one.to == to && one.first_ns <= when_ns && one.last_ns + kLongestNs > when_ns;
    if (had_asked && (nearest == nullptr || rank(*nearest) < rank(one))) nearest = &one;
  }
  return nearest;
}

}  // namespace jail::run
