#include "trace/group_programs.h"

#include <bpf/bpf.h>

#include <array>
#include <cerrno>

namespace jail::trace {
namespace {

constexpr int kHooks = 64;  // enum bpf_attach_type grows; who is no hook of groups has nothing there
constexpr std::size_t kMost = 64;

}  // namespace

std::optional<std::set<std::uint32_t>> programs_on(const Fd& group) {
  std::set<std::uint32_t> programs;
  for (int hook = 0; hook < kHooks; ++hook) {
    std::array<std::uint32_t, kMost> found{};
    std::uint32_t count = found.size();
    const int error = ::bpf_prog_query(group.get(), static_cast<bpf_attach_type>(hook), BPF_F_QUERY_EFFECTIVE, nullptr,
                                       found.data(), &count);
    if (error == -ENOSPC) return std::nullopt;
    if (error == 0) programs.insert(found.begin(), found.begin() + count);
  }
  return programs;
}

}  // namespace jail::trace
