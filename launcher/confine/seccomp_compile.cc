// A plan becomes a classic BPF program: load the number, search it in ranges that share a verdict, test arguments.
// Classic BPF jumps forward only and at most 255 instructions, so the program is written from its end to its start:
// whoever jumps knows then where to. A number is searched by halving weights, not counts, for two readers: seccomp(2),
// which walks every number once to cache what is allowed whatever the arguments (Linux 5.11), and the calls that it
// cannot cache because their arguments are tested.
#include <linux/audit.h>

#include <cstddef>
#include <cstdlib>
#include <map>

#include "confine/seccomp.h"

namespace jail::confine::seccomp {
namespace {

constexpr std::size_t kFarthestJump = 255;  // sock_filter's jt and jf are bytes
constexpr std::uint32_t kWholeWord = 0xffffffff;

constexpr std::uint32_t word_of(int argument, Test::Half half) {
  const std::uint32_t beyond = half == Test::Half::Low ? 0 : sizeof(std::uint32_t);  // little endian
  return offsetof(seccomp_data, args) + static_cast<std::uint32_t>(argument) * sizeof(std::uint64_t) + beyond;
}

// Where an instruction stands, counted from the end of the program: what is put in front of it does not move it.
using Label = std::size_t;

class Assembler {
 public:
  Label load(std::uint32_t offset) { return put({BPF_LD | BPF_W | BPF_ABS, 0, 0, offset}); }
  Label mask(std::uint32_t bits) { return put({BPF_ALU | BPF_AND | BPF_K, 0, 0, bits}); }

  Label ret(std::uint32_t value) {
    const auto known = returns_.find(value);
    if (known != returns_.end() && in_reach(known->second)) return known->second;
    return returns_[value] = put({BPF_RET | BPF_K, 0, 0, value});
  }

  // `condition`: BPF_JEQ, BPF_JGE or BPF_JSET.
  Label branch(std::uint16_t condition, std::uint32_t value, Label yes, Label no) {
    yes = bring_near(yes);
    no = bring_near(no);
    const auto code = static_cast<std::uint16_t>(BPF_JMP | condition | BPF_K);
    return put({code, distance(yes), distance(no), value});
  }

  // What is put in front next runs on into `label`.
  void continue_at(Label label) {
    if (label + 1 != reversed_.size()) put({BPF_JMP | BPF_JA, 0, 0, static_cast<std::uint32_t>(next() - label - 1)});
  }

  Program finish() && { return {reversed_.rbegin(), reversed_.rend()}; }

 private:
  Label next() const { return reversed_.size(); }
  // One to spare: bring_near() of the other target may put an instruction between.
  bool in_reach(Label label) const { return next() - label - 1 < kFarthestJump; }
  std::uint8_t distance(Label label) const { return static_cast<std::uint8_t>(next() - label - 1); }

  Label bring_near(Label label) {
    if (in_reach(label)) return label;
    const sock_filter& target = reversed_[label];
    if (target.code == (BPF_RET | BPF_K)) return ret(target.k);
    return put({BPF_JMP | BPF_JA, 0, 0, static_cast<std::uint32_t>(next() - label - 1)});
  }

  Label put(sock_filter instruction) {
    reversed_.push_back(instruction);
    return reversed_.size() - 1;
  }

  std::vector<sock_filter> reversed_;
  std::map<std::uint32_t, Label> returns_;  // the nearest return of each value
};

// The argument, or the part of it, that the accumulator holds.
struct Loaded {
  int argument = -1;
  Test::Half half = Test::Half::Low;
  std::uint32_t mask = kWholeWord;
  bool operator==(const Loaded&) const = default;
};

// A piece of code: `start` loads what it tests; `after_load` is for whoever has the same loaded already.
struct Code {
  Label start;
  Label after_load;
  Loaded loaded;

  Label entry(const Loaded& now) const { return now == loaded ? after_load : start; }
};

class Compiler {
 public:
  explicit Compiler(const Plan& plan) : plan_(plan) {}

  Program run() && {
    const std::vector<Range> ranges = ranges_of_equal_rules();
    const Label foreign = assembler_.ret(return_value(plan_.foreign));
    const Label known = search(ranges);
    assembler_.continue_at(known);
    const Label number = assembler_.load(offsetof(seccomp_data, nr));
    const Label machine = assembler_.branch(BPF_JEQ, AUDIT_ARCH_X86_64, number, foreign);
    assembler_.continue_at(machine);
    assembler_.load(offsetof(seccomp_data, arch));
    return std::move(assembler_).finish();
  }

 private:
  // Numbers from `first` to the next range's first share a rule.
  struct Range {
    std::uint32_t first;
    std::uint32_t end;
    const Rule* rule;

    // Numbers the kernel walks at install, and more for calls it has to run the program for.
    std::size_t weight() const { return (end - first) + (rule->clauses.empty() ? 0 : kUncachedWeight); }
    static constexpr std::size_t kUncachedWeight = 32;
  };
  using Ranges = std::span<const Range>;

  static bool same(const Rule& a, const Rule& b) { return a.otherwise == b.otherwise && a.clauses == b.clauses; }

  std::vector<Range> ranges_of_equal_rules() {
    std::vector<Range> ranges;
    for (std::uint32_t number = 0; number < kTableEnd; ++number) {
      const Rule* const rule = &plan_.rules[number];
      if (ranges.empty() || !same(*ranges.back().rule, *rule)) ranges.push_back({number, number + 1, rule});
      ranges.back().end = number + 1;
    }
    beyond_.otherwise = plan_.unknown;
    ranges.push_back({kTableEnd, kTableEnd + 1, &beyond_});
    x32_.otherwise = plan_.foreign;
    if (!same(beyond_, x32_)) ranges.push_back({kX32Bit, kX32Bit + 1, &x32_});
    return ranges;
  }

  Label search(Ranges ranges) {
    if (ranges.size() == 1) return code_for(*ranges[0].rule);
    if (is_one_number_in_a_range(ranges)) return single_out(ranges[1], *ranges[0].rule);
    const std::size_t cut = middle(ranges);
    const Label above = search(ranges.subspan(cut));
    const Label below = search(ranges.first(cut));
    return assembler_.branch(BPF_JGE, ranges[cut].first, above, below);
  }

  static bool is_one_number_in_a_range(Ranges ranges) {
    return ranges.size() == 3 && ranges[1].end - ranges[1].first == 1 && same(*ranges[0].rule, *ranges[2].rule);
  }

  Label single_out(const Range& number, const Rule& around) {
    const Label otherwise = code_for(around);
    const Label equal = code_for(*number.rule);
    return assembler_.branch(BPF_JEQ, number.first, equal, otherwise);
  }

  // Where to cut so that both sides weigh about the same; neither is empty.
  static std::size_t middle(Ranges ranges) {
    std::size_t total = 0;
    for (const Range& range : ranges) total += range.weight();
    std::size_t below = ranges[0].weight();
    std::size_t cut = 1;
    while (cut + 1 < ranges.size() && 2 * below + ranges[cut].weight() < total) below += ranges[cut++].weight();
    return cut;
  }

  Label code_for(const Rule& rule) {
    if (rule.clauses.empty()) return assembler_.ret(return_value(rule.otherwise));
    for (const auto& [known, label] : checks_)
      if (same(*known, rule)) return label;
    const Label label = check(rule);
    checks_.emplace_back(&rule, label);
    return label;
  }

  Label check(const Rule& rule) {
    Code next = verdict(rule.otherwise);
    for (auto clause = rule.clauses.rbegin(); clause != rule.clauses.rend(); ++clause) next = check(*clause, next);
    return next.start;
  }

  Code check(const Clause& clause, const Code& next) {
    Code yes = verdict(clause.verdict);
    const std::span<const Test> tests = clause.all();
    for (auto test = tests.rbegin(); test != tests.rend(); ++test) yes = check(*test, yes, next);
    return yes;
  }

  Code check(const Test& test, const Code& yes, const Code& no) {
    const bool bits = test.count == 1 && test.values[0] == 0 && test.mask != kWholeWord;  // one JSET, no AND
    const Loaded loaded{test.argument, test.half, bits ? kWholeWord : test.mask};
    Label found = yes.entry(loaded);
    Label missing = no.entry(loaded);
    if (test.is == Test::Is::NoneOf) std::swap(found, missing);
    const Label after_load =
        bits ? assembler_.branch(BPF_JSET, test.mask, missing, found) : compare(test.wanted(), found, missing);
    if (loaded.mask != kWholeWord) assembler_.mask(loaded.mask);
    return {assembler_.load(word_of(test.argument, test.half)), after_load, loaded};
  }

  Label compare(std::span<const std::uint32_t> values, Label found, Label missing) {
    for (auto value = values.rbegin(); value != values.rend(); ++value)
      missing = assembler_.branch(BPF_JEQ, *value, found, missing);
    return missing;
  }

  Code verdict(Verdict verdict) {
    const Label label = assembler_.ret(return_value(verdict));
    return {label, label, {}};
  }

  const Plan& plan_;
  Rule beyond_;
  Rule x32_;
  Assembler assembler_;
  std::vector<std::pair<const Rule*, Label>> checks_;
};

}  // namespace

std::uint32_t return_value(Verdict verdict) {
  switch (verdict.action) {
    case Action::Allow: return SECCOMP_RET_ALLOW;
    case Action::Errno: return SECCOMP_RET_ERRNO | verdict.error;
    case Action::KillProcess: return SECCOMP_RET_KILL_PROCESS;
    case Action::Notify: return SECCOMP_RET_USER_NOTIF;
  }
  std::abort();
}

Program compile(const Plan& plan) {
  Program program = Compiler(plan).run();
  if (program.size() > BPF_MAXINSNS) std::abort();
  return program;
}

}  // namespace jail::confine::seccomp
