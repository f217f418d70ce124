#include "monitor/coalesce.h"

#include <algorithm>
#include <utility>

#include "base/clock.h"

namespace jail::monitor {
namespace {

using event::Named;
using event::Peer;

// Whatever tells two events apart. When does not; who does where it is known without asking: not of a notification.
class Key {
 public:
  void add(std::string_view text) { text_.append(text).push_back('\0'); }
  void add(std::uint64_t number) { add(std::string_view(std::to_string(number))); }
  void add(const Named& named) {
    add(std::string_view(named.path));
    add(std::string_view(named.requested));
    add(std::uint64_t{named.unknown});
  }
  void add(const Peer& peer) {
    add(std::string_view(peer.address));
    add(std::string_view(peer.path));
    add((std::uint64_t{peer.port.value_or(0)} << 16) + peer.family.value_or(0));
    add(std::uint64_t{peer.unknown});
    add(std::string_view(peer.host));
  }
  [[nodiscard]] std::string take() && { return std::move(text_); }

 private:
  std::string text_;
};

void add(Key& key, const event::FileOpen& body) {
  key.add(body.named);
  for (const std::string& word : body.access) key.add(std::string_view(word));
}
void add(Key& key, const event::FileCreate& body) { key.add(body.named); }
void add(Key& key, const event::FileDelete& body) { key.add(body.named); }
void add(Key& key, const event::FileRename& body) { key.add(body.named), key.add(body.to); }
void add(Key& key, const event::FileLink& body) { key.add(body.named), key.add(body.target); }
void add(Key& key, const event::FileMetadata& body) { key.add(body.named); }
void add(Key& key, const event::ProcessExec& body) {
  key.add(body.named);
  for (const std::string& argument : body.argv) key.add(std::string_view(argument));
}

void add(Key& key, const event::NetConnect& body) { key.add(body.peer), key.add(std::string_view(body.reason)); }

void add(Key& key, const event::NetDns& body) {
  for (const std::string& text : {body.name, body.type, body.rcode, body.reason}) key.add(std::string_view(text));
  for (const std::string& address : body.answers) key.add(std::string_view(address));
}

template <typename Body>
void add_call(Key& key, const Body& body) {
  key.add(std::uint64_t{body.number});
  key.add(std::string_view(body.abi));
  for (const auto& [name, value] : body.arguments) key.add(std::string_view(name)), key.add(value);
}
void add(Key& key, const event::SyscallDenied& body) { add_call(key, body); }
void add(Key& key, const event::PrivilegeAttempt& body) {
  add_call(key, body);
  key.add(std::string_view(body.capability));
}

template <typename Body>
void add(Key& key, const Body& body) {
  if constexpr (requires { body.peer; }) key.add(body.peer);
}

std::string key_of(const event::Event& event) {
  Key key;
  if (event.expected) return std::move(key).take();
  key.add(event.body.index());
  std::visit(
      [&key](const auto& body) {
        if constexpr (requires { body.call; }) key.add(std::string_view(body.call));
        add(key, body);
      },
      event.body);
  if (event.verdict) key.add(static_cast<std::uint64_t>(event.verdict->decision));
  if (event.source == event::Source::Ebpf) key.add(static_cast<std::uint64_t>(event.pid.value_or(0)));
  return std::move(key).take();
}

std::string path_of(const event::Body& body) {
  return std::visit(
      [](const auto& what) {
        if constexpr (requires { what.named; }) return what.named.path;
        else return std::string();
      },
      body);
}

void add_sample(std::vector<std::string>& samples, std::string path) {
  if (samples.size() >= Coalescer::kMostSamples || std::ranges::find(samples, path) != samples.end()) return;
  samples.push_back(std::move(path));
}

}  // namespace

void Coalescer::add(event::Event event) {
  std::string key = key_of(event);
  const auto known = kinds_.find(key);
  if (known == kinds_.end()) {
    if (kinds_.size() >= kMostKinds) flush(~std::uint64_t{0});
    pass_(event);
    kinds_.emplace(std::move(key), Waiting{std::move(event), {}, 0});
    return;
  }
  Waiting& waiting = known->second;
  const clock::WallTime now = clock::wall_now();
  if (waiting.repeats.count == 0) {
    waiting.repeats.first = now;
    waiting.due = event.mono_ns + kLongestWaitNs;
    due_ = std::min(due_.value_or(waiting.due), waiting.due);
  }
  waiting.repeats.count += 1;
  waiting.repeats.last = now;
  if (event.expected) add_sample(waiting.repeats.samples, path_of(event.body));
  waiting.event = std::move(event);
}

// A kind that was not repeated for so long starts anew.
void Coalescer::flush(std::uint64_t now_ns) {
  due_.reset();
  for (auto kind = kinds_.begin(); kind != kinds_.end();) {
    Waiting& waiting = kind->second;
    const bool is_due = waiting.repeats.count != 0 && waiting.due <= now_ns;
    if (is_due) pass_on(waiting);
    if (waiting.repeats.count != 0) due_ = std::min(due_.value_or(waiting.due), waiting.due);
    kind = now_ns == ~std::uint64_t{0} ? kinds_.erase(kind) : std::next(kind);
  }
}

void Coalescer::pass_on(Waiting& waiting) {
  waiting.event.repeats = std::exchange(waiting.repeats, {});
  pass_(waiting.event);
  waiting.event.repeats.reset();
}

}  // namespace jail::monitor
