// By what a run gets at the kernel's programs: by this process, where it may load them, else by `jaild`.
#pragma once

#include <optional>
#include <string>

#include "broker/client.h"
#include "trace/tracer.h"

namespace jail::run {

struct TraceAccess {
  std::optional<trace::Tracer> own;
  std::optional<broker::Connection> broker;
  trace::Support support;

  enum class Keep { Nothing, Programs };  // for the next run
  // Never fails: what cannot be had is data. `socket`: of jaild.
  static TraceAccess open(const std::string& socket, Keep keep = Keep::Programs);
};

}  // namespace jail::run
