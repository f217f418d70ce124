#include "trace/landlock_record.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <utility>

namespace jail::trace {
namespace {

constexpr std::size_t kMostMembers = 64;
constexpr std::size_t kMostBlockers = 32;

struct Value {
  std::string_view text;
  bool quoted = false;
};
using Members = std::map<std::string_view, Value, std::less<>>;

template <typename Number>
std::optional<Number> number(std::string_view text, int base = 10) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// The name before '=' and the value behind it, up to a space or, where it begins with one, up to the next quote. A word
// alone is of no use here (other modules' labels: "subj=/usr/bin/x (enforce)").
std::optional<Members> members_of(std::string_view text) {
  Members members;
  while (!text.empty()) {
    if (text.starts_with(' ')) {
      text.remove_prefix(1);
      continue;
    }
    const std::size_t equals = std::min(text.find_first_of("= \""), text.size());
    const bool alone = equals == text.size() || text[equals] == ' ';
    if (alone) {
      text.remove_prefix(equals);
      continue;
    }
    if (equals == 0 || text[equals] != '=') return std::nullopt;
    const std::string_view name = text.substr(0, equals);
    text.remove_prefix(equals + 1);
    const bool quoted = text.starts_with('"');
    const std::size_t end = quoted ? text.find('"', 1) : std::min(text.find(' '), text.size());
    if (end == std::string_view::npos) return std::nullopt;
    const Value value{quoted ? text.substr(1, end - 1) : text.substr(0, end), quoted};
    text.remove_prefix(quoted ? end + 1 : end);
    if (quoted && !text.empty() && !text.starts_with(' ')) return std::nullopt;
    if (members.size() == kMostMembers || !members.emplace(name, value).second) return std::nullopt;
  }
  return members;
}

std::optional<std::string> bytes_of(std::string_view digits) {
  if (digits.empty() || digits.size() % 2 != 0) return std::nullopt;
  std::string bytes;
  bytes.reserve(digits.size() / 2);
  for (; !digits.empty(); digits.remove_prefix(2)) {
    const auto byte = number<std::uint8_t>(digits.substr(0, 2), 16);
    if (!byte) return std::nullopt;
    bytes.push_back(static_cast<char>(*byte));
  }
  return bytes;
}

class Record {
 public:
  Record(std::uint64_t serial, Members members) : serial_(serial), members_(std::move(members)) {}

  [[nodiscard]] std::uint64_t serial() const { return serial_; }
  template <typename Number>
  [[nodiscard]] std::optional<Number> number_at(std::string_view name, int base = 10) const {
    const auto found = members_.find(name);
    if (found == members_.end() || found->second.quoted) return std::nullopt;
    return number<Number>(found->second.text, base);
  }
  [[nodiscard]] std::string_view word_at(std::string_view name) const {
    const auto found = members_.find(name);
    return found == members_.end() || found->second.quoted ? std::string_view() : found->second.text;
  }
  // Somebody's bytes; empty: there are none.
  [[nodiscard]] std::string text_at(std::string_view name) const {
    const auto found = members_.find(name);
    if (found == members_.end()) return {};
    if (found->second.quoted) return std::string(found->second.text);
    return bytes_of(found->second.text).value_or("");
  }

 private:
  std::uint64_t serial_;
  Members members_;
};

// "audit(1700000000.123:456): " and what follows.
std::optional<Record> record_of(std::string_view text) {
  constexpr std::string_view kBegin = "audit(", kEnd = "): ";
  if (!text.starts_with(kBegin)) return std::nullopt;
  const std::size_t end = text.find(kEnd);
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view stamp = text.substr(kBegin.size(), end - kBegin.size());
  const std::size_t colon = stamp.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const auto serial = number<std::uint64_t>(stamp.substr(colon + 1));
  auto members = members_of(text.substr(end + kEnd.size()));
  if (!serial || !members) return std::nullopt;
  return Record(*serial, std::move(*members));
}

std::vector<std::string> list_of(std::string_view words) {
  std::vector<std::string> list;
  while (!words.empty() && list.size() < kMostBlockers) {
    const std::size_t end = std::min(words.find(','), words.size());
    list.emplace_back(words.substr(0, end));
    words.remove_prefix(std::min(end + 1, words.size()));
  }
  return list;
}

LandlockRecord denial_of(const Record& record, std::uint64_t domain) {
  DomainDenial denial{.serial = record.serial(), .domain = domain, .blockers = list_of(record.word_at("blockers"))};
  if (denial.blockers.empty()) return {};
  denial.path = record.text_at("path");
  denial.address = record.word_at("daddr").empty() ? record.word_at("saddr") : record.word_at("daddr");
  denial.port = record.number_at<std::uint16_t>("dest");
  if (!denial.port) denial.port = record.number_at<std::uint16_t>("src");
  denial.target = record.number_at<pid_t>("opid");
  return denial;
}

LandlockRecord domain_of(const Record& record, std::uint64_t domain) {
  const std::string_view status = record.word_at("status");
  if (status == "deallocated") {
    const auto denials = record.number_at<std::uint64_t>("denials");
    return denials ? LandlockRecord(DomainEnded{domain, *denials}) : LandlockRecord();
  }
  const auto pid = record.number_at<pid_t>("pid");
  if (status != "allocated" || !pid) return {};
  return DomainBegun{domain, *pid, record.text_at("comm")};
}

LandlockRecord call_of(const Record& record) {
  const auto pid = record.number_at<pid_t>("pid");
  const auto call = record.number_at<std::uint32_t>("syscall");
  if (!pid || !call) return {};
  return AuditedCall{record.serial(), *call, *pid};
}

}  // namespace

LandlockRecord parse_landlock_record(std::uint16_t type, std::string_view text) {
  const bool of_landlock = type == kAuditLandlockAccess || type == kAuditLandlockDomain;
  if (!of_landlock && type != kAuditSyscall) return {};
  const std::optional<Record> record = record_of(text);
  if (!record) return {};
  if (!of_landlock) return call_of(*record);
  const auto domain = record->number_at<std::uint64_t>("domain", 16);
  if (!domain) return {};
  return type == kAuditLandlockAccess ? denial_of(*record, *domain) : domain_of(*record, *domain);
}

}  // namespace jail::trace
