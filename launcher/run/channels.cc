#include "run/channels.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <filesystem>
#include <string>
#include <system_error>

namespace jail::run {
namespace {

struct Channel {
  std::string name;  // as on the command line
  struct stat file {};
};

std::string numbered(const std::string& option, int number) { return option + " " + std::to_string(number); }

std::optional<Channel> of_descriptor(const std::string& option, int number) {
  Channel channel{numbered(option, number), {}};
  if (number < 0 || ::fstat(number, &channel.file) != 0) return std::nullopt;
  return channel;
}

std::optional<Channel> channel_of(const audit::Target& target) {
  if (const auto* descriptor = std::get_if<audit::Descriptor>(&target))
    return of_descriptor("--audit-fd", descriptor->number);
  const auto* file = std::get_if<audit::File>(&target);
  if (file == nullptr) return std::nullopt;
  Channel channel{"--audit " + file->path, {}};
  if (::stat(file->path.c_str(), &channel.file) != 0) return std::nullopt;  // made by us, so nobody else has it
  return channel;
}

// As the kernel knows it; empty for what has no name, such as a pipe.
std::string path_of(int number) {
  std::error_code closed;
  std::string path = std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(number), closed);
  return path.starts_with('/') ? path : "";
}

std::string path_of(const audit::Target& target) {
  if (const auto* file = std::get_if<audit::File>(&target)) return file->path;
  const auto* descriptor = std::get_if<audit::Descriptor>(&target);
  return descriptor == nullptr ? "" : path_of(descriptor->number);
}

bool is_same(const struct stat& one, const struct stat& other) {
  return one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

// A pipe that is open for reading is opened for writing through /proc/self/fd.
bool plugin_writes_to(int number, const struct stat& file) {
  struct stat own {};
  const int flags = ::fcntl(number, F_GETFL);
  const bool is_writable = (flags & O_ACCMODE) != O_RDONLY || S_ISFIFO(file.st_mode);
  return flags >= 0 && is_writable && ::fstat(number, &own) == 0 && is_same(own, file);
}

// Those that a terminal of the jail's own or one of its devices does not stand in for.
bool is_shared_with_streams(const struct stat& file) {
  return S_ISREG(file.st_mode) || S_ISFIFO(file.st_mode) || S_ISSOCK(file.st_mode);
}

std::string sort_of(const struct stat& file) {
  return S_ISFIFO(file.st_mode) ? "pipe" : S_ISSOCK(file.st_mode) ? "socket" : "file";
}

std::string problem_with(const Channel& channel, const std::vector<int>& passed) {
  const std::string and_then =
      " is the same " + sort_of(channel.file) + ": the plugin could write lines of its own there";
  for (const int number : passed)
    if (plugin_writes_to(number, channel.file))
      return channel.name + ": --pass-fd " + std::to_string(number) + and_then;
  constexpr const char* kStreams[] = {"standard input", "standard output", "standard error"};
  for (int number = 0; number < 3 && is_shared_with_streams(channel.file); ++number)
    if (plugin_writes_to(number, channel.file))
      return channel.name + ": the plugin's " + kStreams[number] + and_then;
  if (S_ISREG(channel.file.st_mode) && channel.file.st_nlink > 1)
    return channel.name + ": the file has more than one name (hard links)";
  return {};
}

}  // namespace

std::optional<audit::Problem> problem_with_channels(const std::vector<audit::Target>& log, int status_fd,
                                                    const std::vector<int>& passed) {
  std::vector<std::optional<Channel>> channels{of_descriptor("--status-fd", status_fd)};
  for (const audit::Target& target : log) {
    const auto* descriptor = std::get_if<audit::Descriptor>(&target);
    if (descriptor != nullptr && ::fcntl(descriptor->number, F_GETFD) < 0)
      return audit::Problem{numbered("--audit-fd", descriptor->number) + " is not open",
                            "open it in the caller, or log to a file: --audit FILE"};
    channels.push_back(channel_of(target));
  }
  for (const std::optional<Channel>& channel : channels)
    if (std::string problem = channel ? problem_with(*channel, passed) : ""; !problem.empty())
      return audit::Problem{std::move(problem),
                            "give the log and the report channels of their own, as --audit-fd 3 has with 3>&2 2>&1"};
  return std::nullopt;
}

std::vector<OwnFile> files_of_channels(const std::vector<audit::Target>& log, int status_fd) {
  std::vector<OwnFile> files{{"the status report", path_of(status_fd)}};
  for (const audit::Target& target : log) files.push_back({"the audit log", path_of(target)});
  std::erase_if(files, [](const OwnFile& file) { return file.path.empty(); });
  return files;
}

}  // namespace jail::run
