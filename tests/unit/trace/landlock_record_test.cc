// What the kernel's audit says of Landlock, word for word as kernels 6.18 and 7.2 have said it, and as a hostile one
// would: nothing that a plugin names may look like a member of a record.
#include "trace/landlock_record.h"

#include <gtest/gtest.h>

#include <random>

#include "trace/landlock_domain.h"

namespace jail::trace {
namespace {

using namespace std::string_literals;

constexpr std::string_view kBegin = "audit(1763733594.105:41): ";

LandlockRecord access_of(const std::string& members) {
  return parse_landlock_record(kAuditLandlockAccess, std::string(kBegin) + members);
}

DomainDenial denial_of(const std::string& members) {
  const LandlockRecord record = access_of("domain=1f4bc6d62 " + members);
  EXPECT_TRUE(std::holds_alternative<DomainDenial>(record)) << members;
  const auto* denial = std::get_if<DomainDenial>(&record);
  return denial == nullptr ? DomainDenial{} : *denial;
}

TEST(LandlockRecord, OfAFile) {
  const DomainDenial denial = denial_of(R"(blockers=fs.read_file path="/srv/no/f" dev="vda" ino=11102349)");
  EXPECT_EQ(denial.serial, 41U);
  EXPECT_EQ(denial.domain, 0x1f4bc6d62U);
  EXPECT_EQ(denial.blockers, std::vector<std::string>{"fs.read_file"});
  EXPECT_EQ(denial.path, "/srv/no/f");
}

TEST(LandlockRecord, OfADomain) {
  const LandlockRecord begun = parse_landlock_record(
      kAuditLandlockDomain,
      std::string(kBegin) +
          R"(domain=1f4bc6d62 status=allocated mode=enforcing pid=28608 uid=0 exe="/usr/bin/jail" comm="jail-0f")");
  EXPECT_EQ(std::get<DomainBegun>(begun).pid, 28608);
  EXPECT_EQ(std::get<DomainBegun>(begun).comm, "jail-0f");
  const LandlockRecord ended = parse_landlock_record(
      kAuditLandlockDomain, std::string(kBegin) + "domain=1f4bc6d62 status=deallocated denials=3");
  EXPECT_EQ(std::get<DomainEnded>(ended).denials, 3U);
}

TEST(LandlockRecord, OfTheCaller) {
  const LandlockRecord call = parse_landlock_record(
      kAuditSyscall, std::string(kBegin) +
                         "arch=c000003e syscall=257 success=no exit=-13 a0=ffffff9c items=0 ppid=1 pid=227 auid=42 "
                         "tty=(none) comm=\"p\" exe=\"/usr/bin/p\" subj=/usr/bin/p (enforce) key=(null)");
  EXPECT_EQ(std::get<AuditedCall>(call).pid, 227);
  EXPECT_EQ(std::get<AuditedCall>(call).number, 257U);
  EXPECT_EQ(std::get<AuditedCall>(call).serial, 41U);
}

TEST(LandlockRecord, HexadecimalIsHowTheKernelQuotes) {
  EXPECT_EQ(denial_of("blockers=fs.read_file path=2F61220A62 dev=\"vda\"").path, "/a\"\nb"s);
  EXPECT_EQ(denial_of("blockers=fs.read_file path=2F6120626C6F636B6572733D78").path, "/a blockers=x");
  EXPECT_EQ(denial_of("blockers=scope.abstract_unix_socket path=006163742D61").path, "\0act-a"s);
  EXPECT_EQ(denial_of("blockers=fs.read_file path=FF80").path, "\xff\x80");
  EXPECT_EQ(denial_of("blockers=fs.read_file path=" + "2F"s.append(8000, 'A')).path.size(), 4001U);
}

TEST(LandlockRecord, WhatIsNotOfTheFormIsNothing) {
  const std::string hostile[] = {
      "",
      "domain=",
      "domain=xyz blockers=fs.read_file",
      "domain=1f4bc6d62",                                            // nothing that denies
      "domain=1 domain=2 blockers=fs.read_file",                     // twice
      "domain=1 blockers=fs.read_file path=\"/a\" path=\"/b\"",      // twice
      "domain=1 blockers=fs.read_file path=\"/a",                    // cut off
      "domain=1 blockers=fs.read_file path=\"/a\"domain=2",          // no space
      "domain=\"1\" blockers=fs.read_file",                          // quoted number
      "domain=-1 blockers=fs.read_file",
      "domain=1ffffffffffffffff blockers=fs.read_file",              // 65 bits
      "domain=1 =2 blockers=fs.read_file",
      "domain=1 blo\"ckers=fs.read_file",
      "status=allocated pid=7 comm=\"x\"",
  };
  for (const std::string& members : hostile)
    EXPECT_TRUE(std::holds_alternative<std::monostate>(access_of(members))) << members;
  for (const char* text : {"", "audit(", "audit(1:x): domain=1 blockers=b", "audit(1.2:3) domain=1 blockers=b",
                           "udit(1.2:3): domain=1 blockers=b", "audit(12): domain=1 blockers=b"})
    EXPECT_TRUE(std::holds_alternative<std::monostate>(parse_landlock_record(kAuditLandlockAccess, text))) << text;
  EXPECT_TRUE(std::holds_alternative<std::monostate>(
      parse_landlock_record(1326, std::string(kBegin) + "domain=1 blockers=fs.read_file")));
}

TEST(LandlockRecord, OddHexadecimalIsNoName) {
  for (const char* path : {"2F6", "2G", "(null)", ""})
    EXPECT_EQ(denial_of("blockers=fs.read_file path="s + path).path, "") << path;
}

TEST(LandlockRecord, MembersAndBlockersAreBounded) {
  std::string members = "domain=1 blockers=fs.read_file";
  for (int i = 0; i < 100; ++i) members += " m" + std::to_string(i) + "=1";
  EXPECT_TRUE(std::holds_alternative<std::monostate>(access_of(members)));
  std::string blockers = "blockers=b";
  for (int i = 0; i < 100; ++i) blockers += ",b";
  EXPECT_EQ(denial_of(blockers).blockers.size(), 32U);
}

// Whatever bytes: no crash, and no member that was not there (run under ASan by the asan preset).
TEST(LandlockRecord, AnyBytes) {
  std::mt19937 random(7);
  const std::string sound =
      std::string(kBegin) + R"(domain=1f4bc6d62 blockers=fs.make_reg,fs.refer path="/a b" dev="vda" ino=1 opid=7)";
  for (int round = 0; round < 20'000; ++round) {
    std::string text = sound.substr(0, random() % (sound.size() + 1));
    for (unsigned changes = random() % 4; changes > 0 && !text.empty(); --changes)
      text[random() % text.size()] = static_cast<char>(random());
    for (const std::uint16_t type : {kAuditLandlockAccess, kAuditLandlockDomain, kAuditSyscall})
      (void)parse_landlock_record(type, text);
  }
}

struct Told {
  std::vector<event::Event> events;
  LandlockDomain domain{100, "jail-0f12ab", [this](const event::Event& event) { events.push_back(event); }};

  void add(std::uint16_t type, const std::string& members, int serial = 41) {
    domain.add(type, "audit(1763733594.105:" + std::to_string(serial) + "): " + members, 5);
  }
  void begin(const std::string& number, int pid, const std::string& comm) {
    add(kAuditLandlockDomain, "domain=" + number + " status=allocated mode=enforcing pid=" + std::to_string(pid) +
                                  " uid=0 exe=\"/usr/bin/jail\" comm=\"" + comm + "\"");
  }
};

TEST(LandlockDomain, IsThatOfTheBuilderByNumberAndName) {
  Told told;
  told.begin("a", 100, "other");       // who had the number before
  told.begin("b", 101, "jail-0f12ab");  // who has read the name somewhere
  EXPECT_FALSE(told.domain.is_known());
  told.begin("c", 100, "jail-0f12ab");
  told.begin("d", 100, "jail-0f12ab");  // who got the number afterwards
  for (const char* domain : {"a", "b", "d"})
    told.add(kAuditLandlockAccess, "domain="s + domain + " blockers=fs.read_file path=\"/forged\"");
  told.add(kAuditLandlockAccess, "domain=c blockers=fs.read_file path=\"/f\"");
  told.add(kAuditLandlockDomain, "domain=d status=deallocated denials=77");
  EXPECT_FALSE(told.domain.has_ended());
  told.add(kAuditLandlockDomain, "domain=c status=deallocated denials=3");
  told.domain.pass_on();
  ASSERT_EQ(told.events.size(), 1U);
  EXPECT_EQ(std::get<event::FileOpen>(told.events[0].body).named.path, "/f");
  EXPECT_EQ(told.domain.denials(), 2U) << "less the builder's own attempt";
}

TEST(LandlockDomain, TheCallerIsToldByAnotherRecord) {
  Told told;
  told.begin("c", 100, "jail-0f12ab");
  told.add(kAuditLandlockAccess, "domain=c blockers=scope.signal opid=1 ocomm=\"init\"", 50);
  told.add(kAuditSyscall, "arch=c000003e syscall=234 pid=9", 49);  // of somebody else's
  EXPECT_TRUE(told.events.empty());
  told.add(kAuditSyscall, "arch=c000003e syscall=234 pid=7", 50);
  ASSERT_EQ(told.events.size(), 1U);
  EXPECT_EQ(told.events[0].pid, 7);
  const auto& signal = std::get<event::PrivilegeAttempt>(told.events[0].body);
  EXPECT_EQ(signal.privilege, "signal");
  EXPECT_EQ(signal.number, 234U);
  EXPECT_EQ(signal.arguments, (event::Counts{{"pid", 1}}));
}

TEST(LandlockDomain, NobodyWaitsForACallerForEver) {
  Told told;
  told.begin("c", 100, "jail-0f12ab");
  for (std::size_t i = 0; i < LandlockDomain::kMostWaiting + 5; ++i)
    told.add(kAuditLandlockAccess, "domain=c blockers=fs.read_file path=\"/" + std::to_string(i) + "\"");
  EXPECT_EQ(told.events.size(), 5U);
  told.domain.pass_on(4);
  EXPECT_EQ(told.events.size(), 5U) << "not as old as that";
  told.domain.pass_on(5);
  EXPECT_EQ(told.events.size(), LandlockDomain::kMostWaiting + 5);
}

TEST(LandlockEvent, SaysWhatWasDenied) {
  const auto kind_of = [](std::vector<std::string> blockers) {
    const event::Event event = event_of({.blockers = std::move(blockers), .path = "/srv"});
    EXPECT_EQ(event.verdict->layer, "landlock");
    return std::string(event::kind_of(event.body)) + " " + std::to_string(event.verdict->error);
  };
  EXPECT_EQ(kind_of({"fs.read_file", "fs.write_file"}), "file.open 13");
  EXPECT_EQ(kind_of({"fs.make_dir"}), "file.create 13");
  EXPECT_EQ(kind_of({"fs.make_sym"}), "file.link 13");
  EXPECT_EQ(kind_of({"fs.remove_dir"}), "file.delete 13");
  EXPECT_EQ(kind_of({"fs.remove_file", "fs.make_reg"}), "file.rename 13");
  EXPECT_EQ(kind_of({"fs.refer"}), "file.rename 18");
  EXPECT_EQ(kind_of({"fs.resolve_unix"}), "net.connect 13");
  EXPECT_EQ(kind_of({"scope.signal"}), "privilege.attempt 1");
  EXPECT_EQ(kind_of({"fs.of_a_newer_kernel"}), "file.open 13");
}

}  // namespace
}  // namespace jail::trace
