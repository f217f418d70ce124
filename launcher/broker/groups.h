// The maker of groups: the second process of `jaild`, which makes, fills and takes away the control groups of those who
// may make none. It never hears from a user: what it is told (group_order.h) was looked at by the first process, which
// in turn opens no file. It has root's uid, to which the groups belong, and next to no capability (confine.h).
//
// cgroup.procs takes numbers, and a number may become another's between a look and the write. So the child is looked at
// again afterwards, by its pidfd; a stranger who was caught is put back (SECURITY E3).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/fd.h"
#include "broker/group_order.h"
#include "broker/mirror.h"
#include "sys/cgroup.h"

namespace jail::broker {

class Groups {
 public:
  // Where all of them stand, which need not be where jaild does; outlives it as long as somebody is in one. None:
  // `why`.
  static std::optional<Groups> make(std::string& why);

  [[nodiscard]] const std::string& top() const { return mount_.folder; }
  [[nodiscard]] const sys::Cgroup& base() const { return base_; }

  // Until the other side closes. Who is in a group then stays there.
  void serve(const Fd& link);

 private:
  Groups(sys::Cgroup base, sys::GroupMount mount, unsigned controllers);

  void carry_out(const Fd& link, const GroupOrder& order, const std::vector<Fd>& processes);
  void lend(const Fd& link, const GroupOrder& order, const Fd& asks, const Fd& child);
  struct Asker {
    pid_t number = 0;
    std::string folder;  // of its group
  };
  [[nodiscard]] std::optional<Asker> look_at(const Fd& asks) const;
  std::optional<sys::Cgroup> make_for(const Asker& asker, const Fd& child, std::string& why);
  // Empty, or why the child is not in it.
  std::string take_in(const sys::Cgroup& group, const Fd& child) const;
  void put_back(pid_t number) const;
  void end(const Fd& link, std::uint64_t number);
  // True: there is nothing more to take away.
  bool tidy(const Fd& link);

  sys::Cgroup base_;
  sys::GroupMount mount_;
  unsigned controllers_;
  Mirror mirror_;
  std::map<std::uint64_t, sys::Cgroup> lent_;
  struct Ended {
    std::uint64_t number = 0;  // 0: it was never lent
    sys::Cgroup group;
  };
  std::vector<Ended> ended_;  // the kernel is still at it
};

}  // namespace jail::broker
