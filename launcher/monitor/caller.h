// What can be learned of a thread that waits in a system call: memory, current folder, descriptors, numbers. All of it
// is hearsay until the call is known to be pending still: then it was this thread's, whose number cannot have been
// given away meanwhile. Everything here may wait for a file system that does not answer, so only the monitor's own
// thread asks (SECURITY B5).
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/fd.h"

namespace jail::monitor {

// Resident: only memory that is there, because more may be in a file that does not answer (mounts.h). That is asked
// page by page, just before: a plugin would have to take the page away in between.
enum class Memory { Any, Resident };

class Caller {
 public:
  Caller(pid_t thread, Memory memory) : thread_(thread), memory_(memory) {}

  [[nodiscard]] bool bytes(std::uint64_t address, std::span<std::byte> into) const;

  template <typename Value>
  [[nodiscard]] std::optional<Value> value(std::uint64_t address) const {
    Value value{};
    if (!bytes(address, std::as_writable_bytes(std::span(&value, 1)))) return std::nullopt;
    return value;
  }

  // At most PATH_MAX bytes, as the kernel takes them: read page by page, because the next page need not be there.
  [[nodiscard]] std::optional<std::string> text(std::uint64_t address) const;

  // What these links say, in the view of the jail; empty where they cannot be read.
  [[nodiscard]] std::string link(std::string_view name) const;  // "cwd", "fd/7"
  // "self/cwd", "thread-self/fd/7": by the first name it is the process that is asked, whose first thread may have
  // another folder and other descriptors than the calling one (CLONE_FS, CLONE_FILES).
  [[nodiscard]] std::string magic_link(std::string_view name) const;
  [[nodiscard]] std::string current_folder() const { return link("cwd"); }
  [[nodiscard]] std::string descriptor(int number) const { return link("fd/" + std::to_string(number)); }

  // Which mount that descriptor was opened on, as mountinfo numbers them; empty where that cannot be read.
  [[nodiscard]] std::string mount_of(int number) const;
  // The file whose pages lie there; empty: none, or it cannot be told.
  [[nodiscard]] std::string file_at(std::uint64_t address) const;
  // The descriptor as one of ours: empty where this may not be had.
  [[nodiscard]] Fd take(int number) const;

  // Whether the jail has a process of that number.
  [[nodiscard]] bool sees_process(std::string_view number) const;

  struct Numbers {
    std::optional<std::int32_t> process{};  // on the host
    std::optional<std::int32_t> in_jail{};
  };
  [[nodiscard]] Numbers numbers() const;

  // Whether somebody of its network namespace has this port of TCP or UDP, or listens on this abstract Unix name. That
  // of TCP takes milliseconds.
  [[nodiscard]] bool has_tcp_listener(std::uint16_t port) const {
    return has_socket({"net/tcp", "net/tcp6"}, port, Peers::None);
  }
  // Connected or not: who sends may be whom it is connected to.
  [[nodiscard]] bool has_udp_socket(std::uint16_t port) const {
    return has_socket({"net/udp", "net/udp6"}, port, Peers::Any);
  }
  [[nodiscard]] bool has_abstract_listener(const std::string& name) const;

 private:
  // Not beyond the end of a page.
  [[nodiscard]] ssize_t read_within_page(std::uint64_t address, std::span<std::byte> into) const;
  [[nodiscard]] bool is_resident(std::uint64_t address) const;
  [[nodiscard]] std::string file(const char* name) const;
  enum class Peers { None, Any };
  [[nodiscard]] bool has_socket(std::initializer_list<const char*> tables, std::uint16_t port, Peers peers) const;

  pid_t thread_;
  Memory memory_;
};

}  // namespace jail::monitor
