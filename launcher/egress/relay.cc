#include "egress/relay.h"

#include <poll.h>
#include <sys/epoll.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <span>
#include <unordered_map>
#include <utility>

#include "base/clock.h"
#include "base/error.h"
#include "egress/association.h"
#include "egress/connection.h"
#include "egress/flow.h"
#include "egress/judgement.h"
#include "egress/opening.h"
#include "egress/outbox.h"
#include "sys/socket.h"

namespace jail::egress {
namespace {

constexpr std::size_t kScratch = 64 * 1024;  // as much may be kept of each direction
constexpr int kEvents = 64;

constexpr int kSweepMs = 10'000;  // associations end by being idle
constexpr int kFullMs = 10;       // without descriptors: others may end meanwhile
constexpr int kDatagrams = 64;    // of one door; then others have their turn

// What is news of a connection's socket; of one that is held, what the plugin sends is another's.
constexpr std::uint32_t kRoom = EPOLLOUT | EPOLLET;
constexpr std::uint32_t kChanges = kRoom | EPOLLIN | EPOLLRDHUP;

// What epoll remembers for us: whose socket it is, and the number of that.
enum class Whose : std::uint64_t { Told, Resolver, Judge, Door, Connection, Association };
constexpr int kWhoseShift = 60;
constexpr std::uint64_t tag_of(Whose whose, std::uint64_t number) {
  return static_cast<std::uint64_t>(whose) << kWhoseShift | number;
}

class Relay {
 public:
  Relay(std::vector<Relayed> doors, Policy policy, const Link& resolver, const Fd& told)
      : doors_(std::move(doors)),
        policy_(std::move(policy)),
        resolver_(resolver),
        scratch_(kScratch),
        poll_(check(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1")),
        told_(told, poll_, tag_of(Whose::Told, 0)) {
    for (std::size_t i = 0; i < doors_.size(); ++i) watch(doors_[i].socket, EPOLLIN, Whose::Door, i);
    if (resolver_.openings) watch(resolver_.openings, EPOLLIN, Whose::Resolver, 0);
    if (resolver_.judgements) watch(resolver_.judgements, EPOLLIN, Whose::Judge, 0);
  }

  void run() {
    while (!asked_to_end_) step();
    for (const Relayed& door : doors_)
      if (door.protocol == profile::Protocol::Tcp) turn_away(door);
    for (auto& [number, connection] : connections_)
      if (connection->carry(scratch_) != Connection::State::Over) end(*connection, 0);
      else tell(connection->flow());
    for (const auto& [number, association] : associations_) tell(association->flow());
    told_.finish();
  }

 private:
  void watch(const Fd& socket, std::uint32_t events, Whose whose, std::uint64_t number, int operation = EPOLL_CTL_ADD) {
    epoll_event event{.events = events, .data = {.u64 = tag_of(whose, number)}};
    check(::epoll_ctl(poll_.get(), operation, socket.get(), &event), "epoll_ctl");
  }

  void step() {
    std::array<epoll_event, kEvents> events{};
    const std::vector<std::uint64_t> busy = std::exchange(busy_, {});
    const int wait_ms = !busy.empty() ? 0 : associations_.empty() ? -1 : kSweepMs;
    const int count = TEMP_FAILURE_RETRY(::epoll_wait(poll_.get(), events.data(), kEvents, wait_ms));
    for (int i = 0; i < check(count, "epoll_wait"); ++i) handle(events[static_cast<std::size_t>(i)].data.u64);
    for (const std::uint64_t number : busy) carry(number);
    if (!associations_.empty()) end_idle(clock::boottime_ns());
  }

  void handle(std::uint64_t what) {
    const std::uint64_t number = what & ((1ULL << kWhoseShift) - 1);
    switch (static_cast<Whose>(what >> kWhoseShift)) {
      case Whose::Told: return (void)(asked_to_end_ |= !told_.handle());
      case Whose::Resolver: return open_for_names();
      case Whose::Judge: return hear_judge();
      case Whose::Door: return doors_[number].protocol == profile::Protocol::Tcp ? open(number) : associate(number);
      case Whose::Connection: return carry(number);
      case Whose::Association: return answer(number);
    }
  }

  struct Asked {
    Fd socket;
    Address to;
    Leads leads = Leads::Out;
    std::optional<std::uint32_t> rule{};
    [[nodiscard]] bool is_permitted() const { return leads == Leads::In || rule; }
  };

  // Who waits at a door; nothing: nobody does (errno).
  std::optional<Asked> accept(const Relayed& door) {
    Fd socket(::accept4(door.socket.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    const std::optional<Address> to = !socket || door.to ? door.to : local_address(socket.get());
    if (!socket || !to) return std::nullopt;
    if (door.to) return Asked{std::move(socket), *to, Leads::In};
    return Asked{std::move(socket), *to, Leads::Out,
                 policy_.permits(profile::Protocol::Tcp, *to, clock::boottime_ns())};
  }

  // One at a time: they take turns with those that are there.
  void open(std::size_t door) {
    std::optional<Asked> asked = accept(doors_[door]);
    if (!asked) return (void)(errno == EMFILE && ::poll(nullptr, 0, kFullMs));  // or it has gone again
    const Address to = asked->to;
    auto connection = std::make_unique<Connection>(
        std::move(asked->socket), asked->is_permitted() ? stream_for(to) : Fd(), to, asked->leads);
    if (!asked->is_permitted()) return end(*connection, ECONNRESET, Flow::Sort::Refused);
    if (asked->rule) connection->note_rule(*asked->rule);
    if (!connection->made()) return end(*connection, EMFILE);
    const SocketAddress address = to_socket(to);
    if (::connect(connection->made().get(), address.get(), address.size) != 0 && errno != EINPROGRESS)
      return end(*connection, errno);
    const std::uint64_t number = next_++;
    if (asked->rule && policy_.asks_for_name(to, clock::boottime_ns()) && !hold(number, *connection)) return;
    watch(connection->asked(), connection->is_held() ? kRoom : kChanges, Whose::Connection, number);
    watch(connection->made(), kChanges, Whose::Connection, number);
    connections_.emplace(number, std::move(connection));
  }

  // Who waits when nobody is let in any more: nothing of his has gone out.
  void turn_away(const Relayed& door) {
    while (std::optional<Asked> asked = accept(door)) {
      Connection connection(std::move(asked->socket), Fd(), asked->to, asked->leads);
      if (asked->rule) connection.note_rule(*asked->rule);
      if (asked->is_permitted()) end(connection, ECONNABORTED);
      else end(connection, ECONNRESET, Flow::Sort::Refused);
    }
  }

  [[nodiscard]] bool is_open(profile::Protocol protocol, const Address& to) const {
    return policy_.permits(protocol, to, clock::boottime_ns()).has_value();
  }

  // Empty where there is no room.
  [[nodiscard]] Fd stream_for(const Address& to) const {
    const bool has_room = connections_.size() < kMostConnections;
    return Fd(has_room ? ::socket(to.family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0) : -1);
  }

  // What does not fit its socket is not answered, and so not given to the plugin. A resolver that died opens nothing.
  void open_for_names() {
    Opening opening;
    const ssize_t size = ::recv(resolver_.openings.get(), &opening, sizeof opening, MSG_DONTWAIT);
    if (size == 0) (void)::epoll_ctl(poll_.get(), EPOLL_CTL_DEL, resolver_.openings.get(), nullptr);
    if (size != sizeof opening) return;
    const Address address{.family = opening.family == AF_INET6 ? AF_INET6 : AF_INET, .bytes = opening.address};
    const bool opened = policy_.open(opening.rule, address, opening.ttl, clock::boottime_ns());
    opening.verdict = opened ? Opening::Verdict::Opened : Opening::Verdict::Refused;
    (void)::send(resolver_.openings.get(), &opening, sizeof opening, MSG_NOSIGNAL | MSG_DONTWAIT);
  }

  // Another process looks at its first bytes (judgement.h). False: it cannot be asked, and the stream is refused.
  bool hold(std::uint64_t number, Connection& connection) {
    connection.hold();
    const Address to = connection.other();
    const Judgement asked{.connection = number,
                          .port = to.port,
                          .family = static_cast<std::uint16_t>(to.family),
                          .address = to.bytes};
    const int socket = connection.asked().get();
    const auto bytes = std::as_bytes(std::span(&asked, 1));
    const bool is_asked = resolver_.judgements && sys::try_send_message(resolver_.judgements, bytes, {&socket, 1});
    if (!is_asked) refuse(connection, {.fault = Fault::Unheard});
    return is_asked;
  }

  void hear_judge() {
    static_assert(kScratch >= sizeof(Judgement) + kMostHeard);
    const ssize_t size = ::recv(resolver_.judgements.get(), scratch_.data(), scratch_.size(), MSG_DONTWAIT);
    if (size == 0) return refuse_held();
    Judgement judged;
    if (size < static_cast<ssize_t>(sizeof judged)) return;
    std::memcpy(&judged, scratch_.data(), sizeof judged);
    const auto found = connections_.find(judged.connection);
    if (found == connections_.end() || !found->second->is_held()) return;
    Connection& connection = *found->second;
    if (!is_permitted(judged, connection)) return refuse(connection, judged), (void)connections_.erase(found);
    watch(connection.asked(), kChanges, Whose::Connection, judged.connection, EPOLL_CTL_MOD);
    connection.note_name(judged.name, Fault::None);
    connection.let_go(std::span(scratch_).first(static_cast<std::size_t>(size)).subspan(sizeof judged));
    carry(judged.connection);
  }

  // The resolver reads, and is not trusted for what it has read to be permitted.
  [[nodiscard]] bool is_permitted(Judgement& judged, const Connection& connection) const {
    if (judged.verdict != Judgement::Verdict::Named) return judged.verdict == Judgement::Verdict::Other;
    const bool is_permitted = policy_.permits_by(judged.rules, connection.other(), clock::boottime_ns());
    if (!is_permitted) judged.fault = Fault::NotPermitted;
    return is_permitted;
  }

  void refuse(Connection& connection, const Judgement& judged) {
    connection.note_name(judged.name, judged.fault);
    end(connection, ECONNRESET, Flow::Sort::Refused);
  }

  // Nobody is left who could say for whom they are.
  void refuse_held() {
    (void)::epoll_ctl(poll_.get(), EPOLL_CTL_DEL, resolver_.judgements.get(), nullptr);
    std::erase_if(connections_, [&](auto& one) {
      if (one.second->is_held()) refuse(*one.second, {.fault = Fault::Unheard});
      return one.second->is_held();
    });
  }

  void carry(std::uint64_t number) {
    const auto found = connections_.find(number);
    if (found == connections_.end()) return;  // both its sockets had something to say
    const Connection::State state = found->second->carry(scratch_);
    if (state == Connection::State::Busy) busy_.push_back(number);
    if (state != Connection::State::Over) return;
    tell(found->second->flow());
    connections_.erase(found);
  }

  void associate(std::size_t door) {
    for (int turn = 0; turn < kDatagrams; ++turn) {
      const std::optional<Datagram> datagram = receive(doors_[door].socket, doors_[door].port, scratch_);
      if (!datagram) return;
      if (!doors_[door].to && !is_open(profile::Protocol::Udp, datagram->to)) refuse(*datagram);
      else if (Association* association = association_of(door, *datagram))
        association->send(std::span(scratch_).first(datagram->size));
    }
  }

  // Null where there is no room, or no way.
  Association* association_of(std::size_t door, const Datagram& datagram) {
    for (auto& [number, association] : associations_)
      if (association->is_of(door, datagram)) return association.get();
    const std::optional<Address>& fixed = doors_[door].to;
    Fd beyond = associations_.size() < kMostConnections ? Association::open(fixed.value_or(datagram.to)) : Fd();
    if (!beyond) return say_no_room(datagram), nullptr;
    const std::uint64_t number = next_++;
    watch(beyond, EPOLLIN, Whose::Association, number);
    auto made = std::make_unique<Association>(std::move(beyond), door, datagram.from, datagram.to,
                                              fixed ? Leads::In : Leads::Out);
    return associations_.emplace(number, std::move(made)).first->second.get();
  }

  void refuse(const Datagram& datagram) { tell_of(datagram, EPERM, Flow::Sort::Refused); }
  void say_no_room(const Datagram& datagram) { tell_of(datagram, EMFILE, Flow::Sort::Over); }

  void tell_of(const Datagram& datagram, int error, Flow::Sort sort) {
    Flow flow = Association(Fd(), 0, datagram.from, datagram.to).flow();
    flow.sort = sort;
    flow.error = error;
    tell(flow);
  }

  void answer(std::uint64_t number) {
    const auto found = associations_.find(number);
    if (found == associations_.end() || found->second->answer(doors_[found->second->door()].socket, scratch_)) return;
    tell(found->second->flow());
    associations_.erase(found);
  }

  void end_idle(std::uint64_t now_ns) {
    std::erase_if(associations_, [&](const auto& one) {
      if (!one.second->is_idle(now_ns)) return false;
      tell(one.second->flow());
      return true;
    });
  }

  void end(Connection& connection, int error, Flow::Sort sort = Flow::Sort::Over) {
    connection.fail(error, sort);
    tell(connection.flow());
  }

  void tell(const Flow& flow) { (void)told_.tell(flow); }

  std::vector<Relayed> doors_;
  Policy policy_;
  const Link& resolver_;
  std::vector<char> scratch_;
  Fd poll_;
  Outbox<Flow> told_;
  std::unordered_map<std::uint64_t, std::unique_ptr<Connection>> connections_;
  std::unordered_map<std::uint64_t, std::unique_ptr<Association>> associations_;
  std::vector<std::uint64_t> busy_;
  std::uint64_t next_ = 0;
  bool asked_to_end_ = false;
};

}  // namespace

void relay(std::vector<Relayed> doors, Policy policy, const Link& resolver, const Fd& told) {
  Relay(std::move(doors), std::move(policy), resolver, told).run();
}

}  // namespace jail::egress
