/* Which unix sockets a jail connects to, by the cgroup of the run: Linux 6.7. */
#include "path.h"

#define GO_ON 1

struct sockaddr_un;
struct bpf_sock_addr_kern {
  struct sockaddr_un *uaddr;
  int uaddrlen;
} __attribute__((preserve_access_index));

extern void *bpf_cast_to_kern_ctx(void *) __ksym;

#define NAME_AT 2 /* sun_path, behind the family */
#define NAME_BYTES_OF_SOCKET 108

/* A name of the file system ends with a NUL or with the address; one without a file begins with a NUL. */
SEC("cgroup/connect4") /* older libraries know no other; the launcher says which it is */
int net_connect_unix(struct bpf_sock_addr *asked) {
  struct jail jail;
  if (!find_jail(&jail, JAIL_WANT_NETWORK)) return GO_ON;
  struct bpf_sock_addr_kern *call = bpf_cast_to_kern_ctx(asked);
  __u32 size = BPF_CORE_READ(call, uaddrlen) - NAME_AT;
  struct {
    struct jail_event head;
    char name[NAME_BYTES_OF_SOCKET];
  } record;
  fill(&record.head, &jail, JAIL_CONNECT_UNIX);
  if (size > NAME_BYTES_OF_SOCKET) size = 0;
  if (size > 0) bpf_probe_read_kernel(record.name, size, (const char *)BPF_CORE_READ(call, uaddr) + NAME_AT);
  record.head.flags = JAIL_PREDICTED; /* who listens there, and whether, the kernel sees later */
  record.head.text[0] = size;
  put(&jail, &record, sizeof record.head + size);
  return GO_ON;
}
