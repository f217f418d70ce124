// What becomes of one access to one path: which line of the profile, template or default decides it, which layer says
// no, and why. Pure over the plan and what the host has at a path; the prediction itself is the monitor's, so that
// `jail why` and the log say the same. Access control lists are not looked at: the mode is.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "event/event.h"
#include "profile/diagnostic.h"
#include "run/plan.h"

namespace jail::run {

enum class Operation { Read, Write, Exec };

// What the host has at a path, without following it.
struct HostFile {
  enum class Kind { File, Folder, Link, Other } kind = Kind::File;
  std::uint32_t owner = 0;
  std::uint32_t group = 0;
  std::uint32_t mode = 0;                   // permission bits
  std::string target;                       // of a link
  std::vector<std::string> interpreters;    // of a program
};
struct Host {
  std::function<std::optional<HostFile>(const std::string& path)> look;
};

struct Decision {
  event::Decision decision = event::Decision::Allowed;  // Failed: nothing forbids it, but it cannot be
  std::string path;                                     // with the links followed that the jail would follow
  std::string layer;                                    // when denied
  int error = 0;                                        // errno; 0 when allowed
  std::optional<profile::Place> rule;                   // the line that decides; none: a default
  std::string reason;                                   // for people, one clause
  bool grantable = false;                               // a line of a profile could allow it
};

Decision decide(const Plan& plan, Operation operation, const std::string& path, const Host& host);

}  // namespace jail::run
