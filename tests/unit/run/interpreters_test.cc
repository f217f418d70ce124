#include "run/interpreters.h"

#include <elf.h>
#include <gtest/gtest.h>

#include <cstring>

#include "../../scratch.h"

namespace jail::run {
namespace {

using test::Scratch;
using Paths = std::vector<std::string>;

// An ELF file with one segment, which names `interpreter`; `claimed` is the size the header gives it.
std::string elf(const std::string& interpreter, std::uint32_t type = PT_INTERP, std::uint64_t claimed = 0) {
  Elf64_Ehdr header{};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_phoff = sizeof header;
  header.e_phentsize = sizeof(Elf64_Phdr);
  header.e_phnum = 1;
  Elf64_Phdr segment{};
  segment.p_type = type;
  segment.p_offset = sizeof header + sizeof segment;
  segment.p_filesz = claimed == 0 ? interpreter.size() + 1 : claimed;
  std::string bytes(reinterpret_cast<const char*>(&header), sizeof header);
  bytes.append(reinterpret_cast<const char*>(&segment), sizeof segment);
  return bytes + interpreter + '\0';
}

TEST(Interpreters, OfThisVeryProgramIsALoaderThatIsThere) {
  const Paths found = interpreters_of("/proc/self/exe");
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(::access(found[0].c_str(), X_OK), 0) << found[0];
}

TEST(Interpreters, OfAnElfFileIsItsInterpSegment) {
  Scratch scratch;
  EXPECT_EQ(interpreters_of(scratch.file("program", elf("/lib64/loader.so"))), Paths{"/lib64/loader.so"});
  EXPECT_TRUE(interpreters_of(scratch.file("static", elf("/lib64/loader.so", PT_LOAD))).empty());
}

TEST(Interpreters, OfAScriptIsTheProgramOfItsFirstLine) {
  Scratch scratch;
  const auto of = [&](const std::string& text) { return interpreters_of(scratch.file("script", text)); };
  EXPECT_EQ(of("#!/no/such/sh\n"), Paths{"/no/such/sh"});
  EXPECT_EQ(of("#!/no/such/sh -e -x\n"), Paths{"/no/such/sh"});
  EXPECT_EQ(of("#! \t/no/such/sh\targ\n"), Paths{"/no/such/sh"});
  EXPECT_EQ(of("#!/no/such/sh"), Paths{"/no/such/sh"}) << "no newline at all";
}

TEST(Interpreters, WithoutAnAbsolutePathAreNone) {
  Scratch scratch;
  for (const char* text : {"", "#", "#!", "#!   \n", "#!sh\n", "#!../sh\n", "echo no first line\n#!/bin/sh\n"})
    EXPECT_TRUE(interpreters_of(scratch.file("script", text)).empty()) << text;
}

TEST(Interpreters, OfAScriptForAScriptAreAllOfThem) {
  Scratch scratch;
  const std::string program = scratch.file("program", elf("/lib64/loader.so"));
  const std::string inner = scratch.file("inner", "#!" + program + "\n");
  EXPECT_EQ(interpreters_of(scratch.file("outer", "#!" + inner + " -x\n")),
            (Paths{inner, program, "/lib64/loader.so"}));
}

TEST(Interpreters, AScriptThatNamesItselfEnds) {
  Scratch scratch;
  scratch.file("loop", "#!" + (scratch / "loop") + "\n");
  EXPECT_EQ(interpreters_of(scratch / "loop").size(), 5U);
}

TEST(Interpreters, ABrokenElfFileHasNone) {
  Scratch scratch;
  const std::string whole = elf("/lib64/loader.so");
  for (std::size_t size = 4; size < sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr); ++size)
    EXPECT_TRUE(interpreters_of(scratch.file("cut", whole.substr(0, size))).empty()) << size;
  std::string narrow = whole;
  narrow[EI_CLASS] = ELFCLASS32;
  EXPECT_TRUE(interpreters_of(scratch.file("narrow", narrow)).empty());
}

TEST(Interpreters, AHugeClaimedSizeReadsNoFurtherThanAPathMayBe) {
  Scratch scratch;
  const Paths found = interpreters_of(scratch.file("huge", elf("/" + std::string(20000, 'x'), PT_INTERP, 1ULL << 40)));
  ASSERT_EQ(found.size(), 1U);
  EXPECT_LE(found[0].size(), 4096U);
}

TEST(Interpreters, WhatCannotBeReadHasNoneAndHoldsNobodyUp) {
  Scratch scratch;
  EXPECT_TRUE(interpreters_of(scratch / "missing").empty());
  EXPECT_TRUE(interpreters_of(scratch.folder("folder")).empty());
  EXPECT_TRUE(interpreters_of(scratch.fifo("pipe")).empty());
}

TEST(Interpreters, OfAGrantedFolderIsTheLoaderThatIsThere) {
  for (const std::string& loader : standard_loaders()) EXPECT_EQ(::access(loader.c_str(), X_OK), 0) << loader;
}

}  // namespace
}  // namespace jail::run
