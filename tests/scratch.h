// A folder of a test's own, gone with it. In /var/tmp, because a jail has a /tmp of its own.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

namespace jail::test {

class Scratch {
 public:
  Scratch() {
    char name[] = "/var/tmp/jail-test-XXXXXX";
    if (::mkdtemp(name) == nullptr) ADD_FAILURE() << "no folder in /var/tmp";
    path_ = name;
    set_mode("", 0755);  // whom a test starts as somebody else must get in, too
  }
  ~Scratch() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  [[nodiscard]] std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  [[nodiscard]] const std::string& path() const { return path_; }

  std::string folder(const std::string& name, mode_t mode = 0755) {
    std::filesystem::create_directories(path_ + "/" + name);
    return set_mode(name, mode);
  }
  std::string file(const std::string& name, std::string_view text = {}, mode_t mode = 0644) {
    std::ofstream(path_ + "/" + name) << text;
    return set_mode(name, mode);
  }
  std::string link(const std::string& name, const std::string& text) {
    EXPECT_EQ(::symlink(text.c_str(), (path_ + "/" + name).c_str()), 0) << name;
    return path_ + "/" + name;
  }
  std::string fifo(const std::string& name) {
    EXPECT_EQ(::mkfifo((path_ + "/" + name).c_str(), 0644), 0) << name;
    return path_ + "/" + name;
  }
  // Gives a folder and all in it to somebody; "" is the scratch folder itself.
  void give_to(uid_t uid, const std::string& name = {}) {
    const std::string top = name.empty() ? path_ : path_ + "/" + name;
    EXPECT_EQ(::lchown(top.c_str(), uid, uid), 0);
    for (const auto& entry : std::filesystem::recursive_directory_iterator(top))
      EXPECT_EQ(::lchown(entry.path().c_str(), uid, uid), 0) << entry.path();
  }

 private:
  std::string set_mode(const std::string& name, mode_t mode) {
    const std::string path = name.empty() ? path_ : path_ + "/" + name;
    EXPECT_EQ(::chmod(path.c_str(), mode), 0) << path;
    return path;
  }

  std::string path_;
};

}  // namespace jail::test
