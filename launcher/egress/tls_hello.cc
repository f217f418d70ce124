#include "egress/tls_hello.h"

#include <algorithm>
#include <vector>

namespace jail::egress {
namespace {

constexpr std::uint8_t kHandshake = 22;  // RFC 8446, 5.1
constexpr std::uint8_t kMajor = 3;       // of every version since SSL 3.0
constexpr std::size_t kRecordHeader = 5;
constexpr std::size_t kLongestRecord = 1 << 14;
constexpr std::uint8_t kClientHello = 1;
constexpr std::size_t kMessageHeader = 4;
constexpr std::size_t kVersionAndRandom = 2 + 32;
constexpr std::size_t kLongestSession = 32;

// IANA's registry of TLS ExtensionType values.
constexpr std::size_t kServerName = 0;
constexpr std::size_t kEncryptedClientHello = 0xfe0d;
constexpr std::size_t kEncryptedServerName = 0xffce;  // what came before it (draft-ietf-tls-esni-02)

// Every read is checked; nothing for what lies beyond the end.
class Cursor {
 public:
  explicit Cursor(Octets bytes) : bytes_(bytes) {}
  [[nodiscard]] bool is_at_end() const { return bytes_.empty(); }

  std::optional<Octets> take(std::size_t count) {
    if (count > bytes_.size()) return std::nullopt;
    const Octets taken = bytes_.first(count);
    bytes_ = bytes_.subspan(count);
    return taken;
  }
  Octets take_most(std::size_t count) { return *take(std::min(count, bytes_.size())); }
  std::optional<std::size_t> number(std::size_t width) {
    const auto octets = take(width);
    if (!octets) return std::nullopt;
    std::size_t number = 0;
    for (const std::uint8_t octet : *octets) number = number << 8 | octet;
    return number;
  }
  // With its length in front, which is `width` octets wide.
  std::optional<Octets> vector(std::size_t width) {
    const auto length = number(width);
    return length ? take(*length) : std::nullopt;
  }

 private:
  Octets bytes_;
};

struct Message {
  Heard::State state = Heard::State::Incomplete;  // Named: it is whole
  Fault fault = Fault::None;
  std::vector<std::uint8_t> bytes{};
};

// Out of the records that it came in.
Message first_message(Octets stream) {
  Message message;
  const auto fails = [&](Fault fault) { return message.state = Heard::State::Faulty, message.fault = fault, message; };
  for (Cursor records(stream);;) {
    const auto header = records.take(kRecordHeader);
    if (!header) return message;
    const std::size_t length = static_cast<std::size_t>((*header)[3]) << 8 | (*header)[4];
    if ((*header)[0] != kHandshake || (*header)[1] != kMajor || length == 0 || length > kLongestRecord)
      return fails(Fault::Malformed);
    const Octets part = records.take_most(length);
    message.bytes.insert(message.bytes.end(), part.begin(), part.end());
    if (message.bytes.empty()) return message;
    if (message.bytes.front() != kClientHello) return fails(Fault::Malformed);
    if (message.bytes.size() >= kMessageHeader) {
      const std::size_t whole = kMessageHeader + *Cursor(Octets(message.bytes).subspan(1)).number(3);
      if (whole > kMostHeard) return fails(Fault::TooLong);
      if (message.bytes.size() >= whole) {
        message.bytes.resize(whole);
        message.state = Heard::State::Named;
        return message;
      }
    }
    if (part.size() < length) return message;
  }
}

// The one host name that the extension holds; nothing where it is of another shape.
std::optional<Octets> server_name_in(Octets extension) {
  Cursor outer(extension);
  const auto list = outer.vector(2);
  if (!list || !outer.is_at_end()) return std::nullopt;
  Cursor inner(*list);
  const auto type = inner.number(1);
  const auto name = inner.vector(2);
  if (type != std::size_t{0} || !name || !inner.is_at_end()) return std::nullopt;
  return name;
}

Heard read_extensions(Cursor extensions) {
  std::optional<Octets> name;
  bool is_hidden = false;
  while (!extensions.is_at_end()) {
    const auto type = extensions.number(2);
    const auto body = extensions.vector(2);
    if (!type || !body) return faulty(Fault::Malformed);
    if (type == kEncryptedClientHello || type == kEncryptedServerName) is_hidden = true;
    if (type != kServerName) continue;
    if (name) return faulty(Fault::TwoNames);
    name = server_name_in(*body);
    if (!name) return faulty(Fault::Malformed);
  }
  if (is_hidden) return faulty(Fault::Hidden);
  return name ? named({reinterpret_cast<const char*>(name->data()), name->size()}) : faulty(Fault::NoName);
}

}  // namespace

bool begins_like_tls(Octets stream) noexcept {
  return !stream.empty() && stream[0] == kHandshake && (stream.size() == 1 || stream[1] == kMajor);
}

// Its two octets of length, of which the first has the top bit; its type; the first octet of its version.
Heard read_old_hello(Octets stream) {
  const auto is_other = [&](std::size_t at, auto is_so) { return stream.size() > at && !is_so(stream[at]); };
  if (is_other(0, [](std::uint8_t octet) { return (octet & 0xc0) == 0x80; }) ||
      is_other(2, [](std::uint8_t octet) { return octet == kClientHello; }) ||
      is_other(3, [](std::uint8_t octet) { return octet == 0 || octet == kMajor; }))
    return {Heard::State::Other};
  return stream.size() > 3 ? faulty(Fault::NoName) : Heard{};
}

Heard read_hello(Octets stream) {
  const Message message = first_message(stream);
  if (message.state != Heard::State::Named) return {message.state, message.fault, {}};
  Cursor hello(Octets(message.bytes).subspan(kMessageHeader));
  const auto version = hello.take(kVersionAndRandom);
  const auto session = hello.vector(1);
  const auto suites = hello.vector(2);
  const auto compressions = hello.vector(1);
  if (!version || !session || session->size() > kLongestSession || !suites || suites->size() < 2 || !compressions ||
      compressions->empty())
    return faulty(Fault::Malformed);
  if (hello.is_at_end()) return faulty(Fault::NoName);  // a hello of TLS 1.2 without extensions
  const auto extensions = hello.vector(2);
  return extensions && hello.is_at_end() ? read_extensions(Cursor(*extensions)) : faulty(Fault::Malformed);
}

}  // namespace jail::egress
