#include "base/json.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "arbitrary.h"
#include "base/text.h"

namespace jail::json {
namespace {

std::string written(std::string_view bytes, std::size_t limit = kNoLimit) {
  Writer writer;
  (void)writer.value(bytes, limit);
  return writer.text();
}

TEST(JsonWriter, WritesObjectsArraysAndNumbers) {
  Writer writer;
  writer.begin_object();
  writer.member("name", "acme-crm");
  writer.member("big", UINT64_MAX);
  writer.member("small", std::int64_t{-7});
  writer.member("yes", true);
  writer.key("list");
  writer.begin_array();
  writer.value(1);
  writer.value("two");
  writer.end_array();
  writer.end_object();
  EXPECT_EQ(writer.text(), R"({"name":"acme-crm","big":18446744073709551615,"small":-7,"yes":true,"list":[1,"two"]})");
}

TEST(JsonWriter, StartsAfreshAfterClear) {
  Writer writer;
  writer.begin_object();
  writer.member("left", "open");
  writer.clear();
  writer.value("new");
  EXPECT_EQ(writer.text(), "\"new\"");
}

TEST(JsonWriter, KeepsEveryKindOfLineBreakAndEscapeSequenceOutOfTheLine) {
  EXPECT_EQ(written("a\nb\r\x1b[31m"), R"("a\nb\r\u001b[31m")");
  EXPECT_EQ(written("\xc2\x85|\xe2\x80\xa8|\xe2\x80\xa9|\v|\f"), R"("\u0085|\u2028|\u2029|\u000b|\u000c")");
  EXPECT_EQ(written("\xf3\xa0\x81\x81"), R"("\udb40\udc41")");
  EXPECT_EQ(written("\",\"kind\":\"run.ended\"}"), R"("\",\"kind\":\"run.ended\"}")");
}

TEST(JsonWriter, EscapesBytesThatAreNotUtf8InsideTheString) { EXPECT_EQ(written("\xff\\"), R"("\\xff\\\\")"); }

TEST(JsonWriter, EscapesNamesOfMembersToo) {
  Writer writer;
  writer.begin_object();
  writer.member("a\"\n", 1);
  writer.end_object();
  EXPECT_EQ(writer.text(), R"({"a\"\n":1})");
}

TEST(JsonWriter, CutsBetweenCharactersOnly) {
  Writer writer;
  EXPECT_EQ(writer.value("abcdef", 6), Fit::Whole);
  EXPECT_EQ(written("abcdef", 5), "\"abcde\"");
  EXPECT_EQ(written("ab\n", 3), "\"ab\"");
  EXPECT_EQ(written("ab\n", 4), "\"ab\\n\"");
  EXPECT_EQ(written("\xc3\xa9\xc3\xa9", 3), "\"\xc3\xa9\"");
  EXPECT_EQ(written("\xff\xff", 9), R"("\\xff")");
  EXPECT_EQ(written("x", 0), "\"\"");
  writer.clear();
  EXPECT_EQ(writer.value("ab\n", 3), Fit::Cut);
}

TEST(JsonRoundTrip, GivesBackAnyBytesAndBreaksNoLine) {
  std::mt19937_64 random(3);
  for (int round = 0; round < 20'000; ++round) {
    const std::string bytes = test::arbitrary_bytes(random, 64);
    const std::string line = written(bytes);
    ASSERT_TRUE(std::ranges::none_of(line, [](char c) { return c >= 0 && c < 0x20; })) << text::hexadecimal(bytes);
    const std::optional<Document> document = Document::parse(line);
    ASSERT_TRUE(document) << text::hexadecimal(bytes);
    ASSERT_EQ(document->root().bytes(), bytes) << text::hexadecimal(bytes);
  }
}

TEST(JsonRoundTrip, ACutStringIsAPrefixOfTheBytes) {
  std::mt19937_64 random(4);
  for (int round = 0; round < 20'000; ++round) {
    const std::string bytes = test::arbitrary_bytes(random, 64);
    const std::size_t limit = random() % 40;
    const std::string line = written(bytes, limit);
    ASSERT_LE(line.size(), limit + 2);
    const std::optional<Document> document = Document::parse(line);
    ASSERT_TRUE(document);
    ASSERT_TRUE(bytes.starts_with(*document->root().bytes())) << text::hexadecimal(bytes);
  }
}

TEST(JsonReader, FindsMembersAndSaysNothingForWhatIsAbsentOrOfAnotherType) {
  const std::optional<Document> document = Document::parse(R"({"a":{"b":[1,-2,"x",true,null]},"n":1.5})");
  ASSERT_TRUE(document);
  const Value root = document->root();
  const std::vector<Value> items = root["a"]["b"].items();
  ASSERT_EQ(items.size(), 5u);
  EXPECT_EQ(items[0].natural(), 1u);
  EXPECT_EQ(items[1].natural(), std::nullopt);
  EXPECT_EQ(items[1].integer(), -2);
  EXPECT_EQ(items[2].bytes(), "x");
  EXPECT_EQ(items[3].boolean(), true);
  EXPECT_FALSE(root["a"]["missing"]["deeper"]);
  EXPECT_EQ(root["n"].natural(), std::nullopt);
  EXPECT_EQ(root["n"].bytes(), std::nullopt);
  EXPECT_EQ(root.members().size(), 2u);
  EXPECT_EQ(root.members()[1].first, "n");
}

TEST(JsonReader, TakesForeignBackslashesAsTheyStand) {
  EXPECT_EQ(Document::parse(R"("C:\\dir")")->root().bytes(), "C:\\dir");
}

TEST(JsonReader, RefusesWhatIsNotOneValue) {
  for (const std::string_view text :
       {"", "{", "{}x", "{} {}", "{'a':1}", "{\"a\":1,}", "nul", "\"\n\"", "\"\xff\"", "[NaN]"})
    EXPECT_FALSE(Document::parse(text)) << text;
  EXPECT_FALSE(Document::parse(std::string_view("{}\0x", 4)));
}

TEST(JsonReader, KeepsItsBounds) {
  const std::string deep = std::string(16, '[') + std::string(16, ']');
  EXPECT_TRUE(Document::parse(deep));
  EXPECT_FALSE(Document::parse("[" + deep + "]"));
  EXPECT_TRUE(Document::parse("\"[[[[[[[[[[[[[[[[[[[[[[\\\"[[[[\""));  // brackets in a string nest nothing
  EXPECT_FALSE(Document::parse(std::string(16 * 1024 + 1, ' ')));
  EXPECT_FALSE(Document::parse("\"" + std::string(100, 'x') + "\"", {.bytes = 100}));
}

TEST(JsonHarmless, KeepsTheMeaningAndLosesTheTeeth) {
  const std::string foreign =
      "{\"a\" :\t\"\xc2\x9b"
      "31m\xe2\x80\xae\xc3\xa9\x7f\"}";
  ASSERT_TRUE(Document::parse(foreign));
  EXPECT_EQ(harmless(foreign), "{\"a\" : \"\\u009b31m\\u202e\xc3\xa9\\u007f\"}");
  EXPECT_EQ(Document::parse(harmless(foreign))->root()["a"].bytes(), Document::parse(foreign)->root()["a"].bytes());
}

}  // namespace
}  // namespace jail::json
