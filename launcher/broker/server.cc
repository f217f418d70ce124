#include "broker/server.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <set>
#include <thread>

#include "base/clock.h"
#include "base/error.h"
#include "broker/trust.h"
#include "sys/process.h"
#include "sys/socket.h"
#include "trace/group_programs.h"

namespace jail::broker {
namespace {

constexpr std::size_t kRingsInAdvance = 8;  // 1 MiB of the kernel's memory each
constexpr int kQuietMs = 100;  // then there is time for what can wait
constexpr int kMostJoined = 4;
constexpr const char* kTooBusy = "it has too much to do";
constexpr const char* kOneChild = "a connection is for one child, by its pidfd";

std::vector<trace::Family> families_of(std::uint32_t bits) {
  std::vector<trace::Family> families;
  for (std::size_t family = 0; family < trace::kFamilies; ++family)
    if ((bits >> family & 1) != 0) families.push_back(static_cast<trace::Family>(family));
  return families;
}

bool answer(const Fd& socket, const Answer& said, std::span<const int> descriptors = {}) {
  const std::string bytes = emit(said);
  return sys::try_send_message(socket, std::as_bytes(std::span(bytes)), descriptors);
}

// What the administrator has hung on the group of who asks, or above it, would not hold the new one.
std::string why_not_lent(const GroupLink::Done& done) {
  if (done.descriptors.size() < 2) return "its maker of groups has no folder";
  const auto there = trace::programs_on(done.descriptors[0]), here = trace::programs_on(done.descriptors[1]);
  if (there && here && std::ranges::includes(*here, *there)) return {};
  return "programs of eBPF hold the control group of who asks (IPAddressDeny=, DeviceAllow= or the like), which would "
         "not hold outside it";
}

}  // namespace

Server::Server(Fd listening, Hooks hooks, trace::TaskReader tasks, GroupLink groups, const Limits& limits)
    : listening_(std::move(listening)),
      hooks_(std::move(hooks)),
      tasks_(std::move(tasks)),
      groups_(std::move(groups)),
      quotas_(limits) {
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
    std::vector<pollfd> polled{
        {stop.get(), POLLIN, 0}, {listening_.get(), POLLIN, 0}, {groups_.socket().get(), POLLIN, 0}};
    const std::size_t first = polled.size();
    for (const auto& client : clients_) {
      polled.push_back({client->socket.get(), static_cast<short>(client->is_left ? 0 : POLLIN), 0});
      polled.push_back({client->is_left ? -1 : client->process.get(), POLLIN, 0});
    }
    const int patience_ms = is_tidy && is_ready ? -1 : kQuietMs;
    const int ready = check(TEMP_FAILURE_RETRY(::poll(polled.data(), polled.size(), patience_ms)), "poll");
    if (polled[0].revents != 0) return;
    if (ready == 0) prepare_rings();
    for (std::size_t i = first; i < polled.size(); i += 2) {
      Client& client = *clients_[(i - first) / 2];
      const bool has_ended = polled[i + 1].revents != 0;  // whoever else has the socket: nobody is lent to by proxy
      if (client.is_left && polled[i].revents != 0) close(client);
      if (client.is_left) continue;
      if (has_ended || (polled[i].revents != 0 && hear(client) == Then::Leave)) leave(client);
    }
    if (polled[2].revents != 0) hear_maker();
    std::erase_if(clients_, [](const auto& client) { return !client->socket; });
    if (polled[1].revents != 0) admit();
    is_ready = rings_.size() == kRingsInAdvance;
    is_tidy = hooks_.tidy(clock::boottime_ns());
    is_ready = groups_.catch_up() && is_ready;
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
    return (void)answer(client->socket, {.refused = "too many connections", .support = {}, .no_groups = {}});
  clients_.push_back(std::move(client));
}

// Descriptors that it was sent and has not taken count against us, so it is a connection of its user's until it closes
// it, and with it what is in there.
void Server::leave(Client& client) {
  if (client.lease) quotas_.return_run(client.peer.uid, client.lease->ring_bytes);
  give_up_group(client);
  client.lease.reset();
  (void)::shutdown(client.socket.get(), SHUT_WR);
  client.is_left = true;
}

void Server::close(Client& client) {
  quotas_.return_connection(client.peer.uid);
  client.socket.reset();
}

Server::Then Server::hear(Client& client) {
  std::optional<sys::Letter> letter = sys::receive_letter(client.socket, kRequestBytes);
  if (!letter) return Then::Stay;
  Fd child = letter->descriptors.empty() ? Fd() : std::move(letter->descriptors.front());
  if (child && !sys::is_process(child)) {
    shut_out(client, std::move(child));
    return Then::Leave;
  }
  if (letter->bytes.empty() || letter->sender != client.peer.pid) return Then::Leave;  // it is another's socket now
  Reply reply;
  const std::optional<Request> request = parse_request(letter->bytes, reply.answer.refused);
  if (request && quotas_.take_request(client.peer.uid, clock::boottime_ns()))
    reply = reply_to(client, *request, std::move(child));
  else if (request) reply.answer.refused = "too many requests";
  if (reply.comes_later) return Then::Stay;
  const std::span descriptors(&reply.descriptor, reply.descriptor >= 0 ? 1 : 0);
  return answer(client.socket, reply.answer, descriptors) && request ? Then::Stay : Then::Leave;
}

Server::Reply Server::reply_to(Client& client, const Request& request, Fd child) {
  Reply reply;
  try {
    if (request.ask == Ask::Trace) return trace(client, request, std::move(child));
    if (request.ask == Ask::Group) return make_group(client, std::move(child));
    if (request.ask == Ask::Join) return join_group(client, std::move(child));
    if (request.ask == Ask::Count && client.lease) reply.answer.lost = client.lease->ring->counts().lost;
    if (request.ask == Ask::Count) return reply;
    reply.answer.refused = why_not_served(tasks_.look(client.process), client.peer.uid, own_);
    if (!reply.answer.refused.empty()) return reply;
    reply.answer.support = hooks_.support();
    reply.answer.no_groups = groups_.why_none();
    reply.answer.controllers = groups_.controllers();
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
  if (refused.empty() && (!child || client.lease)) refused = kOneChild;
  if (!refused.empty()) return reply;
  const std::vector<jail_task> found = tasks_.look(child);
  refused = why_not_taken(found, peer.front(), own_);
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

// The child is looked at here; that it still is who it was, by the maker.
Server::Reply Server::make_group(Client& client, Fd child) {
  Reply reply;
  std::string& refused = reply.answer.refused;
  const std::vector<jail_task> peer = tasks_.look(client.process);
  refused = why_not_served(peer, client.peer.uid, own_);
  if (refused.empty()) refused = groups_.why_none();
  if (refused.empty() && (!child || client.group)) refused = kOneChild;
  if (!refused.empty()) return reply;
  const std::vector<jail_task> found = tasks_.look(child);
  refused = why_not_taken(found, peer.front(), own_);
  if (refused.empty() && !quotas_.take_group(client.peer.uid)) refused = "too many groups";
  if (!refused.empty()) return reply;
  client.group.emplace(++last_group_, found.front().pid_space);
  const int processes[] = {client.process.get(), child.get()};
  reply.comes_later = groups_.order(GroupOrder::What::Make, last_group_, processes);
  if (!reply.comes_later) {
    give_up_group(client);
    refused = kTooBusy;
  }
  return reply;
}

Server::Reply Server::join_group(Client& client, Fd child) {
  Reply reply;
  std::string& refused = reply.answer.refused;
  const std::vector<jail_task> peer = tasks_.look(client.process);
  if (!child || !client.group || peer.empty()) refused = "there is no group to join";
  else if (client.group->is_asked || client.group->joined == kMostJoined) refused = "one plugin joins a group, in turn";
  else refused = why_not_joined(tasks_.look(child), peer.front(), client.group->pid_space);
  if (!refused.empty()) return reply;
  const int process = child.get();
  reply.comes_later = groups_.order(GroupOrder::What::Join, client.group->number, std::span(&process, 1));
  client.group->is_asked = reply.comes_later;
  ++client.group->joined;
  if (!reply.comes_later) refused = kTooBusy;
  return reply;
}

// Who has asked may have gone meanwhile, and then so has the group. Where the maker has ended, they wait no longer.
void Server::hear_maker() {
  const auto done = groups_.take();
  if (done && done->said.what == GroupOrder::What::Leave) {
    if (const auto given_up = given_up_.extract(done->said.group); !given_up.empty())
      quotas_.return_group(given_up.mapped());
    return;
  }
  for (const auto& client : clients_) {
    if (!client->group || (done && client->group->number != done->said.group)) continue;
    if (!done || !pass_on(*client, *done)) leave(*client);
  }
}

// False: it does not listen.
bool Server::pass_on(Client& client, const GroupLink::Done& done) {
  const bool is_made = done.said.what == GroupOrder::What::Make;
  Answer said;
  said.refused = done.said.refused;
  if (is_made && said.refused.empty()) said.refused = why_not_lent(done);
  said.controllers = done.said.controllers;
  said.files = done.said.files;
  client.group->is_asked = false;
  std::vector<int> descriptors;
  if (is_made && !said.refused.empty()) give_up_group(client);
  else if (is_made)
    for (const Fd& lent : std::span(done.descriptors).subspan(1)) descriptors.push_back(lent.get());
  return answer(client.socket, said, descriptors);
}

void Server::give_up_group(Client& client) {
  if (!client.group) return;
  given_up_.emplace(client.group->number, client.peer.uid);
  groups_.leave(client.group->number);
  client.group.reset();
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
