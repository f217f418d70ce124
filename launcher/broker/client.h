// A launcher's side: `jaild` is asked for events, and the connection kept for as long as the run lasts.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/fd.h"
#include "broker/line.h"
#include "trace/watch.h"

namespace jail::broker {

class Connection {
 public:
  // As Line::open().
  static std::optional<Connection> open(const std::string& path, Line::Patience patience, std::string& why);

  [[nodiscard]] const trace::Support& support() const { return support_; }
  [[nodiscard]] const std::string& path() const { return line_.path(); }

  // `first`: the first process of the jail, a child of ours that has executed nothing. Does not wait.
  // `ring_bytes`: a power of two, kLeastRing to kMostRing.
  void ask(const std::vector<trace::Family>& families, std::uint32_t what, std::uint32_t ring_bytes, const Fd& first);
  // What comes of it. Null: `why`.
  std::unique_ptr<trace::Feed> take(std::string& why) &&;

 private:
  Connection(Line line, trace::Support support) : line_(std::move(line)), support_(std::move(support)) {}

  Line line_;
  trace::Support support_;
};

}  // namespace jail::broker
