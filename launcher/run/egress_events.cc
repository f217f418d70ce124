#include "run/egress_events.h"

#include <netinet/in.h>
#include <sys/timerfd.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/clock.h"
#include "base/error.h"
#include "egress/address.h"
#include "egress/dns_message.h"

namespace jail::run {
namespace {

constexpr std::uint64_t kNsPerMs = 1'000'000;
constexpr std::uint64_t kNsPerSecond = 1'000'000'000;

event::Event of_egress(event::Body body) { return {.body = std::move(body), .source = event::Source::Egress}; }

event::Verdict denied(const std::string& rule, int error) {
  return {.decision = event::Decision::Denied, .layer = "network", .rule = rule, .error = error};
}

std::string_view reason_of(egress::Lookup::Outcome outcome) {
  using enum egress::Lookup::Outcome;
  switch (outcome) {
    case Answered:
    case NotPermitted: return {};
    case Malformed: return "no question that is answered here";
    case TooLong: return "too long a name to be passed on below a wildcard";
    case TooManyNames: return "more than 256 names below the wildcard within a minute";
    case TooFast: return "more than 500 questions a second that the host's servers are asked, or 2000 in all";
    case Busy: return "more than 128 questions at once";
    case AddressesRefused: return "it points to addresses that a name may not point to";
    case Failed: return "no server answered";
  }
  return {};
}

// RFC 1035; those that a resolver gives.
std::string_view name_of_rcode(std::uint8_t rcode) {
  constexpr std::string_view kNames[] = {"", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"};
  return rcode < std::size(kNames) ? kNames[rcode] : "unknown";
}

event::Decision decision_of(egress::Lookup::Outcome outcome) {
  using enum egress::Lookup::Outcome;
  if (outcome == Answered) return event::Decision::Allowed;
  return outcome == Failed || outcome == Busy ? event::Decision::Failed : event::Decision::Denied;
}

egress::Address address_of(const egress::Flow& flow) { return {flow.family, flow.address, flow.port}; }

// Of these there may be any number, and each is like the other. Datagrams have nobody's leave to come: whoever took
// none of them has answered none.
bool is_of_many(const egress::Flow& flow) {
  const bool is_untaken = flow.protocol == IPPROTO_UDP && flow.error != 0 && (flow.sent == 0 || flow.received == 0);
  return is_untaken || flow.sort == egress::Flow::Sort::Refused || (flow.sent == 0 && flow.received == 0);
}

}  // namespace

EgressEvents::EgressEvents(const egress::Plan& plan, std::shared_ptr<Destinations> destinations, Log log)
    : plan_(plan),
      destinations_(std::move(destinations)),
      log_(std::move(log)),
      alike_(log_),
      due_(check(::timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK), "timerfd_create")) {}

void EgressEvents::add(const egress::Flow& flow) {
  carried_.sent += flow.sent;
  carried_.received += flow.received;
  event::Event event = event_of(flow);
  if (!is_of_many(flow)) return log_(event);
  destinations_->complete(event, flow.began_ns);
  add_alike(std::move(event));
}

void EgressEvents::add_alike(event::Event event) {
  const auto due = alike_.next_flush();
  alike_.add(std::move(event));
  if (alike_.next_flush() != due) rearm();
}

void EgressEvents::add(const egress::Lookup& lookup) {
  const std::size_t told = std::min<std::size_t>(lookup.count, lookup.answers.size());
  for (std::size_t i = 0; i < told; ++i)
    destinations_->add_name({lookup.answers[i].family, lookup.answers[i].address, 0}, lookup.name.data());
  event::Event event = event_of(lookup);
  lookup.more == 0 ? add_alike(std::move(event)) : log_(event);
}

void EgressEvents::add(event::Event event) {
  destinations_->complete(event, event.mono_ns);
  event.verdict ? add_alike(std::move(event)) : log_(event);
}

void EgressEvents::add(event::Body body) { log_(of_egress(std::move(body))); }

void EgressEvents::flush() {
  alike_.flush(clock::boottime_ns());
  rearm();
}

void EgressEvents::finish() { alike_.flush(~std::uint64_t{0}); }

void EgressEvents::rearm() {
  const std::uint64_t due = alike_.next_flush().value_or(0);  // 0 disarms it
  itimerspec when{};
  when.it_value.tv_sec = static_cast<time_t>(due / kNsPerSecond);
  when.it_value.tv_nsec = static_cast<long>(due % kNsPerSecond);
  check(::timerfd_settime(due_.get(), TFD_TIMER_ABSTIME, &when, nullptr), "timerfd_settime");
}

std::string EgressEvents::line_of(std::uint32_t rule) const {
  return rule < plan_.rules.size() ? profile::line_of(plan_.rules[rule].place) : "default";
}

event::Event EgressEvents::event_of(const egress::Flow& flow) const {
  using enum event::Decision;
  const bool is_udp = flow.protocol == IPPROTO_UDP;
  const egress::Address to = address_of(flow);
  std::string host = flow.name.data();
  if (host.empty() && flow.fault == egress::Fault::None) host = destinations_->name_of(to);
  const event::Peer peer{.address = egress::text_of(to), .port = flow.port, .host = std::move(host)};
  event::Event event = of_egress(event::NetFlow{.protocol = is_udp ? "udp" : "tcp",
                                                .peer = peer,
                                                .local_port = flow.own_port,
                                                .bytes_sent = flow.sent,
                                                .bytes_received = flow.received,
                                                .duration_ms = (flow.ended_ns - flow.began_ns) / kNsPerMs});
  event.verdict = event::Verdict{.decision = flow.error == 0 ? Allowed : Failed, .error = flow.error};
  event.mono_ns = flow.ended_ns;
  if (flow.sort == egress::Flow::Sort::Over) return event;
  const std::string reason(egress::text_of(flow.fault));
  if (is_udp) event.body = event::NetSend{std::string(event::NetSend::kUsualCall), peer};
  else event.body = event::NetConnect{std::string(event::NetConnect::kUsualCall), peer, reason};
  event.verdict = denied(line_of(flow.rule), flow.error);
  return event;
}

event::Event EgressEvents::event_of(const egress::Lookup& lookup) const {
  event::NetDns body{.name = lookup.name.data(),
                     .type = egress::name_of_type(lookup.type),
                     .rcode = std::string(name_of_rcode(lookup.rcode)),
                     .reason = std::string(reason_of(lookup.outcome))};
  if (lookup.more != 0) body.reason += "; this stands for " + std::to_string(lookup.more) + " more";
  const std::size_t told = std::min<std::size_t>(lookup.count, lookup.answers.size());
  for (std::size_t i = 0; i < told; ++i)
    body.answers.push_back(egress::text_of({lookup.answers[i].family, lookup.answers[i].address, 0}));
  body.answers_cut = lookup.count > told;
  if (told > 0) body.ttl = lookup.ttl;
  event::Event event = of_egress(std::move(body));
  event.verdict = event::Verdict{.decision = decision_of(lookup.outcome)};
  if (event.verdict->decision == event::Decision::Denied)
    event.verdict = denied(line_of(lookup.rule), 0);
  event.mono_ns = lookup.answered_ns;
  return event;
}

}  // namespace jail::run
