#include "audit/log.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <mutex>
#include <utility>

#include "audit/sink.h"
#include "base/clock.h"

namespace jail::audit {
namespace {

template <std::size_t... kIndex>
constexpr auto kinds_in_order(std::index_sequence<kIndex...>) {
  return std::array{std::variant_alternative_t<kIndex, event::Body>::kKind...};
}
constexpr auto kKinds = kinds_in_order(std::make_index_sequence<std::variant_size_v<event::Body>>());

// When something happened by the calendar, from when it happened by the clock that does not jump.
clock::WallTime wall_time_of(std::uint64_t mono_ns, std::uint64_t mono_now) {
  const std::uint64_t ago = mono_now > mono_ns ? mono_now - mono_ns : 0;
  return clock::wall_now() - std::chrono::microseconds(ago / 1'000);
}

}  // namespace

// One record at a time.
struct Log::Gate {
  static constexpr std::chrono::seconds kPatience{1};
  std::timed_mutex writing;
  std::atomic<std::uint64_t> given_up = 0;
};

Log::Log(Identity identity, std::vector<Sink> sinks, event::Redactor redactor)
    : gate_(std::make_unique<Gate>()), sinks_(std::move(sinks)), redactor_(std::move(redactor)) {
  stamp_.run = std::move(identity.run);
  stamp_.profile = std::move(identity.profile);
}

Log::~Log() = default;
Log::Log(Log&&) noexcept = default;
Log& Log::operator=(Log&&) noexcept = default;

void Log::stamp(const event::Event& event) {
  const std::uint64_t now = clock::boottime_ns();
  stamp_.seq += 1;
  stamp_.mono_ns = event.mono_ns != 0 ? event.mono_ns : now;
  stamp_.time = wall_time_of(stamp_.mono_ns, now);
}

std::optional<WriteError> Log::append(const event::Event& event) {
  const std::unique_lock<std::timed_mutex> writing(gate_->writing, Gate::kPatience);
  if (!writing) {
    ++gate_->given_up;
    return WriteError{"log", ETIMEDOUT};
  }
  stamp(event);
  encode(stamp_, event, redactor_, writer_);
  line_.assign("\n").append(writer_.text()).append("\n");
  appended_[event.body.index()] += 1;
  std::optional<WriteError> first;
  for (Sink& sink : sinks_) {
    const int error = sink.append(line_);
    if (error != 0 && !first) first = WriteError{sink.name(), error};
  }
  return first;
}

event::Counts Log::events_by_kind() const {
  event::Counts counts;
  for (std::size_t index = 0; index < appended_.size(); ++index)
    if (appended_[index] != 0) counts.emplace_back(kKinds[index], appended_[index]);
  return counts;
}

event::Counts Log::lost() const {
  event::Counts counts;
  for (const Sink& sink : sinks_)
    if (sink.lost() != 0) counts.emplace_back(sink.name(), sink.lost());
  if (gate_->given_up != 0) counts.emplace_back("log", gate_->given_up);
  return counts;
}

std::vector<int> Log::descriptors() const {
  std::vector<int> descriptors;
  for (const Sink& sink : sinks_) {
    descriptors.push_back(sink.fd().get());
    if (sink.folder()) descriptors.push_back(sink.folder().get());
  }
  return descriptors;
}

}  // namespace jail::audit
