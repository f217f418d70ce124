#include "egress/judge.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "base/error.h"
#include "egress/relay.h"
#include "sys/socket.h"

namespace jail::egress {
namespace {

constexpr std::uint16_t kHttpPort = 80;
constexpr std::uint16_t kHttpsPort = 443;

// At these a server speaks TLS or HTTP, to whom the first bytes name a host.
bool is_of_named_hosts(std::uint16_t port) { return port == kHttpPort || port == kHttpsPort; }

// Refused as Unknown what is of another protocol there, and passed elsewhere.
Heard at_port(std::uint16_t port, Heard heard) {
  return heard.state == Heard::State::Other && is_of_named_hosts(port) ? faulty(Fault::Unknown) : heard;
}

// To be completed by a domain: numbers and this host's own name mean something to servers as they are.
bool is_short(const std::string& name) {
  const bool is_number = name.find_first_not_of("0123456789") == std::string::npos;
  return name.find('.') == std::string::npos && !is_number && name != "localhost";
}

}  // namespace

Judge::Judge(const Fd& poll, const Fd& relay, const Names& names, const std::vector<std::string>& searched,
             const Answered& answered)
    : poll_(poll), relay_(relay), names_(names), searched_(searched), answered_(answered) {
  if (!relay_) return;
  epoll_event event{.events = EPOLLIN, .data = {.u64 = kTag}};
  check(::epoll_ctl(poll_.get(), EPOLL_CTL_ADD, relay_.get(), &event), "epoll_ctl");
}

bool Judge::carry(std::uint64_t tag, std::uint64_t now) {
  if (tag == kTag) return take(now);
  const auto stream = streams_.find(tag & ~kTag);
  if (stream == streams_.end()) return true;
  const Heard heard = listen(stream->second, now);
  if (heard.state != Heard::State::Incomplete) conclude(stream, heard);
  return true;
}

bool Judge::take(std::uint64_t now) {
  sys::Message message = sys::receive_message(relay_);
  if (message.bytes.empty()) return false;
  Judgement asked;
  if (message.bytes.size() != sizeof asked) return true;
  std::memcpy(&asked, message.bytes.data(), sizeof asked);
  const bool has_room = message.descriptors.size() == 1 && streams_.size() < kMostConnections;
  if (!has_room) return answer({Fd(), asked}, faulty(Fault::Unheard)), true;
  Stream stream{std::move(message.descriptors.front()), asked};
  const Heard heard = listen(stream, now);
  const std::uint64_t number = next_++;
  const auto kept = streams_.emplace(number, std::move(stream)).first;
  if (heard.state != Heard::State::Incomplete) return conclude(kept, heard), true;
  epoll_event event{.events = EPOLLIN, .data = {.u64 = kTag | number}};
  check(::epoll_ctl(poll_.get(), EPOLL_CTL_ADD, kept->second.socket.get(), &event), "epoll_ctl");
  return true;
}

// Who has ended without a byte has asked for nothing.
Heard Judge::listen(Stream& stream, std::uint64_t now) {
  std::array<std::uint8_t, kMostHeard> piece;
  const std::size_t room = kMostHeard - stream.begin.size();
  const ssize_t size = TEMP_FAILURE_RETRY(::recv(stream.socket.get(), piece.data(), room, MSG_DONTWAIT));
  if (size < 0 && errno == EAGAIN) return {};
  if (size <= 0) return stream.begin.empty() ? Heard{Heard::State::Other} : faulty(Fault::Malformed);
  if (stream.begin.empty()) stream.deadline = now + kPatience;
  stream.begin.insert(stream.begin.end(), piece.begin(), piece.begin() + size);
  return at_port(stream.asked.port, heard_in(stream.begin));
}

// Ours is closed before the relay acts: what it does to its own is done to the connection.
void Judge::conclude(Streams::iterator stream, const Heard& heard) {
  stream->second.socket.reset();
  answer(stream->second, heard);
  streams_.erase(stream);
}

// A domain is put behind a short name alone: behind another it would make a permitted one of any, by a wildcard. And
// only where the whole name has led here: else any short name would be one that shares the address.
std::vector<Rule> Judge::rules_for(const std::string& name, const Judgement& asked) const {
  std::vector<Rule> rules = names_.permits(name, asked.port);
  if (!is_short(name)) return rules;
  const Address to{.family = asked.family, .bytes = asked.address, .port = asked.port};
  for (const std::string& domain : searched_) {
    const std::string whole = name + "." + domain;
    if (rules.empty() && answered_.has(whole, to)) rules = names_.permits(whole, asked.port);
  }
  return rules;
}

void Judge::answer(const Stream& stream, const Heard& heard) {
  using enum Judgement::Verdict;
  Judgement judged = stream.asked;
  judged.fault = heard.fault;
  judged.verdict = heard.state == Heard::State::Named ? Named : heard.state == Heard::State::Other ? Other : Refused;
  std::copy_n(heard.name.begin(), std::min(heard.name.size(), Judgement::kLongestName), judged.name.begin());
  if (judged.verdict == Named) {
    const std::vector<Rule> rules = rules_for(heard.name, judged);
    std::copy_n(rules.begin(), std::min(rules.size(), judged.rules.size()), judged.rules.begin());
  }
  std::vector<std::uint8_t> message(sizeof judged + stream.begin.size());
  std::memcpy(message.data(), &judged, sizeof judged);
  std::ranges::copy(stream.begin, message.begin() + sizeof judged);
  // The relay never waits for us, so this ends.
  (void)TEMP_FAILURE_RETRY(::send(relay_.get(), message.data(), message.size(), MSG_NOSIGNAL));
}

void Judge::pass(std::uint64_t now) {
  for (auto next = streams_.begin(); next != streams_.end();) {
    const auto stream = next++;
    if (stream->second.deadline <= now) conclude(stream, faulty(Fault::TooLate));
  }
}

std::uint64_t Judge::deadline() const noexcept {
  std::uint64_t first = ~std::uint64_t{0};
  for (const auto& [number, stream] : streams_) first = std::min(first, stream.deadline);
  return first;
}

}  // namespace jail::egress
