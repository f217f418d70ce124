#include "egress/dns_message.h"

#include <algorithm>
#include <array>
#include <span>
#include <string_view>
#include <utility>

namespace jail::egress {
namespace {

constexpr std::size_t kHeader = 12;
constexpr std::uint16_t kIsResponse = 0x8000;
constexpr std::uint16_t kOpcode = 0x7800;
constexpr std::uint16_t kTruncated = 0x0200;
constexpr std::uint16_t kRecursionDesired = 0x0100;
constexpr std::uint16_t kRecursionAvailable = 0x0080;
constexpr std::uint16_t kRcode = 0x000f;

constexpr std::uint16_t kTypeCname = 5;
constexpr std::uint16_t kTypeOpt = 41;
constexpr std::uint16_t kClassIn = 1;

constexpr std::uint16_t kLeastRoom = 512;
constexpr std::uint16_t kMostRoom = 4096;
constexpr std::uint16_t kEdnsRoom = 1232;  // what no path fragments (DNS flag day 2020)

// Of an answer no more is looked at.
constexpr std::size_t kMostRecords = 512;
constexpr std::uint32_t kLongestTtl = 86400;

constexpr std::size_t kIpv4 = 4;
constexpr std::size_t kIpv6 = 16;
constexpr std::size_t kRecordBefore = 12;  // what make_answer writes of a record before its address

struct Header {
  std::uint16_t id = 0;
  std::uint16_t flags = 0;
  std::uint16_t questions = 0;
  std::uint16_t answers = 0;
  std::uint16_t authorities = 0;
  std::uint16_t additional = 0;
};

struct Record {
  std::string name;  // octets, lower case
  std::uint16_t type = 0;
  std::uint16_t klass = 0;
  std::uint32_t ttl = 0;
  std::size_t at = 0;  // of its data in the message
  std::size_t size = 0;
};

// Every read is checked; once one has failed, all that follow do.
class Reader {
 public:
  explicit Reader(Octets message) : message_(message) {}

  bool read(std::uint16_t& number) {
    if (message_.size() - offset_ < 2) return false;
    number = static_cast<std::uint16_t>(message_[offset_] << 8 | message_[offset_ + 1]);
    offset_ += 2;
    return true;
  }
  bool read(std::uint32_t& number) {
    std::uint16_t high = 0;
    std::uint16_t low = 0;
    if (!read(high) || !read(low)) return false;
    number = static_cast<std::uint32_t>(high) << 16 | low;
    return true;
  }
  bool read(Header& header) {
    return read(header.id) && read(header.flags) && read(header.questions) && read(header.answers) &&
           read(header.authorities) && read(header.additional);
  }
  bool read(std::string& name, Pointers pointers) {
    auto one = read_name(message_, offset_, pointers);
    if (!one) return false;
    name = std::move(one->wire);
    offset_ = one->end;
    return true;
  }
  bool read(Record& record, Pointers pointers) {
    std::uint16_t size = 0;
    if (!read(record.name, pointers) || !read(record.type) || !read(record.klass) || !read(record.ttl) || !read(size))
      return false;
    if (message_.size() - offset_ < size) return false;
    record.name = lower(record.name);
    record.at = offset_;
    record.size = size;
    offset_ += size;
    return true;
  }
  [[nodiscard]] bool is_at_end() const { return offset_ == message_.size(); }
  [[nodiscard]] Octets message() const { return message_; }

 private:
  Octets message_;
  std::size_t offset_ = 0;
};

class Writer {
 public:
  Writer& add(std::uint16_t number) {
    bytes_.push_back(static_cast<char>(number >> 8));
    bytes_.push_back(static_cast<char>(number));
    return *this;
  }
  Writer& add(std::uint32_t number) {
    return add(static_cast<std::uint16_t>(number >> 16)).add(static_cast<std::uint16_t>(number));
  }
  Writer& add(const Header& header) {
    return add(header.id).add(header.flags).add(header.questions).add(header.answers).add(header.authorities)
        .add(header.additional);
  }
  Writer& add(const Question& question) { return add(question.wire).add(question.type).add(kClassIn); }
  Writer& add(std::string_view bytes) {
    bytes_.append(bytes);
    return *this;
  }
  // The root's name, then what we take in one datagram, then the upper bits of the code.
  Writer& add_opt(Rcode rcode) {
    bytes_.push_back(0);
    const auto upper = static_cast<std::uint32_t>(rcode) >> 4;
    return add(kTypeOpt).add(kEdnsRoom).add(upper << 24).add(std::uint16_t{0});
  }
  std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

constexpr std::size_t kOpt = 11;  // what add_opt writes

bool read_edns(Reader& in, QueryRead& read) {
  Record opt;
  if (!in.read(opt, Pointers::Refused) || opt.type != kTypeOpt || opt.name.size() != 1) return false;
  read.query.has_edns = true;
  read.query.room = std::clamp(opt.klass, kLeastRoom, kMostRoom);
  if ((opt.ttl >> 16 & 0xff) != 0) read.rcode = Rcode::BadVersion;
  return true;
}

bool read_question(Reader& in, const Header& header, QueryRead& read) {
  std::uint16_t klass = 0;
  Question question;
  if (header.questions != 1 || header.answers != 0 || header.authorities != 0 || header.additional > 1) return false;
  if (!in.read(question.wire, Pointers::Refused) || !in.read(question.type) || !in.read(klass)) return false;
  read.query.question = std::move(question);
  if (header.additional == 1 && !read_edns(in, read)) return false;
  if (klass != kClassIn && read.rcode == Rcode::NoError) read.rcode = Rcode::Refused;
  return in.is_at_end();
}

std::optional<Given> address_in(const Record& record, Octets message) {
  Given given{.address = {}, .ttl = record.ttl};
  given.address.family = record.type == kTypeA ? AF_INET : AF_INET6;
  if (record.size != (record.type == kTypeA ? kIpv4 : kIpv6)) return std::nullopt;
  std::copy_n(message.begin() + static_cast<std::ptrdiff_t>(record.at), record.size, given.address.bytes.begin());
  return given;
}

// Numbers with the uppermost bit set are as good as 0 (RFC 2181, section 8).
std::uint32_t bounded_ttl(std::uint32_t ttl) { return ttl >> 31 != 0 ? 0 : std::min(ttl, kLongestTtl); }

std::vector<Given> addresses_of(const std::string& name, std::uint16_t type, std::uint32_t ttl,
                                const std::vector<Record>& records, Octets message) {
  std::vector<Given> found;
  for (const Record& record : records) {
    if (record.type != type || record.name != name || found.size() == kMostAddresses) continue;
    if (auto given = address_in(record, message)) {
      given->ttl = std::min(ttl, given->ttl);
      found.push_back(*given);
    }
  }
  return found;
}

std::vector<Given> follow(const Question& asked, const std::vector<Record>& records, Octets message) {
  std::string name = lower(asked.wire);
  std::uint32_t ttl = kLongestTtl;
  for (int step = 0; step <= kMostSteps; ++step) {
    if (auto found = addresses_of(name, asked.type, ttl, records, message); !found.empty()) return found;
    const auto alias = std::ranges::find_if(
        records, [&](const Record& record) { return record.type == kTypeCname && record.name == name; });
    if (alias == records.end()) return {};
    const auto target = read_name(message, alias->at, Pointers::Followed);
    if (!target || target->end != alias->at + alias->size) return {};
    name = lower(target->wire);
    ttl = std::min(ttl, alias->ttl);
  }
  return {};
}

// What has been cut off ends the list; what follows would be no better.
std::vector<Record> read_records(Reader& in, std::size_t count) {
  std::vector<Record> records;
  for (std::size_t i = 0; i < std::min(count, kMostRecords); ++i) {
    Record record;
    if (!in.read(record, Pointers::Followed)) break;
    record.ttl = bounded_ttl(record.ttl);
    if (record.klass == kClassIn) records.push_back(std::move(record));
  }
  return records;
}

Rcode known(std::uint16_t flags) {
  const auto code = static_cast<std::uint8_t>(flags & kRcode);
  return code <= static_cast<std::uint8_t>(Rcode::Refused) ? static_cast<Rcode>(code) : Rcode::ServFail;
}

void add(Writer& out, const Given& given) {
  constexpr std::uint16_t kQuestionsName = 0xc000 | kHeader;
  const bool is_ipv4 = given.address.family == AF_INET;
  const std::uint16_t size = is_ipv4 ? kIpv4 : kIpv6;
  out.add(kQuestionsName).add(is_ipv4 ? kTypeA : kTypeAaaa).add(kClassIn).add(given.ttl).add(size);
  out.add(std::string_view(reinterpret_cast<const char*>(given.address.bytes.data()), size));
}

// How many of them fit behind what is there in any case.
std::size_t count_fitting(const Query& query, const std::vector<Given>& addresses, std::size_t room) {
  std::size_t size = kHeader + query.question.wire.size() + 4 + (query.has_edns ? kOpt : 0);
  std::size_t count = 0;
  for (const Given& given : addresses) {
    size += kRecordBefore + (given.address.family == AF_INET ? kIpv4 : kIpv6);
    if (size > room) break;
    ++count;
  }
  return count;
}

}  // namespace

std::string name_of_type(std::uint16_t type) {
  constexpr std::array<std::pair<std::uint16_t, std::string_view>, 14> kNames{{
      {kTypeA, "A"}, {2, "NS"}, {kTypeCname, "CNAME"}, {6, "SOA"}, {12, "PTR"}, {15, "MX"}, {16, "TXT"},
      {kTypeAaaa, "AAAA"}, {33, "SRV"}, {35, "NAPTR"}, {64, "SVCB"}, {65, "HTTPS"}, {255, "ANY"}, {257, "CAA"},
  }};
  for (const auto& [number, name] : kNames)
    if (number == type) return std::string(name);
  return "TYPE" + std::to_string(type);
}

std::optional<QueryRead> read_query(Octets message) {
  Reader in(message);
  Header header;
  QueryRead read;
  if (!in.read(header) || (header.flags & kIsResponse) != 0) return std::nullopt;
  read.query.id = header.id;
  read.query.recursion_desired = (header.flags & kRecursionDesired) != 0;
  if ((header.flags & kOpcode) != 0) read.rcode = Rcode::NotImp;
  else if (!read_question(in, header, read)) read.rcode = Rcode::FormErr;
  return read;
}

std::optional<Answer> read_answer(Octets message, std::uint16_t id, const Question& asked) {
  Reader in(message);
  Header header;
  Question question;
  std::uint16_t klass = 0;
  if (!in.read(header) || header.id != id || (header.flags & kIsResponse) == 0) return std::nullopt;
  Answer answer{.rcode = known(header.flags), .is_whole = true, .addresses = {}};
  // A server that does not take the question as it stands need not repeat it.
  if (header.questions == 0 && answer.rcode != Rcode::NoError && answer.rcode != Rcode::NxDomain) return answer;
  if (header.questions != 1 || !in.read(question.wire, Pointers::Refused) || !in.read(question.type) ||
      !in.read(klass) || klass != kClassIn || question.type != asked.type || lower(question.wire) != lower(asked.wire))
    return std::nullopt;
  answer.is_whole = (header.flags & kTruncated) == 0 && question.wire == asked.wire;
  if (answer.is_whole && answer.rcode == Rcode::NoError)
    answer.addresses = follow(asked, read_records(in, header.answers), message);
  return answer;
}

std::string make_query(std::uint16_t id, const Question& question, Edns edns) {
  const bool with = edns == Edns::With;
  Writer out;
  out.add(Header{.id = id, .flags = kRecursionDesired, .questions = 1, .additional = std::uint16_t{with}});
  out.add(question);
  if (with) out.add_opt(Rcode::NoError);
  return out.take();
}

std::string make_answer(const Query& query, Rcode rcode, const std::vector<Given>& addresses, std::size_t room) {
  const std::size_t count = count_fitting(query, addresses, room);
  const bool has_question = !query.question.wire.empty();
  std::uint16_t flags = kIsResponse | kRecursionAvailable | (static_cast<std::uint16_t>(rcode) & kRcode);
  if (query.recursion_desired) flags |= kRecursionDesired;
  if (count < addresses.size()) flags |= kTruncated;
  Writer out;
  out.add(Header{.id = query.id,
                 .flags = flags,
                 .questions = std::uint16_t{has_question},
                 .answers = static_cast<std::uint16_t>(count),
                 .authorities = 0,
                 .additional = std::uint16_t{query.has_edns}});
  if (has_question) out.add(query.question);
  for (const Given& given : std::span(addresses).first(count)) add(out, given);
  if (query.has_edns) out.add_opt(rcode);
  return out.take();
}

}  // namespace jail::egress
