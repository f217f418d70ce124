#include "broker/group_link.h"

#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <cstring>

#include "broker/confine.h"
#include "broker/groups.h"
#include "sys/process.h"
#include "sys/socket.h"

namespace jail::broker {
namespace {

constexpr int kMostToStartMs = 10'000;

// Ends with the first process and not before it: a terminal's signal is for that one.
void be_maker(const Fd& link) {
  for (const int signal : {SIGTERM, SIGINT, SIGPIPE}) (void)::signal(signal, SIG_IGN);
  sys::set_name("jaild-groups");
  std::string why;
  if (std::optional<Groups> groups = Groups::make(why)) {
    confine_maker(groups->top(), groups->base());
    return groups->serve(link);
  }
  GroupDone none;
  why.copy(none.refused, sizeof none.refused - 1);
  (void)sys::send_message(link, std::as_bytes(std::span(&none, 1)));
}

}  // namespace

GroupLink GroupLink::start() {
  sys::SocketPair pair = sys::socket_pair();
  const sys::Child maker = sys::fork_into(0);
  if (maker.pid == 0) {
    pair.ours.reset();
    be_maker(pair.theirs);
    ::_exit(0);
  }
  pair.theirs.reset();
  GroupLink link;
  link.socket_ = std::move(pair.ours);
  link.why_none_ = "its maker of groups does not come up";
  pollfd polled{link.socket_.get(), POLLIN, 0};
  if (TEMP_FAILURE_RETRY(::poll(&polled, 1, kMostToStartMs)) == 1)
    if (const auto ready = link.take()) {
      link.why_none_ = ready->said.refused;
      link.controllers_ = ready->said.controllers;
    }
  if (link.controllers_ == 0) link.socket_.reset();
  return link;
}

bool GroupLink::order(GroupOrder::What what, std::uint64_t group, std::span<const int> processes) {
  const GroupOrder order{.what = what, .group = group};
  return socket_ && catch_up() && sys::try_send_message(socket_, std::as_bytes(std::span(&order, 1)), processes);
}

void GroupLink::leave(std::uint64_t group) {
  if (!socket_) return;
  left_.push_back(group);
  (void)catch_up();
}

bool GroupLink::catch_up() {
  for (; !left_.empty(); left_.pop_front()) {
    const GroupOrder order{.what = GroupOrder::What::Leave, .group = left_.front()};
    if (!sys::try_send_message(socket_, std::as_bytes(std::span(&order, 1)))) return false;
  }
  return true;
}

std::optional<GroupLink::Done> GroupLink::take() {
  sys::Message message = sys::receive_message(socket_);
  Done done;
  if (message.bytes.size() == sizeof done.said) {
    std::memcpy(&done.said, message.bytes.data(), sizeof done.said);
    done.descriptors = std::move(message.descriptors);
    return done;
  }
  why_none_ = "its maker of groups has ended";
  controllers_ = 0;
  left_.clear();
  socket_.reset();
  return std::nullopt;
}

}  // namespace jail::broker
