// A host program that runs the test plugin (plugin.c) in a jail, by the calls of session.cc less profile file and log.
// It is a process of its own, so that it can be killed, signalled, and be somebody else.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <signal.h>

#include <chrono>
#include <map>
#include <sstream>

#include "base/text.h"
#include "jailed.h"
#include "run/build.h"
#include "run/facts.h"
#include "run/plan.h"
#include "run/supervise.h"

namespace jail::test {

// What is run, and what is odd about it.
struct Wish {
  std::vector<std::string> argv;  // of the plugin, without its name
  profile::Profile profile{};
  std::string program{};                     // instead of the test plugin
  std::function<void(run::Plan&)> change{};  // of the plan, before anything is built
  std::function<void()> before{};            // in the host, first of all
  std::function<void()> before_plugin{};     // in the host, when the plugin stands ready
  pid_t parent = 0;                          // who must not end before; 0: nobody is watched
  int times = 1;                             // how often
};

struct Told {
  std::map<std::string, std::string> said;  // by the host: "exit", "outcome", "reason", "failed", "init", "plugin", ...
  std::string plugin;                       // by the plugin, on descriptor 3
  [[nodiscard]] std::string operator[](const std::string& key) const {
    const auto found = said.find(key);
    return found == said.end() ? "" : found->second;
  }
  // The number that the plugin said of something; `otherwise` where it said nothing.
  [[nodiscard]] long number(const std::string& what, long otherwise = -999) const {
    std::istringstream lines(plugin);
    for (std::string line; std::getline(lines, line);)
      if (line.starts_with(what + " ")) return std::stol(line.substr(what.size() + 1));
    return otherwise;
  }
};

class Host {
 public:
  static constexpr int kPluginSays = 3;
  static constexpr int kHostSays = 4;

  Host(Starter starter, Wish wish) : wish_(std::move(wish)) {
    if (wish_.program.empty()) {
      wish_.program = scratch_ / "plugin";
      std::filesystem::copy_file(JAIL_TEST_PLUGIN, wish_.program);
    }
    int plugin[2], host[2];
    check(::pipe2(plugin, O_CLOEXEC), "pipe");
    check(::pipe2(host, O_CLOEXEC), "pipe");
    const Fd plugin_end(plugin[1]), host_end(host[1]);
    from_plugin_ = Fd(plugin[0]);
    from_host_ = Fd(host[0]);
    pid_ = check(::fork(), "fork");
    if (pid_ == 0) be(starter, plugin[1], host[1]);
  }
  ~Host() {
    if (pid_ <= 0) return;
    (void)::kill(pid_, SIGKILL);
    (void)::waitpid(pid_, nullptr, 0);
  }
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] const std::string& program() const { return wish_.program; }

  // What the host has said of `key`, as soon as it has.
  std::string wait_for(const std::string& key) {
    while (told_[key].empty() && read_some(from_host_, host_text_)) parse();
    return told_[key];
  }
  // Until the plugin has said so; false when it never will.
  bool wait_for_plugin(const std::string& word) {
    while (told_.plugin.find(word) == std::string::npos)
      if (!read_some(from_plugin_, told_.plugin)) return false;
    return true;
  }
  // Everything that both had to say. The end of the plugin's pipe is the end of every process that held it.
  Told wait() {
    while (read_some(from_host_, host_text_)) {}
    parse();
    told_.said["status"] = std::to_string(status_of(pid_));
    pid_ = -1;
    while (read_some(from_plugin_, told_.plugin)) {}
    return told_;
  }
  // For a host that was killed: only what the plugin said, until nobody is left who could.
  bool plugin_ends() {
    while (read_some(from_plugin_, told_.plugin)) {}
    return !late_;
  }

 private:
  static constexpr int kPatienceMs = 20'000;

  bool read_some(const Fd& from, std::string& text) {
    pollfd polled{from.get(), POLLIN, 0};
    char block[4096];
    if (::poll(&polled, 1, kPatienceMs) != 1) {
      ADD_FAILURE() << "nothing happens for " << kPatienceMs << " ms; so far: " << host_text_ << told_.plugin;
      late_ = true;
      return false;
    }
    const ssize_t size = ::read(from.get(), block, sizeof block);
    if (size > 0) text.append(block, static_cast<std::size_t>(size));
    return size > 0;
  }

  void parse() {
    std::istringstream lines(host_text_);
    for (std::string line; std::getline(lines, line);)
      if (const std::size_t space = line.find(' '); space != std::string::npos)
        told_.said[line.substr(0, space)] = line.substr(space + 1);
  }

  static void say(const std::string& key, const std::string& value) {
    const std::string line = key + " " + value + "\n";
    (void)!::write(kHostSays, line.data(), line.size());
  }

  [[noreturn]] void be(Starter starter, int plugin_end, int host_end) const {
    try {
      const int plugin_copy = check(::fcntl(plugin_end, F_DUPFD, 100), "dup"),
                host_copy = check(::fcntl(host_end, F_DUPFD, 100), "dup");
      check(::dup2(plugin_copy, kPluginSays), "dup2");
      check(::dup3(host_copy, kHostSays, O_CLOEXEC), "dup3");
      sys::close_from(5, {});
      if (starter == Starter::User && !become_ordinary()) ::_exit(98);
      sys::set_dumpable(sys::Dumpable::Yes);
      if (wish_.before) wish_.before();
      for (int i = 0; i < wish_.times; ++i) run_once();
      ::_exit(0);
    } catch (const std::exception& error) {
      say("threw", error.what());
      ::_exit(97);
    }
  }

  [[nodiscard]] run::Plan make_plan() const {
    profile::Profile profile = wish_.profile;
    profile.filesystem.grants.push_back(
        {.access = profile::Access::Exec, .path = wish_.program, .optional = true, .place = {}});
    run::Request request;
    request.argv = {wish_.program};
    request.argv.insert(request.argv.end(), wish_.argv.begin(), wish_.argv.end());
    request.caller_environment = run::environment();
    request.launcher = run::launcher();
    run::Places nowhere;
    nowhere.home = nowhere.state = "/nonexistent";
    request.mounts = run::collect_mounts(profile);
    return run::plan(profile, run::collect(profile, nowhere, {}), run::probe(), request);
  }

  void run_once() const {
    const Fd signals = run::open_signals();
    run::Plan plan = make_plan();
    if (!plan.refusals.empty())
      return say("refused", plan.refusals.front().layer + ": " + plan.refusals.front().reason);
    if (wish_.change) wish_.change(plan);
    const run::StdioPlan stdio;
    run::StdioEnds ends = run::make_ends(stdio);
    run::Placement group;
    auto init = run::start_init(plan.identity, group);
    if (const auto* failure = std::get_if<run::BuildFailure>(&init)) return say_failed(*failure);
    run::Construction construction(std::move(std::get<run::Worker>(init)), plan, stdio, ends, group, {kPluginSays});
    auto ready = construction.wait_ready(signals, run::Proc::Required);
    if (const auto* failure = std::get_if<run::BuildFailure>(&ready)) return say_failed(*failure);
    supervise(std::get<run::Jail>(ready), plan, stdio, std::move(ends), signals);
  }

  static void say_failed(const run::BuildFailure& failure) {
    say("failed", failure.layer);
    say("reason", failure.reason);
    say("error", errno_name(failure.error));
  }

  void supervise(run::Jail& jail, const run::Plan& plan, const run::StdioPlan& stdio, run::StdioEnds ends,
                 const Fd& signals) const {
    say("init", std::to_string(jail.init.pid()));
    say("plugin", std::to_string(jail.plugin.pid()));
    run::StdioProxy proxy(stdio, std::move(ends), std::move(jail.masters));
    const Fd parent = wish_.parent > 0 ? sys::pidfd_open(wish_.parent) : Fd();
    if (wish_.before_plugin) wish_.before_plugin();
    run::send_proceed(jail.plugin.socket());
    const run::Ending ending =
        run::supervise(jail, proxy, signals,
                       {.time_ms = plan.time_ms, .grace_ms = plan.grace_ms, .command = {},
                        .parent = parent ? &parent : nullptr});
    say("exit", std::to_string(ending.exit_status));
    say("outcome", std::string(event::name_of(ending.record.outcome)));
    if (!ending.record.reason.empty()) say("reason", ending.record.reason);
  }

  Scratch scratch_;
  Wish wish_;
  Fd from_plugin_, from_host_;
  std::string host_text_;
  Told told_;
  pid_t pid_ = -1;
  bool late_ = false;
};

inline Told run_plugin(Starter starter, Wish wish) { return Host(starter, std::move(wish)).wait(); }

}  // namespace jail::test
