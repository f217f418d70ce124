#include "audit/log.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <mutex>
#include <utility>

#include "audit/keeper.h"
#include "audit/sink.h"
#include "base/clock.h"
#include "base/json.h"
#include "event/encode.h"

namespace jail::audit {
namespace {

template <std::size_t... kIndex>
constexpr auto kinds_in_order(std::index_sequence<kIndex...>) {
  return std::array{std::variant_alternative_t<kIndex, event::Body>::kKind...};
}
constexpr auto kKinds = kinds_in_order(std::make_index_sequence<std::variant_size_v<event::Body>>());

// How often each kind occurred.
using Tally = std::array<std::uint64_t, std::variant_size_v<event::Body>>;

event::Counts counts_of(const Tally& tally) {
  event::Counts counts;
  for (std::size_t index = 0; index < tally.size(); ++index)
    if (tally[index] != 0) counts.emplace_back(kKinds[index], tally[index]);
  return counts;
}

// When something happened by the calendar, from when it happened by the clock that does not jump.
clock::WallTime wall_time_of(std::uint64_t mono_ns, std::uint64_t mono_now) {
  const std::uint64_t ago = mono_now > mono_ns ? mono_now - mono_ns : 0;
  return clock::wall_now() - std::chrono::microseconds(ago / 1'000);
}

// A sink, and what the log has to remember of it.
struct Slot {
  Sink sink;
  std::uint64_t rotate_at;
  std::size_t synced = 0;  // of the files it has left: on disk for good
};

}  // namespace

struct Log::State {
  static constexpr std::chrono::seconds kPatience{1};
  using Lock = std::unique_lock<std::timed_mutex>;

  State(Identity given, std::vector<Sink> sinks, event::Redactor secrets, const Policy& wanted)
      : identity(std::move(given)), redactor(std::move(secrets)), policy(wanted), budget(wanted.bounds.quota) {
    stamp.run = identity.run;
    stamp.profile = identity.profile;
    for (Sink& sink : sinks) slots.push_back({std::move(sink), policy.bounds.retention.file});
  }

  [[nodiscard]] Lock lock() const { return Lock(writing, kPatience); }

  void encode_next(const event::Event& event) {
    const std::uint64_t now = clock::boottime_ns();
    stamp.seq += 1;
    stamp.mono_ns = event.mono_ns != 0 ? event.mono_ns : now;
    stamp.time = wall_time_of(stamp.mono_ns, now);
    encode(stamp, event, redactor, writer);
    line.assign("\n").append(writer.text()).append("\n");
  }

  std::optional<WriteError> append(const event::Event& event) {
    const Weight weight = weight_of(event);
    appended[event.body.index()] += 1;
    if (!budget.admits(weight)) {
      ++counted[event.body.index()];
      return std::nullopt;
    }
    for (Slot& slot : slots) rotate_if_grown(slot);
    encode_next(event);
    const std::uint64_t bytes = line.size() - 1;
    const bool ends = std::holds_alternative<event::RunEnded>(event.body);
    const std::optional<WriteError> error =
        write_to_all(weight, started && !ends ? Sink::Wait::Queue : Sink::Wait::Land, nullptr);
    if (budget.spend(weight, bytes) == Budget::State::JustSpent) say_spent(weight);
    return error;
  }

  std::optional<WriteError> write_to_all(Weight weight, Sink::Wait wait, const Slot* but) {
    std::optional<WriteError> first;
    for (Slot& slot : slots) {
      if (&slot == but) continue;
      const int error = write_to(slot.sink, weight, wait);
      if (error != 0 && !first) first = WriteError{slot.sink.name(), error};
      if (slot.sink.is_file()) keeper.note_written();
      else if (slot.sink.queues()) keeper.note_waiting();
    }
    return first;
  }

  // A full disk keeps a little room for what matters most.
  int write_to(Sink& sink, Weight weight, Sink::Wait wait) const {
    if (weight == Weight::Always || !sink.is_scarce()) return sink.append(line, wait);
    sink.lose();
    return ENOSPC;
  }

  void say_spent(Weight weight) {
    const std::uint64_t quota = budget.quota(weight);
    const char* which = weight == Weight::Bulk ? "audit.bytes" : "audit.bytes of denials";
    const event::Event event{.body = event::LimitReached{.which = which, .value = quota, .limit = quota}};
    appended[event.body.index()] += 1;
    encode_next(event);
    (void)write_to_all(Weight::Always, Sink::Wait::Queue, nullptr);
  }

  void rotate_if_grown(Slot& slot) {
    if (!slot.sink.place() || slot.sink.size() < slot.rotate_at) return;
    const event::Stamp before = stamp;
    const Rotation rotation = rotate(slot.sink, [&](const std::string& previous, std::uint64_t offset) {
      encode_next({.body = event::LogOpened{identity.profile_path, previous, offset}});
      return line.substr(1);
    });
    if (rotation == Rotation::Busy) return;
    slot.rotate_at = policy.bounds.retention.file;
    if (rotation == Rotation::Failed) slot.rotate_at += slot.sink.size(), stamp = before;
    if (rotation != Rotation::Made) return;
    appended[event::Body(event::LogOpened{}).index()] += 1;
    (void)write_to_all(Weight::Always, Sink::Wait::Queue, &slot);  // it is a number of the sequence for the others, too
    trim(*slot.sink.place(), policy.bounds.retention);
  }

  // By the keeper, which must not hold the log while it waits for the disk: files stay open as long as the state.
  void sync(Keeper::Work::Sync how) {
    for (const int file : written_files()) {
      if (how == Keeper::Work::Sync::Wait) (void)::fdatasync(file);
      else (void)::sync_file_range(file, 0, 0, SYNC_FILE_RANGE_WRITE);
    }
  }

  std::vector<int> written_files() {
    const Lock held = lock();
    std::vector<int> files;
    if (!held) return files;
    for (Slot& slot : slots) {
      if (!slot.sink.is_file()) continue;
      files.push_back(slot.sink.fd().get());
      for (; slot.synced < slot.sink.left().size(); ++slot.synced)
        files.push_back(slot.sink.left()[slot.synced].get());
    }
    return files;
  }

  std::vector<int> flush() {
    const Lock held = lock();
    std::vector<int> full;
    if (!held) return full;
    for (Slot& slot : slots) {
      if (slot.sink.queues()) slot.sink.flush();
      if (slot.sink.queues()) full.push_back(slot.sink.fd().get());
    }
    return full;
  }

  // A short run does not wait for the disk; the kernel's write-back begins at once.
  void end() {
    keeper.stop();
    if (started && !kept && policy.durable == Durable::Batch) sync(Keeper::Work::Sync::HandOver);
  }

  mutable std::timed_mutex writing;  // one record at a time
  std::atomic<std::uint64_t> given_up = 0;
  bool started = false;
  bool kept = false;  // by the keeper
  Identity identity;
  event::Stamp stamp;  // of the last record
  std::vector<Slot> slots;
  event::Redactor redactor;
  Policy policy;
  Budget budget;
  json::Writer writer;
  std::string line;  // framed: sink.h
  Tally appended{};
  Tally counted{};
  Keeper keeper;
};

Log::Log(Identity identity, std::vector<Sink> sinks, event::Redactor redactor, const Policy& policy)
    : state_(std::make_shared<State>(std::move(identity), std::move(sinks), std::move(redactor), policy)) {}

Log::~Log() {
  if (state_) state_->end();
}
Log::Log(Log&&) noexcept = default;
Log& Log::operator=(Log&&) noexcept = default;

std::optional<WriteError> Log::append(const event::Event& event) {
  const State::Lock held = state_->lock();
  if (held) return state_->append(event);
  ++state_->given_up;
  return WriteError{"log", ETIMEDOUT};
}

void Log::start() {
  const State::Lock held = state_->lock();
  if (!held) return;
  state_->started = true;
  for (Slot& slot : state_->slots) slot.sink.reserve();
}

void Log::keep() {
  const State::Lock held = state_->lock();
  if (!held || state_->kept) return;
  state_->kept = true;
  bool streams = false;
  bool files = false;
  for (const Slot& slot : state_->slots) (slot.sink.is_file() ? files : streams) = true;
  files = files && state_->policy.durable == Durable::Batch;
  if (!streams && !files) return;
  state_->keeper.start({.sync = [state = state_, files](Keeper::Work::Sync how) { if (files) state->sync(how); },
                        .flush = [state = state_] { return state->flush(); }});
  state_->keeper.note_written();
}

void Log::settle() {
  const State::Lock held = state_->lock();
  if (!held) return;
  for (Slot& slot : state_->slots)
    if (slot.sink.queues()) slot.sink.settle();
}

const std::string& Log::run() const noexcept { return state_->identity.run; }

event::Counts Log::events_by_kind() const {
  const State::Lock held = state_->lock();
  return held ? counts_of(state_->appended) : event::Counts{};
}

event::Counts Log::counted() const {
  const State::Lock held = state_->lock();
  return held ? counts_of(state_->counted) : event::Counts{};
}

event::Counts Log::lost() const {
  event::Counts counts;
  if (const State::Lock held = state_->lock())
    for (const Slot& slot : state_->slots)
      if (slot.sink.lost() != 0) counts.emplace_back(slot.sink.name(), slot.sink.lost());
  if (state_->given_up != 0) counts.emplace_back("log", state_->given_up);
  return counts;
}

std::vector<int> Log::descriptors() const {
  std::vector<int> descriptors;
  for (const Slot& slot : state_->slots) {
    descriptors.push_back(slot.sink.fd().get());
    if (slot.sink.place()) descriptors.push_back(slot.sink.place()->folder.get());
  }
  return descriptors;
}

}  // namespace jail::audit
