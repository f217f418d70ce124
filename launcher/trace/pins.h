// Programs that were loaded once, kept under a name in the kernel's BPF file system, so that the next run finds them in
// a quarter of a millisecond.
//
// The folder is root's alone and named by the digest of the programs; another version of jail has another. One process
// at a time works in it. Whatever is not exactly so is not trusted: the run then loads its own (SECURITY E4). While
// any run has a family attached, that attachment is kept there, too, for all of them: two would tell everything twice.
// That of Process stays when they have ended.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "trace/programs.h"

namespace jail::trace {

inline constexpr const char* kBpfFolder = "/sys/fs/bpf";

class Pins {
 public:
  // Makes the folder if it is not there. None: `why` says what is wrong with it.
  static std::optional<Pins> open(const std::string& bpf_folder, std::string& why);

  // What is kept of these, or what is loaded and kept now: then all. None: `why`; the caller loads for itself. To look
  // for one program takes ten microseconds.
  std::optional<Programs> programs(const std::vector<Family>& families, std::string& why);

  // The attachments of a family, for as long as the object lives. Its last holder takes them away, but of Process.
  class Held {
   public:
    Held() = default;
    Held(Held&&) = default;
    Held& operator=(Held&&) = default;
    ~Held();

   private:
    friend class Pins;
    Fd folder_, users_;
    Family family_ = Family::Process;
    std::vector<Fd> links_;
  };
  // That a run is in the maps: a folder with a lock on it, which whoever is killed leaves behind without. Before the
  // run enters itself; takes away what such others have left. Empty: no folder could be had, and nobody will sweep.
  class Entry {
   public:
    Entry() = default;
    Entry(Entry&&) = default;
    Entry& operator=(Entry&&) = default;
    ~Entry();

   private:
    friend class Pins;
    Fd folder_, lock_;
    std::string name_;
  };
  [[nodiscard]] Entry enter(const Programs& programs, std::uint32_t key) const;

  std::optional<Held> attach(const Programs& programs, Family family, std::string& why) const;

 private:
  Fd folder_;
};

// The attachment of a program that is no cgroup's. Empty: errno says why.
Fd attach_tracing(const Fd& program);

}  // namespace jail::trace
