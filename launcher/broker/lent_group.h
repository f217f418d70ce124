// A launcher's side: a control group of `jaild`'s for one run, for who may make none. It is lent with the connection:
// when that closes, jaild ends whoever is left in it. Should jaild itself end, it holds all the same.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/fd.h"
#include "broker/line.h"
#include "sys/cgroup.h"

namespace jail::broker {

class GroupLease {
 public:
  // As Line::open(); none also where it has no groups to lend.
  static std::optional<GroupLease> open(const std::string& path, Line::Patience patience, std::string& why);

  [[nodiscard]] unsigned controllers() const { return controllers_; }  // of sys::delegation::Controller

  // `first`: as Connection::ask(). Does not wait.
  void ask(const Fd& first);
  // What comes of it, with the child in it. Null: `why`.
  std::unique_ptr<sys::HeldGroup> take(std::string& why);
  // Another child of ours that has executed nothing, in the first one's pid namespace, goes into it, too: empty, or why
  // it does not.
  [[nodiscard]] std::string add(const Fd& process) const;

 private:
  GroupLease(Line line, unsigned controllers) : line_(std::move(line)), controllers_(controllers) {}

  Line line_;
  unsigned controllers_;
};

}  // namespace jail::broker
