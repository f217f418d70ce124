// profiles/schema.json, for editors, says what the parser does: the same keys, shapes and words in both, and no profile
// that the parser takes is one an editor underlines.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>

#include "desk.h"
#include "json_schema.h"
#include "profile/keys.h"
#include "profile/layers.h"
#include "profile/parse.h"

namespace jail::profile {
namespace {

std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

const Document& schema() {
  static const Parsed parsed = parse(read_file(SHIPPED_PROFILES "/schema.json"), "schema.json");
  EXPECT_EQ(to_text(parsed.diagnostics), "");
  return parsed.document;
}

const Node& at(const Node& node, std::string_view key) {
  const Node* value = find(node, key);
  if (value == nullptr) throw std::runtime_error("the schema has no '" + std::string(key) + "'");
  return *value;
}

const std::map<Shape, std::string>& definitions() {
  static const std::map<Shape, std::string> names{
      {Shape::Version, "version"},     {Shape::Name, "name"},           {Shape::Text, "text"},
      {Shape::Extends, "extends"},     {Shape::Variables, "variables"}, {Shape::Path, "path"},
      {Shape::Grants, "grants"},       {Shape::Hidden, "hidden"},       {Shape::Sockets, "sockets"},
      {Shape::Destinations, "destinations"},
      {Shape::Endpoints, "endpoints"}, {Shape::EnvNames, "env_names"},  {Shape::EnvValues, "env_values"},
      {Shape::Calls, "calls"},         {Shape::User, "user"},           {Shape::Size, "size"},
      {Shape::Duration, "duration"},   {Shape::Cores, "cores"},         {Shape::Count, "count"},
      {Shape::Globs, "globs"},         {Shape::Digest, "digest"},       {Shape::Layers, "layers"}};
  return names;
}

std::set<std::string_view> words(const Node& list) {
  std::set<std::string_view> result;
  for (const Node& item : Children(list)) result.insert(item.text);
  return result;
}

template <typename List>
std::set<std::string_view> set_of(const List& list) {
  return {list.begin(), list.end()};
}

std::set<std::string_view> keys_of(const Node& mapping) {
  std::set<std::string_view> keys;
  for (const auto& [key, value] : pairs_of(mapping)) keys.insert(key.text);
  return keys;
}

std::set<std::string_view> names_of(std::span<const Key> keys) {
  std::set<std::string_view> names;
  for (const Key& key : keys) names.insert(key.name);
  return names;
}

// Both directions at once: the same set of names, then each of them.
void expect_same(const Node& object, std::span<const Key> keys) {
  EXPECT_EQ(at(object, "additionalProperties").text, "false");
  EXPECT_EQ(keys_of(at(object, "properties")), names_of(keys));
  for (const Key& key : keys) {
    SCOPED_TRACE(key.name);
    const Node& property = at(at(object, "properties"), key.name);
    EXPECT_NE(at(property, "description").text, "");
    if (key.shape == Shape::Section) expect_same(property, key.below);
    else if (key.shape == Shape::Choice) EXPECT_EQ(words(at(property, "enum")), set_of(key.choices));
    else EXPECT_EQ(at(property, "$ref").text, "#/$defs/" + definitions().at(key.shape));
  }
}

TEST(Schema, HasEveryKeyOfTheParserAndNoOther) { expect_same(*schema().root, profile_keys()); }

TEST(Schema, DefinesEveryShapeAndNoOther) {
  std::set<std::string_view> names;
  for (const auto& [shape, name] : definitions()) names.insert(name);
  EXPECT_EQ(keys_of(at(*schema().root, "$defs")), names);
}

std::set<std::string_view> entry_keys(std::string_view definition) {
  const Node& choices = at(at(at(at(*schema().root, "$defs"), definition), "items"), "anyOf");
  for (const Node& choice : Children(choices))
    if (find(choice, "properties") != nullptr) return keys_of(at(choice, "properties"));
  return {};
}

TEST(Schema, KnowsTheKeysOfEntriesAndTheLayers) {
  EXPECT_EQ(entry_keys("grants"), set_of(kGrantKeys));
  EXPECT_EQ(entry_keys("hidden"), set_of(kHiddenKeys));
  EXPECT_EQ(entry_keys("sockets"), set_of(kSocketKeys));
  EXPECT_EQ(entry_keys("destinations"), set_of(kDestinationKeys));
  EXPECT_EQ(words(at(at(at(at(*schema().root, "$defs"), "layers"), "items"), "enum")), set_of(kLayers));
}

// --- what fits ---

std::string misfit(const std::string& text) {
  const Parsed parsed = parse(text, "x.yaml");
  EXPECT_EQ(to_text(parsed.diagnostics), "");
  return test::misfit(*schema().root, *parsed.document.root, *schema().root);
}

std::vector<std::filesystem::path> yaml_files(const std::string& folder) {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder))
    if (entry.path().extension() == ".yaml") paths.push_back(entry.path());
  return paths;
}

TEST(Schema, FitsEveryProfileThatIsShipped) {
  const auto files = yaml_files(SHIPPED_PROFILES);
  EXPECT_GE(files.size(), 8u);
  for (const auto& path : files) EXPECT_EQ(misfit(read_file(path)), "") << path;
}

// Each sample is put in one place, and parser and schema are asked: they must answer alike.
struct Sample {
  const char* before;
  std::vector<const char*> values;
};

const std::vector<Sample>& samples() {
  static const std::vector<Sample> all{
      {"limits: {memory: ",
       {"512M", "1B", "1T", "0M", "512", "512MB", "1.5G", "010M", "\"512M\"", "-1M", "true", "[1M]"}},
      {"limits: {io: ", {"20M", "0K", "20", "[1M]"}},
      {"limits: {time: ", {"30s", "500ms", "7d", "30", "0s", "1.5s", "1h30m", "\"30s\"", "30 s", "{a: b}"}},
      {"limits: {pids: ", {"1", "64", "4194304", "4194305", "0", "-1", "\"64\"", "sixty", "1.5", "true"}},
      {"limits: {files: ", {"1048576", "1048577"}},
      {"limits: {cpu: ", {"1", "1.5", "0.01", "4096", "4097", "0", "10%", "\"1.5\"", "-1", "[1]"}},
      {"x: {y: ", {"1"}},
      {"filesystem: {read: ",
       {"[/srv]", "/srv", "[{path: /srv}]", "[{path: /srv, optional: true}]", "[{path: /srv, optional: yes}]",
        "[{optional: true}]", "[{path: /srv, optionl: true}]", "[[/srv]]", "[12]", "[\"\"]", "{a: b}", "[]"}},
      {"filesystem: {hide: ", {"[\"preset:home-secrets\"]", "[{path: /x, dangerous: true}]", "[{path: /x}]"}},
      {"network: {unix: ", {"[/run/x]", "[{path: /run/x, dangerous: true}]", "[{path: /run/x, optional: true}]"}},
      {"network: {allow: ", {"[\"tcp://a:1\"]", "[\"a:1\"]", "[\"tcp://a\"]", "[1]", "\"tcp://a:1\""}},
      {"network: {mode: ", {"host", "isolated", "hosts", "\"host\"", "[host]"}},
      {"env: {allow: ", {"[A, \"LC_*\"]", "[\"1A\"]", "[\"A B\"]", "[\"A=b\"]", "[true]", "A"}},
      {"env: {set: ", {"{A: b}", "{A: 1}", "{A: \"1\"}", "{A: true}", "{\"A B\": c}", "{A: [b]}", "[A]"}},
      {"syscalls: {allow: ", {"[ptrace, \"@keyring\"]", "[Ptrace]", "[\"@\"]", "[\"a b\"]"}},
      {"variables: {a: b, ", {"c: \"d\"", "C: d", "c: 1", "c: [d]"}},
      {"monitor: {files: ", {"none", "denied", "changes", "all", "some"}},
      {"monitor: {hash: ", {"[\"/a/*.py\"]", "\"/a\"", "[1]"}},
      {"monitor: {expect_absent: ", {"[\"/a/*.py\"]", "\"/a\"", "[1]"}},
      {"audit: {durable: ", {"each", "always"}}};
  return all;
}

bool parser_takes(const std::string& text) { return !has_errors(test::Desk().load(text).diagnostics); }

TEST(Schema, AnswersAsTheParserDoes) {
  for (const Sample& sample : samples())
    for (const char* value : sample.values) {
      const std::string text = test::minimal(std::string(sample.before) + value + "}\n");
      EXPECT_EQ(misfit(text).empty(), parser_takes(text)) << text << misfit(text);
    }
  for (const char* line : {"user: keep",          "user: root",
                           "user: daemon",        "user: 1000",
                           "user: \"1000:100\"",  "user: 0",
                           "user: \"0\"",         "user: -1",
                           "user: 4294967295",    "user: [keep]",
                           "cwd: /tmp",           "cwd: 1",
                           "cwd: [/tmp]",         "best_effort: [landlock]",
                           "best_effort: [lock]", "extends: [python]",
                           "extends: python",     "extends: [\"../x.yaml\"]",
                           "description: text",   "description: 1"}) {
    const std::string text = test::minimal(std::string(line) + "\n");
    EXPECT_EQ(misfit(text).empty(), parser_takes(text)) << text << misfit(text);
  }
  const std::string digest(64, 'a');
  for (const std::string& integrity :
       {"{path: /x, sha256: " + digest + "}", "{path: /x, sha256: A" + digest.substr(1) + "}",
        std::string("{path: /x}"), "{sha256: " + digest + "}"}) {
    const std::string text = test::minimal("integrity: " + integrity + "\n");
    EXPECT_EQ(misfit(text).empty(), parser_takes(text)) << text << misfit(text);
  }
  for (const char* text : {"name: crm\n", "version: 1\n", "version: 2\nname: crm\n", "version: \"1\"\nname: crm\n",
                           "version: 1\nname: Crm\n", "version: 1\nname: a.b-c_d9\n", "- a\n"})
    EXPECT_EQ(misfit(text).empty(), parser_takes(text)) << text << misfit(text);
}

}  // namespace
}  // namespace jail::profile
