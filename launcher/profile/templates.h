// The templates built into jail (profiles/templates/*.yaml), parsed when jail was built: YAML costs a millionth of a
// second per byte or so, which a start-up cannot spare for texts that never change.
#pragma once

#include <span>
#include <string_view>

#include "profile/document.h"

namespace jail::profile {

struct Template {
  std::string_view name;    // "python"
  std::string_view file;    // "<template>/python.yaml", as Places show it
  std::string_view sha256;  // of the YAML text
  const Node* root;
};

std::span<const Template> templates();

// Shares the template's nodes.
Document document_of(const Template& built_in);

}  // namespace jail::profile
