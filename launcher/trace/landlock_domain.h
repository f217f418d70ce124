// What the kernel's audit tells of the Landlock domain of one jail, from all that it tells of everybody's.
//
// A domain is told with the process that made it, by number and name, not with the jail. The builder of a jail bears a
// name that nobody can guess while it makes the domain, and at once tries something that the domain denies: so the
// first record with its number and that name is of this domain. It rests on this: the number is the builder's until
// the supervisor reaps it, whoever had it before did not know the name, and records come in order. From then on the
// domain's own number counts, which the kernel gives once (landlock_get_id_range()). Domains that the plugin makes
// itself are others. Pure.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "event/event.h"
#include "trace/landlock_record.h"

namespace jail::trace {

class LandlockDomain {
 public:
  using Pass = std::function<void(const event::Event&)>;
  static constexpr std::size_t kMostWaiting = 64;

  // `builder`: in the first pid namespace; `name`: what it is called (PR_SET_NAME, at most 15 bytes).
  LandlockDomain(pid_t builder, std::string name, Pass pass)
      : builder_(builder), name_(std::move(name)), pass_(std::move(pass)) {}

  void add(std::uint16_t type, std::string_view text, std::uint64_t now_ns);
  // Who has asked, is told after what was denied, if at all: what has come until then waits no longer.
  void pass_on(std::uint64_t until_ns = ~std::uint64_t{0});
  [[nodiscard]] bool waits() const { return !waiting_.empty(); }

  [[nodiscard]] bool is_known() const { return domain_.has_value(); }
  [[nodiscard]] bool has_ended() const { return denials_.has_value(); }
  // Of what was tried after the builder's own attempt; none: the kernel has not said.
  [[nodiscard]] std::optional<std::uint64_t> denials() const { return denials_; }

 private:
  struct Waiting {
    std::uint64_t serial = 0;
    event::Event event;
  };
  void deny(const DomainDenial& denial, std::uint64_t now_ns);
  void name_caller(const AuditedCall& call);
  void pass_first();

  pid_t builder_;
  std::string name_;
  Pass pass_;
  std::optional<std::uint64_t> domain_;
  std::optional<std::uint64_t> denials_;
  std::deque<Waiting> waiting_;
};

// With a verdict that has no line of a profile yet. Marked "folder" is the path of a folder with a name in it that was
// to be made or removed, which the record has not.
event::Event event_of(const DomainDenial& denial);

}  // namespace jail::trace
