// `jail audit tail`: what the log says, for people or for programs. Remarks about the log itself go to standard error,
// so that --json stays JSON.
#include <poll.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "audit/follower.h"
#include "audit/log.h"
#include "audit/logs.h"
#include "audit/reader.h"
#include "audit/render.h"
#include "base/json.h"
#include "base/text.h"
#include "cli/hint.h"
#include "cli/jails.h"
#include "cli/verbs.h"
#include "profile/profile.h"

namespace jail::cli {
namespace {

using audit::Line;

struct Options {
  std::string profile;
  std::string file;
  audit::Selection selection;
  bool denied = false;
  bool follow = false;
  bool json = false;
  bool one_run = false;  // or none: who says how its id begins means no other's records
};

constexpr int kLookAgainMs = 200;

constexpr const char* kTailFooter =
    R"(Without PROFILE: the logs of all profiles together. Times are UTC. A denial is shown with the layer that said
no, the line of the profile that decides it, and what to add where it should be allowed.

Examples:
  jail audit tail crm
  jail audit tail -f --denied crm            what it tries and may not, as it happens
  jail audit tail -n 100 --json crm | jq .kind
)";

constexpr const char* kLogsFooter =
    R"(Of a live jail the log that it writes, wherever that is; of one that has ended, what the folder of logs has.
A profile's name that several live jails have: the log of the profile, as `jail audit tail` shows it.

Examples:
  jail logs 5264
  jail logs -f --denied acme-crm
)";

// A line and when it was written; what has no time of its own has that of the record before it.
struct Timed {
  clock::WallTime time;
  Line line;
};

// What one or several files say, and what is to be said about these.
struct Found {
  std::vector<Timed> lines;
  std::map<std::string, audit::Follower> followers;  // by file
  std::vector<std::string> unfinished;
  std::vector<std::string> remarks;
};

void remark(const std::string& words) { std::fprintf(stderr, "jail: %s\n", words.c_str()); }

int give_up(const audit::Problem& problem) {
  remark(text::for_people(problem.message));
  if (!problem.hint.empty()) std::fprintf(stderr, "  hint: %s\n", text::for_people(problem.hint).c_str());
  return EXIT_FAILURE;
}

audit::Or<std::vector<std::string>> files_for(const Options& options) {
  if (!options.file.empty()) return std::vector{options.file};
  const audit::Or<std::string> folder = audit::default_folder(audit::home_of_this_process());
  if (const auto* problem = std::get_if<audit::Problem>(&folder)) return *problem;
  const auto& path = std::get<std::string>(folder);
  audit::Or<std::vector<std::string>> logs = audit::logs_of(path, options.profile);
  const auto* found = std::get_if<std::vector<std::string>>(&logs);
  if (found == nullptr || !found->empty() || options.follow) return logs;
  const std::string of = options.profile.empty() ? "" : " of profile '" + options.profile + "'";
  return audit::Problem{"no log" + of + " in '" + path + "'", "--file FILE reads a log from anywhere"};
}

// What is followed may be in the middle of a record: that one comes when it is whole.
void take(audit::TailEnd end, const std::string& file, const Options& options, Found& found) {
  const bool torn = !end.lines.empty() && end.lines.back().sort == Line::Sort::Torn;
  if (torn && options.follow) end.lines.pop_back();
  else if (torn)
    found.remarks.push_back("the end of '" + text::for_people(file) +
                            "' is torn: its last record was not written whole");
  std::ranges::move(end.unfinished, std::back_inserter(found.unfinished));
  clock::WallTime last{};
  for (Line& line : end.lines) {
    if (line.record) last = line.record->stamp.time;
    found.lines.push_back({last, std::move(line)});
  }
}

audit::Or<Found> read_all(const std::vector<std::string>& files, const Options& options) {
  Found found;
  for (const std::string& file : files) {
    audit::Or<Fd> log = audit::open_for_reading(file);
    if (const auto* problem = std::get_if<audit::Problem>(&log)) {
      if (!options.follow) return *problem;
      found.followers.emplace(file, audit::Follower(file));
      continue;
    }
    audit::Or<audit::TailEnd> end = audit::tail(std::get<Fd>(log), file, options.selection);
    if (auto* problem = std::get_if<audit::Problem>(&end)) return std::move(*problem);
    const std::int64_t offset = std::get<audit::TailEnd>(end).end;
    found.followers.emplace(file, audit::Follower(file, std::move(std::get<Fd>(log)), offset));
    take(std::move(std::get<audit::TailEnd>(end)), file, options, found);
  }
  return found;
}

bool shows(const std::vector<Timed>& lines, const std::string& run) {
  return std::ranges::any_of(
      lines, [&run](const Timed& timed) { return timed.line.record && timed.line.record->stamp.run == run; });
}

// Several files become one story; each of them has given as many lines as are wanted in all.
void merge(Found& found, std::size_t wanted) {
  std::ranges::stable_sort(found.lines, {}, &Timed::time);
  const std::size_t surplus = found.lines.size() - std::min(wanted, found.lines.size());
  found.lines.erase(found.lines.begin(), found.lines.begin() + static_cast<std::ptrdiff_t>(surplus));
  std::erase_if(found.unfinished, [&found](const std::string& run) { return !shows(found.lines, run); });
}

std::vector<registry::Run> runs_of(const std::vector<Timed>& lines) {
  std::vector<registry::Run> runs;
  for (const Timed& timed : lines) {
    if (!timed.line.record) continue;
    const event::Stamp& stamp = timed.line.record->stamp;
    if (std::ranges::find(runs, stamp.run, &registry::Run::id) == runs.end())
      runs.push_back({stamp.run, stamp.profile});
  }
  return runs;
}

void print_as_json(const std::vector<Timed>& lines) {
  for (const Timed& timed : lines)
    if (timed.line.sort != Line::Sort::Torn) std::printf("%s\n", json::harmless(timed.line.text).c_str());
}

audit::Colour colour_of_output() {
  const char* no_colour = std::getenv("NO_COLOR");  // https://no-color.org: present and not empty
  const char* terminal = std::getenv("TERM");
  const bool dumb = terminal != nullptr && std::string_view(terminal) == "dumb";
  const bool plain = ::isatty(STDOUT_FILENO) == 0 || dumb || (no_colour != nullptr && *no_colour != '\0');
  return plain ? audit::Colour::Plain : audit::Colour::Ansi;
}

void print_for_people(const std::vector<Timed>& lines) {
  const audit::Colour colour = colour_of_output();
  for (const Timed& timed : lines) {
    const std::string hint = timed.line.record ? hint_for(*timed.line.record) : "";
    std::printf("%s%s%s\n", audit::render(timed.line, colour).c_str(), hint.empty() ? "" : " | ",
                hint.c_str());
  }
}

void print(const std::vector<Timed>& lines, const Options& options) {
  if (options.json) print_as_json(lines);
  else print_for_people(lines);
  std::fflush(stdout);
}

// Until somebody ends it, or nobody reads what it writes.
bool is_read() {
  pollfd output{.fd = STDOUT_FILENO, .events = 0, .revents = 0};
  (void)::poll(&output, 1, kLookAgainMs);
  return (output.revents & (POLLERR | POLLNVAL)) == 0 && std::ferror(stdout) == 0;
}

void follow(const Options& options, std::map<std::string, audit::Follower> followers) {
  while (is_read()) {
    const audit::Or<std::vector<std::string>> files = files_for(options);
    if (const auto* paths = std::get_if<std::vector<std::string>>(&files))
      for (const std::string& path : *paths) followers.try_emplace(path, path);
    std::vector<Timed> lines;
    for (auto& [path, follower] : followers)
      for (Line& line : follower.read())
        if (audit::selects(options.selection, line))
          lines.push_back({line.record ? line.record->stamp.time : clock::wall_now(), std::move(line)});
    std::ranges::stable_sort(lines, {}, &Timed::time);
    print(lines, options);
  }
}

int tail_verb(const Options& options) {
  const audit::Or<std::vector<std::string>> files = files_for(options);
  if (const auto* problem = std::get_if<audit::Problem>(&files)) return give_up(*problem);
  const auto& names = std::get<std::vector<std::string>>(files);
  audit::Or<Found> read = read_all(names, options);
  if (const auto* problem = std::get_if<audit::Problem>(&read)) return give_up(*problem);
  auto& found = std::get<Found>(read);
  if (names.size() > 1) merge(found, options.selection.lines);
  if (const auto runs = runs_of(found.lines); options.one_run && runs.size() > 1)
    return refuse_word(registry::say_several(options.selection.run, runs));
  if (found.lines.empty() && !options.selection.run.empty())
    return give_up({"no record of run '" + options.selection.run + "'",
                    "'jail audit tail' without --run shows the last of all"});
  print(found.lines, options);
  if (names.size() > 1 && !options.profile.empty())
    found.remarks.push_back("profiles at " + std::to_string(names.size()) + " places are called '" +
                            text::for_people(options.profile) + "': these are their logs together");
  for (const std::string& words : found.remarks) remark(words);
  if (!options.follow)
    for (const std::string& run : found.unfinished) remark(audit::render_unfinished(run));
  if (options.follow) follow(options, std::move(found.followers));
  return EXIT_SUCCESS;
}

// Root reads no other file than the user's own because a user says so.
bool is_file_of(const registry::Live& live) {
  struct stat status {};
  const std::string path(live.status->log.view());
  return ::lstat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) && status.st_uid == live.uid;
}

// A name of hexadecimal digits may be meant as the beginning of a run.
bool is_profile_with_logs(const std::string& word) {
  if (!registry::is_run(word)) return profile::is_profile_name(word);
  Options of_profile;
  of_profile.profile = word;
  return std::holds_alternative<std::vector<std::string>>(files_for(of_profile));
}

// Where the log of a live jail is; of one that has ended, in the folder of all logs.
int logs_verb(Options options, const std::string& word) {
  registry::Meant found = registry::find_meant(registry::list_live(kAnswerPatience), word);
  if (found.problem && !found.jails.empty()) return refuse_word(*found.problem);
  std::vector<registry::Live> meant = std::move(found.jails);
  std::erase_if(meant, [](const registry::Live& live) { return !live.status || !is_file_of(live); });
  if (meant.size() > 1 || (meant.empty() && is_profile_with_logs(word))) {
    options.profile = word;
    return tail_verb(options);
  }
  options.selection.run = meant.empty() ? word : meant.front().run;
  options.one_run = true;
  if (!meant.empty()) options.file = meant.front().status->log.view();
  return tail_verb(options);
}

void add_shared(CLI::App& verb, Options& options) {
  verb.add_option("-n,--lines", options.selection.lines, "How many records")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  verb.add_flag("-f,--follow", options.follow, "Go on with what is added, over rotations, until interrupted");
  verb.add_flag("--denied", options.denied, "Only what was denied, runs that were refused and events that were lost");
  verb.add_flag("--json", options.json, "The records as they stand in the log, one JSON object a line");
}

}  // namespace

void add_logs(CLI::App& app, int& status) {
  auto options = std::make_shared<Options>();
  auto word = std::make_shared<std::string>();
  CLI::App* verb = app.add_subcommand("logs", "The last records of one run, live or ended");
  verb->footer(kLogsFooter);
  verb->add_option("JAIL", *word, "The beginning of a run's id, or a profile's name")->required();
  add_shared(*verb, *options);
  verb->callback([options, word, &status] {
    if (options->denied) options->selection.show = audit::Selection::Show::Denied;
    status = logs_verb(*options, *word);
  });
}

void add_audit(CLI::App& app, int& status) {
  auto options = std::make_shared<Options>();
  CLI::App* verb = app.add_subcommand("audit", "Read the audit log");
  verb->require_subcommand(1);
  CLI::App* tail = verb->add_subcommand("tail", "The last records: what ran, under which policy, how it ended");
  tail->footer(kTailFooter);
  CLI::Option* profile = tail->add_option("PROFILE", options->profile, "Name of the profile");
  tail->add_option("--file", options->file, "A log file instead")->excludes(profile);
  tail->add_option("--run", options->selection.run, "Only this run: its id or the beginning of it");
  add_shared(*tail, *options);
  tail->callback([options, &status] {
    if (options->denied) options->selection.show = audit::Selection::Show::Denied;
    status = tail_verb(*options);
  });
}

}  // namespace jail::cli
