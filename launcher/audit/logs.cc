#include "audit/logs.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <string_view>
#include <system_error>

#include "audit/file.h"

namespace jail::audit {
namespace {

constexpr std::string_view kExtension = ".jsonl";
constexpr std::size_t kKeyDigits = 16;

bool is_key(std::string_view text) {
  return text.size() == kKeyDigits && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// "acme-crm" of "acme-crm-0123456789abcdef.jsonl"; a profile's own name may hold hyphens and digits, the key may not
// be anywhere but last.
std::string_view profile_of(std::string_view name) {
  if (!name.ends_with(kExtension)) return {};
  name.remove_suffix(kExtension.size());
  const std::size_t hyphen = name.rfind('-');
  if (hyphen == std::string_view::npos || !is_key(name.substr(hyphen + 1))) return {};
  return name.substr(0, hyphen);
}

}  // namespace

Or<std::vector<std::string>> logs_of(const std::string& folder, const std::string& profile) {
  std::vector<std::string> logs;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    const std::string name = entry->path().filename();
    const std::string_view owner = profile_of(name);
    if (!owner.empty() && (profile.empty() || owner == profile))
      logs.push_back(std::string(folder).append("/").append(name));
  }
  if (error && error != std::errc::no_such_file_or_directory)
    return file::problem("read folder", folder, error.value());
  std::ranges::sort(logs);
  return logs;
}

}  // namespace jail::audit
