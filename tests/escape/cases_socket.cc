// Sockets (SECURITY B7, C1): families, daemons behind a path, and the host's loopback from an empty network.
#include "case.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>

namespace jail::test {
namespace {

// The filter answers like a kernel without the family, so that a library goes on; who answered is asked by a flag that
// only the kernel looks at (sockets.c).
const Errors kNoSocket = {"EPERM", "EACCES", "EAFNOSUPPORT", "EPROTONOSUPPORT", "EOPNOTSUPP"};

void add_families(std::vector<Case>& table) {
  struct Family {
    const char* name;
    const char *family, *type, *protocol;
  };
  // Netlink protocols other than route first: each opens a part of the kernel to whoever asks.
  const Family families[] = {
      {"netlink_usersock", "16", "3", "2"},  {"netlink_sock_diag", "16", "3", "4"}, {"netlink_xfrm", "16", "3", "6"},
      {"netlink_audit", "16", "3", "9"},     {"netlink_netfilter", "16", "3", "12"},
      {"netlink_uevent", "16", "2", "15"},   {"netlink_generic", "16", "3", "16"},  {"netlink_crypto", "16", "3", "21"},
      {"vsock_stream", "40", "1", "0"},      {"vsock_dgram", "40", "2", "0"},       {"packet_raw", "17", "3", "768"},
      {"packet_dgram", "17", "2", "768"},    {"alg", "38", "5", "0"},               {"key", "15", "3", "2"},
      {"xdp", "44", "3", "0"},               {"smc", "43", "1", "0"},               {"rds", "21", "5", "0"},
      {"tipc", "30", "1", "0"},              {"rxrpc", "33", "2", "2"},             {"kcm", "41", "5", "0"},
      {"can", "29", "3", "1"},               {"qipcrtr", "42", "2", "0"},           {"mctp", "45", "2", "0"},
      {"iucv", "32", "1", "0"},              {"bluetooth", "31", "3", "1"},         {"nfc", "39", "3", "0"},
      {"ax25", "3", "5", "0"},               {"x25", "9", "5", "0"},                {"phonet", "35", "2", "0"},
      {"raw_icmp", "2", "3", "1"},           {"raw_ip", "2", "3", "255"},           {"raw6_icmp", "10", "3", "58"},
      {"ping", "2", "2", "1"},               {"ping6", "10", "2", "58"},            {"sctp", "2", "1", "132"},
      {"sctp_seqpacket", "2", "5", "132"},   {"mptcp", "2", "1", "262"},            {"mptcp6", "10", "1", "262"},
      {"smc_inet", "2", "1", "256"},         {"udplite", "2", "2", "136"},          {"dccp", "2", "6", "33"},
      {"l2tp", "2", "2", "115"},
  };
  for (const Family& it : families) {
    const bool mptcp = std::strncmp(it.name, "mptcp", 5) == 0;
    table.push_back({.name = std::string("socket_") + it.name,
                     .attack = {"socket", it.family, it.type, it.protocol},
                     .errors = mptcp ? Errors{"EPROTONOSUPPORT"} : kNoSocket,
                     .filtered = true,
                     .control = as_root_where_supported({"EAFNOSUPPORT", "EPROTONOSUPPORT", "ESOCKTNOSUPPORT",
                                                         "ENOPROTOOPT", "EPERM", "EACCES", "ENOENT", "ENODEV"}),
                     .event = "syscall.denied"});
  }
  table.push_back({.name = "socket_sweep", .attack = {"socket-sweep"}, .control = outside_as_root()});
  table.push_back({.name = "socketpair_tipc", .attack = {"socketpair", "30", "1"}, .errors = kNoSocket});
  table.push_back({.name = "socketpair_inet", .attack = {"socketpair", "2", "1"}, .errors = kNoSocket});
  table.push_back({.name = "permitted_sockets_work", .attack = {"permitted-sockets"}, .expect = Expect::Allowed});
  table.push_back({.name = "own_loopback_works", .attack = {"own-loopback"}, .expect = Expect::Allowed});
}

int listen_at(const Scene& scene, const std::string& where, int type) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const bool abstract = where[0] == '@';
  const std::string path = abstract ? where : scene.at(where).string();
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  if (abstract) address.sun_path[0] = 0;
  const auto length = static_cast<socklen_t>(abstract ? offsetof(sockaddr_un, sun_path) + path.size() : sizeof address);
  const int fd = ::socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
  if (::bind(fd, reinterpret_cast<sockaddr*>(&address), length) != 0)
    throw std::system_error(errno, std::system_category(), path);
  if (type != SOCK_DGRAM) ::listen(fd, 8);
  if (!abstract) ::chmod(path.c_str(), 0777);
  return fd;
}

// The daemons of a workstation, all through a grant that only reads.
void daemons(Scene& scene) {
  for (const char* folder : {"{read}/tmux-1000", "{read}/gnupg", "{read}/libvirt"}) scene.make_folder(folder);
  for (const char* path : {"{read}/docker.sock", "{read}/bus", "{read}/podman.sock", "{read}/containerd.sock",
                           "{read}/agent.1234", "{read}/tmux-1000/default", "{read}/gnupg/S.gpg-agent",
                           "{read}/libvirt/libvirt-sock", "{write}/daemon"})
    scene.keep(listen_at(scene, path, SOCK_STREAM));
  scene.keep(listen_at(scene, "{read}/log", SOCK_DGRAM));
  scene.keep(listen_at(scene, "{read}/journal", SOCK_SEQPACKET));
}

void abstract_daemon(Scene& scene) {
  static int made = 0;
  const std::string name = "@jail-escape-" + std::to_string(::getpid()) + "-" + std::to_string(made++);
  scene.set("abstract", name);
  scene.keep(listen_at(scene, name, SOCK_STREAM));
  scene.set("abstract-dgram", name + "-dgram");
  scene.keep(listen_at(scene, name + "-dgram", SOCK_DGRAM));
}

void add_daemons(std::vector<Case>& table) {
  // Below Landlock ABI 9 there are no such sockets to connect.
  const bool sockets = landlock_abi() >= 9;
  const std::string connect = sockets ? "net.connect" : "syscall.denied";
  const std::string send = sockets ? "net.send" : "syscall.denied";
  const Errors refused = {"EACCES", "EPERM"};
  for (const std::string path : {"docker.sock", "bus", "podman.sock", "containerd.sock", "agent.1234",
                                 "tmux-1000/default", "gnupg/S.gpg-agent", "libvirt/libvirt-sock"})
    table.push_back({.name = "daemon_" + path.substr(0, path.find_first_of("./-")),
                     .attack = {"unix-connect", "stream", "{read}/" + path},
                     .errors = refused,
                     .event = connect,
                     .setup = daemons});
  const std::pair<std::string, std::vector<std::string>> others[] = {
      {"unix_in_write_grant", {"unix-connect", "stream", "{write}/daemon"}},
      {"unix_dgram", {"unix-connect", "dgram", "{read}/log"}},
      {"unix_seqpacket", {"unix-connect", "seqpacket", "{read}/journal"}},
      {"unix_sendto_from_pair", {"unix-sendto", "{read}/log"}},
      {"unix_sendmmsg_from_pair", {"unix-sendmmsg", "{read}/log"}},
      {"unix_reconnected_pair", {"unix-reconnect", "{read}/log"}},
  };
  for (const auto& [name, attack] : others)
    table.push_back({.name = name,
                     .attack = attack,
                     .errors = refused,
                     .event = name.find("_send") == std::string::npos ? connect : send,
                     .setup = daemons});
  const Errors not_there = {"EACCES", "EPERM", "ECONNREFUSED"};
  table.push_back({.name = "abstract_stream", .attack = {"unix-connect", "stream", "{abstract}"}, .errors = not_there,
                   .event = connect, .setup = abstract_daemon});
  table.push_back({.name = "abstract_sendto", .attack = {"unix-sendto", "{abstract-dgram}"}, .errors = not_there,
                   .event = send, .setup = abstract_daemon});
  table.push_back({.name = "abstract_reconnected_pair", .attack = {"unix-reconnect", "{abstract-dgram}"},
                   .errors = not_there, .event = connect, .setup = abstract_daemon});
}

// Somebody answers at every socket, so that no queue is ever full.
void answering_daemons(Scene& scene) {
  for (const char* path : {"{read}/bus", "{read}/docker.sock"}) {
    const int server = listen_at(scene, path, SOCK_STREAM);
    scene.spawn(
        [server] {
          for (;;) ::close(::accept(server, nullptr, nullptr));
        },
        scene.identity());
    ::close(server);
  }
}

// Granted by name: Landlock tells it from its neighbours, or the supervisor connects (DECISIONS 10).
void add_granted_socket(std::vector<Case>& table) {
  const Profile bus = {.more = "network:\n  unix: [\"{read}/bus\", \"{read}/journal\"]\n"};
  const Profile one = {.more = "network:\n  unix: [\"{read}/bus\"]\n"};
  const bool by_supervisor = landlock_abi() < 9;
  const auto works = [&](std::string name, std::vector<std::string> attack) {
    table.push_back({.name = std::move(name), .attack = std::move(attack), .expect = Expect::Allowed, .profile = bus,
                     .setup = daemons});
  };
  works("unix_granted", {"unix-connect", "stream", "{read}/bus"});
  works("unix_granted_seqpacket", {"unix-connect", "seqpacket", "{read}/journal"});
  works("unix_granted_by_another_name", {"unix-connect", "stream", "{read}/folder/../bus"});
  works("unix_of_its_own", {"unix-own", "/tmp/own"});
  works("unix_of_its_own_by_name", {"unix-own", "@own"});
  works("tcp_beside_unix", {"own-loopback"});
  works("sockets_beside_unix", {"permitted-sockets"});
  const std::pair<std::string, std::vector<std::string>> attacks[] = {
      {"unix_beside_the_granted_one", {"unix-connect", "stream", "{read}/docker.sock"}},
      {"unix_beside_in_write_grant", {"unix-connect", "stream", "{write}/daemon"}},
      {"unix_beside_by_link", {"unix-link", "{read}/docker.sock", "{write}/link"}},
      {"unix_beside_by_datagram", {"unix-sendto", "{read}/log"}},
      {"unix_beside_by_pair", {"unix-reconnect", "{read}/log"}},
  };
  for (const auto& [name, attack] : attacks)
    table.push_back({.name = name, .attack = attack, .errors = {"EACCES", "EPERM", "ELOOP"}, .profile = bus,
                     .setup = daemons});
  table.push_back({.name = "unix_beside_is_told",
                   .attack = {"unix-connect", "stream", "{read}/docker.sock"},
                   .errors = {"EACCES"},
                   .profile = bus,
                   .event = "net.connect",
                   .setup = daemons});
  for (const std::string from : {"{read}/bus", "9"})
    table.push_back({.name = "unix_flipped_with_" + std::string(from == "9" ? "tcp" : "granted"),
                     .attack = {"unix-flip", from, "{read}/docker.sock", "3000"},
                     .errors = {"EACCES"},
                     .profile = one,
                     .control_attack = {"unix-flip", from, "{read}/docker.sock", "1000000"},  // until it gets there
                     .setup = answering_daemons});
  table.push_back({.name = "unix_datagram_socket_beside_granted",
                   .attack = {"unix-connect", "dgram", "{read}/log"},
                   .errors = {"EACCES", "EPERM"},
                   .profile = bus,
                   .event = by_supervisor ? "syscall.denied" : "net.connect",
                   .setup = daemons});
  table.push_back({.name = "unix_granted_without_a_listener",
                   .attack = {"unix-connect", "stream", "{read}/docker.sock"},
                   .errors = {"EACCES"},
                   .expect = Expect::DeniedOrRefused,
                   .profile = bus + Profile{.more = "monitor: {source: none}\n"},
                   .setup = daemons});
}

// Greets whoever connects to the host's loopback; `{port}`.
void loopback_server(Scene& scene) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in where{};
  where.sin_family = AF_INET;
  where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof where;
  ::bind(fd, reinterpret_cast<sockaddr*>(&where), length);
  ::listen(fd, 8);
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&where), &length);
  scene.set("port", std::to_string(ntohs(where.sin_port)));
  scene.spawn(
      [fd] {
        for (;;) {
          const int client = ::accept(fd, nullptr, nullptr);
          if (client < 0 || ::write(client, "greeting", 8) < 0) continue;
          ::close(client);
        }
      },
      scene.identity());
  scene.keep(fd);
}

int datagrams = -1;
void loopback_datagrams(Scene& scene) {
  datagrams = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  sockaddr_in where{};
  where.sin_family = AF_INET;
  where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof where;
  ::bind(datagrams, reinterpret_cast<sockaddr*>(&where), length);
  ::getsockname(datagrams, reinterpret_cast<sockaddr*>(&where), &length);
  scene.set("port", std::to_string(ntohs(where.sin_port)));
  scene.keep(datagrams);
}
bool datagram_came(const Scene&) {
  char bytes[16];
  return eventually(0.3, [&] { return ::recv(datagrams, bytes, sizeof bytes, 0) > 0; });
}

void add_loopback(std::vector<Case>& table) {
  const Errors nobody = {"ECONNREFUSED", "ENETUNREACH", "EACCES", "EPERM", "EHOSTUNREACH", "EADDRNOTAVAIL"};
  const Errors no_protocol = {"EPROTONOSUPPORT", "ENOPROTOOPT", "EAFNOSUPPORT"};
  const std::pair<std::string, std::vector<std::string>> attacks[] = {
      {"tcp", {"tcp", "{port}"}}, {"tcp_v4_mapped", {"tcp6", "{port}"}}};
  for (const auto& [name, attack] : attacks)
    table.push_back({.name = "loopback_" + name, .attack = attack, .errors = nobody,
                     .control = where_supported(no_protocol), .event = "net.connect", .setup = loopback_server});
  table.push_back({.name = "loopback_mptcp", .attack = {"tcp", "{port}", "262"}, .errors = {"EPROTONOSUPPORT"},
                   .control = where_supported(no_protocol), .event = "syscall.denied", .setup = loopback_server});
  for (const std::string call : {"sendto", "sendmsg", "sendmmsg"})
    table.push_back({.name = "loopback_fastopen_" + call, .attack = {"tcp-fastopen", "{port}", call},
                     .errors = {"EPERM", "ECONNREFUSED", "ENETUNREACH", "EACCES", "EOPNOTSUPP"},
                     .control = where_supported({"EOPNOTSUPP"}), .event = "syscall.denied",
                     .setup = loopback_server});
  table.push_back({.name = "loopback_udp", .attack = {"udp", "{port}"}, .event = "net.send",
                   .setup = loopback_datagrams, .host_was_hit = datagram_came});
  table.push_back({.name = "loopback_io_uring", .attack = {"ring-connect", "{port}"}, .errors = kFiltered,
                   .control = where_supported(kFiltered), .event = "syscall.denied", .setup = loopback_server});
}

}  // namespace

std::vector<Case> socket_cases() {
  std::vector<Case> table;
  add_families(table);
  add_daemons(table);
  add_granted_socket(table);
  add_loopback(table);
  return table;
}

}  // namespace jail::test
