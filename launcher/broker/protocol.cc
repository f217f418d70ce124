#include "broker/protocol.h"

#include <bit>
#include <charconv>
#include <cstring>
#include <string_view>

#include "bpf/events.h"
#include "trace/objects.h"

namespace jail::broker {
namespace {

constexpr std::uint32_t kMagic = 0x326c696a;  // "jil2": these records
constexpr std::uint32_t kAllWants = 0xffff;   // jail_want grows; a bit too many wants nothing
constexpr std::uint32_t kAllFamilies = (1U << trace::kFamilies) - 1;

constexpr std::uint32_t kAllFiles = (1U << kLentFiles.size()) - 1;

// The two belong together if they have the same programs: an event is read as it was written.
struct Head {
  std::uint32_t magic = kMagic;
  std::uint32_t kind = 0;
  std::uint64_t programs = 0;
};

struct RequestRecord {
  Head head;
  std::uint32_t families, what, ring_bytes, unused;
};
static_assert(sizeof(RequestRecord) == kRequestBytes);

struct AnswerRecord {
  Head head;
  std::uint64_t lost;
  std::uint32_t controllers, files;
  char refused[kReasonBytes];
  char no_groups[kReasonBytes];
  char missing[trace::kFamilies][kReasonBytes];
};
static_assert(sizeof(AnswerRecord) == kAnswerBytes);

constexpr std::uint32_t kAnswer = 0x80000000;
constexpr const char* kForeign = "not a message of jail's";

std::uint64_t own_programs() {
  const std::string_view digest = trace::objects_digest().substr(0, 16);
  std::uint64_t number = 0;
  (void)std::from_chars(digest.data(), digest.data() + digest.size(), number, 16);
  return number;
}

void put(std::string_view text, char (&into)[kReasonBytes]) { text.copy(into, kReasonBytes - 1); }

std::string text_of(const char (&from)[kReasonBytes]) { return {from, ::strnlen(from, kReasonBytes)}; }

template <typename Record>
std::string bytes_of(const Record& record) {
  return {reinterpret_cast<const char*>(&record), sizeof record};
}

// Another version's records may be of another size, too.
template <typename Record>
bool read(std::span<const std::byte> bytes, Record& record, std::string& why) {
  Head head;
  if (bytes.size() < sizeof head) {
    why = kForeign;
    return false;
  }
  std::memcpy(&head, bytes.data(), sizeof head);
  if (head.magic != kMagic) why = kForeign;
  else if (head.programs != own_programs()) why = "jail and jaild are of different versions";
  else if (bytes.size() != sizeof record) why = kForeign;
  else std::memcpy(&record, bytes.data(), sizeof record);
  return why.empty();
}

bool is_sound(const Request& request) {
  if (request.ask != Ask::Trace) return request.ask >= Ask::Look && request.ask <= Ask::Join;
  return request.families != 0 && (request.families & ~kAllFamilies) == 0 &&
         (request.what & ~kAllWants) == 0 && std::has_single_bit(request.ring_bytes) &&
         request.ring_bytes >= kLeastRing && request.ring_bytes <= kMostRing;
}

}  // namespace

std::string emit(const Request& request) {
  RequestRecord record{};
  record.head = {.kind = static_cast<std::uint32_t>(request.ask), .programs = own_programs()};
  record.families = request.families;
  record.what = request.what;
  record.ring_bytes = request.ring_bytes;
  return bytes_of(record);
}

std::string emit(const Answer& answer) {
  AnswerRecord record{};
  record.head = {.kind = kAnswer, .programs = own_programs()};
  record.lost = answer.lost;
  record.controllers = answer.controllers;
  record.files = answer.files;
  put(answer.refused, record.refused);
  put(answer.no_groups, record.no_groups);
  for (std::size_t family = 0; family < trace::kFamilies; ++family)
    put(answer.support.missing[family], record.missing[family]);
  return bytes_of(record);
}

std::optional<Request> parse_request(std::span<const std::byte> bytes, std::string& why) {
  RequestRecord record{};
  if (!read(bytes, record, why)) return std::nullopt;
  const Request request{static_cast<Ask>(record.head.kind), record.families, record.what, record.ring_bytes};
  if (is_sound(request)) return request;
  why = kForeign;
  return std::nullopt;
}

std::optional<Answer> parse_answer(std::span<const std::byte> bytes, std::string& why) {
  AnswerRecord record{};
  if (!read(bytes, record, why)) return std::nullopt;
  Answer answer;
  if (record.head.kind != kAnswer) {
    why = kForeign;
    return std::nullopt;
  }
  answer.lost = record.lost;
  answer.controllers = record.controllers;
  answer.files = record.files & kAllFiles;
  answer.refused = text_of(record.refused);
  answer.no_groups = text_of(record.no_groups);
  for (std::size_t family = 0; family < trace::kFamilies; ++family)
    answer.support.missing[family] = text_of(record.missing[family]);
  return answer;
}

}  // namespace jail::broker
