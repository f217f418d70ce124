#include "base/random.h"

#include <sys/random.h>

#include "base/error.h"
#include "base/text.h"

namespace jail::random {

std::string run_id() {
  std::string bytes(8, '\0');
  // Up to 256 bytes come whole once the kernel is seeded; before that a signal may interrupt the wait (getrandom(2)).
  ssize_t got = -1;
  do got = ::getrandom(bytes.data(), bytes.size(), 0);
  while (got < 0 && errno == EINTR);
  check(got, "getrandom");
  return text::hexadecimal(bytes);
}

}  // namespace jail::random
