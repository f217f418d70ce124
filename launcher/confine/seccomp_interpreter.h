// Runs a filter program over the registers of one call, as the kernel would. The supervisor asks it before it lets a
// notified call continue; the tests ask it about millions of calls.
#pragma once

#include <linux/filter.h>
#include <linux/seccomp.h>

#include <cstdint>
#include <span>

namespace jail::confine::seccomp {

// The program's return value (SECCOMP_RET_*). Knows what compile() and libseccomp emit: LD W ABS, ALU AND K, JMP
// JA/JEQ/JGT/JGE/JSET K, RET K. Anything else, a jump or load out of bounds, or running off the end is
// SECCOMP_RET_KILL_PROCESS: never an allowance by mistake.
std::uint32_t interpret(std::span<const sock_filter> program, const seccomp_data& call) noexcept;

}  // namespace jail::confine::seccomp
