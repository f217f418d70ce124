#include "trace/programs.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "base/error.h"
#include "bpf/events.h"
#include "trace/objects.h"

namespace jail::trace {
namespace {

constexpr std::array<std::string_view, kFamilies> kNames{"process", "network", "file_exit", "file_lsm"};

struct CloseObject {
  void operator()(bpf_object* object) const noexcept { ::bpf_object__close(object); }
};
using OpenObject = std::unique_ptr<bpf_object, CloseObject>;

std::string explain(int error) {
  if (error == EPERM && ::geteuid() != 0) return "needs root, or CAP_BPF and CAP_PERFMON";
  if (error == EPERM) return "this kernel, or what surrounds it, refuses these programs";
  if (error == ENOENT || error == ESRCH) return "this kernel lacks what these programs hang on, or its own types (BTF)";
  return std::strerror(error);
}

// The maps that are there already; the first object makes them.
int share_maps(bpf_object& object, const Programs& loaded) {
  if (!loaded.runs) return 0;
  for (const auto& [name, map] : {std::pair{"runs", &loaded.runs}, std::pair{"rings", &loaded.rings}})
    if (const int error = ::bpf_map__reuse_fd(::bpf_object__find_map_by_name(&object, name), map->get()); error != 0)
      return error;
  return 0;
}

void keep_programs(const bpf_object& object, Family family, Programs& loaded) {
  for (std::size_t i = 0; i < kPrograms.size(); ++i) {
    if (kPrograms[i].family != family) continue;
    const bpf_program* program =
        ::bpf_object__find_program_by_name(&object, std::string(kPrograms[i].name).c_str());
    loaded.programs[i] = duplicate(program == nullptr ? -1 : ::bpf_program__fd(program));
  }
  if (loaded.runs) return;
  loaded.runs = duplicate(::bpf_object__find_map_fd_by_name(const_cast<bpf_object*>(&object), "runs"));
  loaded.rings = duplicate(::bpf_object__find_map_fd_by_name(const_cast<bpf_object*>(&object), "rings"));
}

void load_family(const Object& embedded, Family family, Programs& loaded) {
  LIBBPF_OPTS(bpf_object_open_opts, options);
  const std::string name = "jail_" + std::string(embedded.name);
  options.object_name = name.c_str();
  const OpenObject object(::bpf_object__open_mem(embedded.bytes.data(), embedded.bytes.size(), &options));
  int error = object ? share_maps(*object, loaded) : -errno;
  if (error == 0) error = ::bpf_object__load(object.get());
  if (error == 0) keep_programs(*object, family, loaded);
  else loaded.support.missing[index_of(family)] = explain(-error);
}

int say_nothing(libbpf_print_level, const char*, va_list) { return 0; }

}  // namespace

const std::array<Program, kProgramCount> kPrograms{{
    {"process_exec", Family::Process},
    {"process_exit", Family::Process},
    {"net_connect4", Family::Network, BPF_CGROUP_INET4_CONNECT},
    {"net_connect6", Family::Network, BPF_CGROUP_INET6_CONNECT},
    {"net_sendmsg4", Family::Network, BPF_CGROUP_UDP4_SENDMSG},
    {"net_sendmsg6", Family::Network, BPF_CGROUP_UDP6_SENDMSG},
    {"net_bind4", Family::Network, BPF_CGROUP_INET4_BIND},
    {"net_bind6", Family::Network, BPF_CGROUP_INET6_BIND},
    {"file_exit", Family::FileExit},
    {"file_open", Family::FileHooks},
    {"file_unlink", Family::FileHooks},
    {"file_rmdir", Family::FileHooks},
    {"file_mkdir", Family::FileHooks},
    {"file_mknod", Family::FileHooks},
    {"file_symlink", Family::FileHooks},
    {"file_link", Family::FileHooks},
    {"file_rename", Family::FileHooks},
    {"file_truncate", Family::FileHooks},
    {"file_chmod", Family::FileHooks},
    {"file_chown", Family::FileHooks},
}};

std::string_view name_of(Family family) { return kNames[index_of(family)]; }

Programs load() {
  ::libbpf_set_print(say_nothing);
  Programs loaded;
  for (std::size_t family = 0; family < kFamilies; ++family) {
    const auto found = std::ranges::find(objects(), kNames[family], &Object::name);
    load_family(*found, static_cast<Family>(family), loaded);
  }
  return loaded;
}

}  // namespace jail::trace
