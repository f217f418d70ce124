#include "monitor/arguments.h"

#include <sys/syscall.h>

namespace jail::monitor {

Arguments read_arguments(const Caller& caller, const seccomp_data& call) {
  Arguments arguments;
  std::size_t left = Arguments::kMostBytes;
  std::uint64_t next = call.args[call.nr == SYS_execveat ? 2 : 1];
  if (next == 0) return arguments;  // the kernel makes one empty argument of that
  for (;; next += sizeof(std::uint64_t)) {
    const auto address = caller.value<std::uint64_t>(next);
    if (address && *address == 0) return arguments;
    std::optional<std::string> text;
    if (address && arguments.texts.size() < Arguments::kMost) text = caller.text(*address);
    arguments.cut = !text || text->size() >= left;
    if (arguments.cut) return arguments;
    left -= text->size() + 1;
    arguments.texts.push_back(std::move(*text));
  }
}

}  // namespace jail::monitor
