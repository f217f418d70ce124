// What a call wants of which files.
#pragma once

#include <linux/seccomp.h>

#include <string>
#include <vector>

#include "event/event.h"
#include "monitor/caller.h"
#include "monitor/calls.h"
#include "monitor/links.h"
#include "monitor/place.h"
#include "trace/decode.h"

namespace jail::monitor {

struct NamedPlace {
  enum class Kind : std::uint8_t {
    File,
    NoFile,      // a pipe, a socket, an empty or impossible name: the kernel will say so
    Unreadable,  // the memory with the name
  };
  Kind kind = Kind::NoFile;
  Place place;
  std::string requested;  // as it stands in memory
  int descriptor = -1;    // what is meant is this one itself, whatever its name is now

  [[nodiscard]] event::Named named() const;
};

// What is needed to tell where a name leads.
struct Maps {
  const Places& places;
  Links& links;
};

NamedPlace read_place(const Maps& maps, const Caller& caller, const seccomp_data& call, FileArgument argument,
                      Last last);

// Registers as they were at the call, but for their upper halves.
seccomp_data registers_of(const trace::FileCall& told);

// The same as read_place() of what a program in the kernel has told, when the call had ended.
NamedPlace place_told(const Maps& maps, const Caller& caller, const trace::FileCall& call,
                      const trace::FileCall::Name& name, FileArgument argument, Last last);

// Whether this call follows a link that its first name ends in.
Last last_of(const seccomp_data& call, const Call& row);

// Whether it only looks at a descriptor, as fstat(2) does: with AT_EMPTY_PATH the kernel takes a name if there is one.
// Most looks are that, so it is the cheapest of questions.
bool looks_at_descriptor(const Caller& caller, const seccomp_data& call, const Call& row);

// Of Want (predict.h).
unsigned wants_of_open(std::uint64_t flags);
// The words of file.open.
std::vector<std::string> access_words(std::uint64_t flags);

// "fifo" of S_IFIFO | 0644: what mknod(2) makes.
std::string_view node_type(std::uint64_t mode);

}  // namespace jail::monitor
