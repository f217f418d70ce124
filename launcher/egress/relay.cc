#include "egress/relay.h"

#include <poll.h>
#include <sys/epoll.h>

#include <array>
#include <cerrno>
#include <memory>
#include <unordered_map>
#include <utility>

#include "base/clock.h"
#include "base/error.h"
#include "egress/connection.h"
#include "egress/datagrams.h"
#include "egress/flow.h"

namespace jail::egress {
namespace {

constexpr std::size_t kScratch = 256 * 1024;
constexpr int kEvents = 64;

constexpr int kSweepMs = 10'000;  // exchanges of datagrams end by being idle
constexpr int kFullMs = 10;       // without descriptors: others may end meanwhile
constexpr int kDatagrams = 64;    // of one door; then others have their turn

// What epoll remembers for us: whose socket it is, and the number of that.
enum class Whose : std::uint64_t { Told, Door, Connection, Exchange };
constexpr int kWhoseShift = 60;

class Relay {
 public:
  Relay(std::vector<Relayed> doors, Policy policy, const Fd& told)
      : doors_(std::move(doors)),
        policy_(std::move(policy)),
        told_(told),
        scratch_(kScratch),
        poll_(check(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1")) {
    for (std::size_t i = 0; i < doors_.size(); ++i) watch(doors_[i].socket, EPOLLIN, Whose::Door, i);
    watch(told_, EPOLLIN, Whose::Told, 0);
  }

  void run() {
    while (!asked_to_end_) step();
    for (auto& [number, connection] : connections_)
      if (connection->carry(scratch_) != Connection::State::Over) end(*connection, 0);
      else tell(connection->flow());
    for (const auto& [number, exchange] : exchanges_) tell(exchange->flow());
  }

 private:
  void watch(const Fd& socket, std::uint32_t events, Whose whose, std::uint64_t number) {
    epoll_event event{.events = events, .data = {.u64 = static_cast<std::uint64_t>(whose) << kWhoseShift | number}};
    check(::epoll_ctl(poll_.get(), EPOLL_CTL_ADD, socket.get(), &event), "epoll_ctl");
  }

  void step() {
    std::array<epoll_event, kEvents> events{};
    const std::vector<std::uint64_t> busy = std::exchange(busy_, {});
    const int wait_ms = !busy.empty() ? 0 : exchanges_.empty() ? -1 : kSweepMs;
    const int count = TEMP_FAILURE_RETRY(::epoll_wait(poll_.get(), events.data(), kEvents, wait_ms));
    for (int i = 0; i < check(count, "epoll_wait"); ++i) handle(events[static_cast<std::size_t>(i)].data.u64);
    for (const std::uint64_t number : busy) carry(number);
    if (!exchanges_.empty()) end_idle(clock::boottime_ns());
  }

  void handle(std::uint64_t what) {
    const std::uint64_t number = what & ((1ULL << kWhoseShift) - 1);
    switch (static_cast<Whose>(what >> kWhoseShift)) {
      case Whose::Told: asked_to_end_ = true; return;
      case Whose::Door: return doors_[number].protocol == profile::Protocol::Tcp ? open(number) : exchange(number);
      case Whose::Connection: return carry(number);
      case Whose::Exchange: return answer(number);
    }
  }

  // One at a time: they take turns with those that are there.
  void open(std::size_t door) {
    Fd asked(::accept4(doors_[door].socket.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!asked) return (void)(errno == EMFILE && ::poll(nullptr, 0, kFullMs));  // or it has gone again
    const std::optional<Address> fixed = doors_[door].to;
    const std::optional<Address> to = fixed ? fixed : local_address(asked.get());
    if (!to) return;
    const bool is_permitted = fixed || is_open(profile::Protocol::Tcp, *to);
    auto connection = std::make_unique<Connection>(std::move(asked), is_permitted ? stream_for(*to) : Fd(), *to);
    if (!is_permitted) return end(*connection, ECONNRESET, Flow::Sort::Refused);
    if (!connection->made()) return end(*connection, EMFILE);
    const SocketAddress address = to_socket(*to);
    if (::connect(connection->made().get(), address.get(), address.size) != 0 && errno != EINPROGRESS)
      return end(*connection, errno);
    const std::uint64_t number = next_++;
    constexpr std::uint32_t kChanges = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
    watch(connection->asked(), kChanges, Whose::Connection, number);
    watch(connection->made(), kChanges, Whose::Connection, number);
    connections_.emplace(number, std::move(connection));
  }

  [[nodiscard]] bool is_open(profile::Protocol protocol, const Address& to) const {
    return policy_.permits(protocol, to, clock::boottime_ns()).has_value();
  }

  // Empty where there is no room.
  [[nodiscard]] Fd stream_for(const Address& to) const {
    const bool has_room = connections_.size() < kMostConnections;
    return Fd(has_room ? ::socket(to.family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0) : -1);
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

  void exchange(std::size_t door) {
    for (int turn = 0; turn < kDatagrams; ++turn) {
      const std::optional<Datagram> datagram = receive(doors_[door].socket, doors_[door].port, scratch_);
      if (!datagram) return;
      if (!is_open(profile::Protocol::Udp, datagram->to)) refuse(*datagram);
      else if (Exchange* exchange = exchange_of(door, *datagram))
        exchange->send(std::span(scratch_).first(datagram->size));
    }
  }

  // Null where there is no room, or no way.
  Exchange* exchange_of(std::size_t door, const Datagram& datagram) {
    for (auto& [number, exchange] : exchanges_)
      if (exchange->is_of(door, datagram)) return exchange.get();
    Fd outside = exchanges_.size() < kMostConnections ? Exchange::open(datagram.to) : Fd();
    if (!outside) return nullptr;
    const std::uint64_t number = next_++;
    watch(outside, EPOLLIN, Whose::Exchange, number);
    auto made = std::make_unique<Exchange>(std::move(outside), door, datagram.from, datagram.to);
    return exchanges_.emplace(number, std::move(made)).first->second.get();
  }

  void refuse(const Datagram& datagram) {
    Flow flow = Exchange(Fd(), 0, datagram.from, datagram.to).flow();
    flow.sort = Flow::Sort::Refused;
    flow.error = EPERM;
    tell(flow);
  }

  void answer(std::uint64_t number) {
    const auto found = exchanges_.find(number);
    if (found == exchanges_.end() || found->second->answer(doors_[found->second->door()].socket, scratch_)) return;
    tell(found->second->flow());
    exchanges_.erase(found);
  }

  void end_idle(std::uint64_t now_ns) {
    std::erase_if(exchanges_, [&](const auto& one) {
      if (!one.second->is_idle(now_ns)) return false;
      tell(one.second->flow());
      return true;
    });
  }

  void end(Connection& connection, int error, Flow::Sort sort = Flow::Sort::Over) {
    connection.fail(error, sort);
    tell(connection.flow());
  }

  void tell(Flow flow) {
    flow.lost = lost_;
    const bool taken = ::send(told_.get(), &flow, sizeof flow, MSG_NOSIGNAL | MSG_DONTWAIT) == sizeof flow;
    lost_ = taken ? 0 : lost_ + 1;
  }

  std::vector<Relayed> doors_;
  Policy policy_;
  const Fd& told_;
  std::vector<char> scratch_;
  Fd poll_;
  std::unordered_map<std::uint64_t, std::unique_ptr<Connection>> connections_;
  std::unordered_map<std::uint64_t, std::unique_ptr<Exchange>> exchanges_;
  std::vector<std::uint64_t> busy_;
  std::uint64_t next_ = 0;
  std::uint32_t lost_ = 0;
  bool asked_to_end_ = false;
};

}  // namespace

void relay(std::vector<Relayed> doors, Policy policy, const Fd& told) {
  Relay(std::move(doors), std::move(policy), told).run();
}

}  // namespace jail::egress
