// From what the user asked for to open sinks.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <optional>

#include "audit/file.h"
#include "audit/file_sink.h"
#include "audit/log.h"
#include "audit/sink.h"
#include "base/sha256.h"

namespace jail::audit {
namespace {

std::string value_of(const char* variable) {
  const char* value = ::getenv(variable);
  return value == nullptr ? "" : value;
}

Or<Sink> open_descriptor(int number) {
  const std::string name = number == STDERR_FILENO ? "standard error" : "descriptor " + std::to_string(number);
  const int flags = ::fcntl(number, F_GETFL);
  if (flags < 0) return file::problem("open", name, errno, "is it passed on to jail?");
  if ((flags & O_PATH) != 0 || (flags & O_ACCMODE) == O_RDONLY)
    return Problem{"audit log on " + name + ": not open for writing", ""};
  Fd own(::fcntl(number, F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
  if (!own) return file::problem("duplicate", name, errno);
  struct stat status {};
  if (const int error = file::status(own.get(), status)) return file::problem("stat", name, error);
  if (S_ISREG(status.st_mode)) return Sink(name, std::move(own), Sink::sort_of_files());
  if (S_ISSOCK(status.st_mode)) return Sink(name, std::move(own), Sink::Sort::Socket);
  if (!S_ISFIFO(status.st_mode) && !S_ISCHR(status.st_mode))
    return Problem{"audit log on " + name + ": neither a file nor a pipe, socket or terminal", ""};
  // By its magic link, which openat2's RESOLVE_NO_MAGICLINKS would rightly refuse anywhere else.
  file::Opened again = file::open(-1, "/proc/self/fd/" + std::to_string(own.get()), O_WRONLY | O_NONBLOCK | O_NOCTTY, 0,
                                  file::Walk::AnyLinks);
  if (again.error == 0) return Sink(name, std::move(again.fd), Sink::Sort::Own);
  return Sink(name, std::move(own), Sink::Sort::Shared);
}

// The names by which a process calls its own descriptors: links, so that no file could be opened by them here.
std::optional<int> descriptor_named(const std::string& path) {
  if (path == "/dev/stdout") return STDOUT_FILENO;
  if (path == "/dev/stderr") return STDERR_FILENO;
  for (const std::string_view folder : {"/dev/fd/", "/proc/self/fd/"}) {
    int number = -1;
    if (!path.starts_with(folder)) continue;
    const char* const end = path.data() + path.size();
    const std::from_chars_result result = std::from_chars(path.data() + folder.size(), end, number);
    if (result.ec == std::errc{} && result.ptr == end && number >= 0) return number;
  }
  return std::nullopt;
}

struct Opener {
  const Identity& identity;
  const Home& home;

  Or<OpenSink> operator()(const DefaultFile&) const {
    const Or<std::string> path = default_folder(home);
    if (const auto* problem = std::get_if<Problem>(&path)) return *problem;
    const auto& folder_path = std::get<std::string>(path);
    Or<Fd> folder = open_default_folder(folder_path, home.euid);
    if (auto* problem = std::get_if<Problem>(&folder)) return *problem;
    const std::string name = default_file_name(identity.profile, identity.profile_path);
    return open_file(std::move(std::get<Fd>(folder)), name, folder_path + "/" + name, home.euid, Special::Refused);
  }

  Or<OpenSink> operator()(const File& wanted) const {
    if (const std::optional<int> number = descriptor_named(wanted.path)) return (*this)(Descriptor{*number});
    const std::size_t slash = wanted.path.rfind('/');
    const std::string name = slash == std::string::npos ? wanted.path : wanted.path.substr(slash + 1);
    const std::string folder_path = slash == std::string::npos ? "." : wanted.path.substr(0, slash + 1);
    if (name.empty() || name == "." || name == "..")
      return Problem{"log file '" + wanted.path + "': names a folder", "add a file name"};
    Or<Fd> folder = open_named_folder(folder_path);
    if (auto* problem = std::get_if<Problem>(&folder)) return *problem;
    return open_file(std::move(std::get<Fd>(folder)), name, wanted.path, home.euid, Special::Welcome);
  }

  Or<OpenSink> operator()(const Descriptor& wanted) const {
    Or<Sink> sink = open_descriptor(wanted.number);
    if (auto* problem = std::get_if<Problem>(&sink)) return *problem;
    return OpenSink{std::move(std::get<Sink>(sink))};
  }
};

constexpr std::size_t kLongestName = 63;  // a valid profile's; a broken one may have any name or none

bool is_safe_in_a_name(char character) {
  return (character >= 'a' && character <= 'z') || (character >= '0' && character <= '9') || character == '.' ||
         character == '_' || character == '-';
}

}  // namespace

Home home_of_this_process() { return {::geteuid(), value_of("XDG_STATE_HOME"), value_of("HOME")}; }

std::variant<std::string, Problem> default_folder(const Home& home) {
  if (home.euid == 0) return "/var/log/jail";
  const bool own = !home.xdg_state_home.empty();
  std::string base = own ? home.xdg_state_home : home.home;
  const std::string variable = own ? "XDG_STATE_HOME" : "HOME";
  if (!base.starts_with('/'))
    return Problem{"no folder for the log: " + variable + (base.empty() ? " is not set" : " is not an absolute path"),
                   "set it, or name a file for the log"};
  while (base.size() > 1 && base.back() == '/') base.pop_back();
  return base + (own ? "/jail/log" : "/.local/state/jail/log");
}

std::string default_file_name(const std::string& profile, const std::string& profile_path) {
  std::string name = profile.empty() ? "unnamed" : profile.substr(0, kLongestName);
  for (char& character : name)
    if (!is_safe_in_a_name(character)) character = '_';
  if (name.front() == '.') name.front() = '_';
  const std::string normal = std::filesystem::path(profile_path).lexically_normal();  // "/a/./b" is "/a/b"
  return name + "-" + sha256_hex(normal).substr(0, 16) + ".jsonl";
}

std::variant<Log, Problem> open(const Identity& identity, const std::vector<Target>& targets, const Home& home,
                                event::Redactor redactor, const Policy& policy) {
  std::vector<Sink> sinks;
  bool fresh = false;
  for (const Target& target : targets) {
    Or<OpenSink> opened = std::visit(Opener{identity, home}, target);
    if (auto* problem = std::get_if<Problem>(&opened)) return std::move(*problem);
    auto& open = std::get<OpenSink>(opened);
    fresh = fresh || open.age == OpenSink::Age::New;
    sinks.push_back(std::move(open.sink));
  }
  Log log(identity, std::move(sinks), std::move(redactor), policy);
  if (fresh)
    if (const auto error = log.append({.body = event::LogOpened{.profile_path = identity.profile_path}}))
      return file::problem("write", error->sink, error->error);
  return log;
}

}  // namespace jail::audit
