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

constexpr std::uint32_t kConnectUnix = 49;  // BPF_CGROUP_UNIX_CONNECT, Linux 6.7
constexpr std::array<std::string_view, kFamilies> kNames{"process",   "network",  "network_unix", "privilege",
                                                         "file_exit", "file_lsm", "denied"};

// The same by another hook, for a kernel that lacks the first.
constexpr std::pair<Family, std::string_view> kElse[] = {{Family::Privilege, "privilege_exit"}};

struct CloseObject {
  void operator()(bpf_object* object) const noexcept { ::bpf_object__close(object); }
};
using OpenObject = std::unique_ptr<bpf_object, CloseObject>;

std::string explain(int error) {
  if (error == EPERM && ::geteuid() != 0) return "needs root, or CAP_BPF and CAP_PERFMON";
  if (error == EPERM) return "this kernel, or what surrounds it, refuses these programs";
  if (error == ENOENT || error == ESRCH || error == EINVAL)
    return "this kernel lacks what these programs hang on, or its own types (BTF)";
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

// Some are not told by the names that this library knows.
void say_attachment(bpf_object& object, Family family) {
  for (const Program& program : kPrograms)
    if (program.family == family && program.cgroup_attach != 0)
      (void)::bpf_program__set_expected_attach_type(
          ::bpf_object__find_program_by_name(&object, std::string(program.name).c_str()),
          static_cast<bpf_attach_type>(program.cgroup_attach));
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

// 0, or what went wrong.
int load_object(std::string_view object_name, Family family, Programs& loaded) {
  const Object& embedded = *std::ranges::find(objects(), object_name, &Object::name);
  LIBBPF_OPTS(bpf_object_open_opts, options);
  const std::string name = "jail_" + std::string(embedded.name);
  options.object_name = name.c_str();
  const OpenObject object(::bpf_object__open_mem(embedded.bytes.data(), embedded.bytes.size(), &options));
  int error = object ? share_maps(*object, loaded) : -errno;
  if (error == 0) {
    say_attachment(*object, family);
    error = ::bpf_object__load(object.get());
  }
  if (error == 0) keep_programs(*object, family, loaded);
  return -error;
}

void load_family(Family family, Programs& loaded) {
  int error = load_object(name_of(family), family, loaded);
  for (const auto& [of, other] : kElse)
    if (error != 0 && of == family) error = load_object(other, family, loaded);
  if (error != 0) loaded.support.missing[index_of(family)] = explain(error);
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
    {"net_create", Family::Network, BPF_CGROUP_INET_SOCK_CREATE},
    {"net_release", Family::Network, BPF_CGROUP_INET_SOCK_RELEASE},
    {"net_egress", Family::Network, BPF_CGROUP_INET_EGRESS},
    {"net_ingress", Family::Network, BPF_CGROUP_INET_INGRESS},
    {"net_connect_unix", Family::NetworkUnix, kConnectUnix},
    {"privilege", Family::Privilege},
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
    {"denied_open", Family::Denied},
    {"denied_exec", Family::Denied},
    {"denied_unlink", Family::Denied},
    {"denied_rmdir", Family::Denied},
    {"denied_mkdir", Family::Denied},
    {"denied_mknod", Family::Denied},
    {"denied_symlink", Family::Denied},
    {"denied_link", Family::Denied},
    {"denied_rename", Family::Denied},
    {"denied_truncate", Family::Denied},
    {"denied_connect", Family::Denied},
    {"denied_bind", Family::Denied},
}};

std::string_view name_of(Family family) { return kNames[index_of(family)]; }

const std::vector<Family>& all_families() {
  static const std::vector<Family> all = [] {
    std::vector<Family> families;
    for (std::size_t family = 0; family < kFamilies; ++family) families.push_back(static_cast<Family>(family));
    return families;
  }();
  return all;
}

Programs load(const std::vector<Family>& families) {
  ::libbpf_set_print(say_nothing);
  Programs loaded;
  loaded.support.missing.fill("not loaded here");
  for (const Family family : families) {
    loaded.support.missing[index_of(family)].clear();
    load_family(family, loaded);
  }
  return loaded;
}

}  // namespace jail::trace
