// `jaild` at work: one thread, one loop, and nothing in it that waits for a client, nor for the maker of groups.
//
// It holds programs that see the whole machine, and gives away only rings: whoever has a program or its link could
// attach or detach it, and the map of counts has those of all users. A ring that it gives was never another run's. It
// keeps nothing: whatever it has made ends with it, but for groups with somebody in them.
#pragma once

#include <sys/types.h>

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/fd.h"
#include "broker/group_link.h"
#include "broker/hooks.h"
#include "broker/protocol.h"
#include "broker/quota.h"
#include "sys/peer.h"
#include "trace/ring.h"
#include "trace/task.h"

namespace jail::broker {

class Server {
 public:
  // `listening`: sys::listen_at. SysError.
  Server(Fd listening, Hooks hooks, trace::TaskReader tasks, GroupLink groups, const Limits& limits = {});

  // Until `stop` is readable.
  void serve(const Fd& stop);

 private:
  struct Lease {
    std::unique_ptr<trace::RunRing> ring;
    std::vector<Hooks::Held> hooks;
    std::uint32_t ring_bytes = 0;
  };
  struct GroupLease {
    std::uint64_t number = 0;
    std::uint32_t pid_space = 0;
    bool is_asked = true;  // the maker has an order of it
    int joined = 0;
  };
  struct Client {
    Fd socket;
    sys::Peer peer;
    Fd process;
    std::optional<Lease> lease;
    std::optional<GroupLease> group;
    bool is_left = false;  // nothing is heard any more; what it has not read is still ours
  };
  struct Reply {
    Answer answer;
    int descriptor = -1;       // the lease has it
    bool comes_later = false;  // the maker of groups has been asked
  };
  enum class Then { Stay, Leave };

  void admit();
  void leave(Client& client);
  void close(Client& client);
  Then hear(Client& client);
  Reply reply_to(Client& client, const Request& request, Fd child);
  Reply trace(Client& client, const Request& request, Fd child);
  std::string lend(Client& client, const Request& request, Fd child, std::uint32_t space);
  Reply make_group(Client& client, Fd child);
  Reply join_group(Client& client, Fd child);
  void hear_maker();
  bool pass_on(Client& client, const GroupLink::Done& done);
  void give_up_group(Client& client);
  [[nodiscard]] bool is_leased(std::uint32_t space) const;
  Fd take_ring(std::uint32_t bytes);
  void prepare_rings();
  void shut_out(const Client& client, Fd file);

  Fd listening_;
  Hooks hooks_;
  trace::TaskReader tasks_;
  jail_task own_{};
  GroupLink groups_;
  std::uint64_t last_group_ = 0;
  std::map<std::uint64_t, uid_t> given_up_;  // groups that are not gone yet
  Quotas quotas_;
  std::deque<Fd> rings_;  // of the usual size, made in advance
  std::vector<std::unique_ptr<Client>> clients_;
  std::vector<uid_t> shut_out_;
};

}  // namespace jail::broker
