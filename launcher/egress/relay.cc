#include "egress/relay.h"

#include <sys/epoll.h>

#include <array>
#include <cerrno>
#include <memory>
#include <unordered_map>
#include <utility>

#include "base/clock.h"
#include "base/error.h"
#include "egress/connection.h"
#include "egress/flow.h"

namespace jail::egress {
namespace {

constexpr std::size_t kScratch = 256 * 1024;
constexpr int kEvents = 64;

// What epoll remembers for us: the number of a connection, or this bit with that of a door.
constexpr std::uint64_t kIsDoor = 1ULL << 63;
constexpr std::uint64_t kIsTold = ~0ULL;

class Relay {
 public:
  Relay(std::vector<Relayed> doors, Policy policy, const Fd& told)
      : doors_(std::move(doors)),
        policy_(std::move(policy)),
        told_(told),
        scratch_(kScratch),
        poll_(check(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1")) {
    for (std::size_t i = 0; i < doors_.size(); ++i) watch(doors_[i].listener, EPOLLIN, i | kIsDoor);
    watch(told_, EPOLLIN, kIsTold);
  }

  void run() {
    while (!asked_to_end_) step();
    for (auto& [number, connection] : connections_)
      if (connection->carry(scratch_) != Connection::State::Over) end(*connection, 0);
      else tell(connection->flow());
  }

 private:
  void watch(const Fd& socket, std::uint32_t events, std::uint64_t what) {
    epoll_event event{.events = events, .data = {.u64 = what}};
    check(::epoll_ctl(poll_.get(), EPOLL_CTL_ADD, socket.get(), &event), "epoll_ctl");
  }

  void step() {
    std::array<epoll_event, kEvents> events{};
    const std::vector<std::uint64_t> busy = std::exchange(busy_, {});
    const int count = TEMP_FAILURE_RETRY(::epoll_wait(poll_.get(), events.data(), kEvents, busy.empty() ? -1 : 0));
    for (int i = 0; i < check(count, "epoll_wait"); ++i) {
      const std::uint64_t what = events[static_cast<std::size_t>(i)].data.u64;
      if (what == kIsTold) asked_to_end_ = true;
      else if ((what & kIsDoor) != 0) open(what & ~kIsDoor);
      else carry(what);
    }
    for (const std::uint64_t number : busy) carry(number);
  }

  // One at a time: they take turns with those that are there.
  void open(std::size_t door) {
    Fd asked(::accept4(doors_[door].listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!asked) return;  // it has gone again
    const std::optional<Address> fixed = doors_[door].to;
    const std::optional<Address> to = fixed ? fixed : local_address(asked.get());
    if (!to) return;
    auto connection = std::make_unique<Connection>(std::move(asked), stream_for(*to), *to);
    if (!fixed && !policy_.permits(profile::Protocol::Tcp, *to, clock::boottime_ns()))
      return end(*connection, ECONNRESET, Flow::Sort::Refused);
    if (!connection->made()) return end(*connection, EMFILE);
    const SocketAddress address = to_socket(*to);
    if (::connect(connection->made().get(), address.get(), address.size) != 0 && errno != EINPROGRESS)
      return end(*connection, errno);
    const std::uint64_t number = next_++;
    constexpr std::uint32_t kChanges = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
    watch(connection->asked(), kChanges, number);
    watch(connection->made(), kChanges, number);
    connections_.emplace(number, std::move(connection));
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
