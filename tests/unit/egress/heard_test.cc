#include "egress/heard.h"

#include <gtest/gtest.h>

#include <string>

#include "egress/http_head.h"

namespace jail::egress {
namespace {

using State = Heard::State;

Octets octets(const std::string& bytes) {
  return {reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()};
}

std::string number(std::size_t value, std::size_t width) {
  std::string bytes;
  while (width-- > 0) bytes.push_back(static_cast<char>(value >> (8 * width)));
  return bytes;
}

std::string vector(const std::string& bytes, std::size_t width) { return number(bytes.size(), width) + bytes; }

std::string extension(std::size_t type, const std::string& body) { return number(type, 2) + vector(body, 2); }

std::string server_name(const std::string& name) {
  return extension(0, vector(std::string(1, '\0') + vector(name, 2), 2));
}

std::string record(const std::string& bytes) { return std::string("\x16\x03\x01", 3) + vector(bytes, 2); }

// Without its record.
std::string hello(const std::string& extensions) {
  return '\1' + vector(std::string("\x03\x03", 2) + std::string(32, 'r') + vector(std::string(32, 's'), 1) +
                           vector(std::string("\x13\x01\x0a\x0a", 4), 2) + vector(std::string(1, '\0'), 1) +
                           vector(extensions, 2), 3);
}

std::string result(const std::string& bytes) {
  const Heard heard = heard_in(octets(bytes));
  switch (heard.state) {
    case State::Incomplete: return "incomplete";
    case State::Other: return "other";
    case State::Named: return heard.name;
    case State::Faulty: return "!" + std::to_string(static_cast<int>(heard.fault));
  }
  return {};
}

std::string fault(Fault fault) { return "!" + std::to_string(static_cast<int>(fault)); }

const std::string kGrease = extension(0x0a0a, "") + extension(43, "\x04\x0a\x0a\x03\x04");

TEST(Heard, TheNameOfAHello) {
  EXPECT_EQ(result(record(hello(kGrease + server_name("API.Acme.example") + extension(16, "h2")))), "api.acme.example");
  EXPECT_EQ(result(record(hello(server_name("api.acme.example.")))), "api.acme.example");
  EXPECT_EQ(result(record(hello(server_name("a.example"))) + "early data"), "a.example");
}

TEST(Heard, EveryBeginningOfAHelloIsIncomplete) {
  const std::string whole = record(hello(kGrease + server_name("a.example")));
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_EQ(result(whole.substr(0, size)), "incomplete") << size;
}

TEST(Heard, AHelloInRecordsOfAnySize) {
  const std::string message = hello(kGrease + server_name("a.example"));
  for (const std::size_t size : {std::size_t{1}, std::size_t{3}, std::size_t{64}, message.size() - 1}) {
    std::string stream;
    for (std::size_t at = 0; at < message.size(); at += size) stream += record(message.substr(at, size));
    EXPECT_EQ(result(stream), "a.example") << size;
    EXPECT_EQ(result(stream.substr(0, stream.size() - 1)), "incomplete") << size;
  }
}

TEST(Heard, AHelloWithoutAName) {
  EXPECT_EQ(result(record(hello(kGrease))), fault(Fault::NoName));
  std::string bare = hello("");
  bare.resize(bare.size() - 2);
  bare[3] = static_cast<char>(bare.size() - 4);
  EXPECT_EQ(result(record(bare)), fault(Fault::NoName));  // not even a list of extensions
}

TEST(Heard, AHelloThatHidesItsName) {
  const std::string encrypted = extension(0xfe0d, std::string(64, 'e'));
  for (const std::string& extensions : {encrypted + server_name("a.example"), server_name("a.example") + encrypted,
                                        encrypted, extension(0xffce, "x") + server_name("a.example")})
    EXPECT_EQ(result(record(hello(extensions))), fault(Fault::Hidden));
}

TEST(Heard, AHelloOfAnotherShape) {
  const std::string name = server_name("a.example");
  const std::string two_in_one = extension(0, vector(std::string(1, '\0') + vector("a.example", 2) +
                                                         std::string(1, '\0') + vector("b.example", 2), 2));
  EXPECT_EQ(result(record(hello(name + server_name("b.example")))), fault(Fault::TwoNames));
  const std::string unreadable[] = {
      hello(two_in_one),
      hello(extension(0, "")),
      hello(extension(0, vector("", 2))),
      hello(extension(0, vector('\1' + vector("a.example", 2), 2))),
      hello(extension(0, vector(std::string(1, '\0') + vector("a.example", 2), 2) + "x")),
      hello(name + "x"),
      hello(number(0, 2) + number(500, 2) + "short"),
      hello(server_name("")),
      hello(server_name(".")),
      hello(server_name("short.")),
      hello(server_name("a..example")),
      hello(server_name("a.example..")),
      hello(server_name(std::string("a.example\0.evil", 15))),
      hello(server_name("a.example\n")),
      hello(server_name("[::1]")),
      hello(server_name(std::string(254, 'a'))),
      "\2" + hello(name).substr(1),
      '\1' + vector("x", 3),
  };
  for (const std::string& message : unreadable) EXPECT_EQ(result(record(message)), fault(Fault::Malformed));
  EXPECT_EQ(result(record("")), fault(Fault::Malformed));
  EXPECT_EQ(result(std::string("\x16\x03\x01\x40\x01\x01", 6)), fault(Fault::Malformed));  // more than a record holds
  EXPECT_EQ(result(record("\1") + "\x17\x03\x01" + vector("x", 2)), fault(Fault::Malformed));
}

TEST(Heard, WhatIsLongerThanItIsLookedAt) {
  EXPECT_EQ(result(record('\1' + number(kMostHeard, 3))), fault(Fault::TooLong));
  const std::string padded = hello(extension(21, std::string(16'000, '\0')) + server_name("a.example"));
  EXPECT_EQ(result(record(padded)), "a.example");
  std::string slow;
  for (const char octet : padded) slow += record(std::string(1, octet));
  EXPECT_EQ(result(slow), fault(Fault::TooLong));
  EXPECT_EQ(result("GET /" + std::string(kMostHeard, 'a')), fault(Fault::TooLong));
}

TEST(Heard, TheHostOfARequest) {
  for (const char* head : {"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n", "GET / HTTP/1.0\nhost:A.Example:8080\n\n",
                           "\r\n\r\nPOST /x?y=http://b.example/ HTTP/1.1\r\nX: b\r\nHost:\ta.example. \r\n\r\nbody",
                           "OPTIONS * HTTP/1.1\r\nHost: a.example:\r\n\r\n",
                           "GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n",
                           "GET http://a.example?x HTTP/1.0\r\n\r\n",
                           "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n",
                           "GET / HTTP/1.1\r\nX-Host: b.example\r\nHost: a.example\r\n\r\nHost: b.example\r\n\r\n"})
    EXPECT_EQ(result(head), "a.example") << head;
}

TEST(Heard, EveryBeginningOfARequestIsIncomplete) {
  const std::string whole = "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n";
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_EQ(result(whole.substr(0, size)), "incomplete") << size;
}

TEST(Heard, ARequestThatNamesTwo) {
  for (const char* head : {"GET / HTTP/1.1\r\nHost: a.example\r\nHost: b.example\r\n\r\n",
                           "GET / HTTP/1.1\r\nHost: a.example\r\nhost: a.example\r\n\r\n",
                           "GET http://b.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n",
                           "CONNECT b.example:443 HTTP/1.1\r\nHost: a.example\r\n\r\n"})
    EXPECT_EQ(result(head), fault(Fault::TwoNames)) << head;
}

TEST(Heard, ARequestThatNamesNobody) {
  for (const char* head : {"GET / HTTP/1.0\r\n\r\n", "GET / HTTP/1.1\r\nHost:\r\n\r\n",
                           "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", "GET / HTTP/1.1\r\nHost: me@a.example\r\n\r\n",
                           "GET / HTTP/1.1\r\nHost: a.example b.example\r\n\r\n",
                           "GET / HTTP/1.1\r\nHost: a.example,b.example\r\n\r\n",
                           "GET / HTTP/1.1\r\nHost: a.example:80:b.example\r\n\r\n"})
    EXPECT_EQ(result(head), fault(Fault::NoName)) << head;
}

TEST(Heard, ARequestThatServersUnderstandDifferently) {
  for (const char* head : {"GET / HTTP/1.1\r\nX: y\r\n Host: b.example\r\nHost: a.example\r\n\r\n",
                           "GET / HTTP/1.1\r\nHost : b.example\r\nHost: a.example\r\n\r\n",
                           "GET / HTTP/1.1\r\nX: y\rHost: b.example\r\nHost: a.example\r\n\r\n",
                           "GET / HTTP/1.1\r\nno colon\r\nHost: a.example\r\n\r\n",
                           "GET /a b HTTP/1.1\r\nHost: a.example\r\n\r\n", "GET  / HTTP/1.1\r\nHost: a.example\r\n\r\n",
                           "GET / HTTP/1.1 \r\nHost: a.example\r\n\r\n", "GET\t/ HTTP/1.1\r\nHost: a.example\r\n\r\n",
                           "GET / http/1.1\r\nHost: a.example\r\n\r\n", "GET / HTTP/1.2\r\nHost: a.example\r\n\r\n",
                           "GET HTTP/1.1\r\nHost: a.example\r\n\r\n",
                           "GET b.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n",
                           "GET http://me@b.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n",
                           "GET http:///x HTTP/1.1\r\nHost: a.example\r\n\r\n"})
    EXPECT_EQ(result(head), fault(Fault::Malformed)) << head;
}

TEST(Heard, ARequestThatOnlyLenientServersTake) {
  const std::string host = "\r\nHost: a.example\r\n\r\n";
  for (const char* line : {"GET /", "get /old", "GET http://b.example/", "GET *", "GET\x0b/ HTTP/1.1", "GET\x0b/",
                           "GET\r/", "GET / ", "GET \x0c/ x", "CONNECT b.example:443", "PROXY TCP4 192.0.2.1",
                           "GET x", "GET x y", "GET ?x", "HEAD x", "POST x", "\r\nGET x"})
    EXPECT_EQ(result(line + host), fault(Fault::Malformed)) << line;
  for (const char* white : {"\x0b", "\x0c", "\x1c", "\x1f", "\x85", "\xa0", "\r\n\x0b"})
    EXPECT_EQ(result(white + std::string("GET / HTTP/1.1") + host), fault(Fault::Malformed)) << white;
}

TEST(Heard, TheProxyProtocolHidesWhatFollows) {
  const std::string signature("\r\n\r\n\0\r\nQUIT\n", 12);
  for (std::size_t size = 0; size < signature.size(); ++size)
    EXPECT_EQ(result(signature.substr(0, size)), "incomplete") << size;
  EXPECT_EQ(result(signature), fault(Fault::Malformed));
}

TEST(Heard, AHelloOfSsl2HasNoName) {
  for (const std::string& version : {std::string("\x03\x01"), std::string("\0\x02", 2)}) {
    const std::string hello = "\x80\x2e\x01" + version;
    EXPECT_EQ(result(hello), fault(Fault::NoName));
    EXPECT_EQ(result(hello.substr(0, 3)), "incomplete");
  }
}

TEST(Heard, Http2InTheClearHidesItsName) {
  EXPECT_EQ(result("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), fault(Fault::Hidden));
}

TEST(Heard, OtherProtocols) {
  for (const std::string& begin : {std::string("EHLO client.example\r\n"), std::string("SSH-2.0-OpenSSH_9.2\r\n"),
                                   std::string("\0\0\0\x08\x04\xd2\x16\x2f", 8), std::string("*1\r\n$4\r\nPING\r\n"),
                                   std::string("{\"a\": 1}"), std::string("get key\r\n"), std::string("PING\r\n"),
                                   std::string("GETEX key\r\n"), std::string("GET\r\n"),
                                   std::string("AMQP\0\0\x09\x01", 8), std::string("MAIL FROM:<a@b.example>\r\n"),
                                   std::string("a1 LOGIN x y\r\n"), std::string("USER x\r\n"),
                                   std::string("CONNECT\naccept-version:1.2\n\n\0", 29),
                                   std::string("\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\0\x80\0", 14),
                                   std::string("\xff\xfd\x01"), std::string("\x80\x01\0\x05\0\0", 6)})
    EXPECT_EQ(result(begin), "other") << begin;
  EXPECT_EQ(result("EHLO client.example"), "incomplete");  // it may yet be a request
}

}  // namespace
}  // namespace jail::egress
