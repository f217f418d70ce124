/*
 * Sockets: families nobody thought of, protocols that carry TCP past a rule about TCP (MPTCP, MSG_FASTOPEN: both defeat
 * Landlock's on 6.18), paths that name a daemon (docker, D-Bus, tmux, agents), the abstract namespace, and the host's
 * own loopback.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attack.h"

/* ---- making one */

/* The kernel looks at the flags beside the type before it looks for the family, and says EINVAL to this one. A filter
 * compares the type without its flags: so EINVAL means that it let the call through, whatever became of it. */
#define BAD_FLAG 0x10

static void make_socket(char **arguments) {
  const int family = (int)number(need(arguments, 0)), type = (int)number(need(arguments, 1));
  const int protocol = (int)number(need(arguments, 2)), fd = socket(family, type, protocol), error = errno;
  if (fd >= 0) allowed("socket");
  if (socket(family, type | BAD_FLAG, protocol) < 0 && errno == EINVAL) denied(error, "by the kernel, not by a filter");
  denied(error, "socket");
}

static int is_permitted(int family, int type, int protocol) {
  if (family == AF_UNIX) return 1; /* denied below Landlock ABI 9, permitted above: not this sweep's business */
  if (family == AF_NETLINK) return protocol == 0 && (type == SOCK_RAW || type == SOCK_DGRAM);
  if (family != AF_INET && family != AF_INET6) return 0;
  return (type == SOCK_STREAM && (protocol == 0 || protocol == IPPROTO_TCP)) ||
         (type == SOCK_DGRAM && (protocol == 0 || protocol == IPPROTO_UDP));
}

/* Everything beside the allow list must be refused before the kernel looks for a family (and loads its module). */
static void socket_sweep(char **arguments) {
  (void)arguments;
  static const int protocols[] = {0, 1, 2, 6, 9, 12, 15, 16, 17, 33, 58, 132, 136, 255, 256, 262};
  for (int family = 0; family < 64; family++)
    for (int type = 1; type <= 10; type++)
      for (size_t i = 0; i < sizeof protocols / sizeof *protocols; i++) {
        if (is_permitted(family, type, protocols[i])) continue;
        if (socket(family, type | BAD_FLAG, protocols[i]) < 0 && errno == EINVAL)
          allowed("the kernel was asked for socket(%d, %d, %d)", family, type, protocols[i]);
        const int fd = socket(family, type, protocols[i]);
        if (fd >= 0) allowed("socket(%d, %d, %d)", family, type, protocols[i]);
      }
  denied(EPERM, "everything but the allow list");
}

static void permitted_sockets(char **arguments) {
  (void)arguments;
  static const int wanted[][3] = {{AF_INET, SOCK_STREAM, 0},     {AF_INET, SOCK_DGRAM, IPPROTO_UDP},
                                  {AF_INET6, SOCK_STREAM, 6},    {AF_INET6, SOCK_DGRAM, 0},
                                  {AF_NETLINK, SOCK_RAW, 0},     {AF_NETLINK, SOCK_DGRAM, 0},
                                  {AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0}};
  for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
    if (socket(wanted[i][0], wanted[i][1], wanted[i][2]) < 0)
      denied(errno, "socket(%d, %d, %d)", wanted[i][0], wanted[i][1], wanted[i][2]);
  int pair[2];
  verdict(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), "what getaddrinfo and asyncio need");
}

static void pair_of(char **arguments) {
  int pair[2];
  const int family = (int)number(need(arguments, 0)), type = (int)number(need(arguments, 1));
  if (socketpair(family, type | BAD_FLAG, 0, pair) < 0 && errno == EINVAL) allowed("the kernel was asked");
  verdict(socketpair(family, type, 0, pair), "socketpair");
}

/* ---- unix sockets of daemons */

static socklen_t unix_address(struct sockaddr_un *address, const char *name) {
  memset(address, 0, sizeof *address);
  address->sun_family = AF_UNIX;
  snprintf(address->sun_path, sizeof address->sun_path, "%s", name);
  const size_t length = strlen(address->sun_path);
  if (*name != '@') return sizeof *address;
  address->sun_path[0] = 0;
  return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
}

static int type_of(const char *name) {
  if (strcmp(name, "stream") == 0) return SOCK_STREAM;
  if (strcmp(name, "dgram") == 0) return SOCK_DGRAM;
  if (strcmp(name, "seqpacket") == 0) return SOCK_SEQPACKET;
  broken("no such type: %s", name);
}

static void unix_connect(char **arguments) {
  struct sockaddr_un address;
  const socklen_t length = unix_address(&address, need(arguments, 1));
  const int fd = socket(AF_UNIX, type_of(need(arguments, 0)), 0);
  if (fd < 0) denied(errno, "socket");
  verdict(connect(fd, (struct sockaddr *)&address, length), arguments[1]);
}

/* A datagram needs no connection: sendto and sendmsg name the peer themselves, from a socketpair if need be. */
static void unix_send(char **arguments) {
  struct sockaddr_un address;
  const socklen_t length = unix_address(&address, need(arguments, 0));
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) != 0) denied(errno, "socketpair");
  verdict(sendto(pair[0], "x", 1, 0, (struct sockaddr *)&address, length), arguments[0]);
}

static void unix_send_message(char **arguments) {
  struct sockaddr_un address;
  struct iovec piece = {"x", 1};
  struct mmsghdr message = {.msg_hdr = {.msg_name = &address,
                                        .msg_namelen = unix_address(&address, need(arguments, 0)),
                                        .msg_iov = &piece,
                                        .msg_iovlen = 1}};
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) != 0) denied(errno, "socketpair");
  verdict(sendmmsg(pair[0], &message, 1, 0), arguments[0]);
}

/* One end of a socketpair is dissolved by AF_UNSPEC and connected anew: no socket() was called. */
static void unix_reconnect(char **arguments) {
  struct sockaddr_un address;
  const socklen_t length = unix_address(&address, need(arguments, 0));
  const struct sockaddr nobody = {.sa_family = AF_UNSPEC};
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) != 0) denied(errno, "socketpair");
  if (connect(pair[0], &nobody, sizeof nobody) != 0) denied(errno, "disconnect");
  verdict(connect(pair[0], (struct sockaddr *)&address, length), arguments[0]);
}

static struct sockaddr_in loopback(const char *port) {
  return (struct sockaddr_in){.sin_family = AF_INET,
                              .sin_port = htons((uint16_t)number(port)),
                              .sin_addr = {htonl(INADDR_LOOPBACK)}};
}

/* ---- a granted socket as the way to another: the address changes between the look and the use */

static union {
  struct sockaddr any;
  struct sockaddr_un path;
  struct sockaddr_in inet;
} flipping;
static char flip_from[sizeof flipping], flip_to[sizeof flipping];
static volatile int flip_done;

static void linger(void) {
  for (int i = 0; i < 500; i++) __asm__ volatile("" ::: "memory"); /* and it is really written */
}

static void *flip(void *unused) {
  (void)unused;
  while (!flip_done) {
    memcpy(&flipping, flip_to, sizeof flipping);
    linger();
    memcpy(&flipping, flip_from, sizeof flipping);
    linger();
  }
  return NULL;
}

static int is_connected_to(int fd, const char *path) {
  struct sockaddr_un peer = {0};
  socklen_t length = sizeof peer;
  return getpeername(fd, (struct sockaddr *)&peer, &length) == 0 && strcmp(peer.sun_path, path) == 0;
}

/* FROM is a path, or a port of the own loopback: what may be connected to. */
static void unix_flip(char **arguments) {
  const char *from = need(arguments, 0), *to = need(arguments, 1);
  const long tries = number(need(arguments, 2));
  unix_address((struct sockaddr_un *)flip_to, to);
  if (*from == '/') unix_address((struct sockaddr_un *)flip_from, from);
  else *(struct sockaddr_in *)flip_from = loopback(from);
  memcpy(&flipping, flip_from, sizeof flip_from);
  pthread_t thread;
  const int error = pthread_create(&thread, NULL, flip, NULL);
  if (error) broken("pthread_create: %s", strerror(error));
  for (long i = 0; i < tries; i++) {
    const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (fd < 0) denied(errno, "socket");
    (void)!connect(fd, &flipping.any, sizeof flipping.path);
    if (is_connected_to(fd, to)) allowed("%s", to);
    close(fd);
  }
  flip_done = 1;
  pthread_join(thread, NULL);
  denied(EACCES, "%ld tries", tries);
}

/* Whatever a link of its own makes of the name. */
static void unix_link(char **arguments) {
  struct sockaddr_un address;
  const char *to = need(arguments, 0), *link = need(arguments, 1);
  const socklen_t length = unix_address(&address, link);
  unlink(link);
  if (symlink(to, link) != 0) denied(errno, "symlink");
  const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  if (fd < 0) denied(errno, "socket");
  verdict(connect(fd, (struct sockaddr *)&address, length), link);
}

/* A server and a client of its own, as multiprocessing has them. */
static void unix_own(char **arguments) {
  struct sockaddr_un address;
  const socklen_t length = unix_address(&address, need(arguments, 0));
  const int server = socket(AF_UNIX, SOCK_STREAM, 0), client = socket(AF_UNIX, SOCK_STREAM, 0);
  if (server < 0 || client < 0) denied(errno, "socket");
  if (bind(server, (struct sockaddr *)&address, length) != 0 || listen(server, 1) != 0) denied(errno, "listen");
  verdict(connect(client, (struct sockaddr *)&address, length), arguments[0]);
}

/* Connects, says so by a file, and connects again when another is there. */
static void unix_again(char **arguments) {
  struct sockaddr_un address;
  const socklen_t length = unix_address(&address, need(arguments, 0));
  const int first = socket(AF_UNIX, SOCK_STREAM, 0), second = socket(AF_UNIX, SOCK_STREAM, 0);
  if (connect(first, (struct sockaddr *)&address, length) != 0) denied(errno, "the first time");
  close(open(need(arguments, 1), O_WRONLY | O_CREAT, 0666));
  if (wait_for(need(arguments, 2)) != 0) broken("nobody made %s", arguments[2]);
  verdict(connect(second, (struct sockaddr *)&address, length), "the second time");
}

/* Four crowds of so many processes, one after the other killed while they wait in the queue of a server that does not
 * answer; then one more asks. */
static void unix_crowd(char **arguments) {
  struct sockaddr_un address;
  const socklen_t length = unix_address(&address, need(arguments, 0));
  const long crowd = number(need(arguments, 1));
  pid_t children[128];
  if (crowd > 128) broken("too many");
  for (int turn = 0; turn < 4; turn++) {
    for (long i = 0; i < crowd; i++)
      if ((children[i] = fork()) == 0) {
        const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
        const int failed = connect(fd, (struct sockaddr *)&address, length) != 0 && errno == EAGAIN;
        if (failed) _exit(1);
        for (;;) pause();
      }
    sleep(1);
    int refused = 0;
    for (long i = 0; i < crowd; i++) {
      int status;
      kill(children[i], SIGKILL);
      waitpid(children[i], &status, 0);
      refused += WIFEXITED(status);
    }
    if (refused) denied(EAGAIN, "%d of them", refused);
    sleep(2); /* whoever waits for them looks twice a second */
  }
  allowed("they never were too many");
}

/* Fills the queue of a server that does not answer, and waits in it. */
static void unix_wait(char **arguments) {
  struct sockaddr_un address;
  const socklen_t length = unix_address(&address, need(arguments, 0));
  for (int i = 0; i < 100; i++) {
    const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, length) != 0) denied(errno, "%d", i);
  }
  allowed("nobody keeps a queue");
}

/* ---- the host's loopback */

static void receive_greeting(int fd) __attribute__((noreturn));
static void receive_greeting(int fd) {
  const struct timeval second = {1, 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof second);
  give_away(fd);
}

static void tcp_connect(char **arguments) {
  const struct sockaddr_in where = loopback(need(arguments, 0));
  const int protocol = arguments[1] ? (int)number(arguments[1]) : 0;
  const int fd = socket(AF_INET, SOCK_STREAM, protocol);
  if (fd < 0) denied(errno, "socket");
  if (connect(fd, (const struct sockaddr *)&where, sizeof where) != 0) denied(errno, "connect");
  receive_greeting(fd);
}

/* The IPv4 address in IPv6 clothes. */
static void tcp6_connect(char **arguments) {
  struct sockaddr_in6 where = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)number(need(arguments, 0)))};
  where.sin6_addr.s6_addr[10] = where.sin6_addr.s6_addr[11] = 0xff;
  where.sin6_addr.s6_addr[12] = 127;
  where.sin6_addr.s6_addr[15] = 1;
  const int fd = socket(AF_INET6, SOCK_STREAM, 0);
  if (fd < 0) denied(errno, "socket");
  if (connect(fd, (const struct sockaddr *)&where, sizeof where) != 0) denied(errno, "connect");
  receive_greeting(fd);
}

/* Connects by sending: no connect() is seen by anybody. */
static void tcp_fast_open(char **arguments) {
  const struct sockaddr_in where = loopback(need(arguments, 0));
  const char *call = need(arguments, 1);
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (fd < 0) denied(errno, "socket");
  struct iovec piece = {"x", 1};
  struct mmsghdr message = {
      .msg_hdr = {.msg_name = (void *)&where, .msg_namelen = sizeof where, .msg_iov = &piece, .msg_iovlen = 1}};
  long sent = -1;
  errno = EINVAL;
  if (strcmp(call, "sendto") == 0)
    sent = sendto(fd, "x", 1, MSG_FASTOPEN, (const struct sockaddr *)&where, sizeof where);
  if (strcmp(call, "sendmsg") == 0) sent = sendmsg(fd, &message.msg_hdr, MSG_FASTOPEN);
  if (strcmp(call, "sendmmsg") == 0) sent = sendmmsg(fd, &message, 1, MSG_FASTOPEN);
  if (sent < 0) denied(errno, "%s", call);
  receive_greeting(fd);
}

static void udp_send(char **arguments) {
  const struct sockaddr_in where = loopback(need(arguments, 0));
  const int fd = socket(AF_INET, SOCK_DGRAM, 0);
  if (fd < 0) denied(errno, "socket");
  verdict(sendto(fd, "leak", 4, 0, (const struct sockaddr *)&where, sizeof where), "the host must look");
}

/* The jail's own loopback is free. */
static void own_loopback(char **arguments) {
  (void)arguments;
  const int server = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in where = loopback("0");
  socklen_t length = sizeof where;
  if (bind(server, (struct sockaddr *)&where, length) != 0 || listen(server, 1) != 0) denied(errno, "listen");
  getsockname(server, (struct sockaddr *)&where, &length);
  verdict(connect(client, (struct sockaddr *)&where, length), "its own loopback");
}

const struct attack socket_attacks[] = {
    {"socket", "FAMILY TYPE PROTOCOL", make_socket},
    {"socket-sweep", ": gets to a family that is not permitted", socket_sweep},
    {"permitted-sockets", ": all that must work do", permitted_sockets},
    {"socketpair", "FAMILY TYPE", pair_of},
    {"unix-connect", "stream|dgram|seqpacket PATH|@NAME", unix_connect},
    {"unix-sendto", "PATH|@NAME", unix_send},
    {"unix-sendmmsg", "PATH|@NAME", unix_send_message},
    {"unix-reconnect", "PATH|@NAME: one end of a socketpair connected anew", unix_reconnect},
    {"unix-flip", "FROM PATH TRIES: gets to PATH by an address that is FROM half of the time", unix_flip},
    {"unix-link", "PATH LINK: through a link to it", unix_link},
    {"unix-own", "PATH: connects to itself", unix_own},
    {"unix-again", "PATH READY GO: twice, with the files between", unix_again},
    {"unix-crowd", "PATH COUNT: all of them wait", unix_crowd},
    {"unix-wait", "PATH: until somebody answers", unix_wait},
    {"tcp", "PORT [PROTOCOL]: the host's loopback", tcp_connect},
    {"tcp6", "PORT: the same as ::ffff:127.0.0.1", tcp6_connect},
    {"tcp-fastopen", "PORT sendto|sendmsg|sendmmsg", tcp_fast_open},
    {"udp", "PORT: the host decides", udp_send},
    {"own-loopback", ": connects to itself", own_loopback},
    {NULL, NULL, NULL},
};
