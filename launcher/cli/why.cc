// `jail why`: what the profile says about one thing, without running anything.
#include <sys/stat.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "base/error.h"
#include "base/json.h"
#include "base/text.h"
#include "cli/hint.h"
#include "cli/print.h"
#include "cli/verbs.h"
#include "cli/wanted.h"
#include "egress/decide.h"
#include "profile/endpoint.h"
#include "profile/environment.h"
#include "run/decide.h"
#include "run/exit_status.h"
#include "run/interpreters.h"
#include "sys/route.h"

namespace jail::cli {
namespace {

constexpr const char* kFooter =
    R"(Answers from the profile and this machine's files alone: nothing is run, no privilege is needed.
Exit status: 0 allowed, 1 denied, 2 usage, 125 the profile has errors.

Examples:
  jail why --path /srv/crm/data.db --op write ./crm.yaml
  jail why --syscall ptrace ./crm.yaml
  jail why --env ACME_TOKEN ./crm.yaml
  jail why --host api.acme.example:443 ./crm.yaml
)";

constexpr const char* kOneHost = "api.acme.example:443";

struct Options {
  WantedOptions wanted;
  std::string path;
  std::string operation = "read";
  std::string syscall;
  std::string env;
  std::string host;
  bool json = false;
};

struct Answer {
  event::Decision decision = event::Decision::Denied;
  std::string what{};                    // "read /srv/x"
  std::string resolved{};                // of a path, where links lead elsewhere
  std::string layer{};                   // that would say no
  std::optional<profile::Place> rule{};  // none: the default
  int error = 0;
  std::string reason{};
  std::string hint{};  // harmless on a terminal already
};

std::string rule_of(const Answer& answer) { return answer.rule ? profile::line_of(*answer.rule) : "default"; }

std::optional<run::HostFile> look(const std::string& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) return std::nullopt;
  run::HostFile file{.owner = status.st_uid,
                     .group = status.st_gid,
                     .mode = status.st_mode & 07777U,
                     .target = {},
                     .interpreters = {}};
  using Kind = run::HostFile::Kind;
  if (S_ISREG(status.st_mode)) file.kind = Kind::File;
  else if (S_ISDIR(status.st_mode)) file.kind = Kind::Folder;
  else file.kind = S_ISLNK(status.st_mode) ? Kind::Link : Kind::Other;
  std::error_code unreadable;
  if (file.kind == Kind::Link) file.target = std::filesystem::read_symlink(path, unreadable);
  if (file.kind == Kind::File && (file.mode & 0111) != 0) file.interpreters = run::interpreters_of(path);
  return file;
}

Answer about_path(const Options& options, const run::Plan& plan) {
  using run::Operation;
  const Operation operation = options.operation == "read"    ? Operation::Read
                              : options.operation == "write" ? Operation::Write
                                                             : Operation::Exec;
  run::Decision decision = run::decide(plan, operation, options.path, {look});
  Answer answer{.decision = decision.decision,
                .what = options.operation + " " + options.path,
                .resolved = decision.path == options.path ? "" : decision.path,
                .layer = std::move(decision.layer),
                .rule = std::move(decision.rule),
                .error = decision.error,
                .reason = std::move(decision.reason),
                .hint = {}};
  const Grant grant = operation == Operation::Read    ? Grant::Read
                      : operation == Operation::Write ? Grant::Write
                                                      : Grant::Exec;
  if (decision.grantable)
    answer.hint = hint_for_path(grant, decision.path, rule_of(answer), decision.error, plan.profile);
  return answer;
}

std::string errors_of(const confine::seccomp::Rule& rule) {
  std::string all;
  for (const confine::seccomp::Clause& clause : rule.clauses) {
    const std::string name = clause.verdict == confine::seccomp::kAllow ? "allowed" : errno_name(clause.verdict.error);
    if (all.find(name) == std::string::npos) all.append(all.empty() ? "" : ", ").append(name);
  }
  return all;
}

Answer about_syscall(const Options& options, const run::Plan& plan) {
  const confine::seccomp::Row& row = *confine::seccomp::find_row(options.syscall);
  const confine::seccomp::Rule& rule = plan.seccomp.rules[row.number];
  const bool some =
      std::ranges::any_of(rule.clauses, [](const auto& clause) { return clause.verdict == confine::seccomp::kAllow; });
  const bool otherwise = rule.otherwise == confine::seccomp::kAllow;
  Answer answer{.decision = otherwise || some ? event::Decision::Allowed : event::Decision::Denied,
                .what = "syscall " + options.syscall,
                .resolved = {},
                .layer = otherwise ? "" : "seccomp",
                .rule = confine::seccomp::decided_by(plan.seccomp, row.number),
                .error = otherwise || some ? 0 : rule.otherwise.error,
                .reason = {},
                .hint = {}};
  const char* const set = plan.seccomp.set == profile::SyscallSet::Strict ? "strict" : "standard";
  answer.reason = answer.rule ? "the profile says so" : "by the built-in set '" + std::string(set) + "'";
  if (!rule.clauses.empty())
    answer.reason += otherwise ? "; some arguments are refused: " + errors_of(rule)
                               : "; only for some arguments: " + errors_of(rule);
  if (otherwise) return answer;
  answer.hint = hint_for_syscall(options.syscall, rule_of(answer), plan.profile);
  if (!answer.hint.empty() && !row.risk.empty()) answer.hint += "; this gives away: " + std::string(row.risk);
  return answer;
}

Answer about_env(const Options& options, const profile::Profile& profile) {
  const profile::Environment& env = profile.env;
  const bool set_here = std::getenv(options.env.c_str()) != nullptr;
  Answer answer{.decision = event::Decision::Allowed,
                .what = "env " + options.env,
                .resolved = {},
                .layer = {},
                .rule = {},
                .error = 0,
                .reason = {},
                .hint = {}};
  const auto passed_by = [&](const std::vector<profile::EnvName>& names, const char* key) {
    for (const profile::EnvName& entry : names) {
      if (!profile::passes(entry.pattern, options.env)) continue;
      answer.rule = entry.place;
      answer.reason = std::string(key) + ": " + entry.pattern + (set_here ? "" : "; but it is not set here");
      return true;
    }
    return false;
  };
  for (const profile::EnvValue& value : env.set)
    if (value.name == options.env) answer.rule = value.place, answer.reason = "env.set, whatever the caller has";
  if (answer.rule || passed_by(env.secret, "env.secret") || passed_by(env.allow, "env.allow")) return answer;
  answer.decision = event::Decision::Denied;
  answer.layer = "env";
  answer.reason = profile::runs_code(options.env) ? "no line names it, and no '*' matches what makes programs run code"
                                                  : "no line names it";
  answer.hint =
      "add to profile " + text::for_people(profile.name) + ", env: allow: [" + text::for_people(options.env) + "]";
  return answer;
}

// "api.example:443", "udp://10.0.0.1:53", "[2001:db8::1]", as in network.allow but for what may be left out.
profile::EndpointReading endpoint_of(std::string host) {
  if (host.find("://") == std::string::npos) host.insert(0, "tcp://");
  const std::size_t end = host.rfind(']');
  const std::size_t colon = host.find(':', end == std::string::npos ? host.find("://") + 3 : end);
  if (colon == std::string::npos) host += ":*";
  return profile::parse_endpoint(host);
}

// Nothing where the question itself is wrong.
std::optional<Answer> about_host(const Options& options, const run::Plan& plan) {
  profile::EndpointReading asked = endpoint_of(options.host);
  const bool is_one =
      asked.endpoint.kind == profile::HostKind::Name || asked.endpoint.kind == profile::HostKind::Address;
  if (!asked.problem.empty() || !is_one) {
    std::fprintf(stderr, "jail: --host '%s': %s\n", text::for_people(options.host).c_str(),
                 is_one ? asked.problem.c_str() : "one name or one address is asked for");
    const std::string hint = is_one ? asked.hint : std::string("such as ") + kOneHost;
    if (!hint.empty()) std::fprintf(stderr, "  hint: %s\n", hint.c_str());
    return std::nullopt;
  }
  if (asked.endpoint.host == "0.0.0.0") asked.endpoint.host = "127.0.0.1";  // as connect(2) has it (ip(7))
  if (asked.endpoint.host == "::") asked.endpoint.host = "::1";
  Answer answer{.what = "host " + options.host};
  if (plan.namespaces.net == confine::namespaces::Plan::Net::Hosts) {
    answer.decision = event::Decision::Allowed;
    answer.reason = "network.mode is host: the host's own network";
    return answer;
  }
  egress::Decision decision = egress::decide(plan.egress, asked.endpoint, [](const egress::Address& address) {
    return sys::Routes().is_local(egress::octets(address));
  });
  answer.decision = decision.rule ? event::Decision::Allowed : event::Decision::Denied;
  answer.layer = decision.rule ? "" : "network";
  answer.error = decision.error;
  answer.reason = std::move(decision.reason);
  if (!decision.rule) answer.hint = hint_for_endpoint(asked.endpoint, "default", plan.profile);
  answer.rule = std::move(decision.rule);
  return answer;
}

void print_json(const Answer& answer, const std::string& profile) {
  json::Writer writer;
  writer.begin_object();
  writer.member("profile", profile);
  writer.member("what", answer.what);
  if (!answer.resolved.empty()) writer.member("resolved", answer.resolved);
  writer.member("decision", event::name_of(answer.decision));
  if (answer.decision == event::Decision::Denied) writer.member("layer", answer.layer);
  writer.member("rule", rule_of(answer));
  if (answer.error != 0) writer.member("errno", errno_name(answer.error));
  writer.member("reason", answer.reason);
  if (!answer.hint.empty()) writer.member("hint", answer.hint);
  writer.end_object();
  std::puts(writer.text().c_str());
}

void print_text(const Answer& answer) {
  std::string line = text::for_people(answer.what);
  if (!answer.resolved.empty()) line += " (" + text::for_people(answer.resolved) + ")";
  line += answer.decision == event::Decision::Denied ? ": denied" : ": allowed";
  if (answer.decision == event::Decision::Denied) line += " by " + answer.layer;
  if (answer.error != 0) line += " (" + errno_name(answer.error) + ")";
  std::printf("%s\n  %s: %s\n", line.c_str(), text::for_people(rule_of(answer)).c_str(),
              text::for_people(answer.reason).c_str());
  if (!answer.hint.empty()) std::printf("  hint: %s\n", answer.hint.c_str());
}

// Nothing where the question itself is wrong.
std::optional<Answer> answer_to(const Options& options, const run::Prepared& prepared, const run::Plan& plan) {
  if (!options.path.empty()) return about_path(options, plan);
  if (!options.host.empty()) return about_host(options, plan);
  if (!options.env.empty()) return about_env(options, prepared.profile);
  if (confine::seccomp::find_row(options.syscall) != nullptr) return about_syscall(options, plan);
  const std::string_view nearest = confine::seccomp::nearest_name(options.syscall);
  std::fprintf(stderr, "jail: unknown system call '%s'\n", text::for_people(options.syscall).c_str());
  if (!nearest.empty()) std::fprintf(stderr, "  hint: did you mean '%s'?\n", std::string(nearest).c_str());
  return std::nullopt;
}

int why_verb(const Options& options) {
  const run::Wanted wanted = wanted_of(options.wanted);
  const run::Prepared prepared = run::prepare(wanted, run::State::Leave);
  print_errors(stderr, prepared.diagnostics);
  if (profile::has_errors(prepared.diagnostics)) return run::kExitJailFailed;
  const run::Plan plan = run::plan_for(prepared, wanted);
  const std::optional<Answer> answer = answer_to(options, prepared, plan);
  if (!answer) return run::kExitUsage;
  if (options.json) print_json(*answer, prepared.profile.name);
  else print_text(*answer);
  return answer->decision == event::Decision::Denied ? 1 : 0;
}

}  // namespace

// What a script makes of a variable that is not set: nothing is asked.
CLI::Validator such_as(const std::string& example) {
  return {[example](const std::string& text) {
            return text.empty() ? "nothing is named: write one, such as " + example : std::string();
          },
          ""};
}

void add_why(CLI::App& app, int& status) {
  auto options = std::make_shared<Options>();
  CLI::App* verb = app.add_subcommand("why", "Which line of a profile allows or denies something, and what to add");
  verb->footer(kFooter);
  add_wanted(*verb, options->wanted, ProfileIs::Required);
  CLI::Option_group* question = verb->add_option_group("question", "One of these");
  CLI::Option* path = question->add_option("--path", options->path, "A path, as the plugin would name it");
  path->check(such_as("/srv/crm/data.db"));
  question->add_option("--syscall", options->syscall, "The name of a system call")->check(such_as("openat"));
  question->add_option("--host", options->host, "A name or an address to connect to, [udp://]HOST[:PORT]")
      ->check(such_as(kOneHost));
  question->add_option("--env", options->env, "The name of an environment variable")->check(such_as("ACME_TOKEN"));
  question->require_option(1);
  verb->add_option("--op", options->operation, "What is done with the path")
      ->check(CLI::IsMember({"read", "write", "exec"}))
      ->needs(path)
      ->capture_default_str();
  verb->add_flag("--json", options->json, "One JSON object instead of lines");
  verb->callback([options, &status] { status = why_verb(*options); });
}

}  // namespace jail::cli
