// From a notified call to the event it is worth, if any: arguments read, places found, the outcome predicted. Looks at
// the caller and at the host's names; decides nothing about the call.
#pragma once

#include <linux/seccomp.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "confine/seccomp.h"
#include "confine/view.h"
#include "event/event.h"
#include "monitor/caller.h"
#include "monitor/calls.h"
#include "monitor/connector.h"
#include "monitor/file_attempt.h"
#include "monitor/links.h"
#include "monitor/mounts.h"
#include "monitor/peer.h"
#include "monitor/place.h"
#include "monitor/predict.h"
#include "profile/profile.h"
#include "sys/socket_diag.h"
#include "trace/decode.h"

namespace jail::monitor {

// What decides in this jail, as far as it is not the view.
struct Rules {
  const confine::view::Plan* view = nullptr;
  const confine::seccomp::Plan* seccomp = nullptr;
  // Relayed: of its own, in which every address is its own, too (egress/plan.h). Walled: and the kernel refuses what no
  // line permits (egress/ruleset.h); of what goes to `ports_abroad`, ascending, the wall tells.
  enum class Net : std::uint8_t { Own, Relayed, Walled, Hosts } net = Net::Own;
  std::span<const std::uint16_t> ports_abroad{};
  bool every_port_abroad = false;  // beside them, those of other addresses
  // Who tells the path sockets of a folder apart: nobody, Landlock (ABI 9), the supervisor (connector.h).
  enum class UnixPaths : std::uint8_t { Open, Landlock, Supervisor } unix_paths = UnixPaths::Open;
  enum class Signals : std::uint8_t { Open, Scoped } signals = Signals::Open;  // Scoped: Landlock ABI 6
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  profile::MonitorFiles files = profile::MonitorFiles::Denied;
  Traced traced{};
  // The same of addresses. In a network of its own the kernel does not refuse, there is nobody: so whether an attempt
  // was a denial is foretold here or nowhere.
  std::optional<profile::MonitorFiles> addresses{};  // none: as files
  std::span<const profile::AbsentPattern> expect_absent{};
};

class Examiner {
 public:
  explicit Examiner(const Rules& rules) : rules_(rules), places_(*rules.view) {}

  // A call that the filter denies with `error`. Nothing: not worth a record.
  [[nodiscard]] std::optional<event::Event> refused(const seccomp_notif& notified, int error) const;
  // A call that the filter allows: several where it sends to several.
  [[nodiscard]] std::vector<event::Event> allowed(const seccomp_notif& notified, const Call& call);
  // A call that has ended, as eBPF tells it: nothing is foretold, but which layer and line have refused it.
  [[nodiscard]] std::optional<event::Event> ended(const trace::FileCall& call);
  // The same for a connect(2) that is made for the plugin: what it asks for goes with it, and the event, whether or not
  // it will be worth telling.
  struct Wanted {
    Connection connection;
    std::optional<event::Event> event;
  };
  [[nodiscard]] Wanted wanted(const seccomp_notif& notified, const Call& call);
  [[nodiscard]] bool is_worth_telling(event::Decision of_a_connection) const;
  // Of one that we make for the plugin, eBPF tells nothing: no process of the jail asks the kernel for it.
  [[nodiscard]] bool is_worth_telling_made(event::Decision of_a_connection) const;
  // The root of the view (O_PATH) and its mounts: links are looked for from here on, and where a file system of the
  // view may not answer, only memory is read that is there.
  void look_into(Fd root, const std::string& mount_table);
  // The same in two steps, of which the first is for a plugin that is still there, and the second takes time.
  void open_view(Fd root, const std::string& mount_table);
  void look_into_view();
  // Of the jail's network namespace (sys/socket_diag.h).
  void ask_sockets_by(Fd socket_diag) { sockets_ = sys::SocketDiag(std::move(socket_diag)); }
  // Of the calls since this was asked last, those that nothing keeps from a port that leads out, worth telling or not.
  [[nodiscard]] std::vector<event::Event> take_ways_out() { return std::exchange(ways_out_, {}); }
  [[nodiscard]] Caller caller_of(const seccomp_notif& notified) const {
    return {static_cast<pid_t>(notified.pid), memory_};
  }

 private:
  using MaybeEvent = std::optional<event::Event>;
  [[nodiscard]] MaybeEvent to_one(const seccomp_notif& notified, const Call& call);
  [[nodiscard]] MaybeEvent to_files(const seccomp_notif& notified, const Call& call);
  [[nodiscard]] MaybeEvent to_new_memory(const seccomp_notif& notified, const Call& call) const;
  [[nodiscard]] MaybeEvent to_mapped_code(const seccomp_notif& notified, const Call& call);
  [[nodiscard]] bool is_told_elsewhere(const seccomp_data& data, const Call& call, event::Decision decision) const;
  [[nodiscard]] event::Event about(event::Body body, std::optional<event::Verdict> verdict,
                                   const std::string& path) const;
  [[nodiscard]] bool is_given(const Caller& caller, const Call& call, const NamedPlace& place);
  [[nodiscard]] MaybeEvent to_address(const seccomp_notif& notified, const Call& call);
  [[nodiscard]] MaybeEvent to_own_side(const seccomp_notif& notified, const Call& call) const;
  [[nodiscard]] MaybeEvent to_pair(const seccomp_notif& notified, const Call& call) const;
  [[nodiscard]] std::vector<event::Event> to_messages(const seccomp_notif& notified, const Call& call,
                                                      std::uint64_t count);
  [[nodiscard]] MaybeEvent to_process(const seccomp_notif& notified) const;
  [[nodiscard]] MaybeEvent to_ids(const seccomp_notif& notified, const Call& call) const;
  [[nodiscard]] MaybeEvent to_powers(const seccomp_notif& notified) const;
  [[nodiscard]] Connection connection_to(const Caller& caller, const Address& address);
  [[nodiscard]] MaybeEvent foretell(const Caller& caller, const Call& call, Address address);
  [[nodiscard]] MaybeEvent judge(const Caller& caller, const Call& call, Address address);

  const Rules& rules_;
  Places places_;
  Links links_;
  Mounts own_{""};  // of the view
  sys::SocketDiag sockets_;
  Mounts host_{"/proc/self/mountinfo"};
  Memory memory_ = Memory::Any;
  std::vector<event::Event> ways_out_;
};

}  // namespace jail::monitor
