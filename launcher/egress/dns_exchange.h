// One question to the servers of the host, until one of them answers it: two seconds for each, in turn. Over UDP from
// a socket and a port of its own, with an id and a case that nobody can guess; over TCP what does not fit.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/fd.h"
#include "egress/dns_message.h"

namespace jail::egress {

class Exchange {
 public:
  // Its sockets report to `poll` under `tag`. `servers` outlives it and is not empty.
  Exchange(const Fd& poll, std::uint64_t tag, const std::vector<Address>& servers, const Question& question);

  enum class State {
    Waiting,
    Answered,  // by NoError or NxDomain
    Failed,    // every server has
  };
  State begin(std::uint64_t now);
  // Its socket has reported.
  State carry();
  // `deadline` has passed: the next server's turn.
  State give_up(std::uint64_t now);

  [[nodiscard]] std::uint64_t deadline() const noexcept { return deadline_; }
  [[nodiscard]] const Answer& answer() const noexcept { return answer_; }

 private:
  enum class Transport { Datagram, Stream };
  State ask(Transport transport);
  State ask_next();
  State send_stream();
  State take(Octets message);
  State receive_datagram();
  State receive_stream();

  const Fd& poll_;
  std::uint64_t tag_;
  const std::vector<Address>& servers_;
  Question question_;   // lower case
  Question asked_{};    // as it was sent last
  std::uint16_t id_ = 0;
  Fd socket_{};
  Transport transport_ = Transport::Datagram;
  std::string stream_{};  // what has come of an answer, after its length
  bool is_sent_ = false;
  std::size_t turn_ = 0;
  std::size_t failed_ = 0;
  std::uint64_t deadline_ = 0;
  Answer answer_{};
};

}  // namespace jail::egress
