#include "audit/reader.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <set>
#include <string_view>
#include <utility>

#include "audit/file.h"
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
  enum class End { Proper, Missing } end = End::Proper;
};

class BackwardLines {
 public:
  BackwardLines(int fd, off_t size) : fd_(fd), offset_(size), given_all_(size == 0) {
    char last = '\n';
    if (size == 0 || !read_at(size - 1, &last, 1)) return;
    if (last == '\n') --offset_;
    else end_ = Raw::End::Missing;
  }

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
    Raw raw{buffer_.substr(first), std::exchange(end_, Raw::End::Proper)};
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
  Raw::End end_ = Raw::End::Proper;
  int error_ = 0;
};

Line as_record(event::Record record, std::string_view text) {
  return {Line::Sort::Record, std::string(text), std::move(record)};
}

// One line, or two where a record follows what is left of a torn one; the later first.
std::vector<Line> classify(const Raw& raw) {
  if (std::optional<event::Record> record = event::decode(raw.text)) return {as_record(std::move(*record), raw.text)};
  if (raw.end == Raw::End::Proper && json::Document::parse(raw.text, {.bytes = event::kMaxLine}))
    return {{Line::Sort::Foreign, raw.text, std::nullopt}};
  const std::size_t beginning = raw.text.rfind(kBeginning);
  if (beginning != std::string::npos && beginning > 0) {
    const std::string_view rest = std::string_view(raw.text).substr(beginning);
    if (std::optional<event::Record> record = event::decode(rest))
      return {as_record(std::move(*record), rest), {Line::Sort::Torn, raw.text.substr(0, beginning), std::nullopt}};
  }
  return {{Line::Sort::Torn, raw.text.substr(0, event::kMaxLine), std::nullopt}};
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
    if (full() || !is_selected(line)) return;
    if (line.record) note_unfinished(line.record->stamp.run);
    found_.lines.push_back(std::move(line));
  }

  TailEnd oldest_first() && {
    std::ranges::reverse(found_.lines);
    std::ranges::reverse(found_.unfinished);
    return std::move(found_);
  }

 private:
  [[nodiscard]] bool is_selected(const Line& line) const {
    return selection_.run.empty() || (line.record && line.record->stamp.run.starts_with(selection_.run));
  }
  void note_unfinished(const std::string& run) {
    if (!ended_.contains(run) && std::ranges::find(found_.unfinished, run) == found_.unfinished.end())
      found_.unfinished.push_back(run);
  }

  const Selection& selection_;
  TailEnd found_;
  std::set<std::string> ended_;
};

}  // namespace

Or<Fd> open_for_reading(const std::string& path) {
  file::Opened opened = file::open(-1, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, file::Walk::AnyLinks);
  struct stat status {};
  if (opened.error == 0) opened.error = file::status(opened.fd.get(), status);
  if (opened.error != 0) return file::problem("open", path, opened.error);
  if (!S_ISREG(status.st_mode)) return Problem{"read '" + path + "': not a regular file", ""};
  return std::move(opened.fd);
}

Or<TailEnd> tail(const Fd& log, const std::string& path, const Selection& selection) {
  struct stat status {};
  if (const int error = file::status(log.get(), status)) return file::problem("stat", path, error);
  BackwardLines lines(log.get(), status.st_size);
  Collector collector(selection);
  while (!collector.full()) {
    const std::optional<Raw> raw = lines.next();
    if (!raw) break;
    if (raw->text.empty()) continue;
    for (Line& line : classify(*raw)) collector.take(std::move(line));
  }
  if (lines.error() != 0) return file::problem("read", path, lines.error());
  return std::move(collector).oldest_first();
}

}  // namespace jail::audit
