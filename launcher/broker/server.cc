#include "broker/server.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <thread>

#include "base/clock.h"
#include "base/error.h"
#include "broker/trust.h"
#include "sys/process.h"

namespace jail::broker {
namespace {

constexpr std::size_t kRingsInAdvance = 8;  // 1 MiB of the kernel's memory each
constexpr int kQuietMs = 100;  // then there is time for what can wait

std::vector<trace::Family> families_of(std::uint32_t bits) {
  std::vector<trace::Family> families;
  for (std::size_t family = 0; family < trace::kFamilies; ++family)
    if ((bits >> family & 1) != 0) families.push_back(static_cast<trace::Family>(family));
  return families;
}

bool answer(const Fd& socket, const Answer& said, int descriptor = -1) {
  const std::string bytes = emit(said);
  return sys::send_now(socket, bytes.data(), bytes.size(), descriptor);
}

}  // namespace

Server::Server(Fd listening, Hooks hooks, trace::TaskReader tasks, const Limits& limits)
    : listening_(std::move(listening)), hooks_(std::move(hooks)), tasks_(std::move(tasks)), quotas_(limits) {
  const std::vector<jail_task> found = tasks_.look(sys::pidfd_open(::getpid()));
  if (found.empty()) throw SysError(ESRCH, "looking at oneself");
  own_ = found.front();
  sys::ask_for_senders(listening_);
  std::string why;
  (void)hooks_.hold(trace::Family::Process, why);  // the first run need not wait for it
  prepare_rings();
}

void Server::serve(const Fd& stop) {
  for (bool is_tidy = true, is_ready = true;;) {
    std::vector<pollfd> polled{{stop.get(), POLLIN, 0}, {listening_.get(), POLLIN, 0}};
    for (const auto& client : clients_) polled.push_back({client->socket.get(), POLLIN, 0});
    const int patience_ms = is_tidy && is_ready ? -1 : kQuietMs;
    const int ready = check(TEMP_FAILURE_RETRY(::poll(polled.data(), polled.size(), patience_ms)), "poll");
    if (polled[0].revents != 0) return;
    if (ready == 0) prepare_rings();
    for (std::size_t i = 0; i + 2 < polled.size(); ++i)
      if (polled[i + 2].revents != 0 && hear(*clients_[i]) == Then::Leave) remove(*clients_[i]);
    std::erase_if(clients_, [](const auto& client) { return !client->socket; });
    if (polled[1].revents != 0) admit();
    is_ready = rings_.size() == kRingsInAdvance;
    is_tidy = hooks_.tidy(clock::boottime_ns());
  }
}

void Server::admit() {
  auto client = std::make_unique<Client>();
  client->socket = Fd(::accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!client->socket) return;  // it has gone again
  client->peer = sys::peer_of(client->socket);
  client->process = sys::process_of_peer(client->socket, client->peer);
  if (!client->process || std::ranges::find(shut_out_, client->peer.uid) != shut_out_.end()) return;
  if (!quotas_.take_connection(client->peer.uid))
    return (void)answer(client->socket, {.refused = "too many connections", .support = {}});
  clients_.push_back(std::move(client));
}

void Server::remove(Client& client) {
  if (client.lease) quotas_.return_run(client.peer.uid, client.lease->ring_bytes);
  quotas_.return_connection(client.peer.uid);
  client.lease.reset();
  client.socket.reset();
}

Server::Then Server::hear(Client& client) {
  std::optional<sys::Letter> letter = sys::receive_letter(client.socket, kRequestBytes);
  if (!letter) return Then::Stay;
  if (letter->descriptor && !sys::is_process(letter->descriptor)) {
    shut_out(client, std::move(letter->descriptor));
    return Then::Leave;
  }
  if (letter->bytes.empty() || letter->sender != client.peer.pid) return Then::Leave;  // it is another's socket now
  Reply reply;
  const std::optional<Request> request = parse_request(letter->bytes, reply.answer.refused);
  if (request && quotas_.take_request(client.peer.uid, clock::boottime_ns()))
    reply = reply_to(client, *request, std::move(letter->descriptor));
  else if (request) reply.answer.refused = "too many requests";
  return answer(client.socket, reply.answer, reply.descriptor) && request ? Then::Stay : Then::Leave;
}

Server::Reply Server::reply_to(Client& client, const Request& request, Fd child) {
  Reply reply;
  try {
    if (request.ask == Ask::Trace) return trace(client, request, std::move(child));
    if (request.ask == Ask::Count && client.lease) reply.answer.lost = client.lease->ring->counts().lost;
    if (request.ask == Ask::Count) return reply;
    reply.answer.refused = why_not_served(tasks_.look(client.process), client.peer.uid, own_);
    if (reply.answer.refused.empty()) reply.answer.support = hooks_.support();
  } catch (const SysError& error) {
    reply.answer.refused = error.what();
  }
  return reply;
}

// Whoever was looked at and is still there afterwards has been there all the time; its pidfd holds it from then on.
Server::Reply Server::trace(Client& client, const Request& request, Fd child) {
  Reply reply;
  std::string& refused = reply.answer.refused;
  const std::vector<jail_task> peer = tasks_.look(client.process);
  refused = why_not_served(peer, client.peer.uid, own_);
  if (refused.empty() && (!child || client.lease)) refused = "a connection is for one child, by its pidfd";
  if (!refused.empty()) return reply;
  const std::vector<jail_task> found = tasks_.look(child);
  refused = why_not_traced(found, peer.front(), own_);
  if (refused.empty() && is_leased(found.front().pid_space)) refused = "the child is watched already";
  if (refused.empty()) refused = lend(client, request, std::move(child), found.front().pid_space);
  if (refused.empty()) reply.descriptor = client.lease->ring->ring().get();
  return reply;
}

// Empty: done.
std::string Server::lend(Client& client, const Request& request, Fd child, std::uint32_t space) {
  if (!quotas_.take_run(client.peer.uid, request.ring_bytes)) return "too many runs, or too much room for events";
  std::string why;
  std::vector<Hooks::Held> held;
  for (const trace::Family family : families_of(request.families))
    if (why.empty()) held.push_back(hooks_.hold(family, why));
  Fd memory = why.empty() ? take_ring(request.ring_bytes) : Fd();
  if (why.empty() && !memory) why = std::string("making a ring: ") + std::strerror(errno);
  std::unique_ptr<trace::RunRing> ring;
  if (why.empty())
    ring = trace::RunRing::make(hooks_.tracer(), {.number = space, .held = std::move(child)}, std::move(memory), why);
  if (ring) why = ring->begin(request.what);
  if (why.empty()) client.lease.emplace(Lease{std::move(ring), std::move(held), request.ring_bytes});
  else quotas_.return_run(client.peer.uid, request.ring_bytes);
  return why;
}

bool Server::is_leased(std::uint32_t space) const {
  return std::ranges::any_of(
      clients_, [space](const auto& client) { return client->lease && client->lease->ring->key() == space; });
}

// Each is given once (SECURITY E1).
Fd Server::take_ring(std::uint32_t bytes) {
  if (bytes != trace::kRingBytes || rings_.empty()) return trace::make_ring(bytes);
  Fd ring = std::move(rings_.front());
  rings_.pop_front();
  return ring;
}

void Server::prepare_rings() {
  while (rings_.size() < kRingsInAdvance) {
    Fd ring = trace::make_ring(trace::kRingBytes);
    if (!ring) return;  // there will be, or each run has it made
    rings_.push_back(std::move(ring));
  }
}

// To close a file asks whoever serves its file system, who need not answer.
void Server::shut_out(const Client& client, Fd file) {
  std::fprintf(stderr, "jaild: user %u sent a file that is no process: it is not served any more\n", client.peer.uid);
  shut_out_.push_back(client.peer.uid);
  std::thread([closing = std::move(file)]() mutable { closing.reset(); }).detach();
}

}  // namespace jail::broker
