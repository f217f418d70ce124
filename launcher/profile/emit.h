// A Profile back to YAML, with nothing left to merge or expand: what `jail show` prints, and what other formats are
// turned into. load() of the text gives the same profile, whatever bytes its paths and values are made of (but for
// the places, and for env.set values that are no UTF-8, which YAML cannot hold).
#pragma once

#include <string>

#include "profile/profile.h"

namespace jail::profile {

enum class Origins { Shown, Left };  // "# crm.yaml:7" behind each line that somebody wrote

struct EmitOptions {
  Origins origins = Origins::Shown;
};

std::string emit(const Profile& profile, EmitOptions options = {});

// One path as an entry of a list, whatever bytes it is made of: "/srv/x" as it is, stranger ones in quotes.
std::string emit_path(std::string_view path);

}  // namespace jail::profile
