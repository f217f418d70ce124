#include <gtest/gtest.h>

#include "egress/upstreams.h"

namespace jail::egress {
namespace {

std::vector<std::string> texts(const std::vector<Address>& addresses) {
  std::vector<std::string> list;
  for (const Address& address : addresses) list.push_back(text_of(address) + " " + std::to_string(address.port));
  return list;
}

TEST(ResolvConf, NamesAtMostThreeServers) {
  EXPECT_EQ(texts(servers_in("# comment\nsearch x\n nameserver\t192.0.2.1 \nnameserver 2001:db8::1;x\n"
                             "nameserver fe80::1%eth0\nnameserver nonsense\nnameservers 192.0.2.2\n"
                             "nameserver 192.0.2.3\nnameserver 192.0.2.4")),
            (std::vector<std::string>{"192.0.2.1 53", "2001:db8::1 53", "192.0.2.3 53"}));
}

TEST(ResolvConf, WithoutOneMeansThisHost) {
  for (const char* text : {"", "\n\n", "nameserver\n", "options edns0"})
    EXPECT_EQ(texts(servers_in(text)), std::vector<std::string>{"127.0.0.1 53"}) << text;
}

profile::Endpoint endpoint(profile::HostKind kind, const char* host) {
  profile::Endpoint endpoint;
  endpoint.kind = kind;
  endpoint.host = host;
  return endpoint;
}

TEST(SettingsOfNames, HaveTheDomainsThatPermittedNamesLieBelowAndNoOther) {
  const std::vector<profile::Endpoint> allow = {endpoint(profile::HostKind::Name, "db.corp.example"),
                                                endpoint(profile::HostKind::Wildcard, "acme.example"),
                                                endpoint(profile::HostKind::Address, "192.0.2.1")};
  const auto settings = [&](const char* text) { return settings_of_names(searched_in(text, allow)); };
  EXPECT_EQ(settings("nameserver 9.9.9.9\nsearch Corp.Example. secret.example acme.example eu.acme.example example\n"),
            "nameserver 127.0.0.1\nsearch corp.example acme.example eu.acme.example example\n");
  EXPECT_EQ(settings("search corp.example\ndomain other.example\n"), "nameserver 127.0.0.1\n");
  EXPECT_EQ(settings("search db.corp.example orp.example"), "nameserver 127.0.0.1\n");
  EXPECT_EQ(settings("search acme.example example example example example example example"),
            "nameserver 127.0.0.1\nsearch acme.example example example example example example\n");
  EXPECT_EQ(settings(""), "nameserver 127.0.0.1\n");
}

TEST(Hosts, ArePermittedNamesOnly) {
  profile::Network network;
  network.allow.resize(1);
  network.allow[0].kind = profile::HostKind::Wildcard;
  network.allow[0].host = "example";
  const auto hosts = hosts_in("127.0.0.1 localhost\r\n192.0.2.1\tA.Example. b.example # c.example\r\n"
                              "2001:db8::1 a.example\nnonsense d.example\n192.0.2.2 other.test",
                              Names(network.allow));
  ASSERT_EQ(hosts.size(), 2U);
  EXPECT_EQ(texts(hosts.at("a.example")), (std::vector<std::string>{"192.0.2.1 0", "2001:db8::1 0"}));
  EXPECT_EQ(texts(hosts.at("b.example")), std::vector<std::string>{"192.0.2.1 0"});
}

TEST(Hosts, AreBounded) {
  profile::Network network;
  network.allow.resize(1);
  network.allow[0].kind = profile::HostKind::Wildcard;
  network.allow[0].host = "example";
  std::string text;
  for (std::size_t i = 0; i < kMostHosts + 10; ++i) text += "192.0.2.1 n" + std::to_string(i) + ".example\n";
  EXPECT_EQ(hosts_in(text, Names(network.allow)).size(), kMostHosts);
}

}  // namespace
}  // namespace jail::egress
