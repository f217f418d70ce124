// The programs at hand, kept or loaded now, and what hangs on them. One for a process.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "trace/pins.h"
#include "trace/programs.h"

namespace jail::trace {

class Tracer {
 public:
  // Of `families`, which are all that may be attached. Never fails: what cannot be had is data. `bpf_folder`: where
  // programs are kept.
  static Tracer open(const std::vector<Family>& families, const std::string& bpf_folder = kBpfFolder);

  // None where programs cannot be kept, so that each run would have to load them.
  static std::optional<Tracer> open_kept(const std::vector<Family>& families,
                                         const std::string& bpf_folder = kBpfFolder);

  // Some families, with programs that end with this process: nothing is kept for another, nor taken from one.
  static Tracer open_own(const std::vector<Family>& families);

  [[nodiscard]] const Support& support() const { return programs_.support; }
  [[nodiscard]] const Programs& programs() const { return programs_; }
  // Empty: the programs are kept for the next run.
  [[nodiscard]] const std::string& why_not_kept() const { return why_not_kept_; }

  // That a run of this key is in the maps; empty where they end with this process anyway.
  [[nodiscard]] Pins::Entry enter(std::uint32_t key) const;

  // What hangs on one or more hooks, for as long as it lives.
  struct Attached {
    std::vector<Pins::Held> held;
    std::vector<Fd> links;
  };
  // Every program of the families; those of a group take that of the run. Empty `why`: done.
  Attached attach(const std::vector<Family>& families, const Fd* cgroup, std::string& why) const;

 private:
  bool take_kept(const std::vector<Family>& families, const std::string& bpf_folder);
  void attach_family(Family family, const Fd* cgroup, Attached& attached, std::string& why) const;

  std::optional<Pins> pins_;
  Programs programs_;
  std::string why_not_kept_;
};

}  // namespace jail::trace
