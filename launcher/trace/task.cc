#include "trace/task.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>

#include "base/error.h"
#include "trace/objects.h"

namespace jail::trace {
namespace {

struct CloseObject {
  void operator()(bpf_object* object) const noexcept { ::bpf_object__close(object); }
};

// The program was given a number by the kernel: it is this process's for as long as it has not ended.
bool has_ended(const Fd& process) {
  pollfd polled{process.get(), POLLIN, 0};
  return TEMP_FAILURE_RETRY(::poll(&polled, 1, 0)) != 0;
}

Fd open_answer(const Fd& program, const Fd& process) {
  bpf_iter_link_info which{};
  which.task.pid_fd = static_cast<std::uint32_t>(process.get());
  LIBBPF_OPTS(bpf_link_create_opts, options);
  options.iter_info = &which;
  options.iter_info_len = sizeof which;
  const Fd link(::bpf_link_create(program.get(), 0, BPF_TRACE_ITER, &options));
  return Fd(link ? ::bpf_iter_create(link.get()) : -1);
}

}  // namespace

TaskReader::TaskReader() {
  const auto embedded = std::ranges::find(objects(), "task", &Object::name);
  LIBBPF_OPTS(bpf_object_open_opts, options);
  options.object_name = "jail_task";
  const std::unique_ptr<bpf_object, CloseObject> object(
      ::bpf_object__open_mem(embedded->bytes.data(), embedded->bytes.size(), &options));
  if (!object || ::bpf_object__load(object.get()) != 0) throw SysError(errno, "load a program that looks at processes");
  program_ = duplicate(::bpf_program__fd(::bpf_object__find_program_by_name(object.get(), "look_at_task")));
}

std::vector<jail_task> TaskReader::look(const Fd& process) const {
  std::vector<jail_task> threads;
  const Fd answer = open_answer(program_, process);
  std::array<jail_task, 64> some;
  for (ssize_t size = 1; answer && size > 0;) {
    size = TEMP_FAILURE_RETRY(::read(answer.get(), some.data(), sizeof some));
    if (size < 0) return {};
    threads.insert(threads.end(), some.data(), some.data() + static_cast<std::size_t>(size) / sizeof some.front());
  }
  if (has_ended(process)) return {};
  return threads;
}

}  // namespace jail::trace
