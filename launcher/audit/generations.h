// A log file that has grown enough becomes the next of its generations ("crm.jsonl" becomes "crm.3.jsonl") and a new
// one takes its name, in one step, so that nobody ever finds the name missing. The new file begins with log.opened,
// which names the one before it and where that ended.
//
// Several runs may write to one file. Who rotates holds a lock on it (F_OFD_SETLK, fcntl(2)); the others find at their
// next record that the name stands for another file, and move on. A run keeps a shared flock(2) on every file that has
// records of it, and no file is deleted while anybody has one.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "audit/problem.h"
#include "audit/sink.h"

namespace jail::audit {

struct Retention {
  std::uint64_t file = 16ULL << 20;    // bytes at which a file is rotated
  std::uint64_t total = 128ULL << 20;  // bytes of all generations, the newest included
  std::size_t generations = 8;         // older ones that are kept
};

struct Generation {
  std::string name;
  std::uint64_t number = 0;
  std::uint64_t size = 0;
  std::uint64_t inode = 0;
};

// "crm.3.jsonl" for ("crm.jsonl", 3); without an extension "log.3".
std::string generation_name(std::string_view name, std::uint64_t number);

// The older generations of `name`, oldest first. `folder` may be an O_PATH descriptor.
std::vector<Generation> generations_of(const Fd& folder, const std::string& name);

// The line a new file begins with, from the name of the one before it and its size.
using FirstLine = std::function<std::string(const std::string& previous, std::uint64_t offset)>;

enum class Rotation {
  Made,    // the sink is at the new file, which begins with the line
  Joined,  // somebody else had rotated: the sink is at their file
  Busy,    // somebody else is at it just now
  Failed,  // the sink is where it was
};
Rotation rotate(Sink& sink, const FirstLine& first_line);

// Deletes the oldest generations until what is left keeps within the bounds or belongs to runs that still live.
void trim(const FilePlace& place, const Retention& retention);

// The lock of a run on a file that holds records of it.
void hold(const Fd& file) noexcept;

}  // namespace jail::audit
