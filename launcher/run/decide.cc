#include "run/decide.h"

#include <algorithm>
#include <cerrno>
#include <deque>

#include "monitor/predict.h"
#include "profile/paths.h"

namespace jail::run {
namespace {

using confine::view::Anchor;
using monitor::Own;
using monitor::Place;
using HostKind = HostFile::Kind;

constexpr int kMostInterpreters = 4;

struct Step {
  Place place;
  std::optional<HostFile> file;     // in granted trees: what is there
  std::optional<HostFile> above;    // and the folder around it
  std::string missing;              // the first thing on the way that is not there
  std::string blocked;              // the first folder on the way that the plugin's id may not search
  std::string no_folder;            // what stands on the way and is no folder
  bool endless = false;
};

std::deque<std::string> components_of(const std::string& path) {
  std::deque<std::string> components;
  for (std::size_t begin = 0; begin <= path.size();) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    if (end > begin) components.push_back(path.substr(begin, end - begin));
    begin = end + 1;
  }
  return components;
}

enum Bits : std::uint32_t { kMayRead = 4, kMayWrite = 2, kMaySearch = 1 };

// By the mode alone, as for a process without capabilities (path_resolution(7)).
bool permits(const HostFile& file, const confine::identity::Plan& who, std::uint32_t wanted) {
  std::uint32_t mode = file.mode;
  const bool of_group =
      file.group == who.gid || std::ranges::find(who.kept_groups, file.group) != who.kept_groups.end();
  if (file.owner == who.uid) mode >>= 6;
  else if (of_group) mode >>= 3;
  return (mode & wanted) == wanted;
}

// From the root down, as the kernel would go in the view.
class Walk {
 public:
  Walk(const Plan& plan, const Host& host) : plan_(plan), host_(host), places_(plan.view) {}

  Step to(const std::string& path) {
    rest_ = components_of(path.starts_with('/') ? path : profile::joined(plan_.view.cwd, path));
    Step step;
    std::string here = "/";
    step.place = find(here);
    while (!rest_.empty() && !step.endless) {
      const std::string name = rest_.front();
      rest_.pop_front();
      if (name == ".") continue;
      if (name == "..") {
        here = std::string(profile::folder_of(here));
        step.place = find(here);
        step.file = look(step.place);
        continue;
      }
      step.above = std::move(step.file);
      go_down(profile::joined(here, name), here, step);
    }
    return step;
  }

 private:
  [[nodiscard]] Place find(const std::string& path) const {
    return places_.find(path, [this](std::string_view magic) { return magic.ends_with("/cwd") ? plan_.view.cwd : ""; });
  }

  // The granted place itself is no link: the view resolved it.
  [[nodiscard]] std::optional<HostFile> look(const Place& place) const {
    if (place.anchor == nullptr || place.mask != nullptr) return std::nullopt;
    return host_.look(place.path);
  }

  void go_down(const std::string& path, std::string& here, Step& step) {
    step.place = find(path);
    step.file = look(step.place);
    here = step.place.path;
    const bool granted = step.place.anchor != nullptr && step.place.mask == nullptr;
    if (!granted) return;
    const bool on = step.blocked.empty() && step.no_folder.empty() && step.missing.empty();
    if (step.above && on && step.above->kind != HostKind::Folder) step.no_folder = profile::folder_of(path);
    else if (step.above && on && !permits(*step.above, plan_.identity, kMaySearch))
      step.blocked = profile::folder_of(path);
    if (!step.file && step.missing.empty()) step.missing = step.place.path;
    if (!step.file || step.file->kind != HostKind::Link || here == step.place.anchor->path) return;
    step.endless = ++links_ > monitor::kMostLinks;
    std::deque<std::string> target = components_of(step.file->target);
    rest_.insert(rest_.begin(), target.begin(), target.end());
    here = step.file->target.starts_with('/') ? "/" : std::string(profile::folder_of(here));
    step.place = find(here);
    step.file = look(step.place);
  }

  const Plan& plan_;
  const Host& host_;
  monitor::Places places_;
  std::deque<std::string> rest_;
  int links_ = 0;
};

std::string what_is_own(Own own) {
  switch (own) {
    case Own::Temporary: return "/tmp and /dev/shm are the jail's own, empty at first: nothing in them can be started";
    case Own::Devices:
    case Own::Terminals: return "a device every jail has";
    case Own::Processes: return "the jail's own /proc, which shows its processes and nothing else";
    case Own::File: return "a file of the jail's own, which can be read";
    case Own::None: break;
  }
  return "jail's own";
}

std::string access_of(const Anchor& anchor) {
  if (anchor.access & confine::view::kWrite) return "reading and writing";
  if (anchor.access & confine::view::kDevice) return "use as a device";
  if (anchor.access & confine::view::kExec) return "reading and starting programs";
  if (anchor.access & confine::view::kLibrary) return "reading and as libraries";
  return "reading";
}

// Which of the lines at one path it is: the one that gives what is asked for.
std::optional<profile::Place> rule_of(const Anchor& anchor) {
  if (anchor.places.empty()) return std::nullopt;
  return anchor.places.front();
}

std::string reason_for(const Place& place, Operation operation) {
  if (place.endless) return "too many links";
  if (place.mask != nullptr) return "'" + place.mask->path + "' is hidden";
  if (place.own != Own::None) return what_is_own(place.own);
  if (place.anchor != nullptr) return "'" + place.anchor->path + "' is granted for " + access_of(*place.anchor);
  if (place.folder_of_view && operation == Operation::Read)
    return "a folder on the way to what is granted: it can be listed";
  if (place.folder_of_view) return "a folder on the way to what is granted, and nothing more";
  return "no line grants it, so the jail does not have it";
}

void deny(Decision& decision, std::string layer, int error, std::string reason) {
  decision.decision = event::Decision::Denied;
  decision.layer = std::move(layer);
  decision.error = error;
  decision.reason = std::move(reason);
  decision.grantable = false;
}

void fail(Decision& decision, int error, std::string reason) {
  decision.decision = event::Decision::Failed;
  decision.error = error;
  decision.reason = decision.reason.empty() ? std::move(reason) : decision.reason + ", but " + reason;
}

// Whether there is something already; what is not there is made.
bool stands(const Step& step) {
  const Place& place = step.place;
  // Folders of special files: nothing is made there.
  if (place.path == "/dev/pts" || place.path == "/proc") return false;
  return step.missing.empty() && (place.anchor != nullptr || place.own != Own::None || place.folder_of_view);
}

unsigned wants_of(Operation operation, const Step& step) {
  switch (operation) {
    case Operation::Read: return monitor::kRead;
    case Operation::Write: return stands(step) ? monitor::kWrite : monitor::kCreate;
    case Operation::Exec: return monitor::kExecute;
  }
  return 0;
}

// What nothing of the jail forbids, the file's own mode may.
void ask_mode(const Plan& plan, Operation operation, const Step& step, Decision& decision) {
  const std::string whom = "uid " + std::to_string(plan.identity.uid);
  if (!step.no_folder.empty()) return fail(decision, ENOTDIR, "'" + step.no_folder + "' is no folder");
  if (!step.blocked.empty())
    return deny(decision, "permission", EACCES, whom + " may not search '" + step.blocked + "'");
  if (!step.missing.empty()) {
    const bool makes = operation == Operation::Write && step.missing == decision.path;
    if (!makes) return fail(decision, ENOENT, "'" + step.missing + "' is not there");
    if (step.above && !permits(*step.above, plan.identity, kMayWrite | kMaySearch))
      deny(decision, "permission", EACCES,
           whom + " may not write to '" + std::string(profile::folder_of(decision.path)) + "'");
    return;
  }
  if (!step.file) return;
  const bool program = operation == Operation::Exec;
  if (program && step.file->kind != HostKind::File)
    return deny(decision, "permission", EACCES, "it is no file that could be started");
  const std::uint32_t wanted =
      operation == Operation::Read ? kMayRead : operation == Operation::Write ? kMayWrite : kMaySearch;
  if (!permits(*step.file, plan.identity, wanted))
    deny(decision, "permission", EACCES, "its mode does not let " + whom + " do so");
}

// What the kernel looks at before it comes to the mount: the program sees that errno.
int error_before_mount(const Plan& plan, Operation operation, const Step& step) {
  if (step.place.mask != nullptr) return EACCES;  // of mode 000
  if (!step.no_folder.empty()) return ENOTDIR;
  if (!step.blocked.empty()) return EACCES;
  const bool makes = operation == Operation::Write && step.missing == step.place.path;
  if (!step.missing.empty()) return makes ? 0 : ENOENT;
  const bool writes = operation == Operation::Write && step.file && step.file->kind != HostKind::Folder;
  return writes && !permits(*step.file, plan.identity, kMayWrite) ? EACCES : 0;
}

// What a process may change of itself (proc_pid_attr(5) and its siblings); everything else there can only be read.
bool is_setting(std::string_view path) {
  const std::string_view name = path.substr(path.rfind('/') + 1);
  constexpr std::string_view kSettings[] = {"comm",      "oom_score_adj",   "oom_adj",    "timerslack_ns",
                                            "autogroup", "coredump_filter", "clear_refs", "sched"};
  return std::ranges::find(kSettings, name) != std::end(kSettings);
}

// Links that lead to whatever file a process has there.
bool is_magic(std::string_view path) {
  return path.ends_with("/exe") || path.find("/fd/") != std::string_view::npos;
}

void ask_processes(Operation operation, Decision& decision) {
  if (is_magic(decision.path) || operation == Operation::Read) return;
  if (operation == Operation::Exec) deny(decision, "mount", EACCES, decision.reason);
  else if (!is_setting(decision.path)) deny(decision, "permission", EACCES, "the kernel lets nobody write there");
}

Decision decide_at(const Plan& plan, Operation operation, const Step& step) {
  const monitor::Prediction prediction = predict(step.place, wants_of(operation, step));
  Decision decision{.decision = prediction.decision,
                    .path = step.place.path,
                    .layer = std::string(prediction.layer),
                    .error = prediction.error,
                    .rule = {},
                    .reason = reason_for(step.place, operation)};
  if (prediction.rule != nullptr) decision.rule = *prediction.rule;
  else if (step.place.mask == nullptr && step.place.own == Own::None && step.place.anchor != nullptr)
    decision.rule = rule_of(*step.place.anchor);
  const bool denied = decision.decision == event::Decision::Denied;
  decision.grantable = denied && step.place.own == Own::None && step.place.mask == nullptr;
  if (step.place.own == Own::Processes && denied && operation == Operation::Write) decision.error = ENOENT;
  if (const int earlier = denied ? error_before_mount(plan, operation, step) : 0) decision.error = earlier;
  if (!denied && step.place.own == Own::Processes) ask_processes(operation, decision);
  else if (decision.decision == event::Decision::Allowed) ask_mode(plan, operation, step, decision);
  return decision;
}

// A program is started by its interpreters, if it has any.
Decision decide_step(const Plan& plan, Operation operation, const std::string& path, const Host& host, int depth) {
  const Step step = Walk(plan, host).to(path);
  if (step.endless) {
    Decision decision{.path = step.place.path, .layer = {}, .rule = {}, .reason = {}};
    fail(decision, ELOOP, "too many links");
    return decision;
  }
  Decision decision = decide_at(plan, operation, step);
  const bool starts = operation == Operation::Exec && decision.decision == event::Decision::Allowed;
  if (!starts || !step.file || depth == kMostInterpreters) return decision;
  for (const std::string& interpreter : step.file->interpreters) {
    Decision inner = decide_step(plan, operation, interpreter, host, depth + 1);
    if (inner.decision == event::Decision::Allowed) continue;
    inner.reason = "it is started by '" + interpreter + "': " + inner.reason;
    return inner;
  }
  return decision;
}

}  // namespace

Decision decide(const Plan& plan, Operation operation, const std::string& path, const Host& host) {
  return decide_step(plan, operation, path, host, 0);
}

}  // namespace jail::run
