#include <memory>

#include "base/text.h"
#include "cli/print.h"
#include "cli/verbs.h"
#include "cli/wanted.h"
#include "run/channels.h"
#include "run/session.h"

namespace jail::cli {
namespace {

constexpr const char* kFooter = R"(Exit status: the plugin's own; 128+n when signal n ended it; 124 wall time was up;
125 the jail could not be built; 126 cannot execute; 127 not found; 2 usage.
No number is unambiguous: --status-fd says for sure.

The plugin starts in the profile's cwd, by default its first write grant: name its files by their whole paths.

Examples (crm.yaml names ${plugin}):
  jail run --set plugin=/opt/crm ./crm.yaml -- python3 /opt/crm/plugin.py
  jail run --set plugin=/opt/crm crm -- python3 /opt/crm/plugin.py              (crm is an installed profile)
  jail run --set plugin=/opt/crm --audit-fd 3 ./crm.yaml -- python3 --version 3>&2 2>&1
                     (the log alone on standard error, as for a container; all else on standard output)
)";

struct Options {
  WantedOptions wanted;
  std::vector<std::string> audit_files;
  std::vector<int> audit_fds;
  int status_fd = -1;
  std::vector<int> pass_fds;
};

std::string refuse_empty(const std::string& text) { return text.empty() ? "an empty name is no file" : ""; }

run::Options session_options(const Options& options) {
  run::Options session;
  session.wanted = wanted_of(options.wanted);
  for (const std::string& file : options.audit_files) session.audit.emplace_back(audit::File{file});
  for (const int number : options.audit_fds) session.audit.emplace_back(audit::Descriptor{number});
  session.status_fd = options.status_fd;
  session.pass_fds = options.pass_fds;
  session.wanted.own_files = run::files_of_channels(session.audit, session.status_fd);
  return session;
}

void print_problem(const run::Result& result) {
  if (result.problem.empty()) return;
  std::fprintf(stderr, "jail: %s\n", text::for_people(result.problem).c_str());
  if (!result.hint.empty()) std::fprintf(stderr, "  hint: %s\n", text::for_people(result.hint).c_str());
}

int run_verb(const Options& options) {
  const run::Result result = run::run(session_options(options));
  print_errors(stderr, result.diagnostics);  // warnings are for `jail check`
  print(stderr, result.remarks);
  for (const run::Refusal& refusal : result.refusals) print(stderr, refusal);
  print_problem(result);
  return result.exit_status;
}

}  // namespace

void add_run(CLI::App& app, int& status) {
  auto options = std::make_shared<Options>();
  CLI::App* verb =
      app.add_subcommand("run", "Run a plugin inside its jail: jail run [options] PROFILE -- CMD [ARG...]");
  verb->footer(kFooter);
  add_wanted(*verb, options->wanted, ProfileIs::Required);
  verb->add_option("--audit", options->audit_files, "Log to this file instead of the profile's own")
      ->check(CLI::Validator(refuse_empty, "FILE"))
      ->allow_extra_args(false);
  verb->add_option("--audit-fd", options->audit_fds,
                   "Log to this open descriptor: no file, pipe or socket that the plugin's output goes to, too; on a "
                   "terminal the lines mix")
      ->allow_extra_args(false);
  verb->add_option("--status-fd", options->status_fd, "How the run ended, as JSON Lines, on this open descriptor")
      ->check(CLI::Range(0, 1 << 20));
  verb->add_option("--pass-fd", options->pass_fds, "Let the plugin have this open descriptor, too")
      ->allow_extra_args(false);
  verb->add_option("command", options->wanted.command, "The plugin's program and its arguments, after --")->required();
  verb->callback([options, &status] { status = run_verb(*options); });
}

}  // namespace jail::cli
