#include "audit/follower.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "audit/file.h"
#include "audit/generations.h"
#include "event/encode.h"

namespace jail::audit {

Follower::Follower(std::string path, Fd file, std::int64_t offset)
    : path_(std::move(path)), now_(source_of(std::move(file), offset)) {}

std::optional<Follower::Source> Follower::source_of(Fd file, std::int64_t offset) {
  struct stat status {};
  if (file::status(file.get(), status) != 0) return std::nullopt;
  return Source{std::move(file), status.st_dev, status.st_ino, offset, {}};
}

std::vector<Line> Follower::read() {
  std::vector<Line> lines;
  if (before_) read(*before_, lines);
  if (now_) read(*now_, lines);
  struct stat status {};
  if (::stat(path_.c_str(), &status) != 0) return lines;
  if (now_ && status.st_ino == now_->inode && status.st_dev == now_->device) return lines;
  if (now_) read(*now_, lines);  // up to the moment in which its name was taken from it
  move_on(lines);
  return lines;
}

// Through the generations that came after the one we are at, to the file that has the name.
void Follower::move_on(std::vector<Line>& lines) {
  for (const std::string& path : files_after(now_ ? now_->inode : 0)) {
    Or<Fd> opened = open_for_reading(path);
    auto* file = std::get_if<Fd>(&opened);
    if (file == nullptr) continue;
    before_ = std::exchange(now_, source_of(std::move(*file), 0));
    if (now_) read(*now_, lines);
  }
}

std::vector<std::string> Follower::files_after(ino_t inode) const {
  const std::size_t slash = path_.rfind('/');
  const std::string folder = slash == std::string::npos ? "" : path_.substr(0, slash + 1);
  const file::Opened opened =
      file::open(-1, folder.empty() ? "." : folder, O_PATH | O_DIRECTORY, 0, file::Walk::AnyLinks);
  std::vector<std::string> paths;
  if (inode != 0 && opened.error == 0) {
    const std::vector<Generation> all = generations_of(opened.fd, path_.substr(folder.size()));
    auto after = std::ranges::find(all, inode, &Generation::inode);
    if (after != all.end())
      for (++after; after != all.end(); ++after) paths.push_back(folder + after->name);
  }
  paths.push_back(path_);
  return paths;
}

void Follower::read(Source& source, std::vector<Line>& lines) {
  struct stat status {};
  if (file::status(source.file.get(), status) == 0 && status.st_size < source.offset) {
    source.offset = 0;  // somebody emptied it: what is there now is new
    source.partial.clear();
  }
  std::string block(65'536, '\0');
  for (;;) {
    const ssize_t got = ::pread(source.file.get(), block.data(), block.size(), source.offset);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return;
    source.offset += got;
    source.partial.append(block, 0, static_cast<std::size_t>(got));
    take_lines(source, lines);
  }
}

void Follower::take_lines(Source& source, std::vector<Line>& lines) {
  std::size_t begin = 0;
  for (std::size_t feed = source.partial.find('\n'); feed != std::string::npos;
       begin = feed + 1, feed = source.partial.find('\n', begin)) {
    if (feed == begin) continue;
    for (Line& line : classify(source.partial.substr(begin, feed - begin), LineEnd::Proper))
      lines.push_back(std::move(line));
  }
  source.partial.erase(0, begin);
  // Of a line that is too long only the beginning is of use.
  if (source.partial.size() > 2 * event::kMaxLine) source.partial.resize(event::kMaxLine);
}

}  // namespace jail::audit
