// The end of a log file, newest first and back as far as needed: the cost is that of what is shown, not of the file.
// Everything in the file is taken for hostile: lines of any length, bytes of any kind.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "audit/problem.h"
#include "base/fd.h"
#include "event/event.h"

namespace jail::audit {

struct Line {
  enum class Sort {
    Record,   // of this schema, in `record`
    Foreign,  // valid JSON that this build cannot read: a kind of a later jail, or not ours
    Torn,     // a write that did not come to its end, or no JSON at all
  };
  Sort sort = Sort::Torn;
  std::string text;  // without line feed; of an overlong line its beginning
  std::optional<event::Record> record;
};

struct Selection {
  std::size_t lines = 20;
  std::string run;  // the beginning of a run's id; empty: every run. With it, only records are selected.
  enum class Show { Everything, Denied } show = Show::Everything;  // Denied: also runs refused and events lost
};
bool selects(const Selection& selection, const Line& line);

struct TailEnd {
  std::vector<Line> lines;              // oldest first; what the file ends with torn included
  std::int64_t end = 0;                 // of the file, behind its last line feed
  std::vector<std::string> unfinished;  // runs among them that neither ended nor were refused up to the end of the file
};

// A file that is opened for reading: regular files only. Links are followed: reading gives nothing away to itself.
Or<Fd> open_for_reading(const std::string& path);

// `path` may have older generations (generations.h): they are gone back into as far as needed.
Or<TailEnd> tail(const Fd& log, const std::string& path, const Selection& selection);

// What a line of a file is: one thing, or a record behind what is left of a torn one; in the order of the file.
enum class LineEnd { Proper, Missing };
std::vector<Line> classify(const std::string& text, LineEnd end);

}  // namespace jail::audit
