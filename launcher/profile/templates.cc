#include "profile/templates.h"

namespace jail::profile {

Document document_of(const Template& built_in) {
  Document document;
  document.file = built_in.file;
  document.sha256 = built_in.sha256;
  document.root = built_in.root;
  return document;
}

}  // namespace jail::profile
