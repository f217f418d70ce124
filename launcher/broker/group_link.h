// The first process's end of the link to the maker of groups (groups.h). Nothing here waits.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "broker/group_order.h"

namespace jail::broker {

class GroupLink {
 public:
  // Starts the maker, while we are root, have one thread and hold nothing that it should not. It is ready then, or
  // there will be no groups. SysError; also of the maker, and then in it.
  static GroupLink start();

  [[nodiscard]] const std::string& why_none() const { return why_none_; }  // empty: there are groups
  [[nodiscard]] unsigned controllers() const { return controllers_; }
  [[nodiscard]] const Fd& socket() const { return socket_; }

  // `processes`: as GroupOrder says. False: it has too much to do.
  bool order(GroupOrder::What what, std::uint64_t group, std::span<const int> processes);
  void leave(std::uint64_t group);
  // What was to be left when the maker had too much to do. False: it still has.
  bool catch_up();

  struct Done {
    GroupDone said;
    std::vector<Fd> descriptors;
  };
  // What is there to be received; `socket()` is readable. None: the maker has ended, and with it what it could do.
  std::optional<Done> take();

 private:
  Fd socket_;
  std::string why_none_;
  unsigned controllers_ = 0;
  std::deque<std::uint64_t> left_;
};

}  // namespace jail::broker
