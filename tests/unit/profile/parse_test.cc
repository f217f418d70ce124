#include "profile/parse.h"

#include <gtest/gtest.h>

#include <chrono>

namespace jail::profile {
namespace {

std::string faults(std::string_view text) { return to_text(parse(text, "x.yaml").diagnostics); }

// "key@1:1=value@1:6" for each node, depth by parentheses: the tree in one line.
std::string drawn(const Document& document, const Node& node) {
  std::string text;
  switch (node.kind) {
    case NodeKind::Null: text = "null"; break;
    case NodeKind::Plain: text = std::string(node.text); break;
    case NodeKind::Quoted: text = "'" + std::string(node.text) + "'"; break;
    case NodeKind::Sequence: text = "[]"; break;
    case NodeKind::Mapping: text = "{}"; break;
  }
  text += "@" + std::to_string(node.line) + ":" + std::to_string(node.column);
  if (node.below == 0) return text;
  text += "(";
  for (const Node& child : Children(node)) text += drawn(document, child) + " ";
  text.back() = ')';
  return text;
}

std::string tree(std::string_view text) {
  const Parsed parsed = parse(text, "x.yaml");
  EXPECT_EQ(to_text(parsed.diagnostics), "");
  return parsed.document.root == nullptr ? "" : drawn(parsed.document, *parsed.document.root);
}

TEST(Parse, KeepsEveryNodeWithItsPlace) {
  EXPECT_EQ(tree("a: 1\nb:\n  - x\n  - 'y z'\n  - {k: \"v\"}\n"),
            "{}@1:1(a@1:1 1@1:4 b@2:1 []@3:3(x@3:5 'y z'@4:5 {}@5:5(k@5:6 'v'@5:9)))");
}

TEST(Parse, TellsQuotedFromPlainAndNothingFromBoth) {
  EXPECT_EQ(tree("a: ~\nb:\nc: null\nd: \"~\"\ne: |\n  t\nf: >-\n  u\n"),
            "{}@1:1(a@1:1 null@1:4 b@2:1 null@2:3 c@3:1 null@3:4 d@4:1 '~'@4:4 e@5:1 't\n'@5:4 f@7:1 'u'@7:4)");
}

TEST(Parse, ReadsFilesWithCarriageReturns) { EXPECT_EQ(tree("a: b\r\nc: d\r\n"), "{}@1:1(a@1:1 b@1:4 c@2:1 d@2:4)"); }

TEST(Parse, DigestsTheWholeText) {
  EXPECT_EQ(parse("", "x.yaml").document.sha256, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST(Parse, RefusesWhatIsNoPlainText) {
  using namespace std::string_literals;
  EXPECT_EQ(faults("").substr(0, 31), "x.yaml: error: the file is empt");
  EXPECT_EQ(faults("a: b\0c\n"s), "x.yaml:1:5: error: a zero byte: this is no text file\n");
  EXPECT_EQ(faults("\x7f\x45LF\x02\x01"s).substr(0, 14), "x.yaml:1:1: er");
  EXPECT_EQ(faults("a: \xff\n"), "x.yaml:1:4: error: not UTF-8 text\n");
  EXPECT_EQ(faults("ok: 1\n# \xed\xa0\x80\n"), "x.yaml:2:3: error: not UTF-8 text\n");
  EXPECT_EQ(faults("# fine\rwrite: [/]\n").substr(0, 18), "x.yaml:1:7: error:");
  EXPECT_NE(faults("a: \xe2\x80\xae\n").find("x.yaml:1:4: error: an invisible character"), std::string::npos);
  EXPECT_NE(faults("a: \x1b[2J\n").find("x.yaml:1:4: error: an invisible character"), std::string::npos);
  EXPECT_NE(faults("\xef\xbb\xbf"
                   "a: b\n")
                .find("x.yaml:1:1: error: a byte order mark"),
            std::string::npos);
  EXPECT_NE(faults("a: \xc2\x85 b\n").find("x.yaml:1:4: error:"), std::string::npos);
}

TEST(Parse, RefusesMoreThanAMebibyte) {
  const std::string most = "a: " + std::string((1 << 20) - 3, 'x');
  EXPECT_EQ(faults(most), "");
  EXPECT_EQ(faults(most + "x"), "x.yaml: error: the file is larger than 1 MiB\n");
  EXPECT_EQ(faults(std::string(100'000'000, ' ')), "x.yaml: error: the file is larger than 1 MiB\n");
}

TEST(Parse, RefusesNestingDeeperThan32) {
  const auto nested = [](std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']') + "\n"; };
  EXPECT_EQ(faults(nested(32)), "");
  EXPECT_EQ(faults(nested(33)), "x.yaml:1:33: error: nested deeper than 32 levels\n");
  EXPECT_EQ(faults(std::string(400'000, '[')), "x.yaml:1:33: error: nested deeper than 32 levels\n");
  std::string block;
  for (int i = 0; i < 100'000; ++i) block += "- ";
  EXPECT_EQ(faults(block), "x.yaml:1:65: error: nested deeper than 32 levels\n");
}

TEST(Parse, BoundsListsMappingsAndTheWhole) {
  const auto list = [](int size) {
    std::string text;
    for (int i = 0; i < size; ++i) text += "- x\n";
    return text;
  };
  EXPECT_EQ(faults(list(16384)), "");
  EXPECT_EQ(faults(list(16385)), "x.yaml:16385:3: error: more than 16384 entries\n");
  std::string lists;
  for (int i = 0; i < 16384; ++i) lists += "- [a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a]\n";
  EXPECT_NE(faults(lists).find("more than 65536 values in one file"), std::string::npos);
}

TEST(Parse, SaysOfATabWhatItIs) {
  EXPECT_EQ(faults("a:\n\tb: [c]\n"),
            "x.yaml:2:1: error: not valid YAML: a tab\n"
            "  hint: indent with spaces: YAML knows no tabs\n");
  EXPECT_EQ(faults("a:\tb\nc: [\td]\n"), "") << "not where it indents";
}

// An alias bomb is refused for its first anchor; nothing is ever expanded.
TEST(Parse, NeverExpandsAnAlias) {
  std::string bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n";
  for (char c = 'b'; c < 'z'; ++c) {
    const std::string last(9, static_cast<char>(c - 1));
    bomb += std::string(1, c) + ": &" + c + " [";
    for (const char name : last) bomb += std::string("*") + name + ",";
    bomb += "]\n";
  }
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(faults(bomb).substr(0, 29), "x.yaml:1:4: error: an anchor\n");
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(2));
}

TEST(Parse, ListsAtMostAHundredFaultsOfAFile) {
  std::string text;
  for (int i = 0; i < 4000; ++i) text += "- !t x\n";
  EXPECT_EQ(parse(text, "x.yaml").diagnostics.size(), 101u);
}

// A quarter of a mebibyte of anything must stay within seconds, unoptimised.
TEST(Parse, EndsSoonWhateverTheText) {
  const std::size_t size = 1 << 18;
  for (const char* unit :
       {"a", " ",   "\n",   "- ", "[",  "{",  "? ", "!",      "&",   "*",      "'",     "\"",  "|",    ">", "%",
        "#", "a: ", "a:\n", ",",  "[]", "{}", "\t", "- a\n ", "'\n", "--- \n", "...\n", "&a ", "!!a ", "\\"}) {
    std::string text;
    while (text.size() < size) text += unit;
    const auto begin = std::chrono::steady_clock::now();
    (void)parse(text, "x.yaml");
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(20)) << unit;
  }
}

}  // namespace
}  // namespace jail::profile
