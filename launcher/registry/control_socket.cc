#include "registry/control_socket.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cstring>

#include "base/error.h"

namespace jail::registry {
namespace {

constexpr int kBacklog = 64;
constexpr std::size_t kMostVisitors = 16;  // who came first goes first

}  // namespace

std::string socket_name(uid_t uid, std::string_view run, std::string_view profile) {
  return std::string("\0jail/", 6) + std::to_string(uid) + "/" + std::string(run) + "/" + std::string(profile);
}

ControlSocket::ControlSocket(std::string_view run, std::string_view profile)
    : listening_(sys::try_listen_at(socket_name(::geteuid(), run, profile), kBacklog, error_)) {}

void ControlSocket::add_to(std::vector<pollfd>& polled) {
  first_polled_ = polled.size();
  polled.push_back({listening_.get(), POLLIN, 0});
  for (const Visitor& visitor : visitors_) polled.push_back({visitor.socket.get(), POLLIN, 0});
}

void ControlSocket::handle(const std::vector<pollfd>& polled, const Look& look, const Obey& obey) {
  for (std::size_t i = visitors_.size(); i-- > 0;)
    if (polled[first_polled_ + 1 + i].revents != 0 && !serve(visitors_[i], obey))
      visitors_.erase(visitors_.begin() + static_cast<std::ptrdiff_t>(i));
  if (polled[first_polled_].revents != 0) let_in(look);
}

void ControlSocket::let_in(const Look& look) {
  Fd socket(::accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!socket) return;
  const sys::Peer who = sys::peer_of(socket);
  if (who.uid != ::geteuid() && who.uid != 0) return;
  const Status status = look();
  if (!sys::send_now(socket, &status, sizeof status)) return;
  if (visitors_.size() == kMostVisitors) visitors_.erase(visitors_.begin());
  visitors_.push_back({std::move(socket), who});
}

// False: it is gone, or speaks another language.
bool ControlSocket::serve(const Visitor& visitor, const Obey& obey) {
  const std::optional<sys::Letter> letter = sys::receive_letter(visitor.socket, sizeof(Request));
  if (!letter) return true;
  Request request;
  if (letter->bytes.size() != sizeof request) return false;
  std::memcpy(&request, letter->bytes.data(), sizeof request);
  if (request.version != Status::kVersion) return false;
  const Reply reply = obey(request, visitor.who);
  return sys::send_now(visitor.socket, &reply, sizeof reply);
}

}  // namespace jail::registry
