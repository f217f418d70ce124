#include "run/wall_keeper.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/clock.h"
#include "base/error.h"

namespace jail::run {
namespace {

using egress::Opening;
using Verdict = Opening::Verdict;

constexpr std::size_t kMostAsked = 64;  // of the relay at once: its socket has room for them
constexpr int kMostHeard = 64;          // records at once: others want to be heard, too
constexpr std::uint64_t kUnderWayNs = 50'000'000;  // who has just asked may be told of yet
constexpr int kFirstLookS = 1;          // after a refusal that was heard
constexpr int kNextLookS = 10;          // while there are more: each may be a record

event::Event of_egress(event::Body body) { return {.body = std::move(body), .source = event::Source::Egress}; }

event::Event event_of(const egress::Attempt& attempt) {
  const bool is_stream = attempt.protocol == IPPROTO_TCP;
  event::Peer peer{.address = egress::text_of(attempt.to)};
  if (is_stream || attempt.protocol == IPPROTO_UDP) peer.port = attempt.to.port;
  const std::string_view call = is_stream ? event::NetConnect::kUsualCall : event::NetSend::kUsualCall;
  event::Event event = refused_in_network(std::move(peer), call, is_stream);
  event.source = event::Source::Egress;
  event.mono_ns = clock::boottime_ns();
  return event;
}

egress::Address address_of(const Opening& opening) {
  return {.family = opening.family == AF_INET6 ? AF_INET6 : AF_INET, .bytes = opening.address, .port = 0};
}

bool is_answer_to(Opening answer, const Opening& asked) {
  answer.verdict = asked.verdict;
  return answer.lookup == asked.lookup && answer.rule == asked.rule && answer.ttl == asked.ttl &&
         answer.family == asked.family && answer.index == asked.index && answer.address == asked.address;
}

// Nothing: none is there, or what came is none, being shorter or longer; `is_gone`: nothing more will come.
std::optional<Opening> receive(const Fd& socket, bool& is_gone) {
  Opening opening;
  const ssize_t size = TEMP_FAILURE_RETRY(::recv(socket.get(), &opening, sizeof opening, MSG_DONTWAIT | MSG_TRUNC));
  is_gone = size >= 0 ? size != sizeof opening : errno != EAGAIN;
  return size == sizeof opening ? std::optional(opening) : std::nullopt;
}

bool send(const Fd& socket, const Opening& opening) {
  return ::send(socket.get(), &opening, sizeof opening, MSG_NOSIGNAL | MSG_DONTWAIT) == sizeof opening;
}

}  // namespace

WallKeeper::WallKeeper(const Plan& plan, egress::WallSockets sockets, std::shared_ptr<Destinations> destinations)
    : plan_(&plan), wall_(std::move(sockets), plan.egress.rules), destinations_(std::move(destinations)) {
  if (keeps()) due_ = Fd(check(::timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK), "timerfd_create"));
}

void WallKeeper::stand_between(Fd resolver, Fd relay, egress::Policy policy, const std::vector<Listed>& listed) {
  resolver_ = std::move(resolver);
  relay_ = std::move(relay);
  policy_.emplace(std::move(policy));
  constexpr std::uint32_t kSeconds = egress::Policy::kMostSeconds;
  for (const Listed& one : listed)
    if (policy_->open(one.rule, one.address, kSeconds, clock::boottime_ns()))
      (void)open(one.rule, one.address, kSeconds);
}

// Where another line has that very address its own ports are open already, and no more come with the name.
bool WallKeeper::open(egress::Rule rule, const egress::Address& address, std::uint32_t ttl_s) {
  return !policy_->has_opened(rule, address) || wall_.open(rule, address, ttl_s, clock::boottime_ns());
}

void WallKeeper::add_to(std::vector<pollfd>& polled) const {
  const bool has_room = asked_.size() < kMostAsked;
  polled.push_back({wall_.refusals().get(), POLLIN, 0});
  polled.push_back({has_room ? resolver_.get() : -1, POLLIN, 0});
  polled.push_back({relay_.get(), POLLIN, 0});
  polled.push_back({due_.get(), POLLIN, 0});
}

void WallKeeper::handle(const pollfd* polled, const Log& log) {
  if (polled[0].revents != 0) hear_refusals(log);
  if (polled[2].revents != 0) hear_relay();
  if (polled[1].revents != 0) hear_resolver(log);
  if (polled[3].revents != 0) look_in(look(log, clock::boottime_ns() - kUnderWayNs) ? kNextLookS : 0);
}

// It does not know the addresses that this host has got since, nor that a network leaves out what lies near.
bool WallKeeper::is_honest(const Opening& opening) {
  const std::vector<profile::Endpoint>& rules = plan_->egress.rules;
  if (opening.rule >= rules.size()) return false;
  const profile::HostKind kind = rules[opening.rule].kind;
  if (kind != profile::HostKind::Name && kind != profile::HostKind::Wildcard) return false;
  return policy_->is_own(address_of(opening)) || destinations_->lines().permits(address_of(opening));
}

// One that asks for what it knows to be denied is not ours any more: it is heard no more, and so ends.
void WallKeeper::hear_resolver(const Log& log) {
  bool is_gone = false;
  while (asked_.size() < kMostAsked) {
    const std::optional<Opening> opening = receive(resolver_, is_gone);
    if (!opening) break;
    const egress::Address address = address_of(*opening);
    if (!policy_->open(opening->rule, address, opening->ttl, clock::boottime_ns())) {
      answer(*opening, Verdict::Refused);
      if (is_honest(*opening)) continue;
      log(of_egress(event::MonitorChanged{"none", "the resolver asked for " + egress::text_of(address) +
                                                      ", which no name may point to: it is heard no more"}));
      is_gone = true;
      break;
    }
    if (send(relay_, *opening)) asked_.push_back(*opening);
    else answer(*opening, Verdict::Refused);
  }
  if (is_gone) resolver_.reset();
}

// What it was not asked, or asked before what it has answered since, is not opened.
void WallKeeper::hear_relay() {
  bool is_gone = false;
  for (int heard = 0; heard < kMostHeard; ++heard) {
    const std::optional<Opening> opening = receive(relay_, is_gone);
    if (!opening) break;
    const auto asked = std::ranges::find_if(asked_, [&](const Opening& one) { return is_answer_to(*opening, one); });
    if (asked == asked_.end()) continue;
    asked_.erase(asked_.begin(), asked + 1);
    const bool is_open =
        opening->verdict == Verdict::Opened && open(opening->rule, address_of(*opening), opening->ttl);
    answer(*opening, is_open ? Verdict::Opened : Verdict::Refused);
  }
  if (!is_gone) return;
  relay_.reset();
  resolver_.reset();
}

void WallKeeper::answer(Opening opening, Verdict verdict) const {
  opening.verdict = verdict;
  (void)send(resolver_, opening);
}

void WallKeeper::hear_refusals(const Log& log) {
  for (const egress::Attempt& attempt : wall_.refused()) log(event_of(attempt));
  if (!is_due_) look_in(kFirstLookS);
}

// What is beyond the rate comes behind what is not, so that there is somebody to hear before anything can be lost.
bool WallKeeper::look(const Log& log, std::uint64_t before_ns) {
  if (!keeps()) return false;
  const egress::Wall::Look seen = wall_.look();
  for (const egress::Attempt& attempt : seen.told) log(event_of(attempt));
  if (seen.lost != 0) tell_lost(seen.lost, log, before_ns);
  return !seen.is_quiet;
}

// A flood of one refusal must not hide another. Who asks does not say by which protocol; what a name has led to once is
// not denied because its time has passed since.
void WallKeeper::tell_lost(std::uint64_t count, const Log& log, std::uint64_t before_ns) {
  log(of_egress(event::MonitorLost{count, "more was refused in the network than is told one by one"}));
  const egress::Policy lines(plan_->egress.rules, [](const egress::Address&) { return false; });
  const egress::Policy& policy = policy_ ? *policy_ : lines;
  const std::uint64_t now = clock::boottime_ns();
  const auto is_permitted = [&](const egress::Address& to, std::uint64_t when) {
    return when + Destinations::kLongestNs < now || policy.permits(profile::Protocol::Tcp, to, when) ||
           policy.permits(profile::Protocol::Udp, to, when);
  };
  for (const event::Event& one : destinations_->take_untold(is_permitted, before_ns)) log(one);
}

// 0: not before something is heard.
void WallKeeper::look_in(int seconds) {
  is_due_ = seconds != 0;
  const itimerspec when{.it_interval = {}, .it_value = {.tv_sec = seconds, .tv_nsec = 0}};
  check(::timerfd_settime(due_.get(), 0, &when, nullptr), "timerfd_settime");
}

}  // namespace jail::run
