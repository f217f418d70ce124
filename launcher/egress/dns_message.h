// The messages of DNS (RFC 1035, RFC 6891), as far as this resolver speaks them: questions of a plugin read and
// answered, questions to a server made and its answers read. Bounded and pure: the bytes are anybody's.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "egress/address.h"
#include "egress/dns_name.h"

namespace jail::egress {

enum class Rcode : std::uint8_t {
  NoError = 0, FormErr = 1, ServFail = 2, NxDomain = 3, NotImp = 4, Refused = 5,
  BadVersion = 16,  // four bits are not enough for it: only in an answer with EDNS
};

inline constexpr std::uint16_t kTypeA = 1;
inline constexpr std::uint16_t kTypeAaaa = 28;
// "AAAA", "HTTPS", or "TYPE4711" (RFC 3597).
std::string name_of_type(std::uint16_t type);

struct Question {
  std::string wire;  // the name in octets and in the case it was asked
  std::uint16_t type = 0;
};

struct Query {
  std::uint16_t id = 0;
  bool recursion_desired = false;
  bool has_edns = false;
  std::uint16_t room = 512;  // octets that the answer may have in one datagram
  Question question;         // no name: there was none that could be read
};

// Nothing: not even to be answered. An `rcode` other than NoError is the answer.
struct QueryRead {
  Query query;
  Rcode rcode = Rcode::NoError;
};
std::optional<QueryRead> read_query(Octets message);

struct Given {
  Address address;
  std::uint32_t ttl = 0;  // seconds
};

// At most so many steps of CNAME are followed, and so many addresses kept.
inline constexpr int kMostSteps = 16;
inline constexpr std::size_t kMostAddresses = 64;

struct Answer {
  Rcode rcode = Rcode::NoError;
  bool is_whole = true;  // else to be asked again over TCP: truncated, or in another case than it was asked
  std::vector<Given> addresses;
};
// Nothing for what does not answer that question, so that the right answer may still come. Records of other names than
// the one asked and those that its chain of CNAME leads to are passed over.
std::optional<Answer> read_answer(Octets message, std::uint16_t id, const Question& asked);

enum class Edns { Without, With };
std::string make_query(std::uint16_t id, const Question& question, Edns edns);

// The addresses stand under the very name that was asked. More than `room` holds: those that fit, and told as cut.
std::string make_answer(const Query& query, Rcode rcode, const std::vector<Given>& addresses, std::size_t room);

}  // namespace jail::egress
