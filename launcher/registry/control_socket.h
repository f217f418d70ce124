// By which the operator finds a live jail and acts on it: a listening socket of its supervisor, with a name in the
// abstract space (unix(7)) that the kernel takes away with the supervisor. So there is no file, nothing that could be
// stale, and nobody who could be taken for a jail that has ended.
//
// It serves its own user and root. A plugin is its user to the kernel; none gets here, whatever its profile says: its
// network is its own, or where it has the host's, Landlock (LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET, ABI 6) keeps it away
// or, below ABI 9, the lack of any socket of that family.
#pragma once

#include <poll.h>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "registry/message.h"
#include "sys/peer.h"

namespace jail::registry {

// "\0jail/1001/5264063b9a1c22fe/acme-crm": the first byte is NUL. So it is known whose a supervisor is that is stopped.
std::string socket_name(uid_t uid, std::string_view run, std::string_view profile);

class ControlSocket {
 public:
  ControlSocket() = default;  // of nobody
  // A machine that lets nobody have such a socket has no operator: nobody is served, and the run goes on.
  ControlSocket(std::string_view run, std::string_view profile);

  using Look = std::function<Status()>;
  using Obey = std::function<Reply(const Request& request, const sys::Peer& who)>;

  // Nothing here waits for who asks.
  void add_to(std::vector<pollfd>& polled);
  void handle(const std::vector<pollfd>& polled, const Look& look, const Obey& obey);

 private:
  struct Visitor {
    Fd socket;
    sys::Peer who;
  };
  void let_in(const Look& look);
  static bool serve(const Visitor& visitor, const Obey& obey);

  int error_ = 0;
  Fd listening_;
  std::vector<Visitor> visitors_;
  std::size_t first_polled_ = 0;
};

}  // namespace jail::registry
