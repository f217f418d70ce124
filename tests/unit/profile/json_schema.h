// As much of JSON Schema 2020-12 as profiles/schema.json uses, over documents that parse() has read: JSON is YAML.
#pragma once

#include <string>

#include "profile/document.h"

namespace jail::test {

// "" when the instance fits the schema, else where and why not. An unknown keyword of the schema is a fault of the
// test.
std::string misfit(const profile::Node& schema, const profile::Node& instance, const profile::Node& whole_schema);

}  // namespace jail::test
