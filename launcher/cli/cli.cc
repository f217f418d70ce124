#include "cli/cli.h"

#include <algorithm>
#include <cstdio>
#include <exception>
#include <vector>

#include "base/text.h"
#include "cli/verbs.h"
#include "profile/suggest.h"
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
  jail digest /opt/crm                               the digest that a profile's integrity wants
)";

// Only the verb that is asked for, if it is one: describing all of them would be a tenth of the start-up time.
void add_verbs(CLI::App& app, std::string_view first, int& status) {
  for (const Verb& verb : kVerbs)
    if (verb.name == first) return verb.add(app, status);
  for (const Verb& verb : kVerbs) verb.add(app, status);
}

bool is_verb(std::string_view word) {
  return std::ranges::find(kVerbs, word, &Verb::name) != std::end(kVerbs);
}

int refuse_verb(std::string_view word) {
  std::vector<std::string_view> names;
  for (const Verb& verb : kVerbs) names.push_back(verb.name);
  std::fprintf(stderr, "jail: no verb '%s'\n  hint: %s\n", text::for_people(word).c_str(),
               profile::hint_for(word, names).c_str());
  return run::kExitUsage;
}

// The library takes the "--" before the command for a further word that nobody expected.
int refuse_words(std::string message) {
  if (const std::size_t at = message.find(" -- "); at != std::string::npos) message.erase(at, 3);
  std::fprintf(stderr, "%s\nRun with --help for more information.\n", text::for_people(message).c_str());
  return run::kExitUsage;
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
  if (argc > 1 && argv[1][0] != '-' && !is_verb(argv[1])) return refuse_verb(argv[1]);
  try {
    app.parse(argc, argv);
    return status;
  } catch (const CLI::ExtrasError& error) {
    return refuse_words(error.what());
  } catch (const CLI::ParseError& error) {  // also how --help and --version arrive
    return app.exit(error) == 0 ? 0 : run::kExitUsage;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "jail: %s\n", error.what());
    return run::kExitJailFailed;
  }
}

}  // namespace jail::cli
