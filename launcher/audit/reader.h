// The end of a log file, newest first and back as far as needed: the cost is that of what is shown, not of the file.
// Everything in the file is taken for hostile: lines of any length, bytes of any kind.
#pragma once

#include <cstddef>
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
};

struct TailEnd {
  std::vector<Line> lines;              // oldest first
  std::vector<std::string> unfinished;  // runs among them that neither ended nor were refused up to the end of the file
};

// A file that is opened for reading: regular files only. Links are followed: reading gives nothing away to itself.
Or<Fd> open_for_reading(const std::string& path);

Or<TailEnd> tail(const Fd& log, const std::string& path, const Selection& selection);

}  // namespace jail::audit
