#include "monitor/audited.h"

#include <string>
#include <utility>

#include "base/clock.h"
#include "profile/diagnostic.h"

namespace jail::monitor {
namespace {

const std::string* path_of(const event::Event& event) {
  return std::visit(
      [](const auto& body) -> const std::string* {
        if constexpr (requires { body.named.path; }) return &body.named.path;
        else return nullptr;
      },
      event.body);
}

const profile::Place* line_for(const Place& place) {
  if (place.mask != nullptr) return &place.mask->place;
  if (place.anchor == nullptr || place.anchor->places.empty()) return nullptr;
  return &place.anchor->places.front();
}

// The kernel's paths have no links left to follow.
std::string unled(std::string_view) { return {}; }

}  // namespace

AuditedEvents::AuditedEvents(const confine::view::Plan& view, std::function<void(const event::Event&)> log)
    : places_(view), events_(std::move(log)) {}

void AuditedEvents::add(event::Event event) {
  const std::string* const path = path_of(event);
  if (event.verdict && path != nullptr && path->starts_with('/'))
    if (const profile::Place* line = line_for(places_.find(*path, unled)))
      event.verdict->rule = profile::line_of(*line);
  events_.add(std::move(event));
}

void AuditedEvents::flush() {
  const std::uint64_t now_ns = clock::boottime_ns();
  if (const auto due = events_.next_flush(); due && now_ns >= *due) events_.flush(now_ns);
}

}  // namespace jail::monitor
