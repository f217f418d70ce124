#include "monitor/connector.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "monitor/answer.h"
#include "profile/paths.h"
#include "sys/file.h"
#include "sys/process.h"
#include "sys/seccomp.h"
#include "sys/socket.h"

namespace jail::monitor {
namespace {

constexpr const char* kTemporary = "tmp";
constexpr int kPieceMs = 500;

bool is_socket(const struct stat& status) { return S_ISSOCK(status.st_mode); }

// What happened to a connection, as the call that asked for it is told: success is 0, not "go on".
seccomp_notif_resp told(std::uint64_t id, int error) noexcept {
  seccomp_notif_resp answer{};
  answer.id = id;
  answer.error = -error;
  return answer;
}

}  // namespace

void PluginListener::send(const seccomp_notif_resp& response) noexcept {
  const std::lock_guard lock(mutex_);
  if (listener_) (void)sys::notification_send(listener_.get(), response);
}

bool PluginListener::is_pending(std::uint64_t id) noexcept {
  const std::lock_guard lock(mutex_);
  return listener_ && sys::notification_is_pending(listener_.get(), id) == 0;
}

void PluginListener::close() noexcept {
  const std::lock_guard lock(mutex_);
  listener_.reset();
}

struct Connector::State {
  Start start;
  std::map<std::string, Fd> folders;  // of granted sockets
  std::atomic<unsigned> busy = 0;

  int make(const Fd& socket, const Connection& wanted, std::uint64_t id) const;
  int connect_while_asked(const Fd& socket, const Fd& found, std::uint64_t id) const;
  [[nodiscard]] Fd find(const Connection& wanted, int& error) const;
  [[nodiscard]] bool is_jails(const struct stat& found) const;
};

// The plugin can make a socket in its own tmpfs only, and nobody else can there.
bool Connector::State::is_jails(const struct stat& found) const {
  struct stat temporary {};
  return ::fstatat(start.root.get(), kTemporary, &temporary, AT_SYMLINK_NOFOLLOW) == 0 &&
         temporary.st_dev == found.st_dev;
}

Fd Connector::State::find(const Connection& wanted, int& error) const {
  const bool granted = wanted.to == Connection::To::Granted;
  const std::string name = granted ? wanted.path.substr(wanted.path.rfind('/') + 1) : wanted.path.substr(1);
  const Fd& folder = granted ? folders.at(std::string(profile::folder_of(wanted.path))) : start.root;
  Fd found = sys::try_open_at(folder.get(), name.c_str(), O_PATH | O_NOFOLLOW, sys::Resolve::NoLinksBeneath, error);
  if (!found) return {};
  const struct stat status = sys::file_status(found);
  error = is_socket(status) ? EACCES : ECONNREFUSED;
  return is_socket(status) && (granted || is_jails(status)) ? std::move(found) : Fd();
}

int Connector::State::make(const Fd& socket, const Connection& wanted, std::uint64_t id) const {
  if (wanted.to == Connection::To::Address) return sys::connect_to(socket, wanted.address);
  int error = 0;
  const Fd found = find(wanted, error);
  return found ? connect_while_asked(socket, found, id) : error;
}

// A queue may be full for ever, and whoever waits in it may be gone: so the wait is cut into pieces.
int Connector::State::connect_while_asked(const Fd& socket, const Fd& found, std::uint64_t id) const {
  const std::string path = "/proc/self/fd/" + std::to_string(found.get());
  const sys::SendTimeout patience(socket, kPieceMs);
  for (int pieces = 1;; ++pieces) {
    const int error = sys::connect_to_path(socket, path);
    if (error != EAGAIN || patience.is_over(pieces) || !start.listener->is_pending(id)) return error;
  }
}

// One connection, in a thread that ends with it.
struct Connector::Work {
  Work(std::shared_ptr<State> of, std::uint64_t call, Fd the_plugins, Connection asked, Made then)
      : state(std::move(of)),
        id(call),
        socket(std::move(the_plugins)),
        wanted(std::move(asked)),
        made(std::move(then)) {
    ++state->busy;
  }
  ~Work() { --state->busy; }
  Work(const Work&) = delete;
  Work& operator=(const Work&) = delete;

  void run() const {
    int error = sys::take_ids_of_thread(state->start.uid, state->start.gid);
    if (error == 0) error = state->make(socket, wanted, id);
    made(error);
    state->start.listener->send(told(id, error));
  }

  // False: no thread is to be had, which std::thread would throw.
  static bool start(std::unique_ptr<Work> work) {
    constexpr auto body = [](void* given) -> void* {
      std::unique_ptr<Work>(static_cast<Work*>(given))->run();
      return nullptr;
    };
    pthread_t thread;
    if (::pthread_create(&thread, nullptr, body, work.get()) != 0) return false;
    ::pthread_detach(thread);
    (void)work.release();
    return true;
  }

  std::shared_ptr<State> state;
  std::uint64_t id;
  Fd socket;
  Connection wanted;
  Made made;
};

Connector::Connector(Start start, const confine::view::Plan& view) : state_(std::make_shared<State>()) {
  state_->start = std::move(start);
  for (const confine::view::Anchor& anchor : view.anchors) {
    if (!(anchor.access & confine::view::kSocket)) continue;
    const std::string folder(profile::folder_of(anchor.path));
    if (!state_->folders.contains(folder))
      state_->folders[folder] = sys::open_at(folder, O_PATH | O_DIRECTORY, sys::Resolve::NoLinks);
  }
}

void Connector::connect(const seccomp_notif& notified, std::int32_t process, Connection wanted, Made made) {
  PluginListener& listener = *state_->start.listener;
  const auto refuse = [&](int error) {
    made(error);
    listener.send(response(notified, {Reply::Refuse, error}));
  };
  if (wanted.to == Connection::To::Nothing) return refuse(wanted.error);
  if (state_->busy >= kMostAtOnce) return refuse(EAGAIN);
  int error = 0;
  Fd socket = sys::try_pidfd_getfd(process, static_cast<int>(notified.data.args[0]), error);
  // It is the caller's if the caller waits still: its number was nobody else's meanwhile.
  if (!listener.is_pending(notified.id)) return;
  if (!socket) return refuse(error);
  if (!Work::start(std::make_unique<Work>(state_, notified.id, std::move(socket), std::move(wanted), made)))
    refuse(EAGAIN);
}

}  // namespace jail::monitor
