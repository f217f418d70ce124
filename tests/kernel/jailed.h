// A process in namespaces of its own, as pid 1 of a jail is made, with as many of the stages as a test wants. Both ways
// to start one: as root, whose plugin is somebody else, and as an ordinary user, whose plugin is that user.
#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <exception>
#include <functional>
#include <string>

#include "../scratch.h"
#include "base/error.h"
#include "confine/identity.h"
#include "confine/namespaces.h"
#include "confine/view.h"
#include "in_child.h"
#include "sys/process.h"
#include "sys/socket.h"

namespace jail::test {

enum class Starter { Root, User };

inline std::string name_of(const testing::TestParamInfo<Starter>& info) {
  return info.param == Starter::Root ? "StartedByRoot" : "StartedByUser";
}

// Each test of such a suite runs for both.
class ForEitherStarter : public testing::TestWithParam<Starter> {
 protected:
  void SetUp() override {
    if (GetParam() == Starter::Root && ::geteuid() != 0) GTEST_SKIP() << "this test run is not root's";
  }
  // Who the plugin will be on the host.
  [[nodiscard]] static uid_t plugin_uid() {
    if (GetParam() == Starter::Root) return confine::identity::kUnprivilegedId;
    return ::geteuid() == 0 ? kOrdinaryUser : ::geteuid();
  }
};
inline auto either_starter() { return testing::Values(Starter::Root, Starter::User); }

// A child that is who starts a jail. Dumpable again, as a program that was just executed is.
inline std::string as_starter(Starter starter, const std::function<std::string()>& body) {
  return complaint_of_child([&]() -> std::string {
    if (starter == Starter::User && !become_ordinary()) return "cannot become an ordinary user";
    sys::set_dumpable(sys::Dumpable::Yes);
    return body();
  });
}

inline void send_text(const Fd& socket, std::string text) {
  text.resize(std::min<std::size_t>(text.size(), 4000));
  text.insert(0, "=");  // an empty message would look like an end
  (void)sys::send_message(socket, std::as_bytes(std::span(text)));
}

inline std::string receive_text(const Fd& socket) {
  const sys::Message message = sys::receive_message(socket);
  if (message.bytes.empty()) return "the jailed process ended without a word";
  return {reinterpret_cast<const char*>(message.bytes.data()) + 1, message.bytes.size() - 1};
}

// What a process in new namespaces complains of. `outside` looks at it from the host while it waits in `held`.
constexpr const char* kReady = "ready";
struct Held {
  Fd socket;
  void wait() const {
    send_text(socket, kReady);
    (void)receive_text(socket);
  }
};
using Inside = std::function<std::string(const Held&)>;
using Outside = std::function<std::string(pid_t)>;

inline std::string in_namespaces(const profile::Setting<profile::User>& user, const Inside& inside,
                                 const Outside& outside) {
  const confine::identity::Launcher who{.uid = ::geteuid(), .gid = ::getegid(), .groups = {}};
  const confine::identity::Plan identity = confine::identity::plan(user, who, {});
  if (!identity.problem.empty()) return identity.problem;
  sys::SocketPair pair = sys::socket_pair();
  const sys::Child child = sys::fork_into(confine::namespaces::kFirst);
  if (child.pid == 0) {
    pair.ours.reset();
    std::string text;
    try {
      if (identity.by_root) (void)receive_text(pair.theirs);
      else confine::identity::write_own_maps(identity.uid, identity.gid);
      confine::identity::enforce(identity);
      sys::set_dumpable(sys::Dumpable::Yes);
      const Held held{Fd(::dup(pair.theirs.get()))};
      text = inside(held);
    } catch (const std::exception& error) {
      text = error.what();
    }
    send_text(pair.theirs, text);
    ::_exit(0);
  }
  pair.theirs.reset();
  if (identity.by_root) {
    confine::identity::write_maps(identity, child.pid);
    send_text(pair.ours, "mapped");
  }
  std::string complaint;
  std::string last = receive_text(pair.ours);
  if (last == kReady) {
    complaint = outside(child.pid);
    send_text(pair.ours, "go on");
    last = receive_text(pair.ours);
  }
  complaint += last;
  (void)sys::reap(child.pid);
  return complaint;
}

inline std::string in_jail(Starter starter, const std::function<std::string()>& inside) {
  return as_starter(starter, [&] { return in_namespaces({}, [&](const Held&) { return inside(); }, {}); });
}

// The same with a view entered; `before` runs with the host's tree still there.
inline std::string in_view(Starter starter, const std::function<confine::view::Plan()>& plan,
                           const std::function<std::string()>& inside) {
  return in_jail(starter, [&] {
    confine::namespaces::make_private();
    const confine::view::Plan wanted = plan();
    const Fd root = confine::view::make_root();
    confine::view::attach_proc(root);
    confine::view::build(wanted, root, confine::view::open_anchors(wanted));
    confine::view::enter(root);
    confine::view::leave_host();
    return inside();
  });
}

// "" when it holds, else the sentence, on a line of its own.
inline std::string expect(bool holds, const std::string& sentence) { return holds ? "" : sentence + "\n"; }

// One after the other: the operands of + have no order.
inline std::string all(std::initializer_list<std::string> complaints) {
  std::string text;
  for (const std::string& complaint : complaints) text += complaint;
  return text;
}

// "" when the call that has just been made failed with this errno.
inline std::string expect_failure(bool failed, int wanted, const std::string& what) {
  if (failed && errno == wanted) return {};
  return what + ": " + errno_name(wanted) + " wanted, " + (failed ? errno_name(errno) : "success") + " got\n";
}

}  // namespace jail::test
