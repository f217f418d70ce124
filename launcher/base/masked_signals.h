// Threads start with the signal mask of the one that starts them (pthread_create(3)): while this lives, one that is
// meant for none. Signals are for the thread that watches the jail.
#pragma once

#include <signal.h>

#include <initializer_list>

namespace jail {

class MaskedSignals {
 public:
  // All but these.
  explicit MaskedSignals(std::initializer_list<int> open = {}) noexcept {
    sigset_t masked;
    ::sigfillset(&masked);
    for (const int signal : open) ::sigdelset(&masked, signal);
    ::pthread_sigmask(SIG_SETMASK, &masked, &before_);
  }
  ~MaskedSignals() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  MaskedSignals(const MaskedSignals&) = delete;
  MaskedSignals& operator=(const MaskedSignals&) = delete;

 private:
  sigset_t before_;
};

}  // namespace jail
