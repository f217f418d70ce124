#include "base/wakeup.h"

#include <poll.h>
#include <sys/eventfd.h>

#include <cstdint>

#include "base/error.h"

namespace jail {

Wakeup::Wakeup() : event_(check(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd")) {}

void Wakeup::raise() const noexcept {
  const std::uint64_t one = 1;
  (void)!::write(fd(), &one, sizeof one);
}

void Wakeup::lower() const noexcept {
  std::uint64_t raised = 0;
  (void)!::read(fd(), &raised, sizeof raised);
}

bool Wakeup::is_raised(int wait_ms) const noexcept {
  pollfd polled{fd(), POLLIN, 0};
  return TEMP_FAILURE_RETRY(::poll(&polled, 1, wait_ms)) > 0;
}

}  // namespace jail
