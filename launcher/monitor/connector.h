// connect(2) made for the plugin. Below Landlock ABI 9 no layer of the kernel tells the Unix sockets of a folder apart,
// and a call that is let go on reads its address once more: whatever was looked at may be another by then. So where the
// profile grants such a socket, every connect of the jail is made here, on the plugin's own socket (pidfd_getfd(2)), to
// a copy of the address. Each in a thread of its own, since a full queue makes it wait, with the plugin's ids and none
// of root's powers, because the other side asks for them (SO_PEERCRED, unix(7)). It sees jail as the peer's process.
#pragma once

#include <linux/seccomp.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/fd.h"
#include "confine/view.h"

namespace jail::monitor {

enum class Connections : std::uint8_t { ByPlugin, BySupervisor };

// What a call of connect(2) asks for.
struct Connection {
  enum class To : std::uint8_t {
    Nothing,  // refused, with `error`
    Address,  // as it stands: nothing outside the jail's network namespace
    Granted,  // the socket of the profile at `path`
    Jails,    // a socket below /tmp that the jail made itself
  } to = To::Nothing;
  int error = 0;
  std::vector<std::byte> address{};
  std::string path{};
};

// A plugin's listener, for all who answer; the last one need not be its owner.
class PluginListener {
 public:
  explicit PluginListener(Fd listener) : listener_(std::move(listener)) {}
  [[nodiscard]] int get() const { return listener_.get(); }  // for the owner, who closes it
  void send(const seccomp_notif_resp& response) noexcept;    // nothing once it is closed
  [[nodiscard]] bool is_pending(std::uint64_t id) noexcept;
  void close() noexcept;

 private:
  std::mutex mutex_;
  Fd listener_;
};

class Connector {
 public:
  static constexpr unsigned kMostAtOnce = 64;  // beyond, EAGAIN

  struct Start {
    std::shared_ptr<PluginListener> listener;
    Fd root;  // of the jail's view (O_PATH)
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
  };
  // Finds the folders of the granted sockets: where a server makes its socket anew, it is found there again.
  Connector(Start start, const confine::view::Plan& view);

  // What became of it: 0 or errno; before the call is told.
  using Made = std::function<void(int error)>;

  // Answers the call, now or later, from this thread or another. `process`: the caller's, on the host.
  void connect(const seccomp_notif& notified, std::int32_t process, Connection wanted, Made made);

 private:
  struct State;
  struct Work;
  std::shared_ptr<State> state_;
};

}  // namespace jail::monitor
