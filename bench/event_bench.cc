// What one record costs: made into a line, and made and written to a file as the supervisor does it. `bytes` is the
// length of the line. Target: 300,000 records a second on one core, 300 bytes on average.
//
// The bulk of a log is single paths with a process: file accesses, a denied one here. run.started is what a run pays
// once, before exec.
#include <benchmark/benchmark.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "audit/log.h"
#include "audit/sink.h"
#include "event/encode.h"

namespace jail {
namespace {

event::Event one_path() {
  return {.body = event::FileOpen{.call = "openat",
                                  .named = {.path = "/srv/crm/plugins/connectionpool.py"},
                                  .access = {"read"}},
          .source = event::Source::Notify,
          .pid = 4'194'303,
          .verdict = event::Verdict{event::Decision::Denied, "mount", "default", ENOENT, true}};
}

event::Event one_hostile_path() {
  event::Event event = one_path();
  std::get<event::FileOpen>(event.body).named.path = "/tmp/\xff\x1b[2J\\\"\n caf\xc3\xa9 \xe6\x96\x87\xe5\xad\x97";
  return event;
}

event::Event run_started() {
  event::RunStarted started{.command = {"/usr/bin/python3", "main.py", "--once"},
                            .profile_path = "/etc/jail/profiles/acme-crm.yaml",
                            .profile_digest = std::string(64, 'a'),
                            .plan_digest = std::string(64, 'b'),
                            .kernel = "6.18.0",
                            .event_source = "none"};
  for (int layer = 0; layer < 26; ++layer)
    started.policy.push_back({"limits.memory", event::LayerState::Enforced, "", "acme-crm.yaml:12"});
  return {.body = std::move(started)};
}

event::Stamp a_stamp() {
  return {.seq = 123'456,
          .time = clock::wall_now(),
          .mono_ns = clock::boottime_ns(),
          .run = "00c0ffee00c0ffee",
          .profile = "acme-crm"};
}

void encode_only(benchmark::State& state, event::Event (*make)(), const event::Redactor& redactor) {
  const event::Event event = make();
  const event::Stamp stamp = a_stamp();
  json::Writer writer;
  for (auto _ : state) {
    encode(stamp, event, redactor, writer);
    benchmark::DoNotOptimize(writer.text().data());
  }
  state.SetItemsProcessed(state.iterations());
  state.counters["bytes"] = static_cast<double>(writer.text().size() + 1);
}

// A file in the working folder, emptied now and then, inside the measured time, to keep the disk.
void encode_and_write(benchmark::State& state, event::Event (*make)()) {
  constexpr std::int64_t kEmptyEvery = 200'000;
  constexpr std::uint64_t kNoBound = 1ULL << 60;
  const std::string path = std::filesystem::current_path() / ("event_bench." + std::to_string(::getpid()) + ".jsonl");
  const event::Event event = make();
  {
    auto opened = audit::open({.run = "00c0ffee00c0ffee", .profile = "acme-crm", .profile_path = "/p.yaml"},
                              {audit::File{path}}, audit::home_of_this_process(), {},
                              {.bounds = {.retention = {kNoBound, kNoBound, 8}, .quota = {kNoBound, kNoBound}}});
    if (const auto* problem = std::get_if<audit::Problem>(&opened))
      return state.SkipWithError(problem->message.c_str());
    auto& log = std::get<audit::Log>(opened);
    std::int64_t written = 0;
    for (auto _ : state) {
      if (log.append(event)) return state.SkipWithError("a record was lost");
      if (++written % kEmptyEvery == 0) std::filesystem::resize_file(path, 0);
    }
    const std::int64_t in_file = written % kEmptyEvery;
    if (in_file > 0)
      state.counters["bytes"] = static_cast<double>(std::filesystem::file_size(path)) / static_cast<double>(in_file);
    state.SetItemsProcessed(written);
  }
  std::filesystem::remove(path);
}

// What every run pays at its start, the file being there already.
void open_and_close(benchmark::State& state) {
  const std::string path = std::filesystem::current_path() / ("event_bench." + std::to_string(::getpid()) + ".jsonl");
  const audit::Identity identity{.run = "00c0ffee00c0ffee", .profile = "acme-crm", .profile_path = "/p.yaml"};
  for (auto _ : state) {
    auto opened = audit::open(identity, {audit::File{path}}, audit::home_of_this_process());
    if (std::holds_alternative<audit::Problem>(opened)) return state.SkipWithError("the log did not open");
  }
  std::filesystem::remove(path);
}

BENCHMARK(open_and_close);
BENCHMARK_CAPTURE(encode_only, path, one_path, event::Redactor());
BENCHMARK_CAPTURE(encode_only, hostile_path, one_hostile_path, event::Redactor());
BENCHMARK_CAPTURE(encode_only, path_and_three_secrets, one_path,
                  event::Redactor({"correct-horse-battery", "staple-0123456789", "hunter2hunter2"}));
BENCHMARK_CAPTURE(encode_only, run_started, run_started, event::Redactor());
BENCHMARK_CAPTURE(encode_and_write, path, one_path);
BENCHMARK_CAPTURE(encode_and_write, run_started, run_started);

}  // namespace
}  // namespace jail

BENCHMARK_MAIN();
