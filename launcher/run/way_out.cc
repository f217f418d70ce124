#include "run/way_out.h"

#include <netinet/in.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <memory>
#include <utility>

#include "base/clock.h"
#include "base/error.h"
#include "confine/landlock.h"
#include "confine/seccomp.h"
#include "egress/doors.h"
#include "egress/flow.h"
#include "egress/lookup.h"
#include "egress/resolver.h"
#include "sys/capabilities.h"
#include "sys/process.h"
#include "sys/route.h"
#include "sys/socket.h"

namespace jail::run {
namespace {

constexpr int kMostHeard = 256;  // records at once: others want to be heard, too
constexpr int kPatienceMs = 1000;

// --- In a helper -----------------------------------------------------------------------------------------------------

void keep_only(std::vector<int> keep) {
  std::erase(keep, -1);
  std::sort(keep.begin(), keep.end());
  sys::close_from(0, keep);
  sys::forget_environment();
}

void take_identity(const confine::identity::Plan& identity) {
  if (!identity.by_root) return;
  sys::set_groups_empty();
  sys::set_ids(identity.uid, identity.gid);  // root's capabilities go with its id
}

// Sockets are of the network that they are made in: who leads into the jail makes its own there. With the user
// namespace come all capabilities in it.
void join(std::vector<Fd> network, const confine::identity::Plan& identity) {
  for (const Fd& one : network) sys::join_namespaces(one, 0);
  take_identity(identity);
  if (!network.empty()) sys::drop_own_capabilities();
}

// What it needs of the world.
struct Reach {
  std::optional<std::vector<std::uint16_t>> ports;  // of TCP, to connect to; none: to all
  confine::seccomp::Transports transports = confine::seccomp::Transports::Streams;
};

Reach reach_of(const std::vector<egress::Door>& doors) {
  Reach reach{.ports = std::vector<std::uint16_t>()};
  for (const egress::Door& door : doors)
    if (door.protocol == profile::Protocol::Tcp) reach.ports->push_back(door.at.port);
    else reach.transports = confine::seccomp::Transports::StreamsAndDatagrams;
  return reach;
}

void confine_self(const Reach& reach) {
  sys::set_limit({.resource = RLIMIT_NOFILE, .value = egress::kMostRelayDescriptors});
  sys::set_no_new_privileges();
  using confine::landlock::Ports;
  confine::landlock::enforce_nothing_allowed(confine::landlock::probe(),
                                             reach.ports ? std::optional<Ports>(*reach.ports) : std::nullopt);
  sys::set_dumpable(sys::Dumpable::No);
  sys::set_parent_death_signal(SIGKILL);
  if (const int sealed = confine::seccomp::enforce(confine::seccomp::relay_program(reach.transports)); sealed < 0)
    throw SysError(-sealed, "seccomp");
}

// Two ends of the same.
void pair_up(egress::Link& resolver, egress::Link& relay) {
  sys::SocketPair openings = sys::socket_pair();
  sys::SocketPair judgements = sys::socket_pair();
  resolver = {std::move(openings.ours), std::move(judgements.ours)};
  relay = {std::move(openings.theirs), std::move(judgements.theirs)};
}

egress::Policy empty_policy(const Plan& plan) {
  const auto routes = std::make_shared<sys::Routes>();
  return {plan.egress.rules,
          [routes](const egress::Address& address) { return routes->is_local(egress::octets(address)); }};
}

// What the host's own list of names says holds from the start: a plugin that has it does not ask.
std::vector<WallKeeper::Listed> listed_by(const egress::Names& names) {
  std::vector<WallKeeper::Listed> all;
  for (const auto& [name, addresses] : egress::read_hosts(names))
    for (const egress::Rule rule : names.permits(name).rules)
      for (const egress::Address& address : addresses) all.push_back({rule, address});
  return all;
}

egress::Policy make_policy(const Plan& plan, const std::vector<WallKeeper::Listed>& listed) {
  egress::Policy policy = empty_policy(plan);
  for (const WallKeeper::Listed& one : listed)
    (void)policy.open(one.rule, one.address, egress::Policy::kMostSeconds, clock::boottime_ns());
  return policy;
}

void become_relay(std::vector<egress::Relayed> doors, std::vector<Fd> network, const egress::Link& resolver,
                  const Plan& plan, const std::vector<WallKeeper::Listed>& listed, const Reach& reach,
                  const Fd& told) {
  std::vector<int> keep{told.get(), resolver.openings.get(), resolver.judgements.get()};
  for (const egress::Relayed& door : doors) keep.push_back(door.socket.get());
  for (const Fd& one : network) keep.push_back(one.get());
  keep_only(std::move(keep));
  egress::Policy policy = make_policy(plan, listed);
  join(std::move(network), plan.identity);
  confine_self(reach);
  egress::relay(std::move(doors), std::move(policy), resolver, told);
}

void become_resolver(egress::ResolverSockets sockets, const egress::Names& names, const egress::Link& relay,
                     const Plan& plan, const Fd& told) {
  std::vector<int> keep{told.get(), relay.openings.get(), relay.judgements.get()};
  for (const auto* some : {&sockets.datagram, &sockets.stream})
    for (const Fd& socket : *some) keep.push_back(socket.get());
  keep_only(std::move(keep));
  egress::Upstreams upstreams = egress::read_upstreams(names, plan.egress.rules);
  take_identity(plan.identity);
  confine_self({{{egress::kDnsPort}}, confine::seccomp::Transports::StreamsAndDatagrams});
  egress::resolve(std::move(sockets), names, std::move(upstreams), relay, told);
}

// Records of one sort, as they come. False: who told them is gone.
template <typename Record>
bool hear(const Fd& told, EgressEvents& events) {
  for (int heard = 0; heard < kMostHeard; ++heard) {
    Record record;
    const ssize_t size = TEMP_FAILURE_RETRY(::recv(told.get(), &record, sizeof record, MSG_DONTWAIT));
    if (size < 0) return errno == EAGAIN;
    if (size != sizeof record) return false;
    if (record.lost != 0) events.add(event::MonitorLost{record.lost, "the network was faster than it was told"});
    events.add(record);
  }
  return true;
}

}  // namespace

std::optional<Refusal> WayOut::listen(const Plan& plan) {
  egress::Opened opened = egress::try_open_doors(plan.egress.in, egress::Side::Host);
  listeners_ = std::move(opened.sockets);
  if (opened.error == 0) return std::nullopt;
  const char* hint = opened.error == EADDRINUSE ? "end what listens there, or name another port" : "";
  return Refusal{"net", "listening on " + opened.where + ": " + std::strerror(opened.error), hint,
                 plan.egress.in[opened.number].place};
}

void WayOut::start(const Plan& plan, std::vector<Fd> doors, std::vector<Fd> network, egress::WallSockets wall,
                   std::shared_ptr<Destinations> destinations, EgressEvents::Log log) {
  if (doors.empty() && listeners_.empty()) return;
  keeper_ = WallKeeper(plan, std::move(wall), destinations);
  events_.emplace(plan.egress, destinations, std::move(log));
  if (!doors.empty()) start_out(plan, std::move(doors), *destinations);
  if (!listeners_.empty()) start_in(plan, std::move(network));
}

template <typename Become>
void WayOut::start(std::string_view death, Hear hear, Become become) {
  sys::SocketPair pair = sys::socket_pair();
  sys::Child child = sys::fork_into(0);
  if (child.pid != 0) return helpers_.push_back({death, hear, std::move(child.pidfd), std::move(pair.ours)});
  try {
    become(pair.theirs);
    ::_exit(0);
  } catch (const std::exception&) {
    ::_exit(1);  // the supervisor hears that it has gone
  }
}

void WayOut::start_out(const Plan& plan, std::vector<Fd> doors, Destinations& destinations) {
  const auto first = doors.begin() + static_cast<std::ptrdiff_t>(plan.egress.out.size());
  std::vector<Fd> resolvers(std::make_move_iterator(first), std::make_move_iterator(doors.end()));
  doors.erase(first, doors.end());
  std::vector<egress::Relayed> relayed;
  for (std::size_t i = 0; i < doors.size(); ++i)
    relayed.push_back({std::move(doors[i]), plan.egress.out[i].protocol, plan.egress.out[i].at.port, std::nullopt});
  std::vector<WallKeeper::Listed> listed;
  if (!resolvers.empty()) listed = listed_by(destinations.lines());
  egress::Link resolver;
  egress::Link relay;
  if (!resolvers.empty()) pair_up(resolver, relay);
  if (!resolvers.empty() && keeper_.keeps()) {
    sys::SocketPair relays = sys::socket_pair();
    keeper_.stand_between(std::move(resolver.openings), std::move(relays.theirs), empty_policy(plan), listed);
    resolver.openings = std::move(relays.ours);
  }
  Reach reach = reach_of(plan.egress.out);
  if (plan.egress.port_of_all) reach.ports.reset();
  start("the relay has died: the doors of network.allow are shut", hear<egress::Flow>, [&](const Fd& told) {
    become_relay(std::move(relayed), {}, resolver, plan, listed, reach, told);
  });
  relayed.clear();
  resolver = {};
  if (resolvers.empty()) return;
  start("the resolver has died: no name is looked up any more, and no stream to one begins", hear<egress::Lookup>,
        [&](const Fd& told) {
          become_resolver(egress::sockets_of(std::move(resolvers)), destinations.lines(), relay, plan, told);
        });
}

void WayOut::start_in(const Plan& plan, std::vector<Fd> network) {
  std::vector<egress::Relayed> relayed;
  for (std::size_t i = 0; i < listeners_.size(); ++i) {
    const egress::Door& door = plan.egress.in[i];
    relayed.push_back({std::move(listeners_[i]), door.protocol, door.at.port, egress::within(door)});
  }
  listeners_.clear();
  start("the relay has died: the doors of network.listen are shut", hear<egress::Flow>,
        [&](const Fd& told) {
          become_relay(std::move(relayed), std::move(network), {}, plan, {}, reach_of(plan.egress.in), told);
        });
}

void WayOut::add_to(std::vector<pollfd>& polled) {
  if (!events_) return;
  due_polled_ = polled.size();
  polled.push_back({events_->due().get(), POLLIN, 0});
  first_polled_ = polled.size();
  keeper_.add_to(polled);
  for (const Helper& helper : helpers_) polled.push_back({helper.told.get(), POLLIN, 0});
}

void WayOut::handle(const std::vector<pollfd>& polled) {
  if (!events_) return;
  // First, and whatever is there by now: what the kernel refuses may go by a name that was just given.
  for (std::size_t i = helpers_.size(); i-- > 0;) {
    if (helpers_[i].hear(helpers_[i].told, *events_)) continue;
    events_->add(event::MonitorChanged{"none", std::string(helpers_[i].death)});
    helpers_.erase(helpers_.begin() + static_cast<std::ptrdiff_t>(i));
  }
  keeper_.handle(&polled[first_polled_], [this](const event::Event& event) { events_->add(event); });
  if (polled[due_polled_].revents != 0) events_->flush();
}

void WayOut::finish() {
  if (events_) keeper_.finish([this](const event::Event& event) { events_->add(event); });
  for (const Helper& helper : helpers_) {
    (void)::shutdown(helper.told.get(), SHUT_WR);  // it tells what there is, and ends
    pollfd polled{helper.told.get(), POLLIN, 0};
    while (TEMP_FAILURE_RETRY(::poll(&polled, 1, kPatienceMs)) > 0 && helper.hear(helper.told, *events_)) {}
  }
  if (events_) events_->finish();
  end();
}

std::optional<EgressEvents::Carried> WayOut::carried() const {
  return events_ ? std::optional(events_->carried()) : std::nullopt;
}

// By pidfd: as pid 1 of a container the supervisor may have reaped them already.
void WayOut::end() noexcept {
  for (const Helper& helper : helpers_) {
    (void)sys::pidfd_send_signal(helper.process, SIGKILL);
    siginfo_t ended{};
    (void)TEMP_FAILURE_RETRY(::waitid(P_PIDFD, static_cast<id_t>(helper.process.get()), &ended, WEXITED));
  }
  helpers_.clear();
}

}  // namespace jail::run
