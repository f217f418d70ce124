#include "audit/log.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <mutex>
#include <system_error>
#include <utility>

#include "audit/file.h"
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

constexpr const char* kShareOfRun = "the run's share of the log";

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
  bool named = false;      // so is the name of the file it is at
};

}  // namespace

std::string text_of(const WriteError& error) {
  if (error.sink == kShareOfRun) return error.sink + " is used up";
  return error.sink + ": " + std::generic_category().message(error.error);
}

struct Log::State : std::enable_shared_from_this<Log::State> {
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
    const bool is_denied = event.verdict && event.verdict->decision == event::Decision::Denied;
    ++events;
    if (is_denied) ++denied;
    if (is_denied && event.verdict->layer == "landlock") by_landlock += event.repeats ? event.repeats->count : 1;
    if (!budget.admits(weight)) {
      ++counted[event.body.index()];
      if (weight == Weight::Reserved) on_loss({kShareOfRun, EDQUOT});
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
      if (error != 0) on_loss({slot.sink.name(), error});
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
    slot.named = slot.named && rotation == Rotation::Failed;
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

  // What must be on disk for a record to be there: its file, and the name of a new one.
  struct Unsynced {
    std::size_t slot;
    int file;
    Fd folder;  // empty: the name is there already
  };

  std::vector<Unsynced> unsynced() {
    std::vector<Unsynced> files;
    for (std::size_t index = 0; index < slots.size(); ++index) {
      Slot& slot = slots[index];
      if (!slot.sink.is_file()) continue;
      files.push_back({index, slot.sink.fd().get(), {}});
      if (slot.named || !slot.sink.place()) continue;
      const int folder = slot.sink.place()->folder.get();
      files.back().folder = std::move(file::open(folder, ".", O_RDONLY | O_DIRECTORY, 0, file::Walk::NoLinks).fd);
      slot.named = true;
    }
    return files;
  }

  // Not under the lock: others go on writing meanwhile.
  std::optional<WriteError> bring_to_disk(const std::vector<Unsynced>& files) {
    std::optional<WriteError> first;
    for (const Unsynced& file : files) {
      if (::fdatasync(file.file) == 0 && (!file.folder || ::fsync(file.folder.get()) == 0)) continue;
      const int error = errno;
      const Lock held = lock();
      if (!held) return give_up();
      Sink& sink = slots[file.slot].sink;
      sink.lose();
      if (!first) first = WriteError{sink.name(), error};
      on_loss({sink.name(), error});
    }
    return first;
  }

  [[nodiscard]] bool must_be_on_disk(const event::Event& event) const {
    if (policy.durable != Durable::Each || weight_of(event) == Weight::Bulk) return false;
    const bool ends = std::holds_alternative<event::RunEnded>(event.body);
    return !ends && !std::holds_alternative<event::LogOpened>(event.body);
  }

  std::vector<int> flush() {
    const Lock held = lock();
    std::vector<int> full;
    if (!held) return full;
    for (Slot& slot : slots) {
      const std::uint64_t lost = slot.sink.lost();
      if (slot.sink.queues()) slot.sink.flush();
      if (slot.sink.queues()) full.push_back(slot.sink.fd().get());
      if (slot.sink.lost() != lost) on_loss({slot.sink.name(), EAGAIN});
    }
    return full;
  }

  [[nodiscard]] bool takes_records() {
    for (Slot& slot : slots) {
      if (slot.sink.queues()) slot.sink.flush();
      if (slot.sink.queues() || slot.sink.is_scarce()) return false;
    }
    return budget.admits(Weight::Reserved);
  }

  WriteError give_up() {
    ++given_up;
    const WriteError error{"log", ETIMEDOUT};
    on_loss(error);
    return error;
  }

  // By a thread, so that nobody waits for a disk for ever.
  void keep() {
    if (std::exchange(kept, true)) return;
    const auto is_file = [](const Slot& slot) { return slot.sink.is_file(); };
    const bool files = policy.durable != Durable::None && std::ranges::any_of(slots, is_file);
    if (!files && std::ranges::all_of(slots, is_file)) return;
    keeper.start({.sync = [state = shared_from_this(), files](Keeper::Work::Sync how) { if (files) state->sync(how); },
                  .flush = [state = shared_from_this()] { return state->flush(); }});
    keeper.note_written();
  }

  // A short run does not wait for the disk, unless the profile says so; the kernel's write-back begins at once.
  void end() {
    const bool each = policy.durable == Durable::Each;
    keeper.stop(each ? Keeper::Work::Sync::Wait : Keeper::Work::Sync::HandOver);
    if (kept || policy.durable == Durable::None) return;
    if (started || each) sync(each ? Keeper::Work::Sync::Wait : Keeper::Work::Sync::HandOver);
  }

  mutable std::timed_mutex writing;  // one record at a time
  std::atomic<std::uint64_t> given_up = 0;
  std::atomic<std::uint64_t> events = 0;
  std::atomic<std::uint64_t> denied = 0;
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
  std::uint64_t by_landlock = 0;
  OnLoss on_loss = [](const WriteError&) {};
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
  std::optional<WriteError> error;
  std::vector<State::Unsynced> files;
  {
    const State::Lock held = state_->lock();
    if (!held) return state_->give_up();
    error = state_->append(event);
    if (state_->must_be_on_disk(event)) files = state_->unsynced();
  }
  const std::optional<WriteError> unconfirmed = state_->bring_to_disk(files);
  return error ? error : unconfirmed;
}

void Log::start(OnLoss on_loss) {
  const State::Lock held = state_->lock();
  if (!held) return;
  state_->started = true;
  state_->on_loss = std::move(on_loss);
  for (Slot& slot : state_->slots) slot.sink.reserve();
  if (state_->policy.durable == Durable::Each) state_->keep();
}

void Log::keep() {
  if (const State::Lock held = state_->lock()) state_->keep();
}

bool Log::takes_records() {
  const State::Lock held = state_->lock();
  return held && state_->takes_records();
}

bool Log::reaches_disk() const {
  return std::ranges::any_of(state_->slots, [](const Slot& slot) { return slot.sink.is_file(); });
}

void Log::settle() {
  const State::Lock held = state_->lock();
  if (!held) return;
  for (Slot& slot : state_->slots)
    if (slot.sink.queues()) slot.sink.settle();
}

const std::string& Log::run() const noexcept { return state_->identity.run; }

Log::SoFar Log::so_far() const noexcept { return {state_->events, state_->denied}; }

std::string Log::file() const {
  for (const Slot& slot : state_->slots)
    if (slot.sink.is_file()) return slot.sink.name();
  return {};
}

event::Counts Log::events_by_kind() const {
  const State::Lock held = state_->lock();
  return held ? counts_of(state_->appended) : event::Counts{};
}

event::Counts Log::counted() const {
  const State::Lock held = state_->lock();
  return held ? counts_of(state_->counted) : event::Counts{};
}

std::uint64_t Log::denied_by_landlock() const {
  const State::Lock held = state_->lock();
  return held ? state_->by_landlock : 0;
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
