// mutate FOLDER...: a fuzz target as a plain test. Every file below the folders is tried as it is, then mutations of
// them: pieces of one file moved, doubled, cut, swapped for pieces of another or for bytes that break parsers. The
// seed is fixed, so a failure comes back.
#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size);

namespace {

constexpr int kMutations = 20000;
constexpr std::size_t kLongest = 1 << 16;

class Mutator {
 public:
  explicit Mutator(std::vector<std::string> seeds) : seeds_(std::move(seeds)) {}

  std::string next() {
    std::string text = any_seed();
    for (std::size_t steps = 1 + below(6); steps > 0; --steps) step(text);
    return text.substr(0, kLongest);
  }

 private:
  static constexpr std::array<std::string_view, 40> kTokens{
      ":",          ": ",   "- ",   "\n",          "\n  ", "[",  "]",  "{",    "}",  ",",   "\"",    "'",
      "&a ",        "*a",   "!t ",  "<<: ",        "|",    ">",  "? ", "#",    "%",  "---", "\n---", "...",
      "~",          "${",   "}",    "${env:URL}",  "$${x", "..", "\\", "\\x0", "\t", "\r",  "\xff",  "\xe2\x80\xae",
      "9999999999", "null", "true", "version: 1\n"};

  std::size_t below(std::size_t bound) { return random_() % bound; }
  const std::string& any_seed() { return seeds_[below(seeds_.size())]; }

  std::string piece(const std::string& text) {
    if (text.empty()) return {};
    const std::size_t from = below(text.size());
    return text.substr(from, 1 + below(40));
  }

  void step(std::string& text) {
    const std::size_t at = below(text.size() + 1);
    switch (below(6)) {
      case 0: text.insert(at, kTokens[below(kTokens.size())]); break;
      case 1: text.insert(at, 1, static_cast<char>(random_())); break;
      case 2: text.erase(at, 1 + below(20)); break;
      case 3: text.insert(at, piece(text)); break;
      case 4: text.insert(at, piece(any_seed())); break;
      default: text.replace(at, std::min<std::size_t>(text.size() - at, 1 + below(8)), piece(any_seed()));
    }
  }

  std::vector<std::string> seeds_;
  std::mt19937_64 random_{20260131};
};

std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void try_one(const std::string& text) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const unsigned char*>(text.data()), text.size());
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> seeds;
  for (int i = 1; i < argc; ++i)
    for (const auto& entry : std::filesystem::recursive_directory_iterator(argv[i]))
      if (entry.is_regular_file()) seeds.push_back(read_file(entry.path()));
  if (seeds.empty()) return std::fputs("no seeds\n", stderr), 1;
  for (const std::string& seed : seeds) try_one(seed);
  Mutator mutator(seeds);
  for (int i = 0; i < kMutations; ++i) try_one(mutator.next());
  std::printf("%zu seeds, %d mutations\n", seeds.size(), kMutations);
}
