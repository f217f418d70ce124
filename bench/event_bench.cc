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
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "audit/log.h"
#include "audit/sink.h"
#include "bpf/events.h"
#include "event/encode.h"
#include "monitor/coalesce.h"
#include "trace/decode.h"

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

// As a program of the kernel puts it into the ring: /usr/share/common-licenses/Apache-2.0, opened.
std::vector<std::byte> record_of_open(std::uint32_t number) {
  const std::string name = "module_" + std::to_string(100'000 + number % 900'000) + ".py";
  const std::string walk = name + std::string("\0plugins\0crm\0srv\0", 16);
  jail_event head{};
  head.time_ns = clock::boottime_ns();
  head.pid = 4'194'303;
  head.jail_pid = 2;
  head.kind = JAIL_OPEN;
  head.call = 257;
  head.place = {.inode = 11'012'375, .device = 0xfe00000, .mount = 90, .flags = 0, .unused = 0};
  head.text[0] = static_cast<std::uint16_t>(walk.size());
  std::vector<std::byte> bytes(sizeof head + walk.size());
  std::memcpy(bytes.data(), &head, sizeof head);
  std::memcpy(bytes.data() + sizeof head, walk.data(), walk.size());
  return bytes;
}

void decode_only(benchmark::State& state) {
  const std::vector<std::byte> bytes = record_of_open(1);
  for (auto _ : state) benchmark::DoNotOptimize(trace::decode(bytes));
  state.SetItemsProcessed(state.iterations());
}

// A file in the working folder, emptied now and then, inside the measured time, to keep the disk.
template <typename Each>
void write_each(benchmark::State& state, Each next) {
  constexpr std::int64_t kEmptyEvery = 200'000;
  constexpr std::uint64_t kNoBound = 1ULL << 60;
  const std::string path = std::filesystem::current_path() / ("event_bench." + std::to_string(::getpid()) + ".jsonl");
  {
    auto opened = audit::open({.run = "00c0ffee00c0ffee", .profile = "acme-crm", .profile_path = "/p.yaml"},
                              {audit::File{path}}, audit::home_of_this_process(), {},
                              {.bounds = {.retention = {kNoBound, kNoBound, 8}, .quota = {kNoBound, kNoBound}}});
    if (const auto* problem = std::get_if<audit::Problem>(&opened))
      return state.SkipWithError(problem->message.c_str());
    auto& log = std::get<audit::Log>(opened);
    std::int64_t written = 0;
    for (auto _ : state) {
      if (!next(log)) return state.SkipWithError("a record was lost");
      if (++written % kEmptyEvery == 0) std::filesystem::resize_file(path, 0);
    }
    const std::int64_t in_file = written % kEmptyEvery;
    if (in_file > 0)
      state.counters["bytes"] = static_cast<double>(std::filesystem::file_size(path)) / static_cast<double>(in_file);
    state.SetItemsProcessed(written);
  }
  std::filesystem::remove(path);
}

void encode_and_write(benchmark::State& state, event::Event (*make)()) {
  const event::Event event = make();
  write_each(state, [&event](audit::Log& log) { return !log.append(event); });
}

// All that the thread does that reads a ring; no two events are alike.
void decode_sort_and_write(benchmark::State& state) {
  std::vector<std::vector<std::byte>> records;
  for (std::uint32_t number = 0; number < 10'000; ++number) records.push_back(record_of_open(number));
  std::size_t at = 0;
  bool kept = true;
  audit::Log* to = nullptr;
  monitor::Coalescer events([&](const event::Event& event) { kept = kept && !to->append(event); });
  write_each(state, [&](audit::Log& log) {
    to = &log;
    events.add(std::move(*trace::decode(records[at++ % records.size()])));
    return kept;
  });
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
BENCHMARK(decode_only);
BENCHMARK(decode_sort_and_write);

}  // namespace
}  // namespace jail

BENCHMARK_MAIN();
