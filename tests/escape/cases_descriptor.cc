// Descriptors (SECURITY D1, D4; CVE-2019-5736): what crosses into the jail without a path. Terminals are in
// terminal_test.cc, because they need somebody at the other end.
#include "case.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <fstream>

namespace jail::test {
namespace {

void place(int fd, int wanted) {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  if (fd < 0 || ::dup2(fd, wanted) < 0) ::_exit(99);
  if (fd > 2) ::close(fd);
}

std::function<void(const Scene&)> open_as(int wanted, std::string path, int flags) {
  return [=](const Scene& scene) { place(::open(scene.at(path).c_str(), flags, 0666), wanted); };
}

void add_inherited(std::vector<Case>& table) {
  for (const int number : {3, 9, 100, 1023, 1024, 1500, 4000})
    table.push_back({.name = "inherited_secret_" + std::to_string(number),
                     .attack = {"read-fd", std::to_string(number)},
                     .errors = {"EBADF"},
                     .prepare = open_as(number, "{secret}/key", O_RDONLY)});
  const std::pair<std::string, std::string> folders[] = {{"folder", "{secret}"}, {"root", "/"}};
  for (const auto& [name, folder] : folders)
    table.push_back({.name = "inherited_" + name,
                     .attack = {"open-beneath", "7", name == "root" ? "..{secret}/key" : "key"},
                     .errors = {"EBADF"},
                     .prepare = open_as(7, folder, O_RDONLY | O_DIRECTORY)});
  table.push_back({.name = "inherited_path_descriptor",
                   .attack = {"open-beneath", "7", "key"},
                   .errors = {"EBADF"},
                   .prepare = open_as(7, "{secret}", O_PATH)});
  // Whatever the launcher opens itself: rulesets, the log, status and notification descriptors, mounts, pipes.
  table.push_back({.name = "nothing_above_2", .attack = {"any-fd"}, .errors = {"EBADF"},
                   .prepare = open_as(5, "{secret}/key", O_RDONLY)});
}

// What the standard streams are, and what else they would be good for.
void add_streams(std::vector<Case>& table) {
  const auto log_both_ways = [](const Scene& scene) {
    place(::open(scene.at("{secret}/key").c_str(), O_RDWR | O_APPEND), 2);
  };
  table.push_back({.name = "stderr_read_back",
                   .attack = {"read-back", "2"},
                   .control = as_root_where_supported({}),
                   .setup = [](Scene& scene) { scene.write_file("{secret}/key", kSecret, 0666); },
                   .prepare = log_both_ways});
  table.push_back({.name = "stderr_truncated",
                   .attack = {"truncate-fd", "2"},
                   .prepare = log_both_ways,
                   .host_was_hit = [](const Scene& scene) {
                     return std::filesystem::file_size(scene.at("{secret}/key")) < std::strlen(kSecret);
                   }});
  table.push_back({.name = "stdin_file_for_writing",
                   .attack = {"reopen", "0", "write"},
                   .setup = [](Scene& scene) { scene.write_file("{secret}/key", kSecret, 0666); },
                   .prepare = open_as(0, "{secret}/key", O_RDONLY),
                   .host_was_hit = [](const Scene& scene) {
                     std::string text;
                     std::getline(std::ifstream(scene.at("{secret}/key")), text);
                     return text != kSecret;
                   }});
  table.push_back({.name = "stderr_file_for_reading",
                   .attack = {"reopen", "2", "read"},
                   .setup = [](Scene& scene) { scene.write_file("{secret}/key", kSecret, 0666); },
                   .prepare = open_as(2, "{secret}/key", O_WRONLY | O_APPEND)});
  table.push_back({.name = "stderr_file_reopened_and_emptied",
                   .attack = {"reopen", "2", "truncate"},
                   .setup = [](Scene& scene) { scene.write_file("{secret}/key", kSecret, 0666); },
                   .prepare = open_as(2, "{secret}/key", O_WRONLY | O_APPEND),
                   .host_was_hit = [](const Scene& scene) {
                     return std::filesystem::file_size(scene.at("{secret}/key")) < std::strlen(kSecret);
                   }});
  table.push_back({.name = "stdin_is_a_folder",
                   .attack = {"open-beneath", "0", "key"},
                   .expect = Expect::DeniedOrRefused,
                   .prepare = open_as(0, "{secret}", O_RDONLY | O_DIRECTORY)});
  table.push_back({.name = "stdin_is_a_path_descriptor",
                   .attack = {"open-beneath", "0", "key"},
                   .expect = Expect::DeniedOrRefused,
                   .prepare = open_as(0, "{secret}", O_PATH)});
}

// A socket as standard input: descriptors come in through it.
void send_secret(const Scene& scene) {
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0) ::_exit(99);
  int secret = ::open(scene.at("{secret}/key").c_str(), O_RDONLY);
  char byte = 'x', control[CMSG_SPACE(sizeof secret)] = {};
  iovec piece{&byte, 1};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof secret);
  std::memcpy(CMSG_DATA(header), &secret, sizeof secret);
  if (::sendmsg(pair[0], &message, 0) != 1) ::_exit(99);
  ::close(secret);
  place(pair[1], 0);
  // The other end stays open in the launcher: a closed one would hide the message behind an end of file.
}

void victim(Scene& scene) { scene.spawn_victim(); }

void add_processes(std::vector<Case>& table) {
  table.push_back({.name = "descriptor_through_stdin", .attack = {"receive-fd", "0"},
                   .errors = {"ENOTSOCK", "EPERM", "ENODATA", "EBADF"}, .prepare = send_secret});
  table.push_back({.name = "steal_from_child", .attack = {"steal-fd", "child"}, .errors = kFiltered,
                   .event = "privilege.attempt"});
  table.push_back({.name = "steal_from_init", .attack = {"steal-fd", "1"}, .errors = kFiltered,
                   .control_attack = {"steal-fd", "{victim}"}, .event = "privilege.attempt", .setup = victim});
  table.push_back({.name = "descriptors_of_init", .attack = {"list-fds-of", "1"},
                   .errors = {"EACCES", "EPERM", "ENOENT"}, .control_attack = {"list-fds-of", "{victim}"},
                   .setup = victim});
  table.push_back({.name = "program_of_init", .attack = {"overwrite-exe", "1"},
                   .errors = {"EACCES", "EPERM", "ENOENT"},
                   .control = no_control("a running program is ETXTBSY outside: see the launcher's own below")});
  table.push_back({.name = "link_to_program_of_init", .attack = {"process-link", "1", "exe"},
                   .errors = {"EACCES", "EPERM", "ENOENT"}, .control_attack = {"process-link", "{victim}", "exe"},
                   .setup = victim});
}

}  // namespace

std::vector<Case> descriptor_cases() {
  std::vector<Case> table;
  add_inherited(table);
  add_streams(table);
  add_processes(table);
  return table;
}

}  // namespace jail::test
