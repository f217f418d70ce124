// What is shipped must work as it stands: templates alone, examples with the variables their first lines name.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "profile/templates.h"
#include "verdict.h"

namespace jail::profile {
namespace {

std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<std::filesystem::path> files_in(const char* folder) {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(std::filesystem::path(SHIPPED_PROFILES) / folder))
    paths.push_back(entry.path());
  return paths;
}

// With the variables that this text uses.
test::Trial operator_of(const std::string& text) {
  test::Trial trial;
  trial.desk.set = {{"plugin", "/opt/host/plugins/p"}};
  if (text.find("${run}") != std::string::npos) trial.desk.set["run"] = "2026-01-31-a";
  trial.desk.environment = {{"ACME_CRM_BASE_URL", "https://crm.acme.example/api"}};
  return trial;
}

TEST(Examples, HaveNoFaultOnAMachineThatHasWhatTheyName) {
  const auto examples = files_in("examples");
  EXPECT_GE(examples.size(), 7u);
  for (const auto& path : examples) {
    const std::string text = read_file(path);
    test::Trial trial = operator_of(text);
    const Diagnostics found = trial.found_in(text);
    EXPECT_FALSE(has_errors(found)) << path << "\n" << to_text(found);
  }
}

TEST(Templates, AreAllBuiltInAndHaveNoFault) {
  EXPECT_EQ(templates().size(), files_in("templates").size());
  for (const Template& built_in : templates()) {
    test::Trial trial = operator_of("");
    const Diagnostics found = trial.found("extends: [" + std::string(built_in.name) + "]\n");
    EXPECT_FALSE(has_errors(found)) << to_text(found);
  }
}

// What was built in is what stands in the file now.
TEST(Templates, AreTheirFiles) {
  for (const Template& built_in : templates()) {
    const std::filesystem::path folder = std::filesystem::path(SHIPPED_PROFILES) / "templates";
    test::Desk desk;
    desk.files["/t/" + std::string(built_in.name) + ".yaml"] =
        read_file(folder / (std::string(built_in.name) + ".yaml"));
    const Loaded loaded = load("/t/" + std::string(built_in.name) + ".yaml", desk.inputs());
    EXPECT_EQ(to_text(loaded.diagnostics), "");
    ASSERT_FALSE(loaded.profile.sources.empty());
    EXPECT_EQ(loaded.profile.sources.front().sha256, built_in.sha256);
  }
}

}  // namespace
}  // namespace jail::profile
