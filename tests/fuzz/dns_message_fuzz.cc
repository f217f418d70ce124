// Any bytes as a question of a plugin, and as an answer to whatever question stands in them: no crash, bounded output,
// and what is made out of what was read is read again.
#include <cstdlib>
#include <iostream>

#include "egress/dns_message.h"

namespace {

using namespace jail::egress;

void require(bool holds, const char* what) {
  if (holds) return;
  std::cerr << "does not hold: " << what << "\n";
  std::abort();
}

Octets octets(const std::string& message) {
  return {reinterpret_cast<const std::uint8_t*>(message.data()), message.size()};
}

void check_question(const Question& question) {
  const std::string text = text_of_name(question.wire);
  require(!question.wire.empty() && question.wire.size() <= 255, "a name is bounded");
  require(text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-_.\\") == std::string::npos, "a name is text");
  const auto wire = wire_of_name(text);
  require(text.find('\\') != std::string::npos || wire == lower(question.wire), "an ordinary name comes back");
}

void try_query(Octets message) {
  const auto read = read_query(message);
  if (!read || read->rcode != Rcode::NoError) return;
  const Query& query = read->query;
  check_question(query.question);
  const auto again = read_query(octets(make_query(query.id, query.question, Edns::With)));
  require(again && again->query.question.wire == query.question.wire, "a question that is passed on is the same");
  const Given given{*address_of(query.question.type == kTypeA ? "192.0.2.1" : "2001:db8::1", 0), 60};
  const std::string answer = make_answer(query, Rcode::NoError, std::vector<Given>(64, given), query.room);
  require(answer.size() <= query.room, "an answer has the room that it was given");
  require(read_answer(octets(answer), query.id, query.question).has_value(), "an answer is read");
}

// As if what stands in it had been asked.
void try_answer(Octets message) {
  if (message.size() < 12) return;
  const auto id = static_cast<std::uint16_t>(message[0] << 8 | message[1]);
  const auto name = read_name(message, 12, Pointers::Followed);
  for (const std::uint16_t type : {kTypeA, kTypeAaaa}) {
    const auto answer = read_answer(message, id, {name ? name->wire : std::string(1, '\0'), type});
    if (!answer) continue;
    require(answer->addresses.size() <= kMostAddresses, "addresses are bounded");
    for (const Given& given : answer->addresses)
      require(given.ttl <= 86400 && (given.address.family == AF_INET) == (type == kTypeA), "an address is of its type");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  try_query({data, size});
  try_answer({data, size});
  return 0;
}
