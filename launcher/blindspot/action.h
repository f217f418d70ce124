// What plugins do, one row each, and by which record of the log each is known to have been told. Every action is done
// for real, by a process of its own inside a jail (perform.h); the judge (judge.h) holds what the log says against it.
// A new action is one row in one of the tables of actions_*.cc.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace jail::blindspot {

// Where the actions take place. Below `folder`, which only the host sees: "granted/file" may be read, "hidden" is
// there and not granted. /tmp is the jail's own.
struct Scene {
  std::string folder;
  std::string program;  // of jail itself, which may be executed
  int given = -1;       // a descriptor of "given", open for reading and writing, that jail was told to pass
};

struct Outcome {
  int error = 0;      // errno; 0: it was done
  pid_t process = 0;  // that did it, as the jail numbers it; 0: the one that was told to
  // Missing: what it takes could not even be had, such as a socket; `error` says why.
  enum class Step : std::uint8_t { Tried, Missing } step = Step::Tried;
  bool operator==(const Outcome&) const = default;
};

// A record counts only if it is of this kind and this call, of the process that acted, and of this subject: a path,
// two of them with a space between, an address with its port, an ABI. "{granted}", "{hidden}", "{given}",
// "{given descriptor}" and "{program}" stand for the scene's own.
struct Evidence {
  std::string_view kind{};
  std::string_view call{};
  std::string_view subject{};
};

struct Action {
  std::string_view name;
  Outcome (*perform)(const Scene&);
  std::array<Evidence, 2> evidence;  // any of them; the second may be empty
  std::uint32_t number = 0;          // of a call that older kernels lack: whether this one does is asked outside
};

struct Group {
  std::string_view name;
  std::span<const Action> actions;
};

std::span<const Action> file_actions();
std::span<const Action> metadata_actions();
std::span<const Action> program_actions();
std::span<const Action> network_actions();
std::span<const Action> power_actions();

// In the order of the table.
std::span<const Group> groups();

std::string expand(std::string_view subject, const Scene& scene);

}  // namespace jail::blindspot
