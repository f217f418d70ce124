// A connection to `jaild`, from a launcher's side: what is asked, and what is answered, in turn.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/fd.h"
#include "broker/protocol.h"

namespace jail::broker {

class Line {
 public:
  // How long each of connecting and its answers is waited for: for its socket may have to start it, and it to load its
  // programs; or not worth mentioning, by who can do without.
  enum class Patience { WhileItStarts, AMoment };
  struct Opened;
  // None: `why`, for people; empty where there is none and nobody has to have one. Only root's jaild is spoken with.
  static std::optional<Opened> open(const std::string& path, Patience patience, std::string& why);

  struct Heard {
    std::optional<Answer> answer;  // none also where it says no
    std::vector<Fd> descriptors;
  };
  // Who is gone may have said why before: what comes of it is heard of.
  void send(const Request& request, int descriptor = -1) const;
  // No answer: `why`.
  Heard hear(std::string& why) const;
  Heard exchange(const Request& request, std::string& why, int descriptor = -1) const;
  Heard exchange_within(int patience_ms, const Request& request, std::string& why) const;

  void be_patient() { patience_ms_ = kWhileItStartsMs; }  // from now on

  [[nodiscard]] const std::string& path() const { return path_; }
  void close() const noexcept;  // for it, too

 private:
  static constexpr int kWhileItStartsMs = 10'000, kAMomentMs = 50;

  Line(Fd socket, std::string path, int patience_ms)
      : socket_(std::move(socket)), path_(std::move(path)), patience_ms_(patience_ms) {}
  Heard hear_within(int patience_ms, std::string& why) const;

  Fd socket_;
  std::string path_;
  int patience_ms_;
};

struct Line::Opened {
  Line line;
  Answer look;  // what can be had of it
};

}  // namespace jail::broker
