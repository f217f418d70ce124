/* By the tracepoint that Linux 6.14 has for it. */
#include "privilege.h"

SEC("tp_btf/cap_capable")
int BPF_PROG(privilege, const void *credentials, void *wanted_in, const void *found_in, int capability, int result) {
  return result ? tell_power(capability) : 0;
}
