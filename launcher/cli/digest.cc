// `jail digest`: the digest that `integrity` of a profile wants, and what it is made of.
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

#include "base/error.h"
#include "base/json.h"
#include "base/text.h"
#include "cli/verbs.h"
#include "confine/tree_digest.h"
#include "profile/emit.h"

namespace jail::cli {
namespace {

constexpr const char* kFooter =
    R"(Prints the line for a profile. A changed byte, name, mode, link or empty folder is another digest;
times and owners are not looked at, and links are not followed. 1 where there is none: an entry that
cannot be read, one that changes meanwhile, more than 250000 entries, 2 GiB or 128 folders deep.

The digest is the SHA-256 of what --list prints: "jail-tree 1", then a line an entry, a folder before
what it holds, names by their bytes: TYPE MODE CONTENT SIZE:PATH.

Examples:
  jail digest /opt/crm
  jail digest --list /opt/crm > before      what it holds, to be compared
  jail digest --list /opt/crm | sha256sum   the same digest
)";

struct Options {
  std::string path;
  bool list = false;
  bool json = false;
};

// The tree itself may be named by a link, as in a profile.
std::string real_path(const std::string& path) {
  const std::unique_ptr<char, void (*)(void*)> real(::realpath(path.c_str(), nullptr), std::free);
  if (!real) throw SysError(errno, "digest", text::for_people(path));
  return real.get();
}

void print_json(const std::string& path, const confine::TreeDigest& digest) {
  json::Writer writer;
  writer.begin_object();
  writer.member("path", path);
  writer.member(digest.problem.empty() ? "sha256" : "problem", digest.problem.empty() ? digest.sha256 : digest.problem);
  writer.end_object();
  std::puts(writer.text().c_str());
}

int digest_verb(const Options& options) {
  const std::string path = real_path(options.path);
  const auto print = [](std::string_view piece) { std::fwrite(piece.data(), 1, piece.size(), stdout); };
  const confine::TreeDigest digest = options.list ? confine::digest_tree(path, {}, print) : confine::digest_tree(path);
  if (options.json) print_json(path, digest);
  else if (!digest.problem.empty()) std::fprintf(stderr, "jail: %s\n", text::for_people(digest.problem).c_str());
  else if (!options.list)
    std::printf("integrity: {path: %s, sha256: %s}\n", profile::emit_path(path).c_str(), digest.sha256.c_str());
  return digest.problem.empty() ? 0 : 1;
}

}  // namespace

void add_digest(CLI::App& app, int& status) {
  auto options = std::make_shared<Options>();
  CLI::App* verb = app.add_subcommand("digest", "Print the digest of a file tree, for 'integrity' of a profile");
  verb->footer(kFooter);
  verb->add_option("path", options->path, "A folder, or a file")->required();
  CLI::Option* list = verb->add_flag("--list", options->list, "What the digest is taken of, byte for byte");
  verb->add_flag("--json", options->json, "One JSON object: path and sha256, or problem")->excludes(list);
  verb->callback([options, &status] { status = digest_verb(*options); });
}

}  // namespace jail::cli
