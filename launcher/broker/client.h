// A launcher's side: `jaild` is asked, and the connection kept for as long as the run lasts.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/fd.h"
#include "broker/protocol.h"
#include "trace/watch.h"

namespace jail::broker {

class Connection {
 public:
  // How long each of connecting, its answers and the ring is waited for: for its socket may have to start it, and it to
  // load its programs; or not worth mentioning, by who can do without.
  enum class Patience { WhileItStarts, AMoment };
  // None: `why`, for people; empty where there is none and nobody has to have one. Only root's jaild is spoken with.
  static std::optional<Connection> open(const std::string& path, Patience patience, std::string& why);

  [[nodiscard]] const trace::Support& support() const { return support_; }
  [[nodiscard]] const std::string& path() const { return path_; }

  // `first`: the first process of the jail, a child of ours that has executed nothing. Does not wait.
  // `ring_bytes`: a power of two, kLeastRing to kMostRing.
  void ask(const std::vector<trace::Family>& families, std::uint32_t what, std::uint32_t ring_bytes, const Fd& first);
  // What comes of it. Null: `why`.
  std::unique_ptr<trace::Feed> take(std::string& why) &&;

 private:
  Connection(Fd socket, std::string path, int patience_ms)
      : socket_(std::move(socket)), path_(std::move(path)), patience_ms_(patience_ms) {}

  Fd socket_;
  std::string path_;
  int patience_ms_;
  trace::Support support_;
};

}  // namespace jail::broker
