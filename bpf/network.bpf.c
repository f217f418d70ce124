/* Whom a jail speaks with: programs of the cgroup that the run has of its own. They see what a call asks for, also by
 * io_uring, TCP fast open and MPTCP; never AF_PACKET, netlink or vsock. */
#include <bpf/bpf_endian.h>

#include "record.h"

#define AF_INET 2
#define AF_INET6 10
#define GO_ON 1

static __always_inline int tell(struct bpf_sock_addr *asked, __u16 kind, __u16 family) {
  struct jail jail;
  if (!find_jail(&jail, JAIL_WANT_NETWORK)) return GO_ON;
  struct jail_event event;
  fill(&event, &jail, kind);
  event.address.family = family;
  event.address.port = bpf_ntohs(asked->user_port);
  event.address.type = asked->type;
  __u32 *bytes = (__u32 *)event.address.bytes;
  if (family == AF_INET) {
    bytes[0] = asked->user_ip4;
  } else {
    bytes[0] = asked->user_ip6[0];
    bytes[1] = asked->user_ip6[1];
    bytes[2] = asked->user_ip6[2];
    bytes[3] = asked->user_ip6[3];
  }
  put(&jail, &event, sizeof event);
  return GO_ON;
}

SEC("cgroup/connect4") int net_connect4(struct bpf_sock_addr *asked) { return tell(asked, JAIL_CONNECT, AF_INET); }
SEC("cgroup/connect6") int net_connect6(struct bpf_sock_addr *asked) { return tell(asked, JAIL_CONNECT, AF_INET6); }
SEC("cgroup/sendmsg4") int net_sendmsg4(struct bpf_sock_addr *asked) { return tell(asked, JAIL_SEND, AF_INET); }
SEC("cgroup/sendmsg6") int net_sendmsg6(struct bpf_sock_addr *asked) { return tell(asked, JAIL_SEND, AF_INET6); }
SEC("cgroup/bind4") int net_bind4(struct bpf_sock_addr *asked) { return tell(asked, JAIL_BIND, AF_INET); }
SEC("cgroup/bind6") int net_bind6(struct bpf_sock_addr *asked) { return tell(asked, JAIL_BIND, AF_INET6); }
