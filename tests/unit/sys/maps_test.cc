// What lies where in this very process, and the same from a text.
#include "sys/maps.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

#include "base/fd.h"

namespace jail::sys {
namespace {

constexpr std::size_t kPage = 4096;

std::uint64_t map(int file) {
  void* const at = ::mmap(nullptr, kPage, PROT_READ, MAP_PRIVATE | (file < 0 ? MAP_ANONYMOUS : 0), file, 0);
  return at == MAP_FAILED ? 0 : reinterpret_cast<std::uint64_t>(at);
}

TEST(MappedFile, IsFoundByAnyOfItsAddresses) {
  std::string path = "/tmp/maps test-XXXXXX";
  const Fd file(::mkstemp(path.data()));
  ASSERT_TRUE(file && ::ftruncate(file.get(), kPage) == 0);
  const std::uint64_t at = map(file.get());
  std::ifstream text("/proc/self/maps");
  const std::string maps{std::istreambuf_iterator<char>(text), {}};
  EXPECT_EQ(mapped_file("/proc/self/maps", at), path);
  EXPECT_EQ(mapped_file("/proc/self/maps", at + kPage - 1), path);
  EXPECT_EQ(mapped_file_in(maps, at + 1), path);
  ::unlink(path.c_str());
  EXPECT_EQ(mapped_file("/proc/self/maps", at), path);
}

TEST(MappedFile, OtherMemoryHasNone) {
  int local = 0;
  EXPECT_EQ(mapped_file("/proc/self/maps", map(-1)), "");
  EXPECT_EQ(mapped_file("/proc/self/maps", reinterpret_cast<std::uint64_t>(&local)), "");
  EXPECT_EQ(mapped_file("/proc/self/maps", 0), "");
  EXPECT_EQ(mapped_file("/nowhere/maps", map(-1)), "");
}

TEST(MappedFile, OfAText) {
  const std::string maps =
      "1000-3000 r--p 00000000 00:2a 42    /srv/a b (deleted)\n"
      "3000-4000 rw-p 00000000 00:00 0 \n"
      "5000-6000 r--p 00000000 00:00 0     [stack]\n"
      "not a line\n"
      "7000-8000 r--p 00000000 00:2a 43    /srv/last";
  EXPECT_EQ(mapped_file_in(maps, 0x2fff), "/srv/a b");
  EXPECT_EQ(mapped_file_in(maps, 0x3000), "");
  EXPECT_EQ(mapped_file_in(maps, 0x5800), "");
  EXPECT_EQ(mapped_file_in(maps, 0x7000), "/srv/last");
  EXPECT_EQ(mapped_file_in(maps, 0x8000), "");
}

}  // namespace
}  // namespace jail::sys
