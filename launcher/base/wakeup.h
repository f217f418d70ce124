// A flag that any thread raises and one waits for, by itself or together with other descriptors: eventfd(2).
#pragma once

#include "base/fd.h"

namespace jail {

class Wakeup {
 public:
  Wakeup();  // SysError

  void raise() const noexcept;
  void lower() const noexcept;
  // -1: waits for as long as it takes.
  [[nodiscard]] bool is_raised(int wait_ms = 0) const noexcept;
  // Readable while it is raised.
  [[nodiscard]] int fd() const noexcept { return event_.get(); }

 private:
  Fd event_;
};

}  // namespace jail
