// Where the control group of one run comes from: of our own making, where we may make one with controllers; lent by
// jaild; in a scope of systemd's, which takes long and so is only for what a profile states; else a bare one below our
// own, which limits nothing. All processes of the jail are in it from their first moment on, or before they do
// anything.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/fd.h"
#include "broker/lent_group.h"
#include "sys/delegation.h"

namespace jail::run {

class Placement {
 public:
  Placement() = default;
  Placement(const Placement&) = delete;
  Placement& operator=(const Placement&) = delete;
  ~Placement() { let_go(); }

  // What make() and settle() will come to; nothing is made. `broker`: the socket of jaild. `needed`: of
  // sys::delegation::Controller, what a profile states (confine/limits.h).
  static sys::delegation::Support foresee(const std::string& broker, unsigned needed = 0);

  // Before the first process of the jail.
  const sys::delegation::Support& make(const std::string& broker);
  // In it that starts, or in ours (null), from where jaild takes it and then whoever comes after it.
  [[nodiscard]] const Fd* folder() const { return held_ && !lease_ ? &held_->folder() : nullptr; }
  [[nodiscard]] bool is_lent() const { return lease_.has_value(); }
  void ask_for(const Fd& first);
  [[nodiscard]] std::string add(const Fd& plugin) const;  // empty, or why it is not in it
  // What has come of asking, or another where only that has what is needed: then `empty` has ended the first process,
  // one has to be started anew and this to be called again. False: the group stands.
  bool settle(unsigned needed, const std::function<void()>& empty);

  // Null: there is none, or jaild is at it.
  [[nodiscard]] const sys::HeldGroup* held() const { return held_.get(); }
  [[nodiscard]] const sys::delegation::Support& support() const { return place_.support; }
  [[nodiscard]] const std::string& why_none() const { return why_none_; }
  // One more controller for it. 0 or errno.
  [[nodiscard]] int give(sys::delegation::Controller controller) const;

 private:
  void stand_at(sys::delegation::Place place);
  void say_why();
  void make_own();
  void make_bare();
  bool borrow(unsigned needed);
  bool widen(const sys::delegation::Place& found, unsigned needed);
  [[nodiscard]] bool lacks(unsigned needed) const { return (needed & ~place_.support.controllers) != 0; }
  bool take();
  void let_go();

  sys::delegation::Place place_;
  std::string broker_, why_not_ours_, why_not_lent_, why_none_;
  bool asked_in_vain_ = false;    // jaild
  bool asked_elsewhere_ = false;  // for what a profile states
  std::optional<broker::GroupLease> lease_;
  std::unique_ptr<sys::HeldGroup> held_;
};

}  // namespace jail::run
