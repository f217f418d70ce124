#include "confine/environment.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "../machine.h"

namespace jail::confine::environment {
namespace {

using test::line;
using Variables = std::vector<std::string>;

profile::Environment allowing(std::vector<std::string> patterns) {
  profile::Environment wanted;
  for (std::string& pattern : patterns) wanted.allow.push_back({std::move(pattern), line(1)});
  return wanted;
}

TEST(EnvironmentPlan, IsEmptyUnlessSomethingIsNamed) {
  EXPECT_TRUE(plan({}, {"HOME=/root", "PATH=/bin", "TOKEN=x"}).variables.empty());
}

TEST(EnvironmentPlan, PassesWhatIsNamedAndNothingThatMerelyBeginsAlike) {
  const Plan plan = environment::plan(allowing({"LANG"}), {"LANG=C", "LANGUAGE=de", "LAN=x", "XLANG=y"});
  EXPECT_EQ(plan.variables, Variables{"LANG=C"});
}

TEST(EnvironmentPlan, IsSortedByNameWhateverTheCallersOrder) {
  EXPECT_EQ(plan(allowing({"*"}), {"Z=1", "A=2", "M=3"}).variables, (Variables{"A=2", "M=3", "Z=1"}));
}

TEST(EnvironmentPlan, AGlobMatchesAWholeName) {
  const Plan plan = environment::plan(allowing({"LC_*"}), {"LC_ALL=C", "LC_=", "LC=x", "XLC_ALL=y"});
  EXPECT_EQ(plan.variables, (Variables{"LC_=", "LC_ALL=C"}));
}

// The names come from what others refuse: ld.so(8) in secure mode, sudo's env_delete, the manuals of the interpreters.
constexpr const char* kCodeRunning[] = {"LD_PRELOAD",
                                        "LD_LIBRARY_PATH",
                                        "LD_AUDIT",
                                        "LD_DEBUG_OUTPUT",
                                        "GLIBC_TUNABLES",
                                        "GCONV_PATH",
                                        "LOCPATH",
                                        "NLSPATH",
                                        "HOSTALIASES",
                                        "BASH_ENV",
                                        "ENV",
                                        "SHELLOPTS",
                                        "BASHOPTS",
                                        "PS4",
                                        "PROMPT_COMMAND",
                                        "BASH_FUNC_ls%%",
                                        "IFS",
                                        "CDPATH",
                                        "ZDOTDIR",
                                        "FPATH",
                                        "PYTHONSTARTUP",
                                        "PYTHONPATH",
                                        "PYTHONHOME",
                                        "PYTHONINSPECT",
                                        "PYTHONUSERBASE",
                                        "PYTHONBREAKPOINT",
                                        "NODE_OPTIONS",
                                        "NODE_PATH",
                                        "PERL5OPT",
                                        "PERL5LIB",
                                        "PERL5DB",
                                        "PERLLIB",
                                        "RUBYOPT",
                                        "RUBYLIB",
                                        "JAVA_TOOL_OPTIONS",
                                        "_JAVA_OPTIONS",
                                        "JDK_JAVA_OPTIONS",
                                        "CLASSPATH",
                                        "LUA_INIT",
                                        "LUA_INIT_5_4",
                                        "LUA_PATH",
                                        "LUA_CPATH",
                                        "DOTNET_STARTUP_HOOKS",
                                        "OPENSSL_CONF",
                                        "OPENSSL_MODULES",
                                        "OPENSSL_ENGINES",
                                        "TERMINFO",
                                        "TERMINFO_DIRS"};

TEST(EnvironmentPlan, NoGlobMatchesANameThatMakesSomethingRun) {
  for (const std::string name : kCodeRunning)
    for (const std::string& glob :
         {std::string("*"), name.substr(0, 1) + "*", name.substr(0, name.size() - 1) + "*", "*" + name.substr(1)})
      EXPECT_TRUE(plan(allowing({glob}), {name + "=evil"}).variables.empty()) << name << " by " << glob;
}

TEST(EnvironmentPlan, SuchANameIsPassedWhenItIsWrittenOut) {
  for (const std::string name : kCodeRunning)
    EXPECT_EQ(plan(allowing({name}), {name + "=stated"}).variables, Variables{name + "=stated"}) << name;
}

TEST(EnvironmentPlan, OrdinaryNamesAreNotTakenForThem) {
  for (const char* name :
       {"HOME", "LANG", "LC_ALL", "TERM", "TZ", "ACME_ENV", "ENVIRONMENT", "PYTHONDONTWRITEBYTECODE", "LDAP_URI"})
    EXPECT_EQ(plan(allowing({"*"}), {std::string(name) + "=v"}).variables.size(), 1U) << name;
}

TEST(EnvironmentPlan, SecretsArePassedAndRemembered) {
  profile::Environment wanted;
  wanted.secret = {{"ACME_TOKEN", line(1)}, {"ACME_KEY_*", line(2)}};
  const Plan plan = environment::plan(wanted, {"ACME_TOKEN=tttt", "ACME_KEY_1=kkkk", "OTHER=o"});
  EXPECT_EQ(plan.variables, (Variables{"ACME_KEY_1=kkkk", "ACME_TOKEN=tttt"}));
  Variables secrets = plan.secrets;
  std::ranges::sort(secrets);
  EXPECT_EQ(secrets, (Variables{"kkkk", "tttt"}));
}

TEST(EnvironmentPlan, ANameThatIsBothAllowedAndSecretIsSecret) {
  profile::Environment wanted = allowing({"ACME_*"});
  wanted.secret = {{"ACME_TOKEN", line(2)}};
  const Plan plan = environment::plan(wanted, {"ACME_TOKEN=tttt", "ACME_URL=u"});
  EXPECT_EQ(plan.variables.size(), 2U);
  EXPECT_EQ(plan.secrets, Variables{"tttt"});
}

TEST(EnvironmentPlan, WhatTheProfileSetsWinsOverTheCaller) {
  profile::Environment wanted = allowing({"MODE"});
  wanted.set = {{"MODE", "jailed", line(2)}, {"NEW", "1", line(3)}};
  EXPECT_EQ(plan(wanted, {"MODE=free"}).variables, (Variables{"MODE=jailed", "NEW=1"}));
}

TEST(EnvironmentPlan, KeepsEverythingAfterTheFirstEqualsSign) {
  EXPECT_EQ(plan(allowing({"A"}), {"A=b=c=d\n"}).variables, Variables{"A=b=c=d\n"});
}

TEST(EnvironmentPlan, LeavesOutWhatIsNoVariable) {
  EXPECT_TRUE(plan(allowing({"*", ""}), {"noequals", "=starts", ""}).variables.empty());
}

}  // namespace
}  // namespace jail::confine::environment
