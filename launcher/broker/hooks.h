// What the runs of all users share: the programs, each on its hook once. A program on two groups of which one is in the
// other would tell everything twice, so those of the network hang on the group above all.
//
// Processes are told of at no cost to others, and to hang on a hook again that was left a moment ago takes the kernel 8
// to 16 ms: that family stays for good, the others until nobody has wanted them for a while.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>

#include "base/fd.h"
#include "trace/tracer.h"

namespace jail::broker {

class Hooks {
 public:
  // `top`: the folder of the control group above all others of version 2; empty: none, and no network.
  Hooks(trace::Tracer tracer, Fd top);

  using Held = std::shared_ptr<const trace::Tracer::Attached>;
  // Null: `why`.
  Held hold(trace::Family family, std::string& why);
  // Lets go of what is held by nobody. False: there is something that may be let go later.
  bool tidy(std::uint64_t now_ns);

  [[nodiscard]] const trace::Tracer& tracer() const { return tracer_; }
  [[nodiscard]] const trace::Support& support() const { return support_; }

 private:
  trace::Tracer tracer_;
  Fd top_;
  trace::Support support_;
  std::array<Held, trace::kFamilies> held_;
  std::array<std::uint64_t, trace::kFamilies> used_ns_{};  // last seen in use
};

}  // namespace jail::broker
