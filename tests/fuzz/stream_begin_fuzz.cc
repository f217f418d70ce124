// Any bytes as the beginning of a stream: no crash, a name is one, and no piece of a stream says other than the whole,
// since the plugin chooses how its bytes arrive.
#include <algorithm>
#include <cstdlib>
#include <iostream>

#include "egress/heard.h"

namespace {

using namespace jail::egress;

void require(bool holds, const char* what) {
  if (holds) return;
  std::cerr << "does not hold: " << what << "\n";
  std::abort();
}

bool is_alike(const Heard& one, const Heard& other) {
  return one.state == other.state && one.fault == other.fault && one.name == other.name;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const Octets stream(data, size);
  const Heard whole = heard_in(stream);
  if (whole.state == Heard::State::Named) require(host_name_of(whole.name) == whole.name, "a name is a name");
  else require(whole.name.empty(), "only who is named has a name");
  require((whole.fault != Fault::None) == (whole.state == Heard::State::Faulty), "a fault has its reason");
  constexpr std::size_t kEach = 64;  // of the first and of the last; between them, some
  for (std::size_t piece = 0; piece < std::min(size, kMostHeard);) {
    const Heard part = heard_in(stream.first(piece));
    require(part.state == Heard::State::Incomplete || is_alike(part, whole), "what was decided stays so");
    piece += piece < kEach || piece + kEach >= size ? 1 : kEach;
  }
  return 0;
}
