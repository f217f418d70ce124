#include "trace/tracer.h"

#include <bpf/bpf.h>

#include <cerrno>
#include <cstring>

namespace jail::trace {

Tracer Tracer::open(const std::string& bpf_folder) {
  Tracer tracer;
  tracer.pins_ = Pins::open(bpf_folder, tracer.why_not_kept_);
  if (tracer.pins_) {
    auto programs = tracer.pins_->programs(tracer.why_not_kept_);
    if (!tracer.why_not_kept_.empty()) tracer.pins_.reset();
    if (programs) {
      tracer.programs_ = std::move(*programs);
      return tracer;
    }
  }
  tracer.programs_ = load();
  return tracer;
}

Tracer Tracer::open_own() {
  Tracer tracer;
  tracer.programs_ = load();
  tracer.why_not_kept_ = "not wanted";
  return tracer;
}

Tracer::Attached Tracer::attach(const std::vector<Family>& families, const Fd* cgroup, std::string& why) const {
  Attached attached;
  for (const Family family : families)
    if (why.empty()) attach_family(family, cgroup, attached, why);
  return attached;
}

void Tracer::attach_family(Family family, const Fd* cgroup, Attached& attached, std::string& why) const {
  if (pins_ && family != Family::Network) {
    if (auto held = pins_->attach(programs_, family, why)) attached.held.push_back(std::move(*held));
    return;
  }
  for (std::size_t i = 0; i < kPrograms.size() && why.empty(); ++i) {
    if (kPrograms[i].family != family) continue;
    const auto type = static_cast<bpf_attach_type>(kPrograms[i].cgroup_attach);
    attached.links.push_back(family != Family::Network ? attach_tracing(programs_.programs[i])
                                                       : Fd(::bpf_link_create(programs_.programs[i].get(),
                                                                              cgroup->get(), type, nullptr)));
    if (!attached.links.back())
      why = "attaching " + std::string(kPrograms[i].name) + ": " + std::strerror(errno);
  }
}

}  // namespace jail::trace
