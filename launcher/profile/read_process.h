// The values that say as what and with what the plugin runs: name, env, syscalls, user, integrity, the
// patterns of monitor, best_effort.
#pragma once

#include "profile/reader.h"

namespace jail::profile {

void read_version(Reader& reader, const Node& value);
void read_name(Reader& reader, const Node& value);
void read_description(Reader& reader, const Node& value);
void read_user(Reader& reader, const Node& value);
void read_env_names(Reader& reader, const Node& list, std::vector<EnvName>& names);
void read_env_values(Reader& reader, const Node& mapping);
void read_calls(Reader& reader, const Node& list, std::vector<SyscallName>& calls);
void read_globs(Reader& reader, const Node& list);
void read_expect_absent(Reader& reader, const Node& list);
// Both need `profile().integrity` to be there.
void read_integrity_path(Reader& reader, const Node& value);
void read_integrity_digest(Reader& reader, const Node& value);
void read_layers(Reader& reader, const Node& list);

}  // namespace jail::profile
