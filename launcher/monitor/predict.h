// What will become of an attempt, by the plan alone: which grant, hidden place or default decides it, which layer says
// no and with which errno. Pure. The kernel may still say no for its own reasons (a file that is not there, a mode),
// and is right where the two differ: what comes of this is marked `predicted` in the log.
#pragma once

#include <cstdint>
#include <string_view>

#include "event/event.h"
#include "monitor/place.h"
#include "profile/diagnostic.h"

namespace jail::monitor {

// What somebody wants to do with a place. A set of them is a mask.
enum Want : std::uint8_t {
  kLook = 1,
  kRead = 2,
  kWrite = 4,     // what is there: content or metadata
  kCreate = 8,    // a name
  kDelete = 16,
  kExecute = 32,
  kMap = 64,      // as code
};

struct Prediction {
  // A denial of what nobody would have anyway is none: it holds only if the host has the file, the folder it shall be
  // made in, or the process, which then is not the jail's. Whoever can look, looks.
  enum class Provided : std::uint8_t { Always, PathExists, ParentExists, ProcessIsForeign };

  event::Decision decision = event::Decision::Allowed;
  std::string_view layer{};
  int error = 0;
  const profile::Place* rule = nullptr;  // none: the default
  Provided provided = Provided::Always;
};

Prediction predict(const Place& place, unsigned wants);

// "4711" of "/proc/4711/mem"; empty for what is not below /proc.
std::string_view process_of(std::string_view path);

// A rename or a hard link, from one place to another: both ends, and that one mount holds both.
Prediction predict_move(const Place& from, unsigned wants_from, const Place& to, unsigned wants_to);

}  // namespace jail::monitor
