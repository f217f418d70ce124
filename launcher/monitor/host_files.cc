#include "monitor/host_files.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/fd.h"

namespace jail::monitor {
namespace {

enum class Step { Folder, File, Missing, Unknown };

Step step_into(Fd& here, const std::string& name) {
  Fd next(::openat(here.get(), name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  if (!next) return errno == ENOENT || errno == ENOTDIR ? Step::Missing : Step::Unknown;
  struct stat status {};
  struct statfs filesystem {};
  if (::fstat(next.get(), &status) != 0 || ::fstatfs(next.get(), &filesystem) != 0) return Step::Unknown;
  here = std::move(next);
  if (filesystem.f_type == AUTOFS_SUPER_MAGIC || S_ISLNK(status.st_mode)) return Step::Unknown;
  return S_ISDIR(status.st_mode) ? Step::Folder : Step::File;
}

}  // namespace

bool host_may_have(const std::string& path) {
  Fd here(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
  for (std::size_t from = 1; here && from < path.size();) {
    const std::size_t end = std::min(path.find('/', from), path.size());
    const Step step = step_into(here, path.substr(from, end - from));
    if (step == Step::Unknown) return true;
    if (step == Step::Missing) return false;
    if (step == Step::File) return end == path.size();
    from = end + 1;
  }
  return true;
}

}  // namespace jail::monitor
