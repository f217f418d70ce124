#include "trace/tracer.h"

#include <bpf/bpf.h>

#include <cerrno>
#include <cstring>

namespace jail::trace {

Tracer Tracer::open(const std::vector<Family>& families, const std::string& bpf_folder) {
  Tracer tracer;
  if (tracer.take_kept(families, bpf_folder)) return tracer;
  tracer.pins_.reset();
  if (!tracer.programs_.runs) tracer.programs_ = load(families);
  return tracer;
}

std::optional<Tracer> Tracer::open_kept(const std::vector<Family>& families, const std::string& bpf_folder) {
  Tracer tracer;
  return tracer.take_kept(families, bpf_folder) ? std::optional(std::move(tracer)) : std::nullopt;
}

Tracer Tracer::open_own(const std::vector<Family>& families) {
  Tracer tracer;
  tracer.programs_ = load(families);
  tracer.why_not_kept_ = "not wanted";
  return tracer;
}

bool Tracer::take_kept(const std::vector<Family>& families, const std::string& bpf_folder) {
  pins_ = Pins::open(bpf_folder, why_not_kept_);
  if (!pins_) return false;
  if (auto programs = pins_->programs(families, why_not_kept_)) programs_ = std::move(*programs);
  return why_not_kept_.empty();
}

Pins::Entry Tracer::enter(std::uint32_t key) const {
  return pins_ ? pins_->enter(programs_, key) : Pins::Entry();
}

Tracer::Attached Tracer::attach(const std::vector<Family>& families, const Fd* cgroup, std::string& why) const {
  Attached attached;
  for (const Family family : families)
    if (why.empty()) attach_family(family, cgroup, attached, why);
  return attached;
}

void Tracer::attach_family(Family family, const Fd* cgroup, Attached& attached, std::string& why) const {
  if (pins_ && !is_of_group(family)) {
    if (auto held = pins_->attach(programs_, family, why)) attached.held.push_back(std::move(*held));
    return;
  }
  for (std::size_t i = 0; i < kPrograms.size() && why.empty(); ++i) {
    if (kPrograms[i].family != family) continue;
    const auto type = static_cast<bpf_attach_type>(kPrograms[i].cgroup_attach);
    attached.links.push_back(!is_of_group(family) ? attach_tracing(programs_.programs[i])
                                                       : Fd(::bpf_link_create(programs_.programs[i].get(),
                                                                              cgroup->get(), type, nullptr)));
    if (!attached.links.back())
      why = "attaching " + std::string(kPrograms[i].name) + ": " + std::strerror(errno);
  }
}

}  // namespace jail::trace
