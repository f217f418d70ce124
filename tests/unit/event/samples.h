// Records to try things on: one of each kind with every member set, and ones of arbitrary bytes and sizes.
#pragma once

#include <random>
#include <string>
#include <vector>

#include "../base/arbitrary.h"
#include "event/event.h"

namespace jail::test {

inline event::Stamp stamp() {
  return {.seq = 7,
          .time = clock::parse_rfc3339("2026-11-21T00:54:45.123456Z").value(),
          .mono_ns = 1'234'567'890'123,
          .run = "00c0ffee00c0ffee",
          .profile = "acme-crm"};
}

inline event::RunStarted started() {
  return {.command = {"/usr/bin/python3", "main.py"},
          .profile_path = "/etc/jail/profiles/acme-crm.yaml",
          .profile_digest = std::string(64, 'a'),
          .plan_digest = std::string(64, 'b'),
          .user = {.uid = 1001, .gid = 1001, .groups = {27, 100}, .inside_uid = 1001, .inside_gid = 1001},
          .cgroup = "/user.slice/jail-1",
          .kernel = "6.18.0",
          .policy = {{"userns", event::LayerState::Enforced, "", "acme-crm.yaml:3"},
                     {"landlock", event::LayerState::Partial, "ABI 2 knows no truncate", "acme-crm.yaml:5"},
                     {"limits.memory", event::LayerState::Absent, "no cgroup", ""}},
          .event_source = "notify",
          .blind_spots = {"reads are not seen"},
          .passed = {"7: file, read, /srv/data"}};
}

inline event::RunEnded ended() {
  return {.outcome = event::Outcome::Signaled,
          .exit = {},
          .signal = 11,
          .reason = "segmentation fault",
          .accounts = {.wall_ms = 1'250,
                       .user_ms = 900,
                       .sys_ms = 40,
                       .throttled_ms = 120,
                       .memory_peak = 35'651'584,
                       .processes = 3,
                       .processes_peak = 2,
                       .blocks_read = 16,
                       .blocks_written = 8,
                       .bytes_read = 8'192,
                       .bytes_written = 4'096,
                       .bytes_sent = 512,
                       .bytes_received = 70'000},
          .limits = {{"limits.cpu", 4}},
          .events = {{"run.started", 1}, {"file.open", 12'000}},
          .counted = {{"file.open", 2'000}},
          .lost = {{"notify", 2}},
          .landlock = {{"logged", 3}, {"denied", 4}}};
}

inline event::RunRefused refused() {
  return {.reason = "landlock is not there",
          .layer = "landlock",
          .hint = "boot with lsm=landlock",
          .faults = {{"acme-crm.yaml:12:5", "unknown key 'raed'", "did you mean 'read'?"}}};
}

inline event::LogOpened opened() {
  return {
      .profile_path = "/etc/jail/profiles/acme-crm.yaml", .previous = "acme-crm.1.jsonl", .previous_offset = 1'048'500};
}

inline event::Named named() { return {.path = "/srv/data/report", .requested = "../report"}; }
inline event::Named reached() {
  return {.path = "/srv/data/report", .marks = {"deleted", "outside"}, .file = event::FileId{0xfe00, 4711, 31}};
}
inline event::Named unknown() { return {.unknown = true}; }
inline event::Peer peer() { return {.address = "2001:db8::1", .port = 443}; }

inline std::vector<event::Body> one_of_each() {
  return {started(),
          ended(),
          refused(),
          opened(),
          event::FileOpen{"openat", named(), {"read", "write", "create"}},
          event::FileOpen{"openat", unknown(), {"read"}},
          event::FileCreate{"mkdir", named(), "folder"},
          event::FileDelete{"unlink", named()},
          event::FileRename{"rename", named(), {.path = "/srv/data/old"}},
          event::FileLink{"symlink", named(), {.path = "target"}},
          event::FileMetadata{"fchmodat", named(), "mode"},
          event::ProcessExec{"execve", named(), {"ls", "-l\n", "\xff"}, false, ""},
          event::ProcessExec{"execve", named(), {}, false, std::string(64, 'c')},
          event::ProcessExec{"execve", reached(), {}, false, "", 4711},
          event::ProcessExit{.exit = 3},
          event::ProcessExit{.signal = 9},
          event::PluginFile{"/opt/crm/plugin.py", std::string(64, 'd'), ""},
          event::PluginFile{"/opt/crm/fifo.py", "", "a fifo"},
          event::NetConnect{"connect", peer()},
          event::NetConnect{"connect", {.path = "/run/docker.sock"}},
          event::NetConnect{"connect", {.address = "2001:db8::1", .port = 443, .host = "a.example"}, "two names"},
          event::NetListen{"bind", peer()},
          event::NetAccept{"accept4", peer()},
          event::NetSend{"sendto", {.family = 40, .unknown = true}},
          event::NetDns{"api.acme.example", "AAAA", "", {"2001:db8::1", "2001:db8::2"}, false, 300, ""},
          event::NetDns{"x\\000.example", "HTTPS", "NXDOMAIN", {}, false, std::nullopt, "asked too fast"},
          event::NetFlow{"tcp", peer(), 40'000, 100, 2, 3'000, 4, 1'250},
          event::NetFlow{"udp", {}, 0, 0, 0, 60, 1, 0},
          event::SyscallDenied{"socket", 41, "", {{"arg0", 16}, {"arg2", 9}}},
          event::SyscallDenied{"", 5, "i386", {}},
          event::PrivilegeAttempt{"namespace", "unshare", 272, "", {{"arg0", 0x10000000}}, ""},
          event::PrivilegeAttempt{"setuid", "setuid", 105, "", {}, "CAP_SETUID"},
          event::MonitorLost{7, "memory that could not be read"},
          event::MonitorChanged{"none", "out of memory"}};
}

inline event::Verdict verdict() {
  return {.decision = event::Decision::Denied,
          .layer = "mount",
          .rule = "acme-crm.yaml:12",
          .error = 30,
          .predicted = true};
}

inline event::Repeats repeats() {
  return {.count = 12, .first = stamp().time, .last = stamp().time + std::chrono::seconds(9)};
}

// Records whose every text is arbitrary bytes of at most `longest`, and whose lists have at most `items`.
class Arbitrary {
 public:
  Arbitrary(std::mt19937_64& random, std::size_t longest, std::size_t items)
      : random_(random), longest_(longest), items_(items) {}

  event::Body body() {
    switch (random_() % 8) {
      case 0: return started();
      case 1: return ended();
      case 2: return refused();
      case 3: return event::FileOpen{"openat", {text(), text()}, texts()};
      case 4: return event::FileRename{"rename", {text(), text()}, {text(), text()}};
      case 5: return event::NetConnect{"connect", {text(), 7, text(), 9, true, text()}, text()};
      case 6: return event::MonitorLost{random_(), text()};
      default: return event::LogOpened{text(), "x" + text(), random_()};
    }
  }

 private:
  std::string text() { return arbitrary_bytes(random_, longest_); }
  std::size_t size() { return random_() % (items_ + 1); }
  std::vector<std::string> texts() {
    std::vector<std::string> list(size());
    for (std::string& item : list) item = text();
    return list;
  }
  event::RunStarted started() {
    event::RunStarted record = test::started();
    record.command = texts();
    record.profile_path = text();
    record.cgroup = text();
    record.kernel = text();
    record.blind_spots = texts();
    record.passed = texts();
    for (event::Layer& layer : record.policy) layer.reason = text(), layer.asked_by = text();
    return record;
  }
  event::RunEnded ended() {
    event::RunEnded record = test::ended();
    record.outcome = static_cast<event::Outcome>(random_() % 8);
    record.reason = text();
    record.accounts.wall_ms = random_();
    return record;
  }
  event::RunRefused refused() {
    event::RunRefused record{text(), text(), text(), {}};
    record.faults.resize(size());
    for (event::Fault& fault : record.faults) fault = {text(), text(), text()};
    return record;
  }

  std::mt19937_64& random_;
  std::size_t longest_;
  std::size_t items_;
};

}  // namespace jail::test
