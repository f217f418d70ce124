// The plugin's side of the resolver: questions taken on port 53 of any address of the jail's network, by UDP and TCP,
// and answered from the address that was asked. Bounded in clients, size and time.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/fd.h"
#include "egress/address.h"
#include "egress/dns_name.h"

namespace jail::egress {

// Non-blocking; first that of IPv4, then that of IPv6, empty where the network has none.
struct ResolverSockets {
  std::array<Fd, 2> datagram{};
  std::array<Fd, 2> stream{};
};
// In the network namespace of the caller. SysError.
ResolverSockets open_resolver_sockets(std::uint16_t port);

// Where an answer goes to.
struct Asker {
  std::size_t socket = 0;        // of ResolverSockets::datagram
  Address peer{};
  Address asked{};               // our side
  std::uint64_t connection = 0;  // or over TCP: no address, but this
};

class Clients {
 public:
  // False: there will be no answer.
  using Ask = std::function<bool(const Asker&, Octets)>;

  Clients(ResolverSockets sockets, const Fd& poll, Ask ask);

  // For what epoll_wait(2) reports under a tag with this bit.
  static constexpr std::uint64_t kTag = 1ULL << 62;
  void carry(std::uint64_t tag, std::uint32_t events, std::uint64_t now);

  void answer(const Asker& asker, std::string_view message);

  // Ends connections that have been silent too long.
  void pass(std::uint64_t now);
  // ~0: none is waited for.
  [[nodiscard]] std::uint64_t deadline() const noexcept;

 private:
  struct Connection {
    Fd socket;
    std::string in{};
    std::string out{};
    std::size_t unanswered = 0;
    std::uint64_t deadline = 0;
    bool is_ended = false;  // no more questions
  };
  using Connections = std::unordered_map<std::uint64_t, Connection>;

  void watch(const Fd& socket, int operation, std::uint32_t events, std::uint64_t tag) const;
  void receive(std::size_t socket);
  void accept(std::size_t socket, std::uint64_t now);
  // Of these, false: it is over.
  bool read(Connection& connection, std::uint64_t now);
  bool take_questions(Connections::iterator connection);
  static bool write(Connection& connection);
  void settle(Connections::iterator connection, bool goes_on);

  ResolverSockets sockets_;
  const Fd& poll_;
  Ask ask_;
  Connections connections_;
  std::uint64_t next_ = 1;
};

}  // namespace jail::egress
