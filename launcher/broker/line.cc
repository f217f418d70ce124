#include "broker/line.h"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "sys/peer.h"
#include "sys/socket.h"

namespace jail::broker {
std::optional<Line::Opened> Line::open(const std::string& path, Patience patience, std::string& why) {
  const int patience_ms = patience == Patience::AMoment ? kAMomentMs : kWhileItStartsMs;
  int error = 0;
  Line line(sys::try_connect(path, patience_ms, error), path, patience_ms);
  if (error != 0) {
    const bool is_none = error == ENOENT && patience == Patience::AMoment;
    why = is_none ? "" : "no jaild at " + path + ": " + std::strerror(error);
    return std::nullopt;
  }
  std::string problem;
  if (sys::peer_of(line.socket_).uid != 0) problem = "it is not root's";
  Heard heard;
  if (problem.empty()) heard = line.exchange({.ask = Ask::Look}, problem);
  if (heard.answer) return Opened{std::move(line), std::move(*heard.answer)};
  why = "jaild at " + path + ": " + problem;
  return std::nullopt;
}

void Line::send(const Request& request, int descriptor) const {
  const std::string bytes = emit(request);
  (void)sys::send_now(socket_, bytes.data(), bytes.size(), descriptor);
}

Line::Heard Line::hear(std::string& why) const { return hear_within(patience_ms_, why); }

Line::Heard Line::exchange(const Request& request, std::string& why, int descriptor) const {
  send(request, descriptor);
  return hear(why);
}

Line::Heard Line::exchange_within(int patience_ms, const Request& request, std::string& why) const {
  send(request);
  return hear_within(patience_ms, why);
}

Line::Heard Line::hear_within(int patience_ms, std::string& why) const {
  Heard heard;
  pollfd polled{socket_.get(), POLLIN, 0};
  if (TEMP_FAILURE_RETRY(::poll(&polled, 1, patience_ms)) != 1) {
    why = "it does not answer";
    return heard;
  }
  std::optional<sys::Letter> letter = sys::receive_letter(socket_, kAnswerBytes, sys::kMostDescriptors);
  if (!letter || letter->bytes.empty()) {
    why = "it has closed the connection";
    return heard;
  }
  heard.answer = parse_answer(letter->bytes, why);
  heard.descriptors = std::move(letter->descriptors);
  if (heard.answer && !heard.answer->refused.empty()) {
    why = heard.answer->refused;
    heard.answer.reset();
  }
  return heard;
}

void Line::close() const noexcept { (void)::shutdown(socket_.get(), SHUT_RDWR); }

}  // namespace jail::broker
