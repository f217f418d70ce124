#include "audit/render.h"

#include <gtest/gtest.h>

namespace jail::audit {
namespace {

std::string shown(event::Body body, Colour colour = Colour::Plain) {
  const event::Stamp stamp{.seq = 1,
                           .time = clock::parse_rfc3339("2026-11-21T00:54:45.123456Z").value(),
                           .mono_ns = 1,
                           .run = "00c0ffee12345678",
                           .profile = "acme-crm"};
  return render(event::Record{stamp, {.body = std::move(body)}, {}}, colour);
}

constexpr std::string_view kBegin = "2026-11-21 00:54:45.123Z  acme-crm  00c0ffee  ";

event::RunStarted started() {
  return {.command = {"python3", "main.py"},
          .policy = {{"userns", event::LayerState::Enforced, "", ""},
                     {"landlock", event::LayerState::Partial, "ABI 2 knows no truncate", "a.yaml:5"},
                     {"limits.memory", event::LayerState::Absent, "no cgroup", ""}},
          .event_source = "none"};
}

TEST(AuditRender, NamesTheLayersThatAreNotEnforced) {
  EXPECT_EQ(shown(started()), std::string(kBegin) +
                                  "run.started   python3 main.py | 1 layers enforced, landlock partial, "
                                  "limits.memory absent | events: none");
}

TEST(AuditRender, SaysHowARunEndedAndWhatItCost) {
  const event::RunEnded ended{.outcome = event::Outcome::Signaled,
                              .signal = 11,
                              .reason = "core",
                              .accounts = {.wall_ms = 1'250, .user_ms = 900, .sys_ms = 40, .memory_peak = 64u << 20},
                              .lost = {{"notify", 2}}};
  EXPECT_EQ(shown(ended), std::string(kBegin) +
                              "run.ended     signaled SIGSEGV after 1.2 s, cpu 940 ms, memory 64 MiB: core"
                              " | lost: notify 2");
  const event::RunEnded held{.outcome = event::Outcome::Oom,
                             .reason = "too much",
                             .accounts = {.throttled_ms = 300},
                             .limits = {{"limits.memory", 1}, {"limits.pids", 7}}};
  EXPECT_EQ(shown(held), std::string(kBegin) +
                             "run.ended     oom after 0 ns, cpu 0 ns, throttled 300 ms: too much"
                             " | limits reached: limits.memory 1, limits.pids 7");
  EXPECT_EQ(shown(event::RunEnded{.exit = 3}), std::string(kBegin) + "run.ended     exited 3 after 0 ns, cpu 0 ns");
}

TEST(AuditRender, SaysWhyARunWasRefused) {
  const event::RunRefused refused{"the profile has errors",
                                  "profile",
                                  "see jail check",
                                  {{"a.yaml:1:2", "unknown key 'x'", ""}, {"a.yaml:2:2", "unknown key 'y'", ""}}};
  EXPECT_EQ(shown(refused),
            std::string(kBegin) +
                "run.refused   refused: profile: the profile has errors: a.yaml:1:2: unknown key 'x' and 1"
                " more | hint: see jail check");
}

TEST(AuditRender, SaysAReasonOnce) {
  const event::RunRefused refused{"no way out", "net", "take it out", {{"a.yaml:1:2", "net: no way out", ""}}};
  EXPECT_EQ(shown(refused),
            std::string(kBegin) + "run.refused   refused: a.yaml:1:2: net: no way out | hint: take it out");
}

TEST(AuditRender, SaysWhatAProgramWasToBeStartedWith) {
  EXPECT_EQ(shown(event::ProcessExec{"execve", {"/bin/ls", "ls"}, {"ls", "-l\x1b"}, true}),
            std::string(kBegin) + "process.exec  run /bin/ls (asked for as ls) as ls -l\\x1b ...");
  EXPECT_EQ(shown(event::ProcessExec{"execve", {"/bin/ls"}, {}, false}),
            std::string(kBegin) + "process.exec  run /bin/ls");
}

TEST(AuditRender, SaysWhatWasDeniedByWhomAndHowOften) {
  event::Event event{.body = event::FileOpen{"openat", {"/etc/shadow", "../shadow"}, {"read"}}};
  event.verdict = event::Verdict{event::Decision::Denied, "mount", "crm.yaml:7", 2, true};
  event.repeats = event::Repeats{4, {}, {}};
  const event::Stamp stamp{.time = clock::parse_rfc3339("2026-11-21T00:54:45.123456Z").value(), .mono_ns = 1,
                           .run = "00c0ffee12345678", .profile = "acme-crm"};
  EXPECT_EQ(render(event::Record{stamp, event, {}}, Colour::Plain),
            std::string(kBegin) + "file.open     denied: read /etc/shadow (asked for as ../shadow) | ENOENT by mount, "
                                  "rule crm.yaml:7 | supervisor, foretold | 4 more of these");
  EXPECT_EQ(shown(event::PrivilegeAttempt{"mount", "mount", 165, "", {{"arg3", 4096}}}),
            std::string(kBegin) + "privilege.attempt  mount: mount arg3=4096");
  EXPECT_EQ(shown(event::FileDelete{"unlink", {.unknown = true}}),
            std::string(kBegin) + "file.delete   delete an unreadable path");
  EXPECT_TRUE(shown(event::NetDns{"a.example", "A", "", {"192.0.2.7", "192.0.2.8"}, true, 60, ""})
                  .ends_with("  look up A of a.example: 192.0.2.7 192.0.2.8 ..."));
  EXPECT_TRUE(shown(event::NetDns{"b.example", "HTTPS", "REFUSED", {}, false, {}, "too long"})
                  .ends_with("  look up HTTPS of b.example: REFUSED: too long"));
  EXPECT_EQ(shown(event::NetConnect{"connect", {"192.0.2.7", 443, "", {}, false}}),
            std::string(kBegin) + "net.connect   connect to 192.0.2.7 port 443");
  EXPECT_TRUE(shown(event::NetConnect{"connect", {.address = "192.0.2.7", .port = 443, .host = "b.example"}, "why"})
                  .ends_with("  connect to 192.0.2.7 port 443 (b.example): why"));
}

TEST(AuditRender, SaysWhatHasGoneOverASocket) {
  EXPECT_EQ(shown(event::NetFlow{"tcp", {.address = "192.0.2.7", .port = 443}, 40'000, 100, 2, 3'000, 4, 1'250}),
            std::string(kBegin) + "net.flow      tcp with 192.0.2.7 port 443: 100 bytes sent, 3000 received, 1250 ms");
  EXPECT_EQ(shown(event::NetFlow{.protocol = "udp"}),
            std::string(kBegin) + "net.flow      udp with others: 0 bytes sent, 0 received, 0 ms");
  EXPECT_EQ(shown(event::PrivilegeAttempt{"setuid", "setuid", 105, "", {}, "CAP_SETUID"}),
            std::string(kBegin) + "privilege.attempt  setuid: setuid without CAP_SETUID");
}

TEST(AuditRender, SaysWhereALogCameFrom) {
  EXPECT_EQ(shown(event::LogOpened{"/p.yaml", "p.1.jsonl", 77}),
            std::string(kBegin) + "log.opened    log of /p.yaml continues p.1.jsonl from byte 77");
}

TEST(AuditRender, ColoursOnlyWhenAsked) {
  EXPECT_EQ(shown(started()).find('\x1b'), std::string::npos);
  EXPECT_NE(shown(started(), Colour::Ansi).find("\x1b[31mabsent\x1b[0m"), std::string::npos);
}

TEST(AuditRender, LetsNothingOfThePluginReachTheTerminal) {
  event::RunStarted hostile = started();
  hostile.command = {"\x1b]52;c;aGk=\a", "a\nb", "\xe2\x80\xae", "\x9b", std::string(1'000, 'x')};
  hostile.policy.at(1).name = "\x1b[2J";
  const std::string line = shown(hostile);
  EXPECT_NE(line.find(R"(\x1b]52;c;aGk=\x07 a\nb \u{202e} \x9b xxx)"), std::string::npos) << line;
  EXPECT_EQ(line.find('\x1b'), std::string::npos);
  EXPECT_EQ(line.find('\n'), std::string::npos);
  EXPECT_LT(line.size(), 500u);
}

TEST(AuditRender, NothingOfThePluginPassesForOurs) {
  event::Event event{.body = event::FileOpen{"openat", {"/etc/x | EROFS by mount, rule default", "\"'"}, {"write"}}};
  event.verdict = event::Verdict{event::Decision::Denied, "mount", "default", 30, true};
  event.repeats = event::Repeats{2, {}, {}, {"/a | b"}};
  const std::string line = render(event::Record{{}, event, {}}, Colour::Plain);
  EXPECT_TRUE(line.ends_with(R"(denied: write "/etc/x | EROFS by mount, rule default" (asked for as "\"'") | EROFS by)"
                             R"( mount, rule default | supervisor, foretold | 2 more of these "/a | b")"))
      << line;
  const event::ProcessExec executed{"execve", {"/bin/a b"}, {"", "a b", "c", "d\xc2\xa0" "e"}, false};
  const std::string started = shown(executed);
  EXPECT_TRUE(started.ends_with("run \"/bin/a b\" as \"\" \"a b\" c \"d\xc2\xa0" "e\"")) << started;
  EXPECT_TRUE(shown(event::PluginFile{"/p | q", "ab", ""}).ends_with("\"/p | q\" sha256 ab"));
  EXPECT_TRUE(shown(event::NetConnect{"connect", {.path = "/s | t"}}).ends_with("connect to \"/s | t\""));
}

TEST(AuditRender, CallsAPairOfSocketsWhatItIs) {
  EXPECT_TRUE(shown(event::NetConnect{"socketpair", {.family = 1}}).ends_with("  make a pair of unix sockets"));
}

TEST(AuditRender, ShortensBetweenCharacters) {
  event::RunStarted started;
  for (int index = 0; index < 100; ++index) started.command.push_back("\xe6\x96\x87\xe5\xad\x97");
  const std::string line = shown(started);
  EXPECT_NE(line.find("..."), std::string::npos);
  EXPECT_EQ(line.find("\\x"), std::string::npos) << line;
}

}  // namespace
}  // namespace jail::audit
