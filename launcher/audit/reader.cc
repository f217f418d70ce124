#include "audit/reader.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ranges>
#include <set>
#include <string_view>
#include <utility>

#include "audit/file.h"
#include "audit/generations.h"
#include "base/json.h"
#include "event/encode.h"

namespace jail::audit {
namespace {

constexpr std::size_t kBlock = 65'536;

// How every record begins. Inside a string its quotes would be escaped, so no plugin's bytes look like it.
constexpr std::string_view kBeginning = R"({"schema":"jail/1",)";

// A line as it stands in the file.
struct Raw {
  std::string text;
  LineEnd end = LineEnd::Proper;
  off_t begins = 0;  // in the file
};

class BackwardLines {
 public:
  BackwardLines(int fd, off_t size) : fd_(fd), offset_(size), given_all_(size == 0) {
    char last = '\n';
    if (size == 0 || !read_at(size - 1, &last, 1)) return;
    if (last == '\n') --offset_;
    else end_ = LineEnd::Missing;
  }

  [[nodiscard]] LineEnd end_of_file() const noexcept { return end_; }

  // The line before the last one given; nothing beyond the beginning of the file, or when error() is set.
  std::optional<Raw> next() {
    while (!given_all_ && error_ == 0) {
      const std::size_t feed = buffer_.rfind('\n');
      if (feed != std::string::npos) return take(feed + 1, feed);
      if (offset_ == 0) {
        given_all_ = true;
        return take(0, 0);
      }
      load();
    }
    return std::nullopt;
  }

  [[nodiscard]] int error() const noexcept { return error_; }

 private:
  Raw take(std::size_t first, std::size_t keep) {
    Raw raw{buffer_.substr(first), std::exchange(end_, LineEnd::Proper), offset_ + static_cast<off_t>(first)};
    buffer_.resize(keep);
    return raw;
  }

  // Of a line that is too long only the beginning is of use, so its end goes as more of it comes.
  void load() {
    if (buffer_.size() > event::kMaxLine) buffer_.resize(event::kMaxLine);
    std::string block(static_cast<std::size_t>(std::min<off_t>(offset_, kBlock)), '\0');
    offset_ -= static_cast<off_t>(block.size());
    if (read_at(offset_, block.data(), block.size())) buffer_.insert(0, block);
  }

  bool read_at(off_t offset, char* to, std::size_t size) {
    while (size > 0) {
      const ssize_t got = ::pread(fd_, to, size, offset);
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) {
        error_ = got < 0 ? errno : EIO;  // 0: it shrank, so somebody cuts the log while it is read
        return false;
      }
      to += got;
      offset += got;
      size -= static_cast<std::size_t>(got);
    }
    return true;
  }

  int fd_;
  off_t offset_;        // in the file, of the beginning of buffer_
  std::string buffer_;  // what was read and not yet given
  bool given_all_;
  LineEnd end_ = LineEnd::Proper;
  int error_ = 0;
};

Line as_record(event::Record record, std::string_view text) {
  return {Line::Sort::Record, std::string(text), std::move(record)};
}

// Denials, and what may stand in the place of some.
bool tells_of_denial(const event::Record& record) {
  const auto& body = record.event.body;
  return (record.event.verdict && record.event.verdict->decision == event::Decision::Denied) ||
         std::holds_alternative<event::RunRefused>(body) || std::holds_alternative<event::MonitorLost>(body) ||
         std::holds_alternative<event::MonitorChanged>(body);
}

bool ends_run(const event::Record& record) {
  return std::holds_alternative<event::RunEnded>(record.event.body) ||
         std::holds_alternative<event::RunRefused>(record.event.body);
}

// Takes lines from the last to the first, so that the end of a run is met before the rest of it.
class Collector {
 public:
  explicit Collector(const Selection& selection) : selection_(selection) {}

  [[nodiscard]] bool full() const { return found_.lines.size() >= selection_.lines; }

  void take(Line line) {
    if (line.record && ends_run(*line.record)) ended_.insert(line.record->stamp.run);
    if (full() || !selects(selection_, line)) return;
    if (line.record) note_unfinished(line.record->stamp.run);
    found_.lines.push_back(std::move(line));
  }

  TailEnd oldest_first() && {
    std::ranges::reverse(found_.lines);
    std::ranges::reverse(found_.unfinished);
    return std::move(found_);
  }

 private:
  void note_unfinished(const std::string& run) {
    if (!ended_.contains(run) && std::ranges::find(found_.unfinished, run) == found_.unfinished.end())
      found_.unfinished.push_back(run);
  }

  const Selection& selection_;
  TailEnd found_;
  std::set<std::string> ended_;
};

// From the last line of one file backwards; how far its lines go, or errno.
std::int64_t collect(const Fd& log, Collector& collector, int& error) {
  struct stat status {};
  error = file::status(log.get(), status);
  if (error != 0) return 0;
  BackwardLines lines(log.get(), status.st_size);
  std::int64_t end = status.st_size;
  if (lines.end_of_file() == LineEnd::Missing) end = -1;
  while (!collector.full()) {
    const std::optional<Raw> raw = lines.next();
    if (!raw) break;
    if (end < 0) end = raw->begins;
    if (raw->text.empty()) continue;
    std::vector<Line> found = classify(raw->text, raw->end);
    for (Line& line : std::ranges::reverse_view(found)) collector.take(std::move(line));
  }
  error = lines.error();
  return std::max<std::int64_t>(end, 0);
}

}  // namespace

bool selects(const Selection& selection, const Line& line) {
  const bool any_run = selection.run.empty() || (line.record && line.record->stamp.run.starts_with(selection.run));
  const bool any_kind = selection.show == Selection::Show::Everything || (line.record && tells_of_denial(*line.record));
  return any_run && any_kind;
}

std::vector<Line> classify(const std::string& text, LineEnd end) {
  if (std::optional<event::Record> record = event::decode(text)) return {as_record(std::move(*record), text)};
  if (end == LineEnd::Proper && json::Document::parse(text, {.bytes = event::kMaxLine}))
    return {{Line::Sort::Foreign, text, std::nullopt}};
  const std::size_t beginning = text.rfind(kBeginning);
  if (beginning != std::string::npos && beginning > 0) {
    const std::string_view rest = std::string_view(text).substr(beginning);
    if (std::optional<event::Record> record = event::decode(rest))
      return {{Line::Sort::Torn, text.substr(0, beginning), std::nullopt}, as_record(std::move(*record), rest)};
  }
  return {{Line::Sort::Torn, text.substr(0, event::kMaxLine), std::nullopt}};
}

Or<Fd> open_for_reading(const std::string& path) {
  file::Opened opened = file::open(-1, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, file::Walk::AnyLinks);
  struct stat status {};
  if (opened.error == 0) opened.error = file::status(opened.fd.get(), status);
  if (opened.error != 0) return file::problem("open", path, opened.error);
  if (!S_ISREG(status.st_mode)) return Problem{"read '" + path + "': not a regular file", ""};
  return std::move(opened.fd);
}

Or<TailEnd> tail(const Fd& log, const std::string& path, const Selection& selection) {
  Collector collector(selection);
  int error = 0;
  const std::int64_t end = collect(log, collector, error);
  if (error != 0) return file::problem("read", path, error);
  const std::size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const file::Opened opened = file::open(-1, folder, O_PATH | O_DIRECTORY, 0, file::Walk::AnyLinks);
  std::vector<Generation> older;
  if (opened.error == 0 && !collector.full())
    older = generations_of(opened.fd, slash == std::string::npos ? path : path.substr(slash + 1));
  for (const Generation& generation : std::ranges::reverse_view(older)) {
    if (collector.full()) break;
    const Or<Fd> file = open_for_reading(folder + "/" + generation.name);
    if (const auto* fd = std::get_if<Fd>(&file)) (void)collect(*fd, collector, error);  // it may be deleted meanwhile
  }
  TailEnd found = std::move(collector).oldest_first();
  found.end = end;
  return found;
}

}  // namespace jail::audit
