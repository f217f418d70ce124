// Any bytes as a message to or from jaild: no crash, a reason where there is no message, and one that is taken comes
// back as it was. Some tries get the head of a real one, whose number nobody would find by chance.
#include <cstdlib>
#include <iostream>
#include <string>

#include "broker/protocol.h"

namespace {

using namespace jail::broker;

void require(bool holds, const char* what) {
  if (holds) return;
  std::cerr << "does not hold: " << what << "\n";
  std::abort();
}

std::span<const std::byte> bytes(const std::string& text) { return std::as_bytes(std::span(text)); }

void try_as_request(const std::string& text) {
  std::string why;
  const auto request = parse_request(bytes(text), why);
  require(request.has_value() == why.empty(), "either a request or a reason");
  if (!request) return;
  require(parse_request(bytes(emit(*request)), why) == request, "what was taken comes back");
  require(request->ask != Ask::Trace || (request->ring_bytes >= kLeastRing && request->ring_bytes <= kMostRing),
          "a ring has a size that there may be");
}

void try_as_answer(const std::string& text) {
  std::string why;
  const auto answer = parse_answer(bytes(text), why);
  require(answer.has_value() == why.empty(), "either an answer or a reason");
  if (!answer) return;
  require(answer->refused.size() < kReasonBytes, "a reason is bounded");
  const auto again = parse_answer(bytes(emit(*answer)), why);
  require(again && again->refused == answer->refused && again->lost == answer->lost, "what was taken comes back");
}

// `text` behind so much of a real message, and as long as that.
std::string grafted(const std::string& text, std::string real, std::size_t kept) {
  const std::size_t size = real.size();
  return (real.substr(0, kept) + text + real).substr(0, size);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  try_as_request(text);
  try_as_answer(text);
  constexpr std::size_t kKind = 4, kHead = 16;
  try_as_request(grafted(text, emit(Request{.ask = Ask::Trace}), kHead));
  std::string any_kind = grafted(text, emit(Request{}), kHead);
  if (size >= kKind) any_kind.replace(4, kKind, text, 0, kKind);
  try_as_request(any_kind);
  try_as_answer(grafted(text, emit(Answer{}), kHead));
  return 0;
}
