#include "blindspot/survey.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

#include "base/error.h"
#include "base/fd.h"
#include "base/json.h"
#include "blindspot/perform.h"
#include "event/encode.h"

namespace jail::blindspot {
namespace {

namespace fs = std::filesystem;

// Not below /tmp: the jail has one of its own.
constexpr const char* kTemplate = "/var/tmp/jail-blindspots-XXXXXX";
constexpr mode_t kForAll = 0755;

// A folder that is gone with the object.
class Folder {
 public:
  Folder() : path_(kTemplate) {
    if (::mkdtemp(path_.data()) == nullptr) throw SysError(errno, "mkdtemp", path_);
    ::chmod(path_.c_str(), kForAll);
  }
  ~Folder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// Modes are set outright: the caller's umask has no say. No close-on-exec: what is open here is passed on.
Fd make_file(const std::string& path, int flags, mode_t mode) {
  Fd file(check(::open(path.c_str(), O_CREAT | O_EXCL | flags, mode), "open", path));
  check(::fchmod(file.get(), mode), "fchmod", path);
  return file;
}

std::string content_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// A JSON string is a double-quoted one of YAML.
std::string quoted(const std::string& path) {
  json::Writer writer;
  writer.value(path);
  return writer.text();
}

std::string profile_text(const Scene& scene, std::string_view source) {
  return "version: 1\nname: blindspots\nextends: [base]\nfilesystem:\n  exec: [" + quoted(scene.program) +
         "]\n  read: [" + quoted(scene.folder + "/granted") + "]\nmonitor: {source: " + std::string(source) +
         ", files: all}\n";
}

std::string own_program() { return fs::read_symlink("/proc/self/exe").string(); }

// Status as waitpid(2) has it.
int run_program(const std::vector<std::string>& words, const std::string& errors) {
  std::vector<char*> argv;
  for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&files, STDERR_FILENO, errors.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  pid_t child = 0;
  const int error = ::posix_spawn(&child, argv.front(), &files, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&files);
  if (error != 0) throw SysError(error, "posix_spawn", words.front());
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {}
  return status;
}

// With arguments that no call accepts, a kernel that has it answers something else. In a child: nothing is left of it.
Kernel kernel_has(std::uint32_t number) {
  if (number == 0) return Kernel::HasIt;
  const pid_t child = ::fork();
  if (child == 0) ::_exit(::syscall(number, -1L, -1L, -1L, -1L, -1L, -1L) < 0 && errno == ENOSYS ? 1 : 0);
  int status = 0;
  while (child > 0 && ::waitpid(child, &status, 0) < 0 && errno == EINTR) {}
  return WIFEXITED(status) && WEXITSTATUS(status) == 1 ? Kernel::LacksIt : Kernel::HasIt;
}

std::vector<event::Record> read_log(const std::string& path) {
  std::ifstream file(path);
  std::vector<event::Record> records;
  for (std::string line; std::getline(file, line);)
    if (auto record = event::decode(line)) records.push_back(std::move(*record));
  return records;
}

std::vector<Row> judge_all(const std::vector<Report>& reports, std::span<const event::Record> log,
                           const Scene& scene) {
  std::vector<Row> rows;
  for (const Group& group : groups())
    for (const Action& action : group.actions) {
      const auto report = std::ranges::find(reports, rows.size(), &Report::action);
      const auto outcome = report != reports.end() ? std::optional(report->outcome) : std::nullopt;
      rows.push_back(judge(action, kernel_has(action.number), outcome, log, scene));
    }
  return rows;
}

const event::RunStarted* started_in(std::span<const event::Record> log) {
  for (const event::Record& record : log)
    if (const auto* started = std::get_if<event::RunStarted>(&record.event.body)) return started;
  return nullptr;
}

// What jail itself says, it says with every source.
std::vector<event::Record> told_by_ebpf(const std::vector<event::Record>& log) {
  std::vector<event::Record> told;
  std::ranges::copy_if(log, std::back_inserter(told), [](const event::Record& record) {
    return record.event.source == event::Source::Ebpf || record.event.source == event::Source::Supervisor;
  });
  return told;
}

// The family of programs that tells of files; empty: none does.
std::string_view name_of_half(const event::RunStarted& started) {
  for (const std::string& source : started.sources) {
    if (source.find("by the end of each system call") != std::string::npos) return "sys_exit";
    if (source.find("by the hooks of the security modules") != std::string::npos) return "lsm";
  }
  return {};
}

// One run, with one source of events.
class Examination {
 public:
  Examination(std::string source, Strictness strictness) : source_(std::move(source)), strictness_(strictness) {
    scene_ = {.folder = folder_.path(), .program = own_program(), .given = given_.get()};
    fs::create_directory(folder_.path() + "/granted");
    fs::permissions(folder_.path() + "/granted", fs::perms{kForAll});
    (void)make_file(folder_.path() + "/granted/file", O_WRONLY, 0644);
    (void)make_file(folder_.path() + "/hidden", O_WRONLY, 0644);
    std::ofstream(profile_) << profile_text(scene_, source_);
  }

  // Of what eBPF tells of files, there are two columns: what the programs tell alone, and what all sources tell.
  Survey run(std::vector<std::string> inside) {
    const int status = run_program(words(std::move(inside)), errors_);
    const bool ended = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (!ended) return {.columns = {}, .absent = {}, .problem = problem_of(status)};
    const std::vector<event::Record> log = read_log(log_);
    const std::vector<Report> reports = read_reports(content_of(report_));
    const event::RunStarted* const started = started_in(log);
    Survey survey;
    const std::string_view half = started == nullptr ? "" : name_of_half(*started);
    if (!half.empty())
      survey.columns.push_back(
          {std::string(half), Column::Of::Alone, judge_all(reports, told_by_ebpf(log), scene_), {}});
    survey.columns.push_back({source_, Column::Of::Run, judge_all(reports, log, scene_),
                              started == nullptr ? std::vector<std::string>{} : started->blind_spots});
    return survey;
  }

 private:
  [[nodiscard]] std::string problem_of(int status) const {
    const std::string said = content_of(errors_);
    if (!said.empty()) return said;
    return WIFEXITED(status) ? "jail run ended with status " + std::to_string(WEXITSTATUS(status)) + "\n"
                             : "signal " + std::to_string(WTERMSIG(status)) + " ended jail run\n";
  }

  [[nodiscard]] std::vector<std::string> words(std::vector<std::string> inside) const {
    const std::string report = std::to_string(report_end_.get()), given = std::to_string(given_.get());
    std::vector<std::string> words{scene_.program, "run", "--audit", log_, "--pass-fd", report, "--pass-fd", given};
    if (strictness_ == Strictness::BestEffort) words.emplace_back("--best-effort");
    words.insert(words.end(), {profile_, "--", scene_.program});
    words.insert(words.end(), inside.begin(), inside.end());
    words.insert(words.end(), {scene_.folder, report, given});
    return words;
  }

  std::string source_;
  Strictness strictness_;
  Folder folder_;
  std::string profile_ = folder_.path() + "/blindspots.yaml", log_ = folder_.path() + "/log.jsonl";
  std::string report_ = folder_.path() + "/report", errors_ = folder_.path() + "/errors";
  Fd report_end_ = make_file(report_, O_WRONLY | O_APPEND, 0600);
  Fd given_ = make_file(folder_.path() + "/given", O_RDWR, 0666);
  Scene scene_;
};

}  // namespace

std::size_t Column::count(Result result) const {
  return static_cast<std::size_t>(std::ranges::count(rows, result, &Row::result));
}

bool Column::sees_all() const {
  return of == Of::Alone || (count(Result::Invisible) == 0 && count(Result::Untried) == 0);
}

// What a run without privilege has is tried everywhere; what eBPF adds, where it loads.
Survey survey(std::vector<std::string> inside, Strictness strictness) {
  Survey all = Examination("notify", strictness).run(inside);
  if (!all.problem.empty()) return all;
  for (const char* source : {"ebpf", "auto"}) {
    Survey more = Examination(source, strictness).run(inside);
    if (!more.problem.empty()) all.absent.emplace_back(source, more.problem.substr(0, more.problem.find('\n')));
    else if (more.columns.size() > 1) std::ranges::move(more.columns, std::back_inserter(all.columns));
  }
  return all;
}

int perform_from(const std::vector<std::string>& words) {
  if (words.size() != 3) return 2;
  const Scene scene{.folder = words[0], .program = own_program(), .given = std::atoi(words[2].c_str())};
  return perform_all(scene, std::atoi(words[1].c_str()));
}

}  // namespace jail::blindspot
