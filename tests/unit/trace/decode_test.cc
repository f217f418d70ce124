#include "trace/decode.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <cerrno>
#include <random>
#include <vector>

#include "bpf/events.h"

namespace jail::trace {
namespace {

using namespace std::string_literals;

std::vector<std::byte> record_of(jail_event head, const std::vector<std::string>& texts) {
  std::string all;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    head.text[i] = static_cast<std::uint16_t>(texts[i].size());
    all += texts[i];
  }
  all.insert(0, reinterpret_cast<const char*>(&head), sizeof head);
  const auto* bytes = reinterpret_cast<const std::byte*>(all.data());
  return {bytes, bytes + all.size()};
}

jail_event head_of(std::uint16_t kind, std::uint32_t call = 0) {
  jail_event head{};
  head.time_ns = 42;
  head.pid = 4711;
  head.jail_pid = 2;
  head.kind = kind;
  head.call = call;
  return head;
}

TEST(PathOfWalk, NamesUpToTheRoot) {
  EXPECT_EQ(path_of_walk("file\0deep\0srv\0"s), "/srv/deep/file");
  EXPECT_EQ(path_of_walk("srv\0"s), "/srv");
  EXPECT_EQ(path_of_walk(""), "/");
}

TEST(PathIn, ByItsText) {
  EXPECT_EQ(path_in("/srv", "file"), "/srv/file");
  EXPECT_EQ(path_in("/srv/deep", ".././x//y/"), "/srv/x/y");
  EXPECT_EQ(path_in("/srv", "/etc/../passwd"), "/passwd");
  EXPECT_EQ(path_in("/", "../.."), "/");
  EXPECT_EQ(path_in("/srv", ""), "/srv");
}

TEST(Decode, AnOpenedFile) {
  jail_event head = head_of(JAIL_OPEN, SYS_open);
  head.flags = JAIL_DELETED;
  head.place = {.inode = 7, .device = 254U << 20 | 1, .mount = 31, .flags = O_RDWR | O_CREAT, .unused = 0};
  const auto told = decode(record_of(head, {"file\0srv\0"s}));
  ASSERT_TRUE(told);
  EXPECT_EQ(std::get<event::FileOpen>(told->body),
            (event::FileOpen{"open",
                             {.path = "/srv/file", .marks = {"deleted"}, .file = event::FileId{0xfe01, 7, 31}},
                             {"read", "write", "create"}}));
  EXPECT_EQ(told->pid, 4711);
  EXPECT_EQ(told->jail_pid, 2);
  EXPECT_EQ(told->mono_ns, 42U);
  EXPECT_EQ(told->source, event::Source::Ebpf);
  EXPECT_EQ(told->verdict, event::Verdict{});
}

TEST(Decode, ACallThatFailed) {
  jail_event head = head_of(JAIL_FILE, SYS_renameat2);
  head.result = -ENOENT;
  const auto told = decode(record_of(head, {"cwd\0"s, "a", "", "/b/./c"}));
  ASSERT_TRUE(told);
  EXPECT_EQ(std::get<event::FileRename>(told->body),
            (event::FileRename{"renameat2",
                               {.path = "/cwd/a", .requested = "a"},
                               {.path = "/b/c", .requested = "/b/./c"}}));
  EXPECT_EQ(told->verdict, (event::Verdict{.decision = event::Decision::Failed, .error = ENOENT}));
}

TEST(Decode, AnUnreadableName) {
  jail_event head = head_of(JAIL_FILE, SYS_unlink);
  head.flags = JAIL_UNREADABLE;
  const auto told = decode(record_of(head, {"cwd\0"s}));
  ASSERT_TRUE(told);
  EXPECT_TRUE(std::get<event::FileDelete>(told->body).named.unknown);
}

TEST(Decode, AProgramAndItsArguments) {
  jail_event head = head_of(JAIL_EXEC);
  head.flags = JAIL_ARGUMENTS_CUT;
  const auto told = decode(record_of(head, {"true\0bin\0usr\0"s, "/bin/true", "/bin/true\0\0cut"s}));
  ASSERT_TRUE(told);
  const auto& exec = std::get<event::ProcessExec>(told->body);
  EXPECT_EQ(exec.named.path, "/usr/bin/true");
  EXPECT_EQ(exec.named.requested, "/bin/true");
  EXPECT_EQ(exec.argv, (std::vector<std::string>{"/bin/true", "", "cut"}));
  EXPECT_TRUE(exec.argv_cut);
}

TEST(Decode, HowAProcessEnded) {
  jail_event head = head_of(JAIL_EXIT);
  head.result = 3 << 8;
  EXPECT_EQ(std::get<event::ProcessExit>(decode(record_of(head, {}))->body), event::ProcessExit{.exit = 3});
  head.result = 11 | 0x80;  // with a core file
  EXPECT_EQ(std::get<event::ProcessExit>(decode(record_of(head, {}))->body), event::ProcessExit{.signal = 11});
}

TEST(Decode, AnAddress) {
  jail_event head = head_of(JAIL_SEND);
  head.address = {.family = AF_INET, .port = 53, .type = SOCK_DGRAM, .bytes = {192, 0, 2, 1}};
  EXPECT_EQ(std::get<event::NetSend>(decode(record_of(head, {}))->body),
            (event::NetSend{"sendto", {.address = "192.0.2.1", .port = 53}}));
}

TEST(Decode, WhatHasGoneOverASocket) {
  jail_event head = head_of(JAIL_FLOW, 40'000);
  head.address = {.family = AF_INET, .port = 443, .type = IPPROTO_TCP, .bytes = {192, 0, 2, 1}};
  head.time_ns = 5'000'000'000;
  const jail_traffic traffic{2'000'000'000, 100, 2, 3'000, 4};
  const std::string bytes(reinterpret_cast<const char*>(&traffic), sizeof traffic);
  const auto told = decode(record_of(head, {bytes}));
  ASSERT_TRUE(told);
  EXPECT_EQ(std::get<event::NetFlow>(told->body),
            (event::NetFlow{"tcp", {.address = "192.0.2.1", .port = 443}, 40'000, 100, 2, 3'000, 4, 3'000}));
  EXPECT_FALSE(told->verdict);
  head.address.type = IPPROTO_ICMP;
  EXPECT_EQ(std::get<event::NetFlow>(decode(record_of(head, {bytes}))->body).peer,
            (event::Peer{.address = "192.0.2.1"}));
  head.address = {.family = 0, .port = 0, .type = 132, .bytes = {}};
  EXPECT_EQ(std::get<event::NetFlow>(decode(record_of(head, {bytes}))->body).peer, event::Peer{});
  EXPECT_EQ(std::get<event::NetFlow>(decode(record_of(head, {bytes}))->body).protocol, "132");
  EXPECT_FALSE(decode(record_of(head, {bytes.substr(1)})));
}

TEST(Decode, TheNameOfAUnixSocket) {
  const jail_event head = head_of(JAIL_CONNECT_UNIX);
  const auto path = [&](const std::string& name) {
    return std::get<event::NetConnect>(decode(record_of(head, {name}))->body).peer.path;
  };
  EXPECT_EQ(path("/run/a.sock\0junk"s), "/run/a.sock");
  EXPECT_EQ(path("/run/a.sock"s), "/run/a.sock");
  EXPECT_EQ(path("\0a\0b"s), "@a\0b"s);
  EXPECT_EQ(path(""), "");
}

TEST(Decode, PowerThatWasNotGiven) {
  jail_event head = head_of(JAIL_POWER, SYS_setuid);
  head.result = 7;
  const auto told = decode(record_of(head, {}));
  ASSERT_TRUE(told);
  EXPECT_EQ(std::get<event::PrivilegeAttempt>(told->body),
            (event::PrivilegeAttempt{"setuid", "setuid", SYS_setuid, "", {}, "CAP_SETUID"}));
  EXPECT_EQ(told->verdict, (event::Verdict{event::Decision::Denied, "permission", "default", EPERM}));
  head.result = 63;
  EXPECT_EQ(std::get<event::PrivilegeAttempt>(decode(record_of(head, {}))->body).capability, "63");
  EXPECT_FALSE(decode(record_of(head_of(JAIL_POWER, SYS_read), {})));
}

// Whatever the bytes are, they are read within their bounds or refused.
TEST(Decode, AnyBytes) {
  std::minstd_rand random(1);
  for (int i = 0; i < 20'000; ++i) {
    std::vector<std::byte> bytes(random() % 200);
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(random() % 4 == 0 ? random() : 0);
    if (bytes.size() > offsetof(jail_event, kind))
      bytes[offsetof(jail_event, kind)] = static_cast<std::byte>(random() % (JAIL_POWER + 2));
    const auto told = decode(bytes);
    EXPECT_TRUE(!told || bytes.size() >= sizeof(jail_event));
  }
  EXPECT_FALSE(decode({}));
  jail_event head = head_of(JAIL_OPEN, SYS_open);
  head.text[0] = 1;
  EXPECT_FALSE(decode(std::as_bytes(std::span(&head, 1))));
}

}  // namespace
}  // namespace jail::trace
