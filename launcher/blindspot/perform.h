// Inside the jail: every action, one after the other, each by a process of its own.
#pragma once

#include "blindspot/action.h"

namespace jail::blindspot {

// `report`: where the lines of report.h go.
int perform_all(const Scene& scene, int report);

}  // namespace jail::blindspot
