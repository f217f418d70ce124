#include "sys/systemd.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "sys/peer.h"
#include "sys/socket.h"

namespace jail::sys {
namespace {

constexpr time_t kPatienceS = 2;        // for each part of an answer
constexpr int kMostHeard = 64;          // messages before the answer: what it tells everybody
constexpr std::size_t kMost = 1 << 16;  // bytes of one
constexpr std::size_t kHeaderBytes = 16;
constexpr char kLittleEndian = 'l';
enum MessageType : char { kCall = 1, kReturn = 2, kError = 3 };
enum HeaderField : char { kPath = 1, kInterface = 2, kMember = 3, kDestination = 6, kSignature = 8 };

// In the byte order of this machine, which is little-endian (x86-64). Alignment counts from the message's start.
class Writer {
 public:
  void align(std::size_t to) { bytes_.resize((bytes_.size() + to - 1) / to * to, '\0'); }
  void byte(char value) { bytes_.push_back(value); }
  template <typename Number>
  void number(Number value) {
    align(sizeof value);
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  void text(std::string_view value) {
    number(static_cast<std::uint32_t>(value.size()));
    bytes_.append(value).push_back('\0');
  }
  void signature(std::string_view value) {
    byte(static_cast<char>(value.size()));
    bytes_.append(value).push_back('\0');
  }
  // An array whose elements begin where `to` divides: its length stands in front, without what aligns the first.
  template <typename Elements>
  void array(std::size_t to, Elements elements) {
    number(std::uint32_t{0});
    const std::size_t length_at = bytes_.size() - sizeof(std::uint32_t);
    align(to);
    const std::size_t begin = bytes_.size();
    elements();
    const auto length = static_cast<std::uint32_t>(bytes_.size() - begin);
    std::memcpy(bytes_.data() + length_at, &length, sizeof length);
  }
  [[nodiscard]] const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

void write_field(Writer& out, HeaderField field, std::string_view type, std::string_view value) {
  out.align(8);
  out.byte(field);
  out.signature(type);
  type == "g" ? out.signature(value) : out.text(value);
}

std::string call_of(std::string_view member, std::string_view signature, const std::string& body) {
  Writer out;
  for (const char byte : {kLittleEndian, static_cast<char>(kCall), '\0', '\1'}) out.byte(byte);
  out.number(static_cast<std::uint32_t>(body.size()));
  out.number(1);  // its serial number
  out.array(8, [&] {
    write_field(out, kPath, "o", "/org/freedesktop/systemd1");
    write_field(out, kInterface, "s", "org.freedesktop.systemd1.Manager");
    write_field(out, kMember, "s", member);
    write_field(out, kDestination, "s", "org.freedesktop.systemd1");
    write_field(out, kSignature, "g", signature);
  });
  out.align(8);
  return out.bytes() + body;
}

template <typename Value>
void write_property(Writer& out, std::string_view name, std::string_view type, Value value) {
  out.align(8);
  out.text(name);
  out.signature(type);
  value();
}

std::string scope_of_caller(const std::string& name) {
  Writer out;
  out.text(name);
  out.text("fail");  // where there is one of this name
  out.array(8, [&] {
    write_property(out, "Description", "s", [&] { out.text("groups of jails"); });
    write_property(out, "PIDs", "au",
                   [&] { out.array(4, [&] { out.number(static_cast<std::uint32_t>(::getpid())); }); });
    write_property(out, "Delegate", "b", [&] { out.number(std::uint32_t{1}); });
    write_property(out, "TasksMax", "t", [&] { out.number(~std::uint64_t{0}); });
    write_property(out, "CollectMode", "s", [&] { out.text("inactive-or-failed"); });
  });
  out.array(8, [] {});  // no other units
  return call_of("StartTransientUnit", "ssa(sv)a(sa(sv))", out.bytes());
}

bool send_all(const Fd& socket, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = TEMP_FAILURE_RETRY(::send(socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL));
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

bool receive_all(const Fd& socket, std::string& bytes) {
  const ssize_t got = TEMP_FAILURE_RETRY(::recv(socket.get(), bytes.data(), bytes.size(), MSG_WAITALL));
  return got == static_cast<ssize_t>(bytes.size());
}

// "EXTERNAL": it knows by the socket who we are, and hears whom we claim to be (ibid., "Authentication Protocol").
bool authenticate(const Fd& socket) {
  std::string uid;
  for (const char digit : std::to_string(::geteuid())) uid += std::string("3") + digit;  // '0' is 0x30
  if (!send_all(socket, std::string(1, '\0') + "AUTH EXTERNAL " + uid + "\r\n")) return false;
  std::string line;
  for (std::string byte(1, '\0'); !line.ends_with("\r\n"); line += byte)
    if (line.size() > 256 || !receive_all(socket, byte)) return false;
  return line.starts_with("OK ") && send_all(socket, "BEGIN\r\n");
}

std::uint32_t number_at(std::string_view bytes, std::size_t at) {
  std::uint32_t number = 0;
  if (at + sizeof number <= bytes.size()) std::memcpy(&number, bytes.data() + at, sizeof number);
  return number;
}

struct Heard {
  char type = 0;  // 0: none, or one that makes no sense
  std::string body;
};

Heard hear(const Fd& socket) {
  std::string header(kHeaderBytes, '\0');
  if (!receive_all(socket, header) || header[0] != kLittleEndian) return {};
  const std::size_t body = number_at(header, 4), fields = number_at(header, 12);
  if (body > kMost || fields > kMost) return {};
  std::string rest((fields + 7) / 8 * 8 + body, '\0');
  if (!receive_all(socket, rest)) return {};
  return {header[1], rest.substr(rest.size() - body)};
}

std::string first_text(std::string_view body) {
  const std::size_t size = std::min<std::size_t>(number_at(body, 0), 256);
  return std::string(body.substr(std::min(sizeof(std::uint32_t), body.size()), size));
}

}  // namespace

std::optional<Systemd> Systemd::of_user() {
  const char* runtime = std::getenv("XDG_RUNTIME_DIR");
  return connect(runtime != nullptr ? runtime : "/run/user/" + std::to_string(::geteuid()));
}

std::optional<Systemd> Systemd::of_machine() { return connect("/run"); }

std::optional<Systemd> Systemd::connect(const std::string& folder) {
  Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  constexpr timeval kPatience{.tv_sec = kPatienceS, .tv_usec = 0};
  for (const int which : {SO_RCVTIMEO, SO_SNDTIMEO})
    (void)::setsockopt(socket.get(), SOL_SOCKET, which, &kPatience, sizeof kPatience);
  if (!socket || connect_to_path(socket, folder + "/systemd/private") != 0) return std::nullopt;
  const Peer peer = peer_of(socket);
  if (peer.uid != ::geteuid() || peer.pid == 0) return std::nullopt;
  return Systemd(std::move(socket), peer.pid);
}

std::string Systemd::start_scope(const std::string& name) {
  if (!authenticate(socket_) || !send_all(socket_, scope_of_caller(name))) return "it does not speak with us";
  for (int heard = 0; heard < kMostHeard; ++heard) {
    const Heard message = hear(socket_);
    if (message.type == kReturn) return {};
    if (message.type == kError) return "it says no: " + first_text(message.body);
    if (message.type == 0) break;
  }
  return "no answer";
}

}  // namespace jail::sys
