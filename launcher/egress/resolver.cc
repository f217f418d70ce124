#include "egress/resolver.h"

#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <deque>
#include <memory>
#include <unordered_map>
#include <utility>

#include "base/clock.h"
#include "base/error.h"
#include "egress/answered.h"
#include "egress/dns_cache.h"
#include "egress/dns_exchange.h"
#include "egress/dns_limits.h"
#include "egress/dns_message.h"
#include "egress/judge.h"
#include "egress/lookup.h"
#include "egress/opening.h"
#include "egress/outbox.h"

namespace jail::egress {
namespace {

using Outcome = Lookup::Outcome;

constexpr std::size_t kMostPending = 128;
constexpr std::uint64_t kPatience = 8 * kSecond;
constexpr std::uint32_t kQuestionsPerSecond = 2000;
constexpr std::uint32_t kForwardedPerSecond = 500;  // to the host's servers
constexpr std::size_t kNamesPerMinute = 256;
constexpr std::size_t kLongestForwarded = 200;  // octets of a name
constexpr std::uint32_t kTtlOfHosts = 60;       // /etc/hosts has none
constexpr std::size_t kMostStreamed = 65535;
constexpr int kEvents = 64;

// What epoll remembers for us, beside Clients::kTag and Judge::kTag: a pending question's number, or one of these.
constexpr std::uint64_t kIsTold = ~0ULL;
constexpr std::uint64_t kIsRelay = ~0ULL - 1;

struct Pending {
  Asker asker;
  Query query;
  std::vector<Rule> rules;
  Lookup told;
  std::uint64_t deadline = 0;
  std::unique_ptr<Exchange> exchange{};
  struct Candidate {
    Given given;
    bool is_opened = false;
  };
  std::vector<Candidate> candidates{};
  std::size_t awaited = 0;  // openings
};

bool is_localhost(std::string_view name) { return name == "localhost" || name.ends_with(".localhost"); }

bool is_of_type(const Address& address, std::uint16_t type) {
  return type == (address.family == AF_INET ? kTypeA : kTypeAaaa);
}

std::vector<Given> of_type(const std::vector<Address>& addresses, std::uint16_t type) {
  std::vector<Given> given;
  for (const Address& address : addresses)
    if (is_of_type(address, type) && given.size() < kMostAddresses) given.push_back({address, kTtlOfHosts});
  return given;
}

std::vector<Given> loopback(std::uint16_t type) {
  return of_type({*address_of("127.0.0.1", 0), *address_of("::1", 0)}, type);
}

Lookup begin_record(const Query& query, std::string_view name) {
  Lookup told;
  told.asked_ns = clock::boottime_ns();
  told.type = query.question.type;
  std::copy_n(name.begin(), std::min(name.size(), Lookup::kLongestName), told.name.begin());
  return told;
}

void add_answers(Lookup& told, const std::vector<Given>& addresses) {
  told.count = static_cast<std::uint16_t>(addresses.size());
  for (std::size_t i = 0; i < std::min(addresses.size(), told.answers.size()); ++i)
    told.answers[i] = {static_cast<std::uint16_t>(addresses[i].address.family), addresses[i].address.bytes};
  const auto least = std::ranges::min_element(addresses, {}, &Given::ttl);
  if (least != addresses.end()) told.ttl = least->ttl;
}

class Resolver {
 public:
  Resolver(ResolverSockets sockets, const Names& names, Upstreams upstreams, const Link& relay, const Fd& told)
      : names_(names),
        upstreams_(std::move(upstreams)),
        relay_(relay.openings),
        poll_(check(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1")),
        told_(told, poll_, kIsTold),
        clients_(std::move(sockets), poll_, [this](const Asker& asker, Octets bytes) { return ask(asker, bytes); }),
        judge_(poll_, relay.judgements, names_, upstreams_.searched, answered_) {
    watch(relay_, EPOLL_CTL_ADD, EPOLLIN, kIsRelay);
  }

  void run() {
    while (!is_asked_to_end_ && !is_relay_gone_) step();
    while (!pending_.empty()) finish(pending_.begin()->first, Rcode::ServFail, Outcome::Failed);
    if (too_fast_ > 0) tell_too_fast({});
    told_.finish();
    if (is_relay_gone_) throw SysError(ECONNRESET, "recv", "the relay");
  }

 private:
  void watch(const Fd& socket, int operation, std::uint32_t events, std::uint64_t tag) const {
    epoll_event event{.events = events, .data = {.u64 = tag}};
    check(::epoll_ctl(poll_.get(), operation, socket.get(), &event), "epoll_ctl");
  }

  void step() {
    std::array<epoll_event, kEvents> events{};
    const int count = TEMP_FAILURE_RETRY(::epoll_wait(poll_.get(), events.data(), kEvents, time_left()));
    for (int i = 0; i < check(count, "epoll_wait"); ++i) {
      const epoll_event& event = events[static_cast<std::size_t>(i)];
      const std::uint64_t tag = event.data.u64;
      if (tag == kIsTold) is_asked_to_end_ |= !told_.handle();
      else if (tag == kIsRelay) carry_relay(event.events);
      else if ((tag & Clients::kTag) != 0) clients_.carry(tag, event.events, clock::boottime_ns());
      else if ((tag & Judge::kTag) != 0) is_relay_gone_ |= !judge_.carry(tag, clock::boottime_ns());
      else carry(tag);
    }
    pass(clock::boottime_ns());
  }

  // In milliseconds, for epoll_wait(2).
  [[nodiscard]] int time_left() const {
    std::uint64_t first = std::min(clients_.deadline(), judge_.deadline());
    for (const auto& [number, one] : pending_) first = std::min(first, deadline_of(one));
    if (first == ~std::uint64_t{0}) return -1;
    const std::uint64_t now = clock::boottime_ns();
    return first <= now ? 0 : static_cast<int>((first - now) / (kSecond / 1000)) + 1;
  }

  [[nodiscard]] static std::uint64_t deadline_of(const Pending& one) {
    return one.exchange ? std::min(one.deadline, one.exchange->deadline()) : one.deadline;
  }

  void pass(std::uint64_t now) {
    clients_.pass(now);
    judge_.pass(now);
    std::vector<std::uint64_t> late;
    for (const auto& [number, one] : pending_)
      if (deadline_of(one) <= now) late.push_back(number);
    for (const std::uint64_t number : late) {
      Pending& one = pending_.at(number);
      if (one.deadline <= now) finish(number, Rcode::ServFail, Outcome::Failed);
      else take(number, one.exchange->give_up(now));
    }
  }

  // A question of the plugin. False: there will be no answer.
  bool ask(const Asker& asker, Octets bytes) {
    const auto read = read_query(bytes);
    if (!read) return false;
    const Query& query = read->query;
    const std::string name = text_of_name(query.question.wire);
    Pending one{.asker = asker, .query = query, .rules = {}, .told = begin_record(query, name)};
    if (!rate_.take(one.told.asked_ns)) refuse_too_fast(one);
    else if (read->rcode != Rcode::NoError) reply(one, read->rcode, Outcome::Malformed);
    else if (is_localhost(name)) reply(one, Rcode::NoError, Outcome::Answered, loopback(query.question.type));
    else decide(std::move(one), name);
    return true;
  }

  void decide(Pending one, const std::string& name) {
    Names::Match match = names_.permits(name);
    if (match.rules.empty()) return reply(one, Rcode::NxDomain, Outcome::NotPermitted);
    one.told.rule = match.rules.front();
    one.rules = std::move(match.rules);
    const Question& question = one.query.question;
    if (question.type != kTypeA && question.type != kTypeAaaa) return reply(one, Rcode::NoError, Outcome::Answered);
    if (pending_.size() >= kMostPending) return reply(one, Rcode::ServFail, Outcome::Busy);
    const std::optional<Answer> known = known_answer(name, question.type, one.told.asked_ns);
    if (!known) {
      if (question.wire.size() > kLongestForwarded) return reply(one, Rcode::Refused, Outcome::TooLong);
      if (!match.zone.empty() && !budget_.take(match.zone, name, one.told.asked_ns))
        return reply(one, Rcode::Refused, Outcome::TooManyNames);
      if (!forwarded_.take(one.told.asked_ns)) return refuse_too_fast(one);
    }
    one.deadline = one.told.asked_ns + kPatience;
    const std::uint64_t number = next_++;
    Pending& kept = pending_.emplace(number, std::move(one)).first->second;
    if (known) return settle(number, *known);
    kept.exchange = std::make_unique<Exchange>(poll_, number, upstreams_.servers, kept.query.question);
    take(number, kept.exchange->begin(kept.told.asked_ns));
  }

  [[nodiscard]] std::optional<Answer> known_answer(const std::string& name, std::uint16_t type,
                                                   std::uint64_t now) const {
    const auto listed = upstreams_.hosts.find(name);
    if (listed == upstreams_.hosts.end()) return cache_.find(name, type, now);
    return Answer{.rcode = Rcode::NoError, .is_whole = true, .addresses = of_type(listed->second, type)};
  }

  void carry(std::uint64_t number) {
    const auto found = pending_.find(number);
    if (found != pending_.end() && found->second.exchange) take(number, found->second.exchange->carry());
  }

  void take(std::uint64_t number, Exchange::State state) {
    if (state == Exchange::State::Waiting) return;
    if (state == Exchange::State::Failed) return finish(number, Rcode::ServFail, Outcome::Failed);
    Pending& one = pending_.at(number);
    const Answer answer = one.exchange->answer();
    one.exchange.reset();
    cache_.put(one.told.name.data(), one.told.type, answer, clock::boottime_ns());
    settle(number, answer);
  }

  void settle(std::uint64_t number, const Answer& answer) {
    if (answer.rcode != Rcode::NoError) return finish(number, answer.rcode, Outcome::Answered);
    open(number, answer.addresses);
  }

  // Without a grant for the very address, a name may not lead to this host or to a network behind it (DNS rebinding).
  [[nodiscard]] bool may_be_given(const Address& address, std::string_view name) const {
    if (names_.permits(address)) return true;
    const bool leads_back = is_of_this_link(address) || (is_private(address) && is_public(name));
    return !leads_back && std::ranges::find(upstreams_.own, address) == upstreams_.own.end();
  }

  // Each address for each rule; the plugin's answer waits for the relay's.
  void open(std::uint64_t number, const std::vector<Given>& addresses) {
    Pending& one = pending_.at(number);
    for (const Given& given : addresses) {
      if (!may_be_given(given.address, one.told.name.data())) ++one.told.refused;
      else if (has_route(given.address)) one.candidates.push_back({given});
    }
    if (one.candidates.empty()) return conclude(number);
    for (std::size_t i = 0; i < one.candidates.size(); ++i)
      for (const Rule rule : one.rules) queue_.push_back(opening(number, rule, i, one.candidates[i].given));
    one.awaited = one.candidates.size() * one.rules.size();
    send_openings();
  }

  static Opening opening(std::uint64_t number, Rule rule, std::size_t index, const Given& given) {
    return {.lookup = number,
            .rule = rule,
            .ttl = given.ttl,
            .family = static_cast<std::uint16_t>(given.address.family),
            .index = static_cast<std::uint8_t>(index),
            .verdict = Opening::Verdict::Asked,
            .unused = 0,
            .address = given.address.bytes};
  }

  void send_openings() {
    while (!queue_.empty()) {
      const ssize_t sent = ::send(relay_.get(), &queue_.front(), sizeof(Opening), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent < 0 && errno != EAGAIN && errno != EINTR) is_relay_gone_ = true;
      if (sent < 0) break;
      queue_.pop_front();
    }
    const std::uint32_t writing = queue_.empty() ? 0U : EPOLLOUT;
    watch(relay_, EPOLL_CTL_MOD, EPOLLIN | writing, kIsRelay);
  }

  void carry_relay(std::uint32_t events) {
    if ((events & EPOLLOUT) != 0) send_openings();
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) == 0) return;
    for (int i = 0; i < kEvents; ++i) {
      Opening opened;
      const ssize_t size = ::recv(relay_.get(), &opened, sizeof opened, MSG_DONTWAIT);
      if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
      if (size <= 0) is_relay_gone_ = true;
      if (size != sizeof opened) return;
      note(opened);
    }
  }

  void note(const Opening& opened) {
    const auto found = pending_.find(opened.lookup);  // not there: it was given up
    if (found == pending_.end() || opened.index >= found->second.candidates.size()) return;
    Pending& one = found->second;
    if (opened.verdict == Opening::Verdict::Opened) one.candidates[opened.index].is_opened = true;
    if (one.awaited > 0 && --one.awaited == 0) conclude(opened.lookup);
  }

  void conclude(std::uint64_t number) {
    Pending& one = pending_.at(number);
    std::vector<Given> given;
    for (const Pending::Candidate& candidate : one.candidates) {
      if (candidate.is_opened) given.push_back(candidate.given);
      else ++one.told.refused;
    }
    const bool is_refused = given.empty() && one.told.refused > 0;
    finish(number, Rcode::NoError, is_refused ? Outcome::AddressesRefused : Outcome::Answered, given);
  }

  void finish(std::uint64_t number, Rcode rcode, Outcome outcome, const std::vector<Given>& addresses = {}) {
    const auto found = pending_.find(number);
    reply(found->second, rcode, outcome, addresses);
    pending_.erase(found);
  }

  // Told first: what the plugin does with an answer is told of by others.
  void reply(Pending& one, Rcode rcode, Outcome outcome, const std::vector<Given>& addresses = {}) {
    for (const Given& given : addresses) answered_.add(one.told.name.data(), given.address);
    one.told.outcome = outcome;
    one.told.rcode = static_cast<std::uint8_t>(rcode);
    add_answers(one.told, addresses);
    tell(one.told);
    answer(one, rcode, addresses);
  }

  void answer(const Pending& one, Rcode rcode, const std::vector<Given>& addresses) {
    const std::size_t room = one.asker.connection == 0 ? one.query.room : kMostStreamed;
    clients_.answer(one.asker, make_answer(one.query, rcode, addresses, room));
  }

  // A flood is told by its first question and by how many there were since.
  void refuse_too_fast(const Pending& one) {
    answer(one, Rcode::Refused, {});
    const bool is_first = one.told.asked_ns - told_too_fast_ >= kSecond;
    if (is_first) tell_too_fast(one.told);
    else ++too_fast_;
  }

  void tell_too_fast(Lookup told) {
    told.outcome = Outcome::TooFast;
    told.rcode = static_cast<std::uint8_t>(Rcode::Refused);
    told.more = too_fast_;
    told_too_fast_ = told.asked_ns;
    if (tell(told)) too_fast_ = 0;
  }

  bool tell(Lookup told) {
    told.answered_ns = clock::boottime_ns();
    return told_.tell(told);
  }

  const Names& names_;
  Upstreams upstreams_;
  const Fd& relay_;
  Fd poll_;
  Outbox<Lookup> told_;
  Clients clients_;
  Answered answered_;
  Judge judge_;
  std::unordered_map<std::uint64_t, Pending> pending_;
  std::deque<Opening> queue_;
  DnsCache cache_;
  RateLimit rate_{kQuestionsPerSecond, 2 * kQuestionsPerSecond};
  RateLimit forwarded_{kForwardedPerSecond, 2 * kForwardedPerSecond};
  NameBudget budget_{kNamesPerMinute};
  std::uint64_t next_ = 0;
  std::uint64_t told_too_fast_ = 0;
  std::uint32_t too_fast_ = 0;
  bool is_asked_to_end_ = false;
  bool is_relay_gone_ = false;
};

}  // namespace

void resolve(ResolverSockets sockets, const Names& names, Upstreams upstreams, const Link& relay, const Fd& told) {
  Resolver(std::move(sockets), names, std::move(upstreams), relay, told).run();
}

}  // namespace jail::egress
