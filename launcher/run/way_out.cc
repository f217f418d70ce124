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
#include <utility>

#include "base/error.h"
#include "confine/landlock.h"
#include "confine/seccomp.h"
#include "egress/doors.h"
#include "egress/flow.h"
#include "egress/relay.h"
#include "sys/capabilities.h"
#include "sys/process.h"
#include "sys/socket.h"

namespace jail::run {
namespace {

constexpr int kMostHeard = 256;  // flows at once: others want to be heard, too
constexpr int kPatienceMs = 1000;
constexpr std::uint64_t kNsPerMs = 1'000'000;

void keep_only(const std::vector<egress::Relayed>& doors, const std::vector<Fd>& network, const Fd& told) {
  std::vector<int> keep{told.get()};
  for (const egress::Relayed& door : doors) keep.push_back(door.socket.get());
  for (const Fd& one : network) keep.push_back(one.get());
  std::sort(keep.begin(), keep.end());
  sys::close_from(0, keep);
}

void take_identity(const confine::identity::Plan& identity) {
  if (!identity.by_root) return;
  sys::set_groups_empty();
  sys::set_ids(identity.uid, identity.gid);  // root's capabilities go with its id
}

// Sockets are of the network that they are made in: one that leads into the jail makes its own there. With the user
// namespace come all capabilities in it.
void join(std::vector<Fd> network, const confine::identity::Plan& identity) {
  for (const Fd& one : network) sys::join_namespaces(one, 0);
  take_identity(identity);
  if (!network.empty()) sys::drop_own_capabilities();
}

void confine_self() {
  sys::set_limit({.resource = RLIMIT_NOFILE, .value = egress::kMostRelayDescriptors});
  sys::set_no_new_privileges();
  confine::landlock::enforce_nothing_allowed(confine::landlock::probe());
  sys::set_dumpable(sys::Dumpable::No);
  sys::set_parent_death_signal(SIGKILL);
  if (const int sealed = confine::seccomp::enforce(confine::seccomp::relay_program()); sealed < 0)
    throw SysError(-sealed, "seccomp");
}

[[noreturn]] void become_relay(std::vector<egress::Relayed> doors, std::vector<Fd> network, const Plan& plan,
                               const Fd& told) noexcept {
  try {
    keep_only(doors, network, told);
    sys::forget_environment();
    egress::Policy policy(plan.egress.rules, egress::own_addresses());
    join(std::move(network), plan.identity);
    confine_self();
    egress::relay(std::move(doors), std::move(policy), told);
    ::_exit(0);
  } catch (const std::exception&) {
    ::_exit(1);
  }
}

event::Verdict verdict_of(const egress::Flow& flow) {
  using enum event::Decision;
  if (flow.sort == egress::Flow::Sort::Refused)
    return {.decision = Denied, .layer = "network", .rule = "default", .error = flow.error};
  return {.decision = flow.error == 0 ? Allowed : Failed, .error = flow.error};
}

event::Event event_of(const egress::Flow& flow) {
  const bool is_udp = flow.protocol == IPPROTO_UDP;
  const event::Peer peer{.address = egress::text_of({flow.family, flow.address, flow.port}), .port = flow.port};
  event::Event event{.body = event::NetConnect{std::string(event::NetConnect::kUsualCall), peer},
                     .source = event::Source::Egress};
  if (flow.sort == egress::Flow::Sort::Over)
    event.body = event::NetFlow{.protocol = is_udp ? "udp" : "tcp",
                                .peer = peer,
                                .local_port = flow.from_port,
                                .bytes_sent = flow.sent,
                                .bytes_received = flow.received,
                                .duration_ms = (flow.ended_ns - flow.began_ns) / kNsPerMs};
  else if (is_udp) event.body = event::NetSend{std::string(event::NetSend::kUsualCall), peer};
  event.mono_ns = flow.ended_ns;
  event.verdict = verdict_of(flow);
  return event;
}

event::Event of_egress(event::Body body) { return {.body = std::move(body), .source = event::Source::Egress}; }

}  // namespace

std::optional<Refusal> WayOut::listen(const Plan& plan) {
  egress::Opened opened = egress::try_open_doors(plan.egress.in);
  listeners_ = std::move(opened.sockets);
  if (opened.error == 0) return std::nullopt;
  const char* hint = opened.error == EADDRINUSE ? "end what listens there, or name another port" : "";
  return Refusal{"net", "listening on " + opened.where + ": " + std::strerror(opened.error), hint,
                 plan.egress.in[opened.number].place};
}

void WayOut::start(const Plan& plan, std::vector<Fd> doors, std::vector<Fd> network) {
  std::vector<egress::Relayed> out;
  for (std::size_t i = 0; i < doors.size(); ++i)
    out.push_back({std::move(doors[i]), plan.egress.out[i].protocol, plan.egress.out[i].at.port, std::nullopt});
  std::vector<egress::Relayed> in;
  for (std::size_t i = 0; i < listeners_.size(); ++i)
    in.push_back({std::move(listeners_[i]), profile::Protocol::Tcp, 0, egress::within(plan.egress.in[i])});
  listeners_.clear();
  if (!out.empty()) start(Leads::Out, plan, std::move(out), {});
  if (!in.empty()) start(Leads::In, plan, std::move(in), std::move(network));
}

void WayOut::start(Leads leads, const Plan& plan, std::vector<egress::Relayed> doors, std::vector<Fd> network) {
  sys::SocketPair pair = sys::socket_pair();
  sys::Child child = sys::fork_into(0);
  if (child.pid != 0) return relays_.push_back({std::move(child.pidfd), std::move(pair.ours), leads});
  become_relay(std::move(doors), std::move(network), plan, pair.theirs);
}

void WayOut::add_to(std::vector<pollfd>& polled) {
  first_polled_ = polled.size();
  for (const Relay& relay : relays_) polled.push_back({relay.told.get(), POLLIN, 0});
}

void WayOut::handle(const std::vector<pollfd>& polled, const Log& log) {
  for (std::size_t i = relays_.size(); i-- > 0;)
    if (polled[first_polled_ + i].revents != 0 && !hear(relays_[i], log)) {
      log(of_egress(event::MonitorChanged{"none", "the relay has died: the doors of network." +
                                                      std::string(relays_[i].leads == Leads::Out ? "allow" : "listen") +
                                                      " are shut"}));
      relays_.erase(relays_.begin() + static_cast<std::ptrdiff_t>(i));
    }
}

// False: it has gone.
bool WayOut::hear(const Relay& relay, const Log& log) {
  for (int heard = 0; heard < kMostHeard; ++heard) {
    egress::Flow flow;
    const ssize_t size = TEMP_FAILURE_RETRY(::recv(relay.told.get(), &flow, sizeof flow, MSG_DONTWAIT));
    if (size < 0) return errno == EAGAIN;
    if (size != sizeof flow) return false;
    if (flow.lost != 0) log(of_egress(event::MonitorLost{flow.lost, "flows that ended faster than they were told"}));
    log(event_of(flow));
  }
  return true;
}

void WayOut::finish(const Log& log) {
  for (const Relay& relay : relays_) {
    (void)::shutdown(relay.told.get(), SHUT_WR);  // it tells what there is, and ends
    pollfd polled{relay.told.get(), POLLIN, 0};
    while (TEMP_FAILURE_RETRY(::poll(&polled, 1, kPatienceMs)) > 0 && hear(relay, log)) {}
  }
  end();
}

// By pidfd: as pid 1 of a container the supervisor may have reaped them already.
void WayOut::end() noexcept {
  for (const Relay& relay : relays_) {
    (void)sys::pidfd_send_signal(relay.process, SIGKILL);
    siginfo_t ended{};
    (void)TEMP_FAILURE_RETRY(::waitid(P_PIDFD, static_cast<id_t>(relay.process.get()), &ended, WEXITED));
  }
  relays_.clear();
}

}  // namespace jail::run
