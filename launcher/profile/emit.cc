// Written by hand, not by a YAML library: each line is one of five forms, and every text that somebody else chose
// stands in double quotes with its controls, `${` and wildcards escaped, so that no path can become a key (SECURITY
// G1).
#include "profile/emit.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <optional>

#include "base/text.h"
#include "profile/choices.h"
#include "profile/endpoint.h"
#include "profile/quantity.h"
#include "profile/variables.h"

namespace jail::profile {
namespace {

template <typename... Values>
std::string formatted(const char* format, Values... values) {
  std::array<char, 16> buffer{};
  std::snprintf(buffer.data(), buffer.size(), format, values...);
  return buffer.data();
}

// One character between YAML's double quotes (YAML 1.2, 5.7). Bytes that are no UTF-8 have no form there.
std::string in_quotes(std::string_view bytes, const text::Character& character) {
  if (!character.valid) return "\\uFFFD";
  if (character.point == '"' || character.point == '\\') return std::string("\\").append(bytes);
  if (character.point == '\n') return "\\n";
  if (character.point == '\t') return "\\t";
  if (!text::is_deceptive(character.point)) return std::string(bytes);
  const auto point = static_cast<unsigned>(character.point);
  return point < 0x10000 ? formatted("\\u%04X", point) : formatted("\\U%08X", point);
}

std::string quoted_scalar(std::string_view value) {
  std::string result = "\"";
  while (!value.empty()) {
    const text::Character character = text::first_character(value);
    result += in_quotes(value.substr(0, character.size), character);
    value.remove_prefix(character.size);
  }
  return result + "\"";
}

std::string as_path(std::string_view path) { return quoted_scalar(without_meaning(path, Flavour::Path)); }
std::string as_text(std::string_view value) { return quoted_scalar(without_meaning(value, Flavour::Text)); }

// An item of a list of paths; the flags that are not set are left out.
std::string entry(const std::string& path, bool optional, bool dangerous) {
  if (!optional && !dangerous) return as_path(path);
  return "{path: " + as_path(path) + (optional ? ", optional: true" : "") + (dangerous ? ", dangerous: true" : "") +
         "}";
}

std::string destination(const Endpoint& endpoint) {
  const std::string to = as_text(to_string(endpoint));
  return endpoint.sni == Sni::On ? to : "{to: " + to + ", sni: " + std::string(name_of(kSniChecks, endpoint.sni)) + "}";
}

class Writer {
 public:
  explicit Writer(EmitOptions options) : options_(options) {}

  // A section's or a list's name is written only once something stands in it.
  void section(std::string name) {
    section_ = std::move(name);
    list_.clear();
  }
  void list(std::string name) { list_ = std::move(name); }

  void item(const std::string& value, const Place& place) {
    open();
    line(indent() + "- " + value, place);
  }

  void key(const std::string& name, const std::string& value, const Place& place) {
    open();
    line(indent() + name + ": " + value, place);
  }

  template <typename Value, typename Format>
  void setting(const std::string& name, const Setting<Value>& setting, Format format) {
    if (setting.stated) key(name, format(setting.value), *setting.stated);
  }

  template <typename Value, std::size_t size>
  void choice(const std::string& name, const Setting<Value>& chosen, const std::array<Choice<Value>, size>& choices) {
    setting(name, chosen, [&](Value value) { return std::string(name_of(choices, value)); });
  }

  void plain(const std::string& text) { text_ += text + "\n"; }
  void line(std::string text, const Place& place) {
    if (options_.origins == Origins::Shown && !place.file.empty()) {
      constexpr std::size_t kColumn = 56;
      text.append(text.size() < kColumn ? kColumn - text.size() : 2, ' ').append("# ").append(shown(place));
    }
    plain(text);
  }

  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  // Without the column: a line decides, and a person looks for lines.
  static std::string shown(const Place& place) { return line_of(place); }

  void open() {
    if (!section_.empty() && section_ != open_section_) plain("\n" + section_ + ":"), open_list_.clear();
    open_section_ = section_;
    if (!list_.empty() && list_ != open_list_) plain((section_.empty() ? "" : "  ") + list_ + ":");
    open_list_ = list_;
  }

  [[nodiscard]] std::string indent() const {
    return std::string((section_.empty() ? 0 : 2) + (list_.empty() ? 0 : 2), ' ');
  }

  EmitOptions options_;
  std::string text_;
  std::string section_;
  std::string list_;
  std::string open_section_;
  std::string open_list_;
};

void emit_grants(Writer& writer, const Filesystem& filesystem, const std::string& name, Access access) {
  writer.list(name);
  for (const Grant& grant : filesystem.grants)
    if (grant.access == access) writer.item(entry(grant.path, grant.optional, grant.dangerous), grant.place);
}

void emit_filesystem(Writer& writer, const Filesystem& filesystem) {
  writer.section("filesystem");
  emit_grants(writer, filesystem, "read", Access::Read);
  emit_grants(writer, filesystem, "libraries", Access::Library);
  emit_grants(writer, filesystem, "exec", Access::Exec);
  emit_grants(writer, filesystem, "write", Access::Write);
  writer.list("hide");
  for (const Hidden& hidden : filesystem.hidden) writer.item(entry(hidden.path, hidden.optional, false), hidden.place);
  writer.list("");
  writer.setting("temporary", filesystem.temporary, format_size);
}

void emit_network(Writer& writer, const Network& network) {
  writer.section("network");
  writer.list("allow");
  for (const Endpoint& endpoint : network.allow) writer.item(destination(endpoint), endpoint.place);
  writer.list("listen");
  for (const Endpoint& endpoint : network.listen) writer.item(as_text(to_string(endpoint)), endpoint.place);
  writer.list("unix");
  for (const UnixSocket& socket : network.unix_sockets)
    writer.item(entry(socket.path, false, socket.dangerous), socket.place);
  writer.list("");
  writer.choice("mode", network.mode, kNetworkModes);
}

void emit_environment(Writer& writer, const Environment& env) {
  writer.section("env");
  writer.list("allow");
  for (const EnvName& name : env.allow) writer.item(quoted_scalar(name.pattern), name.place);
  writer.list("secret");
  for (const EnvName& name : env.secret) writer.item(quoted_scalar(name.pattern), name.place);
  writer.list("set");
  for (const EnvValue& value : env.set) writer.key(quoted_scalar(value.name), as_text(value.value), value.place);
}

void emit_syscalls(Writer& writer, const Syscalls& syscalls) {
  writer.section("syscalls");
  writer.choice("default", syscalls.set, kSyscallSets);
  writer.list("allow");
  for (const SyscallName& call : syscalls.allow) writer.item(quoted_scalar(call.name), call.place);
  writer.list("deny");
  for (const SyscallName& call : syscalls.deny) writer.item(quoted_scalar(call.name), call.place);
}

void emit_process(Writer& writer, const Profile& profile) {
  writer.section("");
  if (profile.user.stated || profile.cwd.stated) writer.plain("");
  writer.setting("user", profile.user, [](const User& user) {
    if (user.kind == User::Kind::Keep) return std::string("keep");
    return user.kind == User::Kind::Root ? "root" : quoted_scalar(user.name);
  });
  writer.setting("cwd", profile.cwd, as_path);
}

void emit_limits(Writer& writer, const Limits& limits) {
  const auto size = [](const auto& value) { return format_size(value.value_or(0)); };
  const auto time = [](const auto& value) { return format_duration(value.value_or(0)); };
  const auto count = [](std::uint64_t value) { return std::to_string(value); };
  writer.section("limits");
  writer.setting("memory", limits.memory, size);
  writer.setting("pids", limits.pids, count);
  writer.setting("cpu", limits.cpu, [](const auto& value) { return format_cores(value.value_or(0)); });
  writer.setting("io", limits.io, size);
  writer.setting("files", limits.files, count);
  writer.setting("file_size", limits.file_size, size);
  writer.setting("time", limits.time_ms, time);
  writer.setting("grace", limits.grace_ms, format_duration);
  writer.setting("cpu_time", limits.cpu_time_ms, time);
}

void emit_watching(Writer& writer, const Profile& profile) {
  writer.section("monitor");
  writer.choice("source", profile.monitor.source, kMonitorSources);
  writer.choice("files", profile.monitor.files, kMonitorFiles);
  writer.list("hash");
  for (const HashPattern& pattern : profile.monitor.hash)
    writer.item(quoted_scalar(without_meaning(pattern.glob, Flavour::Glob)), pattern.place);
  writer.list("expect_absent");
  for (const AbsentPattern& pattern : profile.monitor.expect_absent)
    writer.item(quoted_scalar(without_meaning(pattern.glob, Flavour::Glob)), pattern.place);
  writer.list("");
  writer.choice("on_loss", profile.monitor.on_loss, kOnLoss);
  writer.setting("ring", profile.monitor.ring, format_size);
  writer.section("audit");
  writer.choice("durable", profile.audit.durable, kDurable);
  if (!profile.integrity) return;
  writer.section("integrity");
  writer.key("path", as_path(profile.integrity->path), profile.integrity->place);
  writer.key("sha256", quoted_scalar(profile.integrity->sha256), profile.integrity->place);
}

void emit_best_effort(Writer& writer, const std::vector<BestEffort>& layers) {
  if (layers.empty()) return;
  writer.section("");
  writer.plain("");
  writer.list("best_effort");
  for (const BestEffort& layer : layers) writer.item(quoted_scalar(layer.layer), layer.place);
}

}  // namespace

std::string emit(const Profile& profile, EmitOptions options) {
  Writer writer(options);
  writer.plain("version: 1");
  writer.key("name", quoted_scalar(profile.name), profile.place);
  if (!profile.description.empty()) writer.plain("description: " + quoted_scalar(profile.description));
  emit_filesystem(writer, profile.filesystem);
  emit_network(writer, profile.network);
  emit_environment(writer, profile.env);
  emit_syscalls(writer, profile.syscalls);
  emit_process(writer, profile);
  emit_limits(writer, profile.limits);
  emit_watching(writer, profile);
  emit_best_effort(writer, profile.best_effort);
  return writer.text();
}

std::string emit_path(std::string_view path) {
  const auto is_plain = [](char character) {
    const bool letter = (character >= 'a' && character <= 'z') || (character >= 'A' && character <= 'Z');
    const bool digit = character >= '0' && character <= '9';
    return letter || digit || std::string_view("/._-+@").find(character) != std::string_view::npos;
  };
  return std::ranges::all_of(path, is_plain) && path.starts_with('/') ? std::string(path) : as_path(path);
}

}  // namespace jail::profile
