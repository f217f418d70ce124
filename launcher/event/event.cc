#include "event/event.h"

#include "event/names.h"

namespace jail::event {

std::string_view kind_of(const Body& body) noexcept {
  return std::visit([](const auto& what) { return what.kKind; }, body);
}

std::string_view usual_call(const std::vector<std::string>& access) noexcept {
  return access.size() == 1 && access.front() == "stat" ? "newfstatat" : "openat";
}

std::string_view name_of(Source source) noexcept { return spelled(source); }
std::string_view name_of(LayerState state) noexcept { return spelled(state); }
std::string_view name_of(Outcome outcome) noexcept { return spelled(outcome); }
std::string_view name_of(Decision decision) noexcept { return spelled(decision); }

}  // namespace jail::event
