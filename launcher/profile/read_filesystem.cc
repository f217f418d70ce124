#include "profile/read_filesystem.h"

#include <algorithm>

#include "profile/keys.h"
#include "profile/paths.h"
#include "profile/presets.h"
#include "profile/quoted.h"
#include "profile/suggest.h"

namespace jail::profile {
namespace {

constexpr std::string_view kPresetPrefix = "preset:";

// What a template grants may be granted again: the profile's own line is the one worth naming, and a path that one line
// needs is not optional because another could do without it.
void add_grant(Filesystem& filesystem, Grant grant) {
  const auto same = std::ranges::find_if(
      filesystem.grants, [&](const Grant& known) { return known.access == grant.access && known.path == grant.path; });
  if (same == filesystem.grants.end()) return filesystem.grants.push_back(std::move(grant));
  grant.optional &= same->optional;
  grant.dangerous |= same->dangerous;
  *same = std::move(grant);
}

void add_hidden(Filesystem& filesystem, Hidden hidden) {
  const auto same = std::ranges::find(filesystem.hidden, hidden.path, &Hidden::path);
  if (same == filesystem.hidden.end()) return filesystem.hidden.push_back(std::move(hidden));
  same->optional &= hidden.optional;
}

void read_preset(Reader& reader, const Node& node) {
  const std::string_view name = node.text.substr(kPresetPrefix.size());
  std::vector<std::string_view> known;
  for (const Preset& preset : presets()) {
    known.push_back(preset.name);
    if (preset.name != name) continue;
    if (const std::optional<std::string> home = reader.home(node))
      for (const std::string_view below : preset.below)
        add_hidden(reader.profile().filesystem, {joined(*home, below), true, reader.place(node)});
    return;
  }
  reader.error(node, "unknown preset " + quoted(name), hint_for(name, known));
}

}  // namespace

void read_grants(Reader& reader, const Node& list, Access access) {
  reader.each(list, [&](const Node& node) {
    if (node.is_scalar() && node.text.starts_with(kPresetPrefix))
      return reader.error(node, "a preset is a list of places to hide", "name the paths to grant");
    if (std::optional<PathEntry> entry = reader.entry(node, kGrantKeys))
      add_grant(reader.profile().filesystem,
                {access, std::move(entry->path), entry->optional, reader.place(node), entry->dangerous});
  });
}

void read_hidden(Reader& reader, const Node& list) {
  reader.each(list, [&](const Node& node) {
    if (node.is_scalar() && node.text.starts_with(kPresetPrefix)) return read_preset(reader, node);
    if (std::optional<PathEntry> entry = reader.entry(node, kHiddenKeys))
      add_hidden(reader.profile().filesystem, {std::move(entry->path), entry->optional, reader.place(node)});
  });
}

void read_cwd(Reader& reader, const Node& value) {
  if (std::optional<std::string> path = reader.path(value))
    reader.profile().cwd = {std::move(*path), reader.place(value)};
}

}  // namespace jail::profile
