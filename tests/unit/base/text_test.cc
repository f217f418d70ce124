#include "base/text.h"

#include <gtest/gtest.h>

#include <random>

#include "arbitrary.h"

namespace jail::text {
namespace {

using namespace std::chrono_literals;

bool is_utf8(std::string_view bytes) {
  for (; !bytes.empty(); bytes.remove_prefix(first_character(bytes).size))
    if (!first_character(bytes).valid) return false;
  return true;
}

bool has_deceptive(std::string_view bytes) {
  for (; !bytes.empty(); bytes.remove_prefix(first_character(bytes).size))
    if (is_deceptive(first_character(bytes).point)) return true;
  return false;
}

TEST(TextUtf8, TakesTheEdgesOfEveryLengthAndNothingBeyond) {
  for (const std::string_view good : {"\x7f", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80",
                                      "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"}) {
    EXPECT_TRUE(first_character(good).valid) << hexadecimal(good);
    EXPECT_EQ(first_character(good).size, good.size());
  }
  for (const std::string_view bad :
       {"\x80", "\xc0\x80", "\xc1\xbf", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xed\xbf\xbf", "\xf0\x8f\xbf\xbf",
        "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "\xe2\x80", "\xc3"}) {
    EXPECT_FALSE(first_character(bad).valid) << hexadecimal(bad);
    EXPECT_EQ(first_character(bad).size, 1u);
  }
  EXPECT_EQ(first_character("\xf0\x9f\x98\x80").point, U'\U0001f600');
}

TEST(TextEscape, LeavesOrdinaryTextAlone) {
  EXPECT_EQ(escape("/srv/caf\xc3\xa9/\xe6\x96\x87.txt"), "/srv/caf\xc3\xa9/\xe6\x96\x87.txt");
}

TEST(TextEscape, WritesBackslashesAndBrokenBytesReversibly) {
  EXPECT_EQ(escape("a\\b\xff"), "a\\\\b\\xff");
  EXPECT_EQ(unescape("a\\\\b\\xff"), "a\\b\xff");
  EXPECT_EQ(escape("\\xff"), "\\\\xff");  // a name that looks like an escape is told apart from one
  EXPECT_EQ(unescape("\\\\xff"), "\\xff");
}

TEST(TextEscape, RefusesWhatItCannotHaveWritten) {
  for (const std::string_view text : {"\\", "a\\", "\\n", "\\x", "\\x4", "\\xFF", "\\xg0", "\\x0g"})
    EXPECT_EQ(unescape(text), std::nullopt) << text;
}

TEST(TextEscape, GivesBackAnyBytes) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 20'000; ++round) {
    const std::string bytes = test::arbitrary_bytes(random, 64);
    const std::string escaped = escape(bytes);
    ASSERT_TRUE(is_utf8(escaped)) << hexadecimal(bytes);
    ASSERT_EQ(unescape(escaped), bytes) << hexadecimal(bytes);
  }
}

TEST(TextForPeople, ShowsWhatWouldActOrHide) {
  EXPECT_EQ(for_people("\x1b]52;c;aGk=\a"), "\\x1b]52;c;aGk=\\x07");
  EXPECT_EQ(for_people("line\nline\r\t"), "line\\nline\\r\\t");
  EXPECT_EQ(for_people("\xc2\x9b"
                       "31m"),
            "\\u{009b}31m");
  EXPECT_EQ(for_people("\x9b"), "\\x9b");  // C1 as one byte: not UTF-8, yet an 8-bit terminal obeys it
  EXPECT_EQ(for_people("gpj.\xe2\x80\xae"
                       "exe"),
            "gpj.\\u{202e}exe");
  EXPECT_EQ(for_people("a\xe2\x80\x8b"
                       "b\xef\xbb\xbf\x7f"),
            "a\\u{200b}b\\u{feff}\\x7f");
  EXPECT_EQ(for_people("\xf3\xa0\x81\x81"), "\\u{e0041}");
  EXPECT_EQ(for_people("caf\xc3\xa9 C:\\x"), "caf\xc3\xa9 C:\\\\x");
}

TEST(TextForPeople, LeavesNothingDeceptiveOfAnyBytes) {
  std::mt19937_64 random(2);
  for (int round = 0; round < 20'000; ++round) {
    const std::string shown = for_people(test::arbitrary_bytes(random, 64));
    ASSERT_TRUE(is_utf8(shown));
    ASSERT_FALSE(has_deceptive(shown)) << hexadecimal(shown);
  }
}

TEST(TextForPeople, MarksWhereAWordEnds) {
  EXPECT_EQ(word_for_people("/srv/x,y:z"), "/srv/x,y:z");
  EXPECT_EQ(word_for_people(R"(a\b)"), R"(a\\b)");
  EXPECT_EQ(word_for_people(""), R"("")");
  EXPECT_EQ(word_for_people("a | b"), R"("a | b")");
  EXPECT_EQ(word_for_people("a|b"), R"("a|b")");
  EXPECT_EQ(word_for_people("it's"), R"("it's")");
  EXPECT_EQ(word_for_people(R"(a\"b)"), R"("a\\\"b")");
  for (const char* blank : {"\xc2\xa0", "\xe2\x80\x83", "\xe3\x80\x80", "\xe2\xa0\x80"})
    EXPECT_EQ(word_for_people(blank), '"' + std::string(blank) + '"');
}

TEST(TextDeceptive, KnowsTheEdgesOfItsRanges) {
  for (const char32_t point : {0x0u, 0x1fu, 0x7fu, 0x9fu, 0xadu, 0x200bu, 0x202eu, 0x2066u, 0xfeffu, 0xe0fffu})
    EXPECT_TRUE(is_deceptive(point)) << static_cast<std::uint32_t>(point);
  for (const char32_t point :
       {0x20u, 0x7eu, 0xa0u, 0xacu, 0xaeu, 0x200au, 0x2010u, 0x202fu, 0x2070u, 0xfffcu, 0xe1000u})
    EXPECT_FALSE(is_deceptive(point)) << static_cast<std::uint32_t>(point);
}

TEST(TextHuman, SizesNeverRoundUp) {
  EXPECT_EQ(human_size(0), "0 B");
  EXPECT_EQ(human_size(1023), "1023 B");
  EXPECT_EQ(human_size(1024), "1 KiB");
  EXPECT_EQ(human_size(64u << 20), "64 MiB");
  EXPECT_EQ(human_size((3u << 29)), "1.5 GiB");
  EXPECT_EQ(human_size((1u << 20) - 1), "1023.9 KiB");
  EXPECT_EQ(human_size(UINT64_MAX), "15.9 EiB");
}

TEST(TextHuman, DurationsUseTwoUnitsAtMost) {
  EXPECT_EQ(human_duration(850ns), "850 ns");
  EXPECT_EQ(human_duration(12'300ns), "12.3 us");
  EXPECT_EQ(human_duration(1'900us), "1.9 ms");
  EXPECT_EQ(human_duration(3'200ms), "3.2 s");
  EXPECT_EQ(human_duration(125s), "2m 05s");
  EXPECT_EQ(human_duration(62min), "1h 02m");
  EXPECT_EQ(human_duration(75h), "3d 03h");
  EXPECT_EQ(human_duration(-1s), "0 ns");
}

}  // namespace
}  // namespace jail::text
