#include "broker/lent_group.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>

namespace jail::broker {
namespace {

std::string path_of(const Fd& folder) {
  std::array<char, PATH_MAX> path{};
  const std::string link = "/proc/self/fd/" + std::to_string(folder.get());
  const ssize_t size = ::readlink(link.c_str(), path.data(), path.size());
  return {path.data(), static_cast<std::size_t>(std::max<ssize_t>(size, 0))};
}

class LentGroup : public sys::HeldGroup {
 public:
  // The folder, and behind it what `files` says.
  LentGroup(std::vector<Fd> descriptors, std::uint32_t files)
      : folder_(std::move(descriptors.front())), path_(path_of(folder_)) {
    auto next = descriptors.begin() + 1;
    for (std::size_t i = 0; i < kLentFiles.size(); ++i)
      if ((files >> i & 1) != 0 && next != descriptors.end()) files_[i] = std::move(*next++);
  }

  [[nodiscard]] const Fd& folder() const override { return folder_; }
  [[nodiscard]] const std::string& path() const override { return path_; }
  int write(const char* name, std::string_view text) const noexcept override {
    const auto file = std::ranges::find(kLentFiles, std::string_view(name));
    const auto index = static_cast<std::size_t>(file - kLentFiles.begin());
    if (index == kLentFiles.size() || !files_[index]) return ENOENT;
    return ::pwrite(files_[index].get(), text.data(), text.size(), 0) < 0 ? errno : 0;
  }

 private:
  Fd folder_;
  std::string path_;
  std::array<Fd, kLentFiles.size()> files_;
};

}  // namespace

std::optional<GroupLease> GroupLease::open(const std::string& path, Line::Patience patience, std::string& why) {
  auto opened = Line::open(path, patience, why);
  if (!opened) return std::nullopt;
  if (!opened->look.no_groups.empty()) {
    why = "jaild at " + path + " makes none: " + opened->look.no_groups;
    return std::nullopt;
  }
  opened->line.be_patient();  // it is there, and may have much to do
  return GroupLease(std::move(opened->line), opened->look.controllers);
}

void GroupLease::ask(const Fd& first) { line_.send({.ask = Ask::Group}, first.get()); }

std::unique_ptr<sys::HeldGroup> GroupLease::take(std::string& why) {
  std::string problem;
  Line::Heard heard = line_.hear(problem);
  if (heard.answer && !heard.descriptors.empty())
    return std::make_unique<LentGroup>(std::move(heard.descriptors), heard.answer->files);
  why = "jaild at " + line_.path() + ": " + (problem.empty() ? "it has given no group" : problem);
  return nullptr;
}

std::string GroupLease::add(const Fd& process) const {
  std::string problem;
  const Line::Heard heard = line_.exchange({.ask = Ask::Join}, problem, process.get());
  return heard.answer ? "" : "jaild at " + line_.path() + ": " + problem;
}

}  // namespace jail::broker
