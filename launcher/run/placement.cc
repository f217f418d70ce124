#include "run/placement.h"

#include <unistd.h>

#include <utility>

#include "sys/cgroup.h"

namespace jail::run {
namespace {

std::string own_name() { return "jail-" + std::to_string(::getpid()); }

}  // namespace

sys::delegation::Support Placement::foresee(const std::string& broker, unsigned needed) {
  Placement placement;
  placement.broker_ = broker;
  placement.stand_at(sys::delegation::find(needed));
  const bool through_scope = placement.place_.entry == sys::delegation::Place::Entry::ThroughAScope;
  const bool none = placement.place_.support.controllers == 0;
  if (through_scope || none || placement.lacks(needed)) (void)placement.borrow(needed);
  return placement.place_.support;
}

void Placement::let_go() {
  held_.reset();
  lease_.reset();
  sys::delegation::leave(place_);
}

const sys::delegation::Support& Placement::make(const std::string& broker) {
  broker_ = broker;
  stand_at(sys::delegation::find());
  make_own();
  if (!held_ && !borrow(0)) make_bare();
  return place_.support;
}

void Placement::stand_at(sys::delegation::Place place) {
  place_ = std::move(place);
  why_not_ours_ = place_.support.why;
}

void Placement::say_why() {
  place_.support.why = why_not_ours_ + (why_not_lent_.empty() ? "" : "; " + why_not_lent_);
}

void Placement::make_own() {
  if (auto made = sys::delegation::make(place_, own_name())) held_ = std::make_unique<sys::Cgroup>(std::move(*made));
}

void Placement::make_bare() {
  why_none_.clear();
  if (auto made = sys::delegation::make_bare(place_, own_name(), why_none_))
    held_ = std::make_unique<sys::Cgroup>(std::move(*made));
}

// Root makes its own, wherever one can be had. What is stated is worth waiting for a jaild that has to start first.
bool Placement::borrow(unsigned needed) {
  using Patience = broker::Line::Patience;
  if (::geteuid() == 0 || lease_ || asked_in_vain_) return false;
  lease_ = broker::GroupLease::open(broker_, needed == 0 ? Patience::AMoment : Patience::WhileItStarts, why_not_lent_);
  if (lease_ && (needed & ~lease_->controllers()) != 0) lease_.reset();
  if (lease_) place_.support.controllers = lease_->controllers();
  say_why();
  return lease_.has_value();
}

void Placement::ask_for(const Fd& first) {
  if (lease_) lease_->ask(first);
}

std::string Placement::add(const Fd& plugin) const {
  const std::string why = lease_ ? lease_->add(plugin) : "";
  return why.empty() ? "" : "the plugin is not in its control group: " + why;
}

bool Placement::take() {
  held_ = lease_->take(why_not_lent_);
  if (held_) {
    place_.support.counts_swap = sys::delegation::counts_swap(held_->folder());
    return true;
  }
  lease_.reset();
  asked_in_vain_ = true;
  place_.support.controllers = 0;
  say_why();
  return false;
}

bool Placement::settle(unsigned needed, const std::function<void()>& empty) {
  if (lease_ && !held_ && !take()) {
    empty();
    make_bare();
    return true;
  }
  if (!lacks(needed) || lease_ || std::exchange(asked_elsewhere_, true)) return false;
  sys::delegation::Place found = sys::delegation::find(needed);
  if (widen(found, needed)) return false;
  if (borrow(needed)) {
    empty();
    held_.reset();
    sys::delegation::leave(place_);
    return true;
  }
  const bool through_scope = found.entry == sys::delegation::Place::Entry::ThroughAScope;
  if (!through_scope && (needed & ~found.support.controllers) != 0) return false;
  empty();
  let_go();
  stand_at(std::move(found));
  make_own();
  if (!held_) make_bare();
  return true;
}

// What is looked for only where it is stated may be had where we are.
bool Placement::widen(const sys::delegation::Place& found, unsigned needed) {
  const bool is_here = found.entry != sys::delegation::Place::Entry::ThroughAScope && found.parent == place_.parent;
  if (is_here && place_.support.controllers != 0) place_.support.controllers |= found.support.controllers;
  why_not_ours_ = found.support.why;
  say_why();
  return !lacks(needed);
}

// jaild has them all on.
int Placement::give(sys::delegation::Controller controller) const {
  return lease_ ? 0 : sys::delegation::give(place_, controller);
}

}  // namespace jail::run
