#include "profile/endpoint.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>

namespace jail::profile {
namespace {

std::string read(std::string_view text) {
  const EndpointReading reading = parse_endpoint(text);
  return reading.problem.empty() ? to_string(reading.endpoint) : "refused";
}

std::string read_as_url(std::string_view text) {
  const EndpointReading reading = parse_url(text);
  return reading.problem.empty() ? to_string(reading.endpoint) : "refused";
}

TEST(Endpoint, ReadsEachKindOfHost) {
  const Endpoint name = parse_endpoint("tcp://API.acme.example:443").endpoint;
  EXPECT_EQ(name.kind, HostKind::Name);
  EXPECT_EQ(name.host, "api.acme.example");
  EXPECT_EQ(name.protocol, Protocol::Tcp);
  const Endpoint wildcard = parse_endpoint("tcp://*.pypi.example:443").endpoint;
  EXPECT_EQ(wildcard.kind, HostKind::Wildcard);
  EXPECT_EQ(wildcard.host, "pypi.example");
  const Endpoint address = parse_endpoint("udp://[2001:DB8:0:0::1]:53").endpoint;
  EXPECT_EQ(address.kind, HostKind::Address);
  EXPECT_EQ(address.host, "2001:db8::1");
  EXPECT_EQ(address.protocol, Protocol::Udp);
  const Endpoint prefix = parse_endpoint("udp://10.0.0.0/8:53,123").endpoint;
  EXPECT_EQ(prefix.kind, HostKind::Prefix);
  EXPECT_EQ(prefix.host, "10.0.0.0");
  EXPECT_EQ(prefix.prefix_length, 8);
  EXPECT_EQ(parse_endpoint("tcp://[2001:db8::]/32:443").endpoint.prefix_length, 32);
}

TEST(Endpoint, ReadsPortsListsAndRanges) {
  EXPECT_EQ(parse_endpoint("tcp://a:443").endpoint.ports, (std::vector<PortRange>{{443, 443}}));
  EXPECT_EQ(parse_endpoint("tcp://a:80,443,8000-8100").endpoint.ports,
            (std::vector<PortRange>{{80, 80}, {443, 443}, {8000, 8100}}));
  EXPECT_EQ(parse_endpoint("tcp://a:1-65535").endpoint.ports, (std::vector<PortRange>{{1, 65535}}));
  EXPECT_EQ(parse_endpoint("tcp://a:*").problem, "");
  EXPECT_TRUE(parse_endpoint("tcp://a:*").endpoint.ports.empty());
  for (const char* ports : {"", "0", "65536", "-1", "080", "80-", "-80", "90-80", "80,", ",80", "80,,90", "80 ", "http",
                            "1-2-3", "*,80", "80,*", "+80", "0x50", "999999999999"})
    EXPECT_EQ(read(std::string("tcp://a:") + ports), "refused") << ports;
  std::string many = "tcp://a:1";
  for (int i = 0; i < 63; ++i) many += ",1";
  EXPECT_NE(read(many), "refused");
  EXPECT_EQ(read(many + ",1"), "refused");
}

TEST(Endpoint, ComesBackFromItsText) {
  for (const char* text : {"tcp://api.acme.example:443", "udp://*.a.b:53,123", "tcp://10.0.0.0/8:1-1024", "tcp://a_b:1",
                           "tcp://[2001:db8::]/32:*", "tcp://127.0.0.1:6379", "tcp://xn--bcher-kva.example:443",
                           "tcp://0.0.0.0/0:443", "udp://[::]/0:53", "tcp://3com.com:80", "tcp://redis:6379"})
    EXPECT_EQ(read(text), text);
}

// Spellings on which programs disagree (inet_aton, WHATWG, RFC 3986, curl, Python's urllib): each is refused, so that
// what the profile says and what a resolver makes of it cannot differ.
// clang-format off
constexpr const char* kOddEndpoints[] = {
    "api.acme.example:443", "http://a:80", "tcp:a:80", "tcp:/a:80", "TCP://a:80", "tcp//a:80", "tcp://", "tcp://:80",
    "tcp://a", "tcp://a/", "tcp://a:80/", "tcp://a:80/x", "tcp://a:80?x", "tcp://a:80#x", "tcp://a/24:80",
    "tcp://u@a:80", "tcp://u:p@a:80", "tcp://a@b:80", "tcp://a\\b:80", "tcp://a%2eb:80", "tcp://a b:80",
    " tcp://a:80", "tcp://a:80 ", "tcp://a\n:80", "tcp://a.:80", "tcp://.a:80", "tcp://a..b:80", "tcp://-a:80",
    "tcp://a-:80", "tcp://\u00e9.example:80", "tcp://a\u3002b:80", "tcp://\uff11.2.3.4:80", "tcp://*:80",
    "tcp://**.a:80", "tcp://a.*:80", "tcp://*a.b:80", "tcp://*.*.a:80", "tcp://*.:80", "tcp://*.1.2.3.4:80",
    "tcp://localhost:80", "tcp://a.localhost:80", "tcp://*.localhost:80", "tcp://LOCALHOST:80", "tcp://127.1:80",
    "tcp://2130706433:80", "tcp://0x7f000001:80", "tcp://0x7f.1:80", "tcp://0177.0.0.1:80", "tcp://127.0.0.01:80",
    "tcp://1.2.3.4.5:80", "tcp://256.0.0.1:80", "tcp://1.2.3:80", "tcp://a.0x1:80", "tcp://a.b.7:80",
    "tcp://127.0.0.1.:80", "tcp://10.0.0.0/33:80", "tcp://10.0.0.0/:80", "tcp://10.0.0.0/08:80",
    "tcp://10.0.0.0/-1:80", "tcp://10.1.2.3/8:80", "tcp://10.0.0.0/8/8:80", "tcp://2001:db8::1:443", "tcp://::1:80",
    "tcp://[::1:80", "tcp://[::1]80", "tcp://[::1]", "tcp://[]:80", "tcp://[fe80::1%eth0]:80",
    "tcp://[fe80::1%25eth0]:80", "tcp://[::ffff:127.0.0.1]:80", "tcp://[::ffff:7f00:1]:80", "tcp://[127.0.0.1]:80",
    "tcp://[a.b]:80", "tcp://[2001:db8::]/129:80", "tcp://[2001:db8::1]/32:80", "tcp://[[::1]]:80",
    "tcp://[::1]x:80", "tcp://1.2.3.4:80:80"};
// clang-format on

TEST(Endpoint, RefusesWhatTwoReadersCouldReadDifferently) {
  for (const char* text : kOddEndpoints) EXPECT_EQ(read(text), "refused") << text;
  EXPECT_EQ(read("tcp://" + std::string(64, 'a') + ":80"), "refused");
  std::string labels = "a";
  while (labels.size() < 254) labels += ".a";
  EXPECT_EQ(read("tcp://" + labels + ":80"), "refused");
  EXPECT_EQ(read("tcp://" + std::string(3000, 'a') + ":80"), "refused");
}

// The control: the C library does take these for 127.0.0.1, so a name that looks like one is no name.
TEST(Endpoint, RefusesWhatTheResolverWouldTakeForAnAddress) {
  for (const char* host : {"127.1", "2130706433", "0x7f000001", "0177.0.0.1", "127.0.0.01", "0x7f.1", "0177.1"}) {
    in_addr address{};
    ASSERT_EQ(::inet_aton(host, &address), 1) << host;
    ASSERT_EQ(address.s_addr, htonl(INADDR_LOOPBACK)) << host;
    EXPECT_EQ(read("tcp://" + std::string(host) + ":80"), "refused") << host;
    EXPECT_EQ(read_as_url("http://" + std::string(host) + "/"), "refused") << host;
  }
}

TEST(Url, GivesItsHostAndThePortOfItsScheme) {
  EXPECT_EQ(read_as_url("https://crm.acme.example/api/v2?x=1#y"), "tcp://crm.acme.example:443");
  EXPECT_EQ(read_as_url("http://crm.acme.example"), "tcp://crm.acme.example:80");
  EXPECT_EQ(read_as_url("HTTPS://CRM.example:8443/"), "tcp://crm.example:8443");
  EXPECT_EQ(read_as_url("wss://[2001:db8::1]/x"), "tcp://[2001:db8::1]:443");
  EXPECT_EQ(read_as_url("postgres://db/app"), "tcp://db:5432");
  EXPECT_EQ(read_as_url("postgresql+asyncpg://db:5433/app"), "tcp://db:5433");
  EXPECT_EQ(read_as_url("redis://127.0.0.1"), "tcp://127.0.0.1:6379");
  EXPECT_EQ(read_as_url("http://a?x=1"), "tcp://a:80");
  EXPECT_EQ(read_as_url("tcp://a:1234"), "tcp://a:1234");
  EXPECT_EQ(read_as_url("udp://10.0.0.1:53"), "udp://10.0.0.1:53");
  EXPECT_EQ(read_as_url("http://a/u@b"), "tcp://a:80");
}

// clang-format off
constexpr const char* kOddUrls[] = {
    "", "crm.acme.example", "//a/b", "https:a", "https:/a", "https:///a", "https://", "://a", "1http://a",
    "ht tp://a", "https://u@a/", "https://u:p@a/", "https://a@b", "https://a?@b", "https://a#@b", "https://a\\@b",
    "https://a\\b", "https://a%00b", "https://a%2f", "https://a b", "https://a\tb", "https://a\r\nb", "https://*.a/",
    "https://*/", "https://a:*/", "https://a:80,81/", "https://a:1-2/", "https://a:0/", "https://a:/",
    "https://a:99999/", "gopher://a/", "tcp://a", "javascript:alert(1)", "file:///etc/passwd", "https://127.1/",
    "https://0x7f.0.0.1/", "https://2130706433/", "https://localhost/", "https://[::ffff:1.2.3.4]/", "https://[::1",
    "https://\u00e9.example/", "https://a./", "https://a..b/", "https://.../", "https://[fe80::1%25eth0]/"};
// clang-format on

TEST(Url, RefusesWhatTwoReadersCouldReadDifferently) {
  for (const char* text : kOddUrls) EXPECT_EQ(read_as_url(text), "refused") << text;
}

// The text may be a secret out of the environment.
TEST(Url, NeverRepeatsTheTextInAProblem) {
  for (const char* text :
       {"https://s3cret@host/", "s3cret", "https://s3cret..host/", "s3cret://host/", "https://h:s3cret/"}) {
    const EndpointReading reading = parse_url(text);
    EXPECT_NE(reading.problem, "") << text;
    EXPECT_EQ((reading.problem + reading.hint).find("s3cret"), std::string::npos) << reading.problem;
  }
}

}  // namespace
}  // namespace jail::profile
