#include "cli/cli.h"

#include <cstdio>
#include <exception>

#include "cli/verbs.h"
#include "run/exit_status.h"
#include "run/stdio.h"

namespace jail::cli {
namespace {

constexpr const char* kFooter = R"(Examples:
  jail check --set plugin=/opt/crm ./crm.yaml        every fault of a profile, with line and hint
  jail show --plan --set plugin=/opt/crm ./crm.yaml  what will hold on this kernel, layer by layer
  jail run --set plugin=/opt/crm ./crm.yaml -- python3 /opt/crm/plugin.py
  jail why --path /srv/x --op write --set plugin=/opt/crm ./crm.yaml
                                                     which line allows or denies it, and what to add
  jail audit tail crm                                what happened
  jail doctor                                        what this machine offers
)";

// Only the verb that is asked for, if it is one: describing all of them would be a tenth of the start-up time.
void add_verbs(CLI::App& app, std::string_view first, int& status) {
  for (const Verb& verb : kVerbs)
    if (verb.name == first) return verb.add(app, status);
  for (const Verb& verb : kVerbs) verb.add(app, status);
}

}  // namespace

int main(int argc, char** argv) {
  run::fill_closed_stdio();
  CLI::App app("Run plugins in a jail the kernel enforces.", "jail");
  app.set_version_flag("--version", "jail " JAIL_VERSION);
  app.require_subcommand(1);
  app.footer(kFooter);
  int status = 0;
  add_verbs(app, argc > 1 ? argv[1] : "", status);
  try {
    app.parse(argc, argv);
    return status;
  } catch (const CLI::ParseError& error) {  // also how --help and --version arrive
    return app.exit(error) == 0 ? 0 : run::kExitUsage;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "jail: %s\n", error.what());
    return run::kExitJailFailed;
  }
}

}  // namespace jail::cli
