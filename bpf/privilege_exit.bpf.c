/* By the end of the function: where the kernel takes trampolines, and is older than the tracepoint. */
#include "privilege.h"

#define NO_AUDIT 2 /* CAP_OPT_NOAUDIT: a question of the kernel's own, no attempt */

SEC("fexit/cap_capable")
int BPF_PROG(privilege, const void *credentials, void *wanted_in, int capability, unsigned int options, int result) {
  return result && !(options & NO_AUDIT) ? tell_power(capability) : 0;
}
