// Streams that the relay holds back until it is known for whom they are (heard.h): taken with their sockets, read as
// far as that needs, given back with the name. Bounded in number, size and time; what is in doubt is refused.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/fd.h"
#include "egress/answered.h"
#include "egress/judgement.h"
#include "egress/names.h"

namespace jail::egress {

class Judge {
 public:
  // Once a stream has begun.
  static constexpr std::uint64_t kPatience = 10'000'000'000;

  // `relay`: empty where there is nothing to be judged. `searched`: of Upstreams; who asks for a short name says it to
  // the server, too, and to the address that was `answered` for the whole one.
  Judge(const Fd& poll, const Fd& relay, const Names& names, const std::vector<std::string>& searched,
        const Answered& answered);

  // For what epoll_wait(2) reports under a tag with this bit. False: the relay is gone.
  static constexpr std::uint64_t kTag = 1ULL << 61;
  bool carry(std::uint64_t tag, std::uint64_t now);

  void pass(std::uint64_t now);
  // ~0: none is waited for.
  [[nodiscard]] std::uint64_t deadline() const noexcept;

 private:
  struct Stream {
    Fd socket;
    Judgement asked;
    std::vector<std::uint8_t> begin{};
    std::uint64_t deadline = ~std::uint64_t{0};  // none before its first byte
  };
  using Streams = std::unordered_map<std::uint64_t, Stream>;

  bool take(std::uint64_t now);
  static Heard listen(Stream& stream, std::uint64_t now);
  void conclude(Streams::iterator stream, const Heard& heard);
  void answer(const Stream& stream, const Heard& heard);

  const Fd& poll_;
  const Fd& relay_;
  [[nodiscard]] std::vector<Rule> rules_for(const std::string& name, const Judgement& asked) const;

  const Names& names_;
  const std::vector<std::string>& searched_;
  const Answered& answered_;
  Streams streams_;
  std::uint64_t next_ = 1;
};

}  // namespace jail::egress
