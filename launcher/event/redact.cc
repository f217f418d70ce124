#include "event/redact.h"

#include <algorithm>

namespace jail::event {
namespace {

struct Stretch {
  std::size_t first;
  std::size_t end;
};

// Overlaps of a value with itself count: "aaaaaaaaaa" holds "aaaaaaaa" three times, and all of it is secret.
void find_all(std::string_view text, std::string_view secret, std::vector<Stretch>& found) {
  for (std::size_t at = text.find(secret); at != std::string_view::npos; at = text.find(secret, at + 1))
    found.push_back({at, at + secret.size()});
}

std::string without(std::string_view text, const std::vector<Stretch>& stretches) {
  std::string out;
  std::size_t done = 0;
  for (const Stretch& stretch : stretches) {
    // One that begins inside the last is part of what the last mark stands for.
    if (stretch.first >= done) out.append(text.substr(done, stretch.first - done)).append(Redactor::kMark);
    done = std::max(done, stretch.end);
  }
  return out.append(text.substr(done));
}

}  // namespace

Redactor::Redactor(std::vector<std::string> secrets) : secrets_(std::move(secrets)) {
  std::erase_if(secrets_, [](const std::string& secret) { return secret.size() < kShortest; });
}

std::string Redactor::redact(std::string_view text) const {
  std::vector<Stretch> found;
  for (const std::string& secret : secrets_) find_all(text, secret, found);
  std::ranges::sort(found, {}, &Stretch::first);
  return without(text, found);
}

std::vector<std::string> redact_positions(std::vector<std::string> argv,
                                          std::span<const std::size_t> secret_positions) {
  for (const std::size_t position : secret_positions)
    if (position < argv.size()) argv[position] = Redactor::kMark;
  return argv;
}

}  // namespace jail::event
