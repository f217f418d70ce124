/* Whom a jail speaks with, and how much: programs of the cgroup that the run has of its own. They see what a call asks
 * for, also by io_uring, TCP fast open and MPTCP; never AF_PACKET, netlink or vsock.
 *
 * Packets belong to nobody at hand: whoever made a socket is noted in it, with what goes over it, to a few other sides
 * each and to the rest together. So there is no table that could be full, and nothing to sweep. What is accepted has a
 * copy of its listener's note. */
#include <bpf/bpf_endian.h>
#include <linux/if_ether.h>
#include <linux/in.h>

#include "record.h"

#define AF_INET 2
#define AF_INET6 10
#define GO_ON 1
#define SIDES 4 /* of one socket; the last is for whoever has found no place */

enum claim { FREE, TAKEN, NAMED };
enum way { SENT, RECEIVED };

struct side {
  struct jail_address address;
  struct jail_traffic traffic;
  __u32 claim;
};

struct owner {
  __u32 key, pid, jail_pid, port;
  struct side sides[SIDES];
};

struct {
  __uint(type, BPF_MAP_TYPE_SK_STORAGE);
  __uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_CLONE);
  __type(key, int);
  __type(value, struct owner);
} owners SEC(".maps");

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

SEC("cgroup/sock_create")
int net_create(struct bpf_sock *socket) {
  struct jail jail;
  if (!find_jail(&jail, JAIL_WANT_NETWORK)) return GO_ON;
  struct owner *owner = bpf_sk_storage_get(&owners, socket, 0, BPF_SK_STORAGE_GET_F_CREATE);
  if (!owner) {
    count_lost(&jail);
    return GO_ON;
  }
  owner->key = jail.key;
  owner->pid = bpf_get_current_pid_tgid() >> 32;
  owner->jail_pid = jail.jail_pid;
  return GO_ON;
}

/* The other side of a packet: not of its socket, which may have many. False: no packet of IP. */
static __always_inline bool find_other(struct __sk_buff *packet, enum way way, struct jail_address *other) {
  __builtin_memset(other, 0, sizeof *other);
  __u32 at, ports;
  if (packet->protocol == bpf_htons(ETH_P_IP)) {
    __u8 head = 0;
    if (bpf_skb_load_bytes(packet, 0, &head, sizeof head)) return 0;
    other->family = AF_INET;
    if (bpf_skb_load_bytes(packet, way == SENT ? 16 : 12, other->bytes, 4)) return 0;
    ports = (head & 15) * 4;
  } else if (packet->protocol == bpf_htons(ETH_P_IPV6)) {
    other->family = AF_INET6;
    if (bpf_skb_load_bytes(packet, way == SENT ? 24 : 8, other->bytes, 16)) return 0;
    ports = 40;
  } else {
    return 0;
  }
  __u16 port = 0;
  at = ports + (way == SENT ? 2 : 0);
  if (!bpf_skb_load_bytes(packet, at, &port, sizeof port)) other->port = bpf_ntohs(port);
  return 1;
}

static __always_inline bool is_same(const struct jail_address *one, const struct jail_address *two) {
  const __u64 *left = (const void *)one->bytes, *right = (const void *)two->bytes;
  return one->port == two->port && left[0] == right[0] && left[1] == right[1];
}

static __always_inline struct side *side_of(struct owner *owner, const struct jail_address *other) {
  for (int i = 0; i < SIDES - 1; ++i) {
    struct side *side = &owner->sides[i];
    if (__sync_val_compare_and_swap(&side->claim, FREE, TAKEN) == FREE) {
      side->address = *other;
      side->traffic.start_ns = bpf_ktime_get_boot_ns();
      __sync_lock_test_and_set(&side->claim, NAMED);
      return side;
    }
    if (side->claim == NAMED && is_same(&side->address, other)) return side;
  }
  struct side *rest = &owner->sides[SIDES - 1];
  __sync_val_compare_and_swap(&rest->traffic.start_ns, 0, bpf_ktime_get_boot_ns());
  return rest;
}

static __always_inline int count(struct __sk_buff *packet, enum way way) {
  struct bpf_sock *socket = packet->sk;
  if (!socket) return GO_ON;
  socket = bpf_sk_fullsock(socket);
  if (!socket || socket->state == BPF_TCP_LISTEN) return GO_ON; /* who knocks is counted when let in */
  struct owner *owner = bpf_sk_storage_get(&owners, socket, 0, 0);
  if (!owner || !bpf_map_lookup_elem(&runs, &owner->key)) return GO_ON;
  struct jail_address other;
  if (!find_other(packet, way, &other)) return GO_ON;
  if (socket->protocol != IPPROTO_TCP && socket->protocol != IPPROTO_UDP) other.port = 0;
  owner->port = socket->src_port; /* known when it is bound, which a packet tells */
  struct jail_traffic *traffic = &side_of(owner, &other)->traffic;
  __u32 packets = packet->gso_segs > 1 ? packet->gso_segs : 1;
  __sync_fetch_and_add(way == SENT ? &traffic->bytes_sent : &traffic->bytes_received, packet->len);
  __sync_fetch_and_add(way == SENT ? &traffic->packets_sent : &traffic->packets_received, packets);
  return GO_ON;
}

SEC("cgroup_skb/egress") int net_egress(struct __sk_buff *packet) { return count(packet, SENT); }
SEC("cgroup_skb/ingress") int net_ingress(struct __sk_buff *packet) { return count(packet, RECEIVED); }

static __always_inline void tell_side(struct jail *jail, const struct owner *owner, const struct bpf_sock *socket,
                                      const struct side *side) {
  struct {
    struct jail_event head;
    struct jail_traffic traffic;
  } record;
  if (side->traffic.packets_sent == 0 && side->traffic.packets_received == 0) return;
  fill(&record.head, jail, JAIL_FLOW);
  record.head.pid = owner->pid;
  record.head.address = side->address;
  record.head.address.type = socket->protocol;
  record.head.call = owner->port;
  record.head.text[0] = sizeof record.traffic;
  record.traffic = side->traffic;
  put(jail, &record, sizeof record);
}

/* A process that ends is in no namespace any more when its sockets are closed. */
SEC("cgroup/sock_release")
int net_release(struct bpf_sock *socket) {
  struct owner *owner = bpf_sk_storage_get(&owners, socket, 0, 0);
  if (!owner) return GO_ON;
  struct jail jail = {.key = owner->key, .jail_pid = owner->jail_pid};
  jail.run = bpf_map_lookup_elem(&runs, &jail.key);
  if (!jail.run) return GO_ON;
  for (int i = 0; i < SIDES; ++i) tell_side(&jail, owner, socket, &owner->sides[i]);
  return GO_ON;
}
