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
  if (anchor.access == confine::view::kSocket && wants == kRead) return denied(kLandlock, EACCES, first_place(anchor));
  if ((wants & kChanges) && !(anchor.access & confine::view::kWrite))
    return denied(anchor.access & confine::view::kDevice ? kLandlock : kMount,
                  anchor.access & confine::view::kDevice ? EACCES : EROFS, first_place(anchor));
  constexpr unsigned kRuns = confine::view::kExec | confine::view::kLibrary;
  if ((wants & kMap) && !(anchor.access & kRuns)) return denied(kMount, EPERM, first_place(anchor));
  if ((wants & kExecute) && !(anchor.access & confine::view::kExec))
    return denied(anchor.access & confine::view::kLibrary ? kLandlock : kMount, EACCES, first_place(anchor));
  return {};
}

// /proc of the jail shows its processes, less pid 1, and nothing else.
Prediction in_processes(const Place& place, unsigned wants) {
  const std::string_view name = process_of(place.path);
  if (name == "1") return denied(kPermission, ENOENT);
  const bool is_number = !name.empty() && name.find_first_not_of("0123456789") == std::string_view::npos;
  if (is_number) return denied(kPermission, ENOENT, nullptr, Provided::ProcessIsForeign);
  if (!name.empty() && name != "self" && name != "thread-self")
    return denied(kMount, ENOENT, nullptr, Provided::PathExists);
  return wants & (kCreate | kDelete) ? denied(kLandlock, EACCES) : Prediction{};
}

Prediction in_own(const Place& place, unsigned wants) {
  static const Anchor kReadable = [] {
    Anchor anchor;
    anchor.access = confine::view::kRead;
    return anchor;
  }();
  switch (place.own) {
    case Own::Temporary:
      if ((wants & kDelete) && place.leads_on) return denied(kMount, EBUSY);
      if (wants & kMap) return denied(kMount, EPERM);
      return wants & kExecute ? denied(kMount, EACCES) : Prediction{};
    case Own::Devices:
    case Own::Terminals: return wants & (kExecute | kCreate | kDelete) ? denied(kLandlock, EACCES) : Prediction{};
    case Own::Processes: return in_processes(place, wants);
    case Own::File: return in_grant(kReadable, wants);
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

std::string_view process_of(std::string_view path) {
  constexpr std::string_view kProc = "/proc/";
  if (!path.starts_with(kProc)) return {};
  path.remove_prefix(kProc.size());
  return path.substr(0, path.find('/'));
}

Prediction predict(const Place& place, unsigned wants) {
  // What the kernel calls a file that is only memory: one that may be made here at all is sealed against being run.
  if (place.path.starts_with("/memfd:")) return wants & (kExecute | kMap) ? denied(kPermission, EACCES) : Prediction{};
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
