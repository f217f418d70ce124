// Who asks for addresses to be opened, and who answers, played by the test: what reaches the kernel's wall, in a
// network of its own in which every address is local and has somebody who listens.
#include "run/wall_keeper.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <thread>

#include "base/clock.h"
#include "egress/doors.h"
#include "sys/nft.h"
#include "sys/route.h"
#include "sys/socket.h"

namespace jail::run {
namespace {

using egress::Address;
using egress::Opening;
using profile::Endpoint;
using profile::HostKind;

constexpr std::uint16_t kPort = 443;
constexpr int kNoNamespaces = 77;

Address at(const char* text) { return *egress::address_of(text, kPort); }

int error_of_connect(const Address& to) {
  const Fd socket(::socket(to.family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const egress::SocketAddress address = egress::to_socket(to);
  return ::connect(socket.get(), address.get(), address.size) == 0 ? 0 : errno;
}

Opening asking(std::uint32_t rule, const Address& address, std::uint64_t lookup = 1) {
  return {.lookup = lookup,
          .rule = rule,
          .ttl = 30,
          .family = static_cast<std::uint16_t>(address.family),
          .index = 0,
          .verdict = Opening::Verdict::Asked,
          .unused = 0,
          .address = address.bytes};
}

// Rule 0: a name, 1: a wildcard, 2: an address, 3: a network; all at kPort.
Plan plan_of_all() {
  profile::Network network;
  for (const auto& [kind, host] : {std::pair(HostKind::Name, "api.example.org"),
                                   std::pair(HostKind::Wildcard, "example.net"),
                                   std::pair(HostKind::Address, "203.0.113.1")})
    network.allow.push_back({.kind = kind, .host = host, .ports = {{kPort, kPort}}, .place = {}});
  network.allow.push_back(
      {.kind = HostKind::Prefix, .host = "fe00::", .prefix_length = 8, .ports = {{kPort, kPort}}, .place = {}});
  Plan plan;
  plan.egress = egress::plan(network);
  plan.wall = egress::ruleset_of(plan.egress);
  plan.ports_abroad = egress::ports_abroad(plan.egress);
  return plan;
}

class Scene {
 public:
  Scene() {
    sys::bring_up_loopback();
    sys::make_every_address_local();
    listening_.push_back(egress::open_listener({.family = AF_INET, .bytes = {}, .port = kPort}, egress::Side::Jail));
    listening_.push_back(egress::open_listener({.family = AF_INET6, .bytes = {}, .port = kPort}, egress::Side::Jail));
    egress::mark_as_doors(listening_);
    egress::WallSockets sockets = egress::open_wall_sockets();
    raised_ = sockets.refusals ? egress::raise_wall(sockets, *plan_.wall) : EPROTONOSUPPORT;
    keeper_ = WallKeeper(plan_, std::move(sockets), std::make_shared<Destinations>(plan_.egress));
    sys::SocketPair resolvers = sys::socket_pair();
    sys::SocketPair relays = sys::socket_pair();
    keeper_.stand_between(std::move(resolvers.ours), std::move(relays.ours),
                          egress::Policy(plan_.egress.rules, [](const Address&) { return false; }),
                          {{0, at("198.51.100.200")}, {0, at("127.0.0.1")}});
    resolver_ = std::move(resolvers.theirs);
    relay_ = std::move(relays.theirs);
  }

  [[nodiscard]] bool stands() const { return raised_ == 0; }
  [[nodiscard]] const std::vector<event::Event>& told() const { return told_; }

  void hear() {
    std::vector<pollfd> polled;
    keeper_.add_to(polled);
    ASSERT_GE(::poll(polled.data(), polled.size(), 0), 0);
    keeper_.handle(polled.data(), [this](const event::Event& event) { told_.push_back(event); });
  }

  void ask(const Opening& opening) { say(resolver_, opening); }
  void answer(const Opening& opening) { say(relay_, opening); }
  std::optional<Opening> asked() { return heard(relay_); }
  std::optional<Opening> answered() { return heard(resolver_); }

  bool is_heard_no_more() {
    char byte = 0;
    return ::recv(resolver_.get(), &byte, 1, MSG_DONTWAIT) == 0;
  }

  void say_bytes(std::size_t size) {
    const std::string bytes(size, 'x');
    EXPECT_EQ(::send(resolver_.get(), bytes.data(), size, MSG_NOSIGNAL), static_cast<ssize_t>(size));
    hear();
  }

 private:
  void say(const Fd& socket, const Opening& opening) {
    EXPECT_EQ(::send(socket.get(), &opening, sizeof opening, MSG_NOSIGNAL), static_cast<ssize_t>(sizeof opening));
    hear();
  }

  static std::optional<Opening> heard(const Fd& socket) {
    Opening opening;
    const ssize_t size = ::recv(socket.get(), &opening, sizeof opening, MSG_DONTWAIT);
    return size == sizeof opening ? std::optional(opening) : std::nullopt;
  }

  Plan plan_ = plan_of_all();
  WallKeeper keeper_;
  std::vector<Fd> listening_;
  std::vector<event::Event> told_;
  Fd resolver_;
  Fd relay_;
  int raised_ = 0;
};

// In a process and a network of its own.
template <typename Body>
void inside(Body body) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (::unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) ::_exit(kNoNamespaces);
    Scene scene;
    if (!scene.stands()) ::_exit(kNoNamespaces);
    body(scene);
    ::_exit(testing::Test::HasFailure() ? 1 : 0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  if (WIFEXITED(status) && WEXITSTATUS(status) == kNoNamespaces) GTEST_SKIP() << "no namespaces, or no nf_tables";
  EXPECT_EQ(status, 0) << "what has failed is said above";
}

TEST(WallKeeper, OpensWhatBothSay) {
  inside([](Scene& scene) {
    for (const char* text : {"198.51.100.7", "2001:db8::7"}) {
      EXPECT_EQ(error_of_connect(at(text)), ECONNREFUSED) << text;
      scene.ask(asking(0, at(text)));
      std::optional<Opening> asked = scene.asked();
      ASSERT_TRUE(asked);
      EXPECT_FALSE(scene.answered()) << "before the relay has answered";
      EXPECT_EQ(error_of_connect(at(text)), ECONNREFUSED);
      asked->verdict = Opening::Verdict::Opened;
      scene.answer(*asked);
      const std::optional<Opening> answered = scene.answered();
      ASSERT_TRUE(answered);
      EXPECT_EQ(answered->verdict, Opening::Verdict::Opened);
      EXPECT_EQ(error_of_connect(at(text)), 0) << text;
    }
    EXPECT_EQ(error_of_connect(at("198.51.100.8")), ECONNREFUSED);
    EXPECT_EQ(error_of_connect(at("203.0.113.1")), 0) << "by its own line";
  });
}

TEST(WallKeeper, OpensWhatIsListedButNoPortsOfALoopbackAddress) {
  inside([](Scene& scene) {
    EXPECT_EQ(error_of_connect(at("198.51.100.200")), 0);
    EXPECT_EQ(error_of_connect(at("127.0.0.1")), ECONNREFUSED);
    scene.hear();
    EXPECT_EQ(scene.told().size(), 1U) << "the refused one";
  });
}

TEST(WallKeeper, RenewsAnAddress) {
  inside([](Scene& scene) {
    for (const std::uint32_t ttl : {30U, 20U, 86'400U, 4'000'000'000U}) {
      Opening opening = asking(0, at("198.51.100.7"));
      opening.ttl = ttl;
      scene.ask(opening);
      (void)scene.asked();
      opening.verdict = Opening::Verdict::Opened;
      scene.answer(opening);
      ASSERT_TRUE(scene.answered());
      EXPECT_EQ(error_of_connect(at("198.51.100.7")), 0) << ttl;
    }
  });
}

TEST(WallKeeper, OpensNothingThatTheRelayRefuses) {
  inside([](Scene& scene) {
    Opening opening = asking(1, at("198.51.100.7"));
    scene.ask(opening);
    opening.verdict = Opening::Verdict::Refused;
    scene.answer(opening);
    EXPECT_EQ(scene.answered()->verdict, Opening::Verdict::Refused);
    EXPECT_EQ(error_of_connect(at("198.51.100.7")), ECONNREFUSED);
  });
}

TEST(WallKeeper, OpensNothingThatTheRelayWasNotAsked) {
  inside([](Scene& scene) {
    Opening opening = asking(1, at("198.51.100.7"));
    scene.ask(opening);
    opening.verdict = Opening::Verdict::Opened;
    for (const char* other : {"198.51.100.8", "0.0.0.0", "127.0.0.1"}) {
      Opening forged = opening;
      forged.address = at(other).bytes;
      scene.answer(forged);
      EXPECT_FALSE(scene.answered());
      EXPECT_EQ(error_of_connect(at(other)), ECONNREFUSED) << other;
    }
    scene.answer(opening);
    ASSERT_TRUE(scene.answered());
    scene.answer(opening);
    EXPECT_FALSE(scene.answered()) << "it was answered before";
  });
}

// What a resolver whose parser was taken over would ask for.
TEST(WallKeeper, HearsAForgerNoMore) {
  const std::pair<std::uint32_t, const char*> forged[] = {
      {2, "198.51.100.7"}, {3, "198.51.100.7"}, {~0U, "198.51.100.7"}, {0, "127.0.0.1"}, {0, "0.0.0.0"},
      {0, "169.254.169.254"}, {1, "10.0.0.1"}, {0, "::1"}, {0, "ff02::1"}, {0, "64:ff9b::7f00:1"}};
  for (const auto& [rule, address] : forged)
    inside([&, rule = rule, address = address](Scene& scene) {
      scene.ask(asking(rule, at(address)));
      EXPECT_FALSE(scene.asked()) << "the relay is not even asked";
      EXPECT_EQ(scene.answered()->verdict, Opening::Verdict::Refused);
      EXPECT_TRUE(scene.is_heard_no_more());
      EXPECT_NE(error_of_connect(at(address)), 0) << address;
      const auto is_change = [](const event::Event& event) {
        return std::holds_alternative<event::MonitorChanged>(event.body);
      };
      EXPECT_EQ(std::ranges::count_if(scene.told(), is_change), 1) << address;
    });
}

// Whoever has the zone of a permitted name may let it point there.
TEST(WallKeeper, RefusesWhatANetworkLeavesOutAndHearsOn) {
  inside([](Scene& scene) {
    for (int i = 0; i < 2; ++i) {
      scene.ask(asking(0, at("fe80::1")));
      EXPECT_FALSE(scene.asked());
      ASSERT_TRUE(scene.answered());
      EXPECT_FALSE(scene.is_heard_no_more());
    }
    EXPECT_TRUE(scene.told().empty());
  });
}

TEST(WallKeeper, HearsNoRecordOfAnotherSize) {
  for (const std::size_t size : {std::size_t{1}, sizeof(Opening) - 1, sizeof(Opening) + 1, std::size_t{4096}})
    inside([size](Scene& scene) {
      scene.say_bytes(size);
      EXPECT_FALSE(scene.asked());
      EXPECT_TRUE(scene.is_heard_no_more()) << size;
    });
}

// By the kernel's own clock.
TEST(WallKeeper, AnElementPasses) {
  inside([](Scene&) {
    const Address to = at("198.51.100.9");
    const Fd socket = sys::nft::open_socket();
    const std::string key = std::string(to.bytes.begin(), to.bytes.begin() + 4) + std::string("\6\0\0\0\1\xbb\0\0", 8);
    const sys::nft::Element element{.key = key, .timeout_ms = 200};
    sys::nft::Batch batch(egress::Ruleset::kTable);
    batch.add_elements("names4", std::span(&element, 1));
    EXPECT_EQ(error_of_connect(to), ECONNREFUSED);
    ASSERT_EQ(sys::nft::commit(socket, std::move(batch)), 0);
    EXPECT_EQ(error_of_connect(to), 0);
    for (int tries = 0; tries < 3000 && error_of_connect(to) == 0; ++tries)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    EXPECT_EQ(error_of_connect(to), ECONNREFUSED);
  });
}

}  // namespace
}  // namespace jail::run
