#include "broker/hooks.h"

#include <utility>

#include "base/clock.h"

namespace jail::broker {
namespace {

constexpr std::uint64_t kLingerNs = 5'000'000'000;

}  // namespace

Hooks::Hooks(trace::Tracer tracer, Fd top)
    : tracer_(std::move(tracer)), top_(std::move(top)), support_(tracer_.support()) {
  for (const trace::Family family : {trace::Family::Network, trace::Family::NetworkUnix}) {
    std::string& missing = support_.missing[trace::index_of(family)];
    if (!top_ && missing.empty()) missing = "no control groups of version 2 here";
  }
}

Hooks::Held Hooks::hold(trace::Family family, std::string& why) {
  Held& held = held_[trace::index_of(family)];
  used_ns_[trace::index_of(family)] = clock::boottime_ns();  // who has asked may not have waited, and ask again
  why = support_.why_not(family);
  if (held || !why.empty()) return why.empty() ? held : nullptr;
  trace::Tracer::Attached attached = tracer_.attach({family}, &top_, why);
  if (why.empty()) held = std::make_shared<const trace::Tracer::Attached>(std::move(attached));
  return held;
}

bool Hooks::tidy(std::uint64_t now_ns) {
  bool is_tidy = true;
  for (std::size_t family = 0; family < held_.size(); ++family) {
    if (!held_[family] || family == trace::index_of(trace::Family::Process)) continue;
    if (held_[family].use_count() > 1) used_ns_[family] = now_ns;
    else if (now_ns - used_ns_[family] > kLingerNs) held_[family].reset();
    else is_tidy = false;
  }
  return is_tidy;
}

}  // namespace jail::broker
