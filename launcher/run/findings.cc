#include "run/findings.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <string_view>

#include "base/clock.h"
#include "base/error.h"
#include "profile/quoted.h"
#include "sys/file.h"

namespace jail::run {
namespace {

constexpr std::uint64_t kMostNs = 20'000'000'000;  // less than the supervisor waits for the builder (build.cc)
constexpr std::size_t kMostPacked = 64U << 20;
constexpr unsigned kMfdNoexecSeal = 8;  // Linux 6.3 (memfd_create(2)); vm.memfd_noexec may demand it

Fd memory_file() {
  Fd file(::memfd_create("findings", MFD_CLOEXEC | kMfdNoexecSeal));
  if (!file && errno == EINVAL) file = Fd(::memfd_create("findings", MFD_CLOEXEC));
  check(file.get(), "memfd_create");
  return file;
}

// Texts with their sizes in front, numbers as texts.
class Packer {
 public:
  void put(std::string_view text) { bytes_.append(std::to_string(text.size())).append(":").append(text); }
  void put(std::uint64_t number) { put(std::string_view(std::to_string(number))); }
  [[nodiscard]] const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

class Unpacker {
 public:
  explicit Unpacker(std::string_view bytes) : bytes_(bytes) {}

  std::string text() {
    const std::size_t colon = bytes_.find(':');
    if (colon == std::string_view::npos) throw SysError(EPROTO, "unpack", "findings");
    const std::size_t size = number_of(bytes_.substr(0, colon));
    bytes_.remove_prefix(colon + 1);
    if (size > bytes_.size()) throw SysError(EPROTO, "unpack", "findings");
    std::string text(bytes_.substr(0, size));
    bytes_.remove_prefix(size);
    return text;
  }
  std::uint64_t number() { return number_of(text()); }

 private:
  static std::uint64_t number_of(std::string_view digits) {
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (error != std::errc() || end != digits.data() + digits.size()) throw SysError(EPROTO, "unpack", "findings");
    return number;
  }

  std::string_view bytes_;
};

void write_all(const Fd& file, std::string_view bytes) {
  while (!bytes.empty())
    bytes.remove_prefix(static_cast<std::size_t>(
        check(TEMP_FAILURE_RETRY(::write(file.get(), bytes.data(), bytes.size())), "write", "findings")));
}

}  // namespace

bool wants_findings(const Plan& plan) { return plan.integrity || !plan.hashed.empty(); }

Findings look_at_files(const Plan& plan) {
  const confine::TreeBounds bounds{.until_ns = clock::boottime_ns() + kMostNs};
  Findings findings;
  if (plan.integrity) findings.tree = confine::digest_tree(plan.integrity->path, bounds);
  findings.plugin = monitor::read_plugin_files(plan.hashed, bounds);
  return findings;
}

Fd pack(const Findings& findings) {
  Packer packer;
  packer.put(findings.tree.sha256), packer.put(findings.tree.problem);
  packer.put(findings.plugin.files.size());
  for (const event::PluginFile& file : findings.plugin.files)
    packer.put(file.path), packer.put(file.sha256), packer.put(file.problem);
  packer.put(findings.plugin.limits.size());
  for (const event::LimitReached& limit : findings.plugin.limits)
    packer.put(limit.which), packer.put(limit.value), packer.put(limit.limit);
  packer.put(findings.plugin.matches.size());
  for (const std::uint64_t count : findings.plugin.matches) packer.put(count);
  Fd file = memory_file();
  write_all(file, packer.bytes());
  check(::lseek(file.get(), 0, SEEK_SET), "lseek");
  return file;
}

Findings unpack(const Fd& packed) {
  const std::string bytes = sys::read_file(packed, kMostPacked);
  Unpacker unpacker(bytes);
  Findings findings;
  findings.tree.sha256 = unpacker.text(), findings.tree.problem = unpacker.text();
  for (std::uint64_t left = unpacker.number(); left > 0; --left) {
    event::PluginFile& file = findings.plugin.files.emplace_back();
    file.path = unpacker.text(), file.sha256 = unpacker.text(), file.problem = unpacker.text();
  }
  for (std::uint64_t left = unpacker.number(); left > 0; --left) {
    event::LimitReached& limit = findings.plugin.limits.emplace_back();
    limit.which = unpacker.text(), limit.value = unpacker.number(), limit.limit = unpacker.number();
  }
  for (std::uint64_t left = unpacker.number(); left > 0; --left) findings.plugin.matches.push_back(unpacker.number());
  return findings;
}

std::optional<Refusal> refusal_for(const Plan& plan, const Findings& findings) {
  if (!plan.integrity) return std::nullopt;
  const profile::Integrity& wanted = *plan.integrity;
  const std::string& found = findings.tree.sha256;
  if (found == wanted.sha256) return std::nullopt;
  const std::string path = profile::quoted(wanted.path);
  if (found.empty())
    return Refusal{"integrity", path + ": " + findings.tree.problem,
                   "the plugin's user must be able to read all of it, and nobody may change it meanwhile",
                   wanted.place};
  return Refusal{"integrity", path + " is not what the profile says: its digest is " + found + ", not " + wanted.sha256,
                 "'jail digest --list PATH' says what it holds: if that is as it should be, state the digest found",
                 wanted.place};
}

profile::Diagnostics unmatched(const std::vector<monitor::HashedFiles>& hashed,
                               const std::vector<std::uint64_t>& matches) {
  profile::Diagnostics warnings;
  for (std::size_t i = 0; i < hashed.size() && i < matches.size(); ++i)
    if (matches[i] == 0)
      warnings.push_back({profile::Diagnostic::Severity::Warning, hashed[i].pattern.place,
                          "this pattern of monitor.hash matches no file",
                          "'*' stands for characters of one name, '**' for any number of folders"});
  return warnings;
}

}  // namespace jail::run
