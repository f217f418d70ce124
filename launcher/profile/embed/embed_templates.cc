// embed_templates FILE.yaml... : prints the C++ source that defines templates() for these files. Runs while jail is
// built, with the parser that jail itself uses; a template with a fault ends the build.
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>

#include "profile/parse.h"
#include "profile/paths.h"

namespace {

using namespace jail::profile;

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string name_of(const std::string& path) {
  const std::string base(base_of(path));
  return base.substr(0, base.rfind(".yaml"));
}

// Octal escapes end after three digits, whatever follows.
std::string literal(std::string_view text) {
  constexpr std::string_view kDigits = "01234567";
  std::string result = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f && c != '"' && c != '\\') result += c;
    else result.append("\\").append({kDigits[byte >> 6], kDigits[byte >> 3 & 7], kDigits[byte & 7]});
  }
  return result + "\"";
}

void print_nodes(const std::string& name, const Document& document) {
  std::cout << "constexpr Node k_" << name << "[] = {\n";
  for (const Node& node : document.nodes)
    std::cout << "    {static_cast<NodeKind>(" << static_cast<int>(node.kind) << "), " << node.line << ", "
              << node.column << ", " << node.below << ", " << literal(node.text) << "},\n";
  std::cout << "};\n\n";
}

}  // namespace

int main(int argc, char** argv) {
  std::string table;
  std::cout << "#include \"profile/templates.h\"\n\nnamespace jail::profile {\nnamespace {\n\n";
  for (int i = 1; i < argc; ++i) {
    const std::string name = name_of(argv[i]);
    const Parsed parsed = parse(read_file(argv[i]), "<template>/" + name + ".yaml");
    std::cerr << to_text(parsed.diagnostics);
    if (!parsed.diagnostics.empty()) return 1;
    print_nodes(name, parsed.document);
    table += "    {" + literal(name) + ", " + literal(parsed.document.file) + ", " + literal(parsed.document.sha256) +
             ", k_" + name + "},\n";
  }
  std::cout << "constexpr Template kTemplates[] = {\n"
            << table << "};\n\n}  // namespace\n\nstd::span<const Template> templates() { return kTemplates; }\n\n"
            << "}  // namespace jail::profile\n";
  return std::cout.good() ? 0 : 1;
}
