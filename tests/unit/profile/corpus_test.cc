// Each file of bad/ is a wrong profile; NAME.expected beside it is the whole text that must be said of it, places
// included. After an intended change, run once with JAIL_UPDATE_EXPECTED=1 and read the difference.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "desk.h"
#include "profile/diagnostic.h"

namespace jail::profile {
namespace {

constexpr const char* kSecret = "hunter2";

std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<std::filesystem::path> bad_profiles() {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(BAD_PROFILES))
    if (entry.path().extension() == ".yaml") paths.push_back(entry.path());
  std::ranges::sort(paths);
  return paths;
}

Diagnostics diagnostics_of(const std::filesystem::path& path) {
  test::Desk desk;
  desk.environment = {{"HOME", "/home/ann"}, {"A_SECRET_URL", std::string("https://ann:") + kSecret + "@host/"}};
  desk.set = {{"plugin", "/srv/plugin"}};
  desk.files["/bad/" + path.filename().string()] = read_file(path);
  return load("/bad/" + path.filename().string(), desk.inputs()).diagnostics;
}

class BadProfile : public testing::TestWithParam<std::filesystem::path> {};

TEST_P(BadProfile, IsToldInFullWithItsPlaces) {
  const Diagnostics diagnostics = diagnostics_of(GetParam());
  const std::string said = to_text(diagnostics);
  std::filesystem::path expected = GetParam();
  expected.replace_extension(".expected");
  if (std::getenv("JAIL_UPDATE_EXPECTED") != nullptr) std::ofstream(expected) << said;
  EXPECT_EQ(said, read_file(expected));
  EXPECT_TRUE(has_errors(diagnostics));
  EXPECT_EQ(said.find(kSecret), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(Corpus, BadProfile, testing::ValuesIn(bad_profiles()),
                         [](const auto& profile) { return profile.param.stem().string(); });

}  // namespace
}  // namespace jail::profile
