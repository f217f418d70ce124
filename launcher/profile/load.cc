// A profile and what it extends, as files, become one Profile in three steps: gather (files and templates in the
// order of merging: what is extended stands before what extends it), names (the profile's own name and the defaults
// of variables, which expansion needs), read (each document over the ones before it).
#include "profile/load.h"

#include <algorithm>
#include <deque>

#include "profile/document.h"
#include "profile/keys.h"
#include "profile/parse.h"
#include "profile/paths.h"
#include "profile/quoted.h"
#include "profile/read_process.h"
#include "profile/reader.h"
#include "profile/suggest.h"
#include "profile/templates.h"

namespace jail::profile {
namespace {

constexpr std::size_t kDeepestExtends = 10;
constexpr std::size_t kMostFiles = 64;
constexpr std::size_t kMostGrants = 4096;

class Loader {
 public:
  explicit Loader(const Inputs& inputs) : inputs_(inputs) {}

  Loaded load(const std::string& path) {
    gather_file(path, {path, 0, 0});
    const std::string name = own_name();
    Variables variables(inputs_, name);
    for (const Document& document : documents_) read_defaults(document, variables);
    for (const Document& document : documents_) read(document, variables);
    check_whole(path);
    check_set(variables);
    sort_grants();
    profile().state = variables.state();
    if (const auto plugin = inputs_.set.find("plugin"); plugin != inputs_.set.end()) profile().plugin = plugin->second;
    list_sources();
    sort_diagnostics();
    return std::move(loaded_);
  }

 private:
  Profile& profile() { return loaded_.profile; }

  void error(Place place, std::string message, std::string hint = {}) {
    loaded_.diagnostics.push_back({Diagnostic::Severity::Error, std::move(place), std::move(message), std::move(hint)});
  }

  // --- gather ---

  // Whether `file` is still to be read. `place`: who asks for it.
  bool enter(const std::string& file, const Place& place) {
    if (std::ranges::find(chain_, file) != chain_.end()) return error(place, circle(file)), false;
    if (std::ranges::find(files_, file) != files_.end()) return false;  // a template that two others extend
    if (chain_.size() > kDeepestExtends) return error(place, "'extends' is more than 10 levels deep"), false;
    if (files_.size() >= kMostFiles) return error(place, "'extends' leads to more than 64 files"), false;
    files_.push_back(file);
    chain_.push_back(file);
    return true;
  }

  std::string circle(const std::string& file) const {
    std::string text = "'extends' goes round in a circle: ";
    for (auto step = std::ranges::find(chain_, file); step != chain_.end(); ++step) text += quoted(*step) + " extends ";
    return text + quoted(file);
  }

  void gather(Document document) {
    if (document.root != nullptr)
      if (const Node* list = find(*document.root, "extends")) gather_extended(*list, document);
    chain_.pop_back();
    documents_.push_back(std::move(document));
  }

  void gather_file(const std::string& path, const Place& place) {
    if (!enter(path, place)) return;
    FileText file = inputs_.read_file(path);
    if (!file.problem.empty()) {
      chain_.pop_back();
      return error(place, place.line == 0 ? file.problem : "cannot read " + quoted(path) + ": " + file.problem);
    }
    Parsed parsed = parse(file.text, path);
    std::ranges::move(parsed.diagnostics, std::back_inserter(loaded_.diagnostics));
    gather(std::move(parsed.document));
  }

  void gather_template(const Template& built_in, const Place& place) {
    if (enter(std::string(built_in.file), place)) gather(document_of(built_in));
  }

  void gather_extended(const Node& list, const Document& document) {
    if (list.kind != NodeKind::Sequence)
      return error(document.place(list), "a list expected", "write extends: [python]");
    for (const Node& item : Children(list)) {
      if (item.is_scalar()) gather_one(std::string(item.text), document.place(item), document.file);
      else error(document.place(item), "a template's name or ./relative.yaml expected");
    }
  }

  void gather_one(const std::string& wanted, const Place& place, const std::string& from) {
    if (wanted.starts_with("./")) return gather_relative(wanted, place, from);
    if (!is_profile_name(wanted))
      return error(place, quoted(wanted) + " is no template's name",
                   "write a name such as python, or a file beside this one as ./file.yaml");
    for (const Template& built_in : templates())
      if (built_in.name == wanted) return gather_template(built_in, place);
    if (inputs_.find_template)
      if (const std::optional<std::string> path = inputs_.find_template(wanted)) return gather_file(*path, place);
    std::vector<std::string_view> known;
    for (const Template& built_in : templates()) known.push_back(built_in.name);
    error(place, "no template " + quoted(wanted), hint_for(wanted, known));
  }

  void gather_relative(const std::string& wanted, const Place& place, const std::string& from) {
    if (has_parent_component(wanted)) return error(place, "'..' in " + quoted(wanted), "name a file beside this one");
    if (!from.starts_with('/')) return error(place, "a template has no files beside it");
    gather_file(normal_path(joined(folder_of(from), wanted)), place);
  }

  // --- names ---

  // The profile itself is the last document: everything else was gathered for it. It is missing when unreadable.
  [[nodiscard]] const Node* own_root() const { return documents_.empty() ? nullptr : documents_.back().root; }

  std::string own_name() {
    const Node* name = own_root() == nullptr ? nullptr : find(*own_root(), "name");
    return name != nullptr && is_profile_name(name->text) ? std::string(name->text) : std::string();
  }

  void read_defaults(const Document& document, Variables& variables) {
    const Node* mapping = document.root == nullptr ? nullptr : find(*document.root, "variables");
    if (mapping == nullptr) return;
    if (mapping->kind != NodeKind::Mapping)
      return error(document.place(*mapping), "a mapping of names to texts expected");
    const std::string folder(document.file.starts_with('/') ? folder_of(document.file) : "");
    Reader reader(profile(), variables, document, Role::Extended, loaded_.diagnostics);
    for (const auto& [key, value] : pairs_of(*mapping)) {
      if (!is_variable_name(key.text))
        error(document.place(key), quoted(key.text) + " is no variable's name", "lower case letters, digits and '_'");
      else if (is_built_in(key.text)) error(document.place(key), quoted(key.text) + " is built in");
      else if (const std::optional<std::string> text = reader.text(value))
        variables.set_default(std::string(key.text), *text, folder);
    }
  }

  static bool is_built_in(std::string_view name) {
    return std::ranges::find(kBuiltInVariables, name) != kBuiltInVariables.end();
  }

  // --- read ---

  void read(const Document& document, const Variables& variables) {
    const Role role = &document == &documents_.back() ? Role::Profile : Role::Extended;
    Reader(profile(), variables, document, role, loaded_.diagnostics).read();
    if (document.root != nullptr && document.root->kind == NodeKind::Mapping) require_keys(document, role);
  }

  void require_keys(const Document& document, Role role) {
    const Node& root = *document.root;
    if (find(root, "version") == nullptr) error(document.place(root), "'version' is missing", "write version: 1");
    if (role == Role::Profile && find(root, "name") == nullptr)
      error(document.place(root), "'name' is missing", "write name: and what every event shall call this plugin");
  }

  void check_whole(const std::string& path) {
    for (const auto& [name, value] : inputs_.set)
      if (is_built_in(name) || !is_variable_name(name))
        error({"--set", 0, 0}, quoted(name) + (is_built_in(name) ? " is built in" : " is no variable's name"));
    if (profile().filesystem.grants.size() > kMostGrants) error({path, 0, 0}, "more than 4096 grants in all");
  }

  // A slip in a name would leave the default in place. ${plugin} says whose code it is even where no line uses it.
  void check_set(const Variables& variables) {
    if (has_errors(loaded_.diagnostics)) return;  // among them a line that was to use it
    for (const auto& [name, value] : inputs_.set)
      if (name != "plugin" && !variables.knows(name))
        error({"--set", 0, 0}, "no line of the profile uses " + quoted(name), hint_for(name, variables.declared()));
  }

  // Their order means nothing (the most specific path wins), so it is the one in which emit() writes them.
  void sort_grants() { std::ranges::stable_sort(profile().filesystem.grants, {}, &Grant::access); }

  void list_sources() {
    for (const Document& document : documents_) profile().sources.push_back({document.file, document.sha256});
    std::vector<SourceFile>& sources = profile().sources;
    if (!sources.empty()) std::rotate(sources.begin(), sources.end() - 1, sources.end());
  }

  // Files in the order they were asked for, so that the profile's own faults come first.
  void sort_diagnostics() {
    const auto rank = [this](const Diagnostic& one) {
      return std::tuple(std::ranges::find(files_, one.place.file) - files_.begin(), one.place.line, one.place.column);
    };
    std::ranges::stable_sort(loaded_.diagnostics, {}, rank);
  }

  const Inputs& inputs_;
  std::vector<std::string> files_;  // all that were asked for
  std::vector<std::string> chain_;  // from the profile to the one being gathered
  std::deque<Document> documents_;  // in the order of merging
  Loaded loaded_;
};

}  // namespace

Loaded load(const std::string& path, const Inputs& inputs) { return Loader(inputs).load(path); }

}  // namespace jail::profile
