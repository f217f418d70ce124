#include "egress/dns_message.h"

#include <gtest/gtest.h>

namespace jail::egress {
namespace {

using namespace std::string_literals;

Octets octets(const std::string& message) { return {reinterpret_cast<const std::uint8_t*>(message.data()), message.size()}; }

std::string number(std::size_t value) { return {static_cast<char>(value >> 8), static_cast<char>(value)}; }

std::string header(const std::string& flags, int questions, int answers, int authorities = 0, int additional = 0) {
  return "\x12\x34"s + flags + number(questions) + number(answers) + number(authorities) + number(additional);
}

const std::string kName = "\1a\7example\0"s;
const std::string kQuestion = kName + "\0\1\0\1"s;
const std::string kAsked = "\1\0"s;    // a query, recursion desired
const std::string kFine = "\x81\x80"s;  // an answer without an error

std::string record(const std::string& name, int type, std::uint32_t ttl, const std::string& data) {
  return name + number(type) + "\0\1"s + number(ttl >> 16) + number(ttl & 0xffff) + number(data.size()) + data;
}

Rcode rcode_of(const std::string& message) {
  const auto read = read_query(octets(message));
  return read ? read->rcode : Rcode::NxDomain;
}

TEST(DnsQuery, IsOneQuestion) {
  const auto read = read_query(octets(header(kAsked, 1, 0) + kQuestion));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->rcode, Rcode::NoError);
  EXPECT_EQ(read->query.id, 0x1234);
  EXPECT_TRUE(read->query.recursion_desired);
  EXPECT_FALSE(read->query.has_edns);
  EXPECT_EQ(read->query.room, 512);
  EXPECT_EQ(read->query.question.wire, kName);
  EXPECT_EQ(read->query.question.type, kTypeA);
}

TEST(DnsQuery, MaySayHowMuchItTakes) {
  const auto room = [](const std::string& size) {
    const std::string opt = "\0\0\x29"s + size + "\0\0\x80\0\0\4\0\x0a\0\0"s;
    const auto read = read_query(octets(header(kAsked, 1, 0, 0, 1) + kQuestion + opt));
    return read && read->rcode == Rcode::NoError && read->query.has_edns ? read->query.room : 0;
  };
  EXPECT_EQ(room(number(1232)), 1232);
  EXPECT_EQ(room(number(0)), 512);
  EXPECT_EQ(room(number(65535)), 4096);
}

TEST(DnsQuery, OfAnotherSortIsRefusedWithAReason) {
  EXPECT_EQ(rcode_of(header(kAsked, 1, 0) + kName + "\0\1\0\3"s), Rcode::Refused) << "class CH";
  EXPECT_EQ(rcode_of(header("\x28\0"s, 1, 0) + kQuestion), Rcode::NotImp) << "an update";
  EXPECT_EQ(rcode_of(header(kAsked, 1, 0, 0, 1) + kQuestion + "\0\0\x29\4\xd0\0\1\0\0\0\0"s), Rcode::BadVersion);
  for (const std::string& message :
       {header(kAsked, 0, 0), header(kAsked, 2, 0) + kQuestion + kQuestion, header(kAsked, 1, 0),
        header(kAsked, 1, 0) + kName + "\0\1\0"s, header(kAsked, 1, 0) + kQuestion + "x"s,
        header(kAsked, 1, 1) + kQuestion, header(kAsked, 1, 0, 1) + kQuestion, header(kAsked, 1, 0, 0, 1) + kQuestion,
        header(kAsked, 1, 0, 0, 1) + kQuestion + record(kName, 1, 0, "1234"),
        header(kAsked, 1, 0) + "\1a\xc0\x0c\0\1\0\1"s})
    EXPECT_EQ(rcode_of(message), Rcode::FormErr);
}

TEST(DnsQuery, ThatIsNoneHasNoAnswer) {
  EXPECT_FALSE(read_query({}));
  EXPECT_FALSE(read_query(octets("\x12\x34\1\0\0\1\0\0\0\0\0"s)));
  EXPECT_FALSE(read_query(octets(header(kFine, 1, 0) + kQuestion))) << "an answer: two resolvers could talk for ever";
}

const Question kAsk{kName, kTypeA};

std::vector<std::string> texts(const std::optional<Answer>& answer) {
  std::vector<std::string> list;
  if (!answer) return {"none"};
  for (const Given& given : answer->addresses)
    list.push_back(text_of(given.address) + " " + std::to_string(given.ttl));
  return list;
}

std::vector<std::string> answered(int count, const std::string& records) {
  return texts(read_answer(octets(header(kFine, 1, count) + kQuestion + records), 0x1234, kAsk));
}

using Texts = std::vector<std::string>;

TEST(DnsAnswer, HasTheAddressesOfTheName) {
  EXPECT_EQ(answered(2, record("\xc0\x0c"s, 1, 300, "\xcb\0\x71\1"s) + record(kName, 1, 60, "\xcb\0\x71\2"s)),
            (Texts{"203.0.113.1 300", "203.0.113.2 60"}));
}

TEST(DnsAnswer, PassesOverWhatWasNotAsked) {
  const std::string good = "\xcb\0\x71\1"s;
  EXPECT_EQ(answered(5, record("\1b\0"s, 1, 1, good) + record(kName, 28, 1, std::string(16, '\1')) +
                            record(kName, 1, 1, "123") + record(kName, 16, 1, "text") + record(kName, 1, 9, good)),
            Texts{"203.0.113.1 9"});
  const std::string other_class = kName + "\0\1\0\3\0\0\0\1\0\4"s + good;
  EXPECT_EQ(answered(1, other_class), Texts{});
}

TEST(DnsAnswer, FollowsAliasesInAnyOrderByTheLeastTtl) {
  const std::string end = "\3end\0"s;
  EXPECT_EQ(answered(3, record(end, 1, 500, "\xcb\0\x71\1"s) + record("\3mid\0"s, 5, 20, end) +
                            record("\xc0\x0c"s, 5, 400, "\3MID\0"s)),
            Texts{"203.0.113.1 20"});
}

TEST(DnsAnswer, FollowsAtMostSixteenAliases) {
  const auto chain = [](int steps) {
    const auto name = [&](int step) { return step == 0 ? kName : "\1"s + static_cast<char>('a' + step) + "\0"s; };
    std::string records;
    for (int step = 0; step < steps; ++step) records += record(name(step), 5, 60, name(step + 1));
    return answered(steps + 1, records + record(name(steps), 1, 60, "\xcb\0\x71\1"s));
  };
  EXPECT_EQ(chain(16), Texts{"203.0.113.1 60"});
  EXPECT_EQ(chain(17), Texts{});
  EXPECT_EQ(answered(1, record(kName, 5, 60, kName)), Texts{}) << "of itself";
}

TEST(DnsAnswer, KeepsAtMostSoManyAddresses) {
  std::string records;
  for (int i = 0; i < 100; ++i) records += record("\xc0\x0c"s, 1, 60, "\xcb\0\x71"s + static_cast<char>(i));
  EXPECT_EQ(answered(100, records).size(), kMostAddresses);
}

TEST(DnsAnswer, HasABoundedTtl) {
  EXPECT_EQ(answered(1, record(kName, 1, 0x7fffffff, "\xcb\0\x71\1"s)), Texts{"203.0.113.1 86400"});
  EXPECT_EQ(answered(1, record(kName, 1, 0x80000000, "\xcb\0\x71\1"s)), Texts{"203.0.113.1 0"});
}

TEST(DnsAnswer, IsNoneOfAnotherQuestion) {
  const std::string records = record(kName, 1, 60, "\xcb\0\x71\1"s);
  const std::string right = header(kFine, 1, 1) + kQuestion + records;
  EXPECT_TRUE(read_answer(octets(right), 0x1234, kAsk));
  EXPECT_FALSE(read_answer(octets(right), 0x1235, kAsk));
  EXPECT_FALSE(read_answer(octets(right), 0x1234, {kName, kTypeAaaa}));
  EXPECT_FALSE(read_answer(octets(right), 0x1234, {"\1b\7example\0"s, kTypeA}));
  EXPECT_FALSE(read_answer(octets(header(kAsked, 1, 1) + kQuestion + records), 0x1234, kAsk)) << "a question";
  EXPECT_FALSE(read_answer(octets(header(kFine, 0, 0)), 0x1234, kAsk));
  EXPECT_FALSE(read_answer(octets(header(kFine, 2, 0) + kQuestion + kQuestion), 0x1234, kAsk));
  EXPECT_FALSE(read_answer({}, 0x1234, kAsk));
}

TEST(DnsAnswer, ThatIsCutOrInAnotherCaseIsNotWhole) {
  const std::string records = record(kName, 1, 60, "\xcb\0\x71\1"s);
  const auto cut = read_answer(octets(header("\x83\x80"s, 1, 1) + kQuestion + records), 0x1234, kAsk);
  ASSERT_TRUE(cut);
  EXPECT_FALSE(cut->is_whole);
  EXPECT_EQ(cut->addresses.size(), 0U);
  const auto other = read_answer(octets(header(kFine, 1, 1) + kQuestion + records), 0x1234, {"\1A\7example\0"s, kTypeA});
  ASSERT_TRUE(other);
  EXPECT_FALSE(other->is_whole);
}

TEST(DnsAnswer, SaysWhatWentWrong) {
  const auto rcode = [](const std::string& message) { return read_answer(octets(message), 0x1234, kAsk)->rcode; };
  EXPECT_EQ(rcode(header("\x81\x83"s, 1, 0) + kQuestion), Rcode::NxDomain);
  EXPECT_EQ(rcode(header("\x81\x82"s, 1, 0) + kQuestion), Rcode::ServFail);
  EXPECT_EQ(rcode(header("\x81\x81"s, 0, 0)), Rcode::FormErr) << "without the question";
  EXPECT_EQ(rcode(header("\x81\x8a"s, 1, 0) + kQuestion), Rcode::ServFail) << "a code that nobody here knows";
}

TEST(DnsMake, AQueryIsReadAsOne) {
  const auto read = read_query(octets(make_query(7, {kName, kTypeAaaa}, Edns::With)));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->rcode, Rcode::NoError);
  EXPECT_EQ(read->query.question.wire, kName);
  EXPECT_EQ(read->query.room, 1232);
  EXPECT_FALSE(read_query(octets(make_query(7, kAsk, Edns::Without)))->query.has_edns);
}

Query query(bool has_edns) {
  return {.id = 9, .recursion_desired = true, .has_edns = has_edns, .room = 512, .question = kAsk};
}

TEST(DnsMake, AnAnswerIsReadAsOne) {
  for (const bool has_edns : {false, true}) {
    const std::string message =
        make_answer(query(has_edns), Rcode::NoError, {{*address_of("203.0.113.1", 0), 60}}, 512);
    EXPECT_EQ(texts(read_answer(octets(message), 9, kAsk)), Texts{"203.0.113.1 60"});
  }
  EXPECT_EQ(read_answer(octets(make_answer(query(false), Rcode::NxDomain, {}, 512)), 9, kAsk)->rcode, Rcode::NxDomain);
}

TEST(DnsMake, AnAnswerIsCutToItsRoom) {
  const std::vector<Given> many(40, Given{*address_of("203.0.113.1", 0), 60});
  for (const bool has_edns : {false, true}) {
    const std::string cut = make_answer(query(has_edns), Rcode::NoError, many, 512);
    EXPECT_LE(cut.size(), 512U);
    EXPECT_GT(cut.size(), 512U - 16);
    EXPECT_FALSE(read_answer(octets(cut), 9, kAsk)->is_whole);
    EXPECT_EQ(read_answer(octets(make_answer(query(has_edns), Rcode::NoError, many, 4096)), 9, kAsk)->addresses.size(),
              40U);
  }
}

TEST(DnsMake, ACodeOfMoreThanFourBitsStandsInEdns) {
  const std::string message = make_answer(query(true), Rcode::BadVersion, {}, 512);
  EXPECT_EQ(message[3] & 15, 0);
  EXPECT_EQ(message.substr(message.size() - 6, 4), "\1\0\0\0"s);
}

TEST(DnsType, HasItsName) {
  EXPECT_EQ(name_of_type(28), "AAAA");
  EXPECT_EQ(name_of_type(65), "HTTPS");
  EXPECT_EQ(name_of_type(4711), "TYPE4711");
}

}  // namespace
}  // namespace jail::egress
