#include "confine/seccomp_interpreter.h"

#include <cstring>

namespace jail::confine::seccomp {
namespace {

constexpr std::uint32_t kMalformed = SECCOMP_RET_KILL_PROCESS;

bool may_load(std::uint32_t offset) {
  return offset % sizeof(std::uint32_t) == 0 && offset <= sizeof(seccomp_data) - sizeof(std::uint32_t);
}

std::uint32_t word_at(const seccomp_data& call, std::uint32_t offset) noexcept {
  std::uint32_t word = 0;
  std::memcpy(&word, reinterpret_cast<const unsigned char*>(&call) + offset, sizeof word);
  return word;
}

bool is_condition(std::uint16_t code) {
  return code == (BPF_JMP | BPF_JEQ | BPF_K) || code == (BPF_JMP | BPF_JGT | BPF_K) ||
         code == (BPF_JMP | BPF_JGE | BPF_K) || code == (BPF_JMP | BPF_JSET | BPF_K);
}

bool holds(const sock_filter& jump, std::uint32_t accumulator) {
  switch (BPF_OP(jump.code)) {
    case BPF_JEQ: return accumulator == jump.k;
    case BPF_JGT: return accumulator > jump.k;
    case BPF_JGE: return accumulator >= jump.k;
    default: return (accumulator & jump.k) != 0;  // BPF_JSET, by is_condition()
  }
}

}  // namespace

// Ends: every step goes forward.
std::uint32_t interpret(std::span<const sock_filter> program, const seccomp_data& call) noexcept {
  std::uint32_t accumulator = 0;
  for (std::size_t at = 0; at < program.size(); ++at) {
    const sock_filter& step = program[at];
    if (step.code == (BPF_RET | BPF_K)) return step.k;
    if (step.code == (BPF_LD | BPF_W | BPF_ABS)) {
      if (!may_load(step.k)) return kMalformed;
      accumulator = word_at(call, step.k);
    } else if (step.code == (BPF_ALU | BPF_AND | BPF_K)) {
      accumulator &= step.k;
    } else if (step.code == (BPF_JMP | BPF_JA)) {
      at += step.k;
    } else if (is_condition(step.code)) {
      at += holds(step, accumulator) ? step.jt : step.jf;
    } else {
      return kMalformed;
    }
  }
  return kMalformed;
}

}  // namespace jail::confine::seccomp
