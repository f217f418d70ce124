#include "monitor/predict.h"

#include <cerrno>
#include <string>

namespace jail::monitor {
namespace {

using confine::view::Anchor;
using event::Decision;
using Provided = Prediction::Provided;

constexpr unsigned kChanges = kWrite | kCreate | kDelete;

constexpr std::string_view kMount = "mount";
constexpr std::string_view kLandlock = "landlock";
constexpr std::string_view kPermission = "permission";

Prediction denied(std::string_view layer, int error, const profile::Place* rule = nullptr,
                  Provided provided = Provided::Always) {
  return {Decision::Denied, layer, error, rule, provided};
}

const profile::Place* first_place(const Anchor& anchor) {
  return anchor.places.empty() ? nullptr : &anchor.places.front();
}

// Something empty of mode 000 on a read-only mount; what lies below cannot be searched for.
Prediction in_mask(const Place& place, unsigned wants) {
  const profile::Place* const rule = &place.mask->place;
  if (!place.is_mask) return denied(kMount, EACCES, rule);
  if (wants & kDelete) return denied(kMount, EBUSY, rule);
  if (wants & (kRead | kExecute)) return denied(kMount, EACCES, rule);
  if (wants & kChanges) return denied(kMount, EROFS, rule);
  return {};
}

Prediction in_grant(const Anchor& anchor, unsigned wants) {
  if ((wants & kChanges) && !(anchor.access & confine::view::kWrite))
    return denied(anchor.access & confine::view::kDevice ? kLandlock : kMount,
                  anchor.access & confine::view::kDevice ? EACCES : EROFS, first_place(anchor));
  if ((wants & kExecute) && !(anchor.access & confine::view::kExec))
    return denied(anchor.access & confine::view::kLibrary ? kLandlock : kMount, EACCES, first_place(anchor));
  return {};
}

bool is_other_process(std::string_view path) {
  constexpr std::string_view kInit = "/proc/1";  // hidepid shows the plugin none but its own
  return path.starts_with(kInit) && (path.size() == kInit.size() || path[kInit.size()] == '/');
}

bool names_process(std::string_view path) {
  constexpr std::string_view kProc = "/proc/";
  if (path.size() <= kProc.size()) return true;
  const std::string_view name = path.substr(kProc.size(), path.find('/', kProc.size()) - kProc.size());
  return name == "self" || name == "thread-self" || name.find_first_not_of("0123456789") == std::string_view::npos;
}

// /proc of the jail shows processes and nothing else.
Prediction in_processes(const Place& place, unsigned wants) {
  if (!names_process(place.path)) return denied(kMount, ENOENT, nullptr, Provided::PathExists);
  if (is_other_process(place.path)) return denied(kPermission, ENOENT);
  return wants & (kCreate | kDelete) ? denied(kLandlock, EACCES) : Prediction{};
}

Prediction in_own(const Place& place, unsigned wants) {
  switch (place.own) {
    case Own::Temporary: return wants & kExecute ? denied(kMount, EACCES) : Prediction{};
    case Own::Devices:
    case Own::Terminals: return wants & (kExecute | kCreate | kDelete) ? denied(kLandlock, EACCES) : Prediction{};
    case Own::Processes: return in_processes(place, wants);
    case Own::None: break;
  }
  return {};
}

// Folders of the view's own read-only root: they can be listed.
Prediction in_folder_of_view(unsigned wants) {
  if (wants & kChanges) return denied(kMount, EROFS);
  return wants & kExecute ? denied(kMount, EACCES) : Prediction{};
}

// Nothing was granted here, so nothing is here.
Prediction nowhere(const Place& place, unsigned wants) {
  if (!(wants & kCreate)) return denied(kMount, ENOENT, nullptr, Provided::PathExists);
  return place.in_folder_of_view ? denied(kMount, EROFS) : denied(kMount, ENOENT, nullptr, Provided::ParentExists);
}

}  // namespace

Prediction predict(const Place& place, unsigned wants) {
  if (place.endless) return {.decision = Decision::Failed, .error = ELOOP};
  if (place.mask != nullptr) return in_mask(place, wants);
  if (place.own != Own::None) return in_own(place, wants);
  if (place.anchor != nullptr) return in_grant(*place.anchor, wants);
  return place.folder_of_view ? in_folder_of_view(wants) : nowhere(place, wants);
}

Prediction predict_move(const Place& from, unsigned wants_from, const Place& to, unsigned wants_to) {
  const Prediction first = predict(from, wants_from);
  if (first.decision != Decision::Allowed) return first;
  const Prediction second = predict(to, wants_to);
  if (second.decision != Decision::Allowed) return second;
  if (from.anchor == to.anchor && from.own == to.own) return {};
  return denied(kMount, EXDEV, from.anchor != nullptr ? first_place(*from.anchor) : nullptr);
}

}  // namespace jail::monitor
