#include "broker/client.h"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "sys/peer.h"

namespace jail::broker {
namespace {

constexpr int kWhileItStartsMs = 10'000, kAMomentMs = 50;
constexpr int kCountMs = 250;  // meanwhile nobody reads the ring

struct Heard {
  std::optional<Answer> answer;
  Fd descriptor;
};

bool send(const Fd& socket, const Request& request, int descriptor = -1) {
  const std::string bytes = emit(request);
  return sys::send_now(socket, bytes.data(), bytes.size(), descriptor);
}

// `why` also where it says no.
Heard hear(const Fd& socket, int patience_ms, std::string& why) {
  Heard heard;
  pollfd polled{socket.get(), POLLIN, 0};
  if (TEMP_FAILURE_RETRY(::poll(&polled, 1, patience_ms)) != 1) {
    why = "it does not answer";
    return heard;
  }
  std::optional<sys::Letter> letter = sys::receive_letter(socket, kAnswerBytes);
  if (!letter || letter->bytes.empty()) {
    why = "it has closed the connection";
    return heard;
  }
  heard.answer = parse_answer(letter->bytes, why);
  heard.descriptor = std::move(letter->descriptor);
  if (heard.answer && !heard.answer->refused.empty()) {
    why = heard.answer->refused;
    heard.answer.reset();
  }
  return heard;
}

// Who is gone may have said why before.
Heard exchange(const Fd& socket, const Request& request, int patience_ms, std::string& why) {
  (void)send(socket, request);
  return hear(socket, patience_ms, why);
}

class LentFeed : public trace::Feed {
 public:
  LentFeed(Fd socket, Fd ring) : socket_(std::move(socket)), ring_(std::move(ring)) {}

  std::string begin() override { return {}; }  // it has, of itself
  [[nodiscard]] const Fd& ring() const override { return ring_; }
  std::optional<std::uint64_t> lost(std::string& why) override {
    std::string problem;
    const Heard heard = exchange(socket_, {.ask = Ask::Count}, kCountMs, problem);
    if (heard.answer) return heard.answer->lost;
    why = "jaild: " + problem + ": what eBPF told of is not told any more";
    return std::nullopt;
  }
  void close() noexcept override { (void)::shutdown(socket_.get(), SHUT_RDWR); }

 private:
  Fd socket_, ring_;
};

}  // namespace

std::optional<Connection> Connection::open(const std::string& path, Patience patience, std::string& why) {
  const int patience_ms = patience == Patience::AMoment ? kAMomentMs : kWhileItStartsMs;
  int error = 0;
  Connection connection(sys::try_connect(path, patience_ms, error), path, patience_ms);
  if (error != 0) {
    const bool is_none = error == ENOENT && patience == Patience::AMoment;
    why = is_none ? "" : "no jaild at " + path + ": " + std::strerror(error);
    return std::nullopt;
  }
  std::string problem;
  if (sys::peer_of(connection.socket_).uid != 0) problem = "it is not root's";
  Heard heard;
  if (problem.empty()) heard = exchange(connection.socket_, {.ask = Ask::Look}, patience_ms, problem);
  if (!heard.answer) {
    why = "jaild at " + path + ": " + problem;
    return std::nullopt;
  }
  connection.support_ = std::move(heard.answer->support);
  return connection;
}

void Connection::ask(const std::vector<trace::Family>& families, std::uint32_t what, std::uint32_t ring_bytes,
                     const Fd& first) {
  Request request{.ask = Ask::Trace, .families = 0, .what = what, .ring_bytes = ring_bytes};
  for (const trace::Family family : families) request.families |= 1U << trace::index_of(family);
  (void)send(socket_, request, first.get());
}

std::unique_ptr<trace::Feed> Connection::take(std::string& why) && {
  std::string problem;
  Heard heard = hear(socket_, patience_ms_, problem);
  if (heard.answer && heard.descriptor)
    return std::make_unique<LentFeed>(std::move(socket_), std::move(heard.descriptor));
  why = "jaild at " + path_ + ": " + (problem.empty() ? "it has given no ring" : problem);
  return nullptr;
}

}  // namespace jail::broker
