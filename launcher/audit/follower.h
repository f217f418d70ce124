// What is added to a log from here on, over rotations: the file that stood at the name is read to its end, then the
// ones that came after it. The file before is looked at once more each time, because a run may put one last record
// there while others are at the next one already.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "audit/reader.h"
#include "base/fd.h"

namespace jail::audit {

class Follower {
 public:
  // From the beginning of whatever will stand at `path`.
  explicit Follower(std::string path) : path_(std::move(path)) {}
  // From `offset` on in `file`, which stands at `path`.
  Follower(std::string path, Fd file, std::int64_t offset);

  // Every whole line since the last time, in the order of the files.
  std::vector<Line> read();

 private:
  // A file as far as it was read.
  struct Source {
    Fd file;
    dev_t device = 0;
    ino_t inode = 0;
    off_t offset = 0;
    std::string partial;  // the line that is not finished yet
  };
  static std::optional<Source> source_of(Fd file, std::int64_t offset);
  static void read(Source& source, std::vector<Line>& lines);
  static void take_lines(Source& source, std::vector<Line>& lines);

  void move_on(std::vector<Line>& lines);
  [[nodiscard]] std::vector<std::string> files_after(ino_t inode) const;

  std::string path_;
  std::optional<Source> before_;
  std::optional<Source> now_;
};

}  // namespace jail::audit
