// `jail ps`, and what acts on live jails: `kill`, `freeze`, `thaw`.
#include "cli/jails.h"

#include <unistd.h>

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>

#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"
#include "cli/table.h"
#include "cli/verbs.h"
#include "sys/accounts.h"

namespace jail::cli {
namespace {

using registry::Live;
using registry::Request;
using registry::Status;

constexpr registry::Patience kObeyPatience{2000};

constexpr const char* kPsFooter =
    R"(Root sees the jails of all users, others their own; in each case those started in this network namespace.
MEMORY counts what processes share for each of them.

Examples:
  jail ps
  jail ps --json | jq '.[] | select(.denied > 0)'
)";

constexpr const char* kActFooter =
    R"(JAIL is the beginning of a run's id, as `jail ps` shows it, or the name of a profile: then all its live jails.

Examples:
  jail kill 5264 --reason "talks too much"
  jail kill acme-crm
  jail freeze acme-crm
  jail thaw acme-crm
)";

std::string user_name(uid_t uid) {
  const auto account = sys::account_of(uid);
  return account ? text::for_people(account->name) : std::to_string(uid);
}

std::chrono::nanoseconds age_of(const Status& status) {
  const std::uint64_t now = clock::boottime_ns();
  return std::chrono::nanoseconds(now > status.started_ns ? now - status.started_ns : 0);
}

std::string_view word_for(Status::State state) {
  switch (state) {
    case Status::State::Starting: return "starting";
    case Status::State::Running: return "running";
    case Status::State::Frozen: return "frozen";
  }
  return "unknown";
}

std::string tenths(double number) {
  char text[32];
  (void)std::snprintf(text, sizeof text, "%.1f", number);
  return text;
}

std::string cpu_of(const Status& status, const std::optional<std::vector<Share>>& shares) {
  if (!shares) return text::human_duration(std::chrono::milliseconds(status.cpu_ms));
  const auto known = std::ranges::find(*shares, status.run.view(), &Share::run);
  return known == shares->end() ? "-" : tenths(known->percent);
}

Row row_of(const Live& live, const std::optional<std::vector<Share>>& shares) {
  if (!live.status)
    return {live.run, text::for_people(live.profile), user_name(live.uid), "?", "?", "?", "?", "?", "?", "no answer",
            ""};
  const Status& status = *live.status;
  return {live.run,
          text::for_people(live.profile),
          user_name(live.uid),
          text::human_duration(age_of(status)),
          cpu_of(status, shares),
          text::human_size(status.memory),
          std::to_string(status.processes),
          std::to_string(status.events),
          std::to_string(status.denied),
          std::string(word_for(status.state)),
          text::for_people(status.command.view())};
}

void write(json::Writer& writer, const Live& live) {
  writer.begin_object();
  writer.member("run", live.run);
  writer.member("profile", live.profile);
  writer.member("uid", static_cast<std::uint64_t>(live.uid));
  writer.member("supervisor", static_cast<std::int64_t>(live.supervisor));
  writer.member("state", live.status ? word_for(live.status->state) : "no answer");
  if (live.status) {
    const Status& status = *live.status;
    writer.member("pid", static_cast<std::int64_t>(status.pid));
    writer.member("command", status.command.view());
    writer.member("age_ms", static_cast<std::uint64_t>(age_of(status).count() / 1'000'000));
    writer.member("cpu_ms", status.cpu_ms);
    writer.member("memory", status.memory);
    writer.member("processes", status.processes);
    writer.member("events", status.events);
    writer.member("denied", status.denied);
    if (status.log.size != 0) writer.member("log", status.log.view());
    if (status.reason.size != 0) writer.member("reason", status.reason.view());
  }
  writer.end_object();
}

int print_json(const std::vector<Live>& jails) {
  json::Writer writer;
  writer.begin_array();
  for (const Live& live : jails) write(writer, live);
  writer.end_array();
  std::puts(writer.text().c_str());
  return EXIT_SUCCESS;
}

int ps_verb(bool as_json) {
  const std::vector<Live> jails = registry::list_live(kAnswerPatience);
  if (as_json) return print_json(jails);
  for (const std::string& line : lines_of(jails)) std::puts(line.c_str());
  return EXIT_SUCCESS;
}

struct Act {
  Request::Wish wish;
  const char* name;
  const char* done;
};

constexpr Act kKill = {Request::Wish::Kill, "kill", "ended"};

struct Wanted {
  std::string jail;
  std::string reason;
  bool all = false;
};

std::string called(const Live& live) {
  return live.run + " (" + text::for_people(live.profile) + ")";
}

bool say_failed(const Live& live, const char* act, const std::string& why) {
  std::fprintf(stderr, "jail: %s %s: %s\n", act, called(live).c_str(), why.c_str());
  return false;
}

// They are ended together: who hangs holds up nobody's end.
bool end_all(std::vector<Live> jails, const std::string& reason) {
  std::vector<std::string> all;
  for (const Live& live : jails) all.push_back(called(live));
  const std::vector<Live> still_there = registry::end(std::move(jails), reason);
  for (const Live& live : still_there) {
    std::erase(all, called(live));
    (void)say_failed(live, kKill.name, "it is still there");
  }
  for (const std::string& one : all) std::printf("%s %s\n", kKill.done, one.c_str());
  return still_there.empty();
}

bool act_on(const Live& live, const Act& act, const std::string& reason) {
  Request request{.wish = act.wish};
  request.reason.set(reason);
  const auto reply = registry::ask(live, request, kObeyPatience);
  if (!reply) return say_failed(live, act.name, "its supervisor does not answer: 'jail kill' ends it");
  if (reply->refusal.size != 0) return say_failed(live, act.name, text::for_people(reply->refusal.view()));
  std::printf("%s %s\n", act.done, called(live).c_str());
  return true;
}

int act_verb(const Act& act, const Wanted& wanted) {
  registry::Meant meant{.jails = registry::list_live(kAnswerPatience), .problem = {}};
  if (!wanted.all) meant = registry::find_meant(std::move(meant.jails), wanted.jail);
  if (meant.problem) return refuse_word(*meant.problem);
  if (act.wish == Request::Wish::Kill)
    return end_all(std::move(meant.jails), wanted.reason) ? EXIT_SUCCESS : EXIT_FAILURE;
  bool all_done = true;
  for (const Live& live : meant.jails) all_done = act_on(live, act, wanted.reason) && all_done;
  return all_done ? EXIT_SUCCESS : EXIT_FAILURE;
}

void add_act(CLI::App& app, int& status, const Act& act, const char* description) {
  auto wanted = std::make_shared<Wanted>();
  CLI::App* verb = app.add_subcommand(act.name, description);
  verb->footer(kActFooter);
  CLI::Option* jail = verb->add_option("JAIL", wanted->jail, "The beginning of a run's id, or a profile's name");
  CLI::Option* all = verb->add_flag("--all", wanted->all, "Every live jail, for root those of all users");
  all->excludes(jail);
  add_reason(*verb, wanted->reason, "For the log");
  verb->callback([wanted, act, &status] {
    if (wanted->jail.empty() && !wanted->all) throw CLI::ValidationError("JAIL, or --all, is required");
    status = act_verb(act, *wanted);
  });
}

}  // namespace

std::vector<std::string> lines_of(const std::vector<Live>& jails, const std::optional<std::vector<Share>>& shares) {
  const std::vector<Column> columns = {{"RUN"},          {"PROFILE"},      {"USER"},
                                       {"AGE"},          {shares ? "CPU%" : "CPU", Side::Right},
                                       {"MEMORY", Side::Right}, {"PROCS", Side::Right}, {"EVENTS", Side::Right},
                                       {"DENIED", Side::Right}, {"STATE"},        {"COMMAND"}};
  std::vector<Row> rows;
  rows.reserve(jails.size());
  for (const Live& live : jails) rows.push_back(row_of(live, shares));
  return lines_of(columns, rows);
}

int refuse_word(const registry::Problem& problem) {
  std::fprintf(stderr, "jail: %s\n  hint: %s\n", text::for_people(problem.message).c_str(),
               text::for_people(problem.hint).c_str());
  return EXIT_FAILURE;
}

int kill_jails(const std::string& profile, const std::string& reason) {
  std::vector<Live> jails = registry::list_live(kAnswerPatience);
  std::erase_if(jails, [&](const Live& live) { return !profile.empty() && live.profile != profile; });
  return end_all(std::move(jails), reason) ? EXIT_SUCCESS : EXIT_FAILURE;
}

void add_reason(CLI::App& verb, std::string& reason, const std::string& purpose) {
  constexpr std::size_t kMost = registry::kMostOfReason;
  const auto check = [](const std::string& text) {
    const std::string size = std::to_string(text.size());
    return text.size() <= kMost ? "" : "it has " + size + " bytes of at most " + std::to_string(kMost);
  };
  verb.add_option("--reason", reason, purpose + ": at most " + std::to_string(kMost) + " bytes")
      ->check(CLI::Validator(check, ""));
}

void add_ps(CLI::App& app, int& status) {
  auto as_json = std::make_shared<bool>(false);
  CLI::App* verb = app.add_subcommand("ps", "The jails that live now");
  verb->footer(kPsFooter);
  verb->add_flag("--json", *as_json, "One JSON array; sizes in bytes, times in milliseconds");
  verb->callback([as_json, &status] { status = ps_verb(*as_json); });
}

void add_kill(CLI::App& app, int& status) {
  add_act(app, status, kKill, "End live jails: nothing of them survives");
}

void add_freeze(CLI::App& app, int& status) {
  add_act(app, status, {Request::Wish::Freeze, "freeze", "frozen"},
          "Stop all processes of live jails; their time limits go on");
}

void add_thaw(CLI::App& app, int& status) {
  add_act(app, status, {Request::Wish::Thaw, "thaw", "thawed"}, "Let frozen jails go on");
}

}  // namespace jail::cli
