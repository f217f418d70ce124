// Keys that stand twice in one mapping: YAML readers disagree about which of them counts.
#pragma once

#include "profile/document.h"

namespace jail::profile {

void refuse_duplicates(const Document& document, Diagnostics& diagnostics);

}  // namespace jail::profile
