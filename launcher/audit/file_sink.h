// A file of the log is appended to by the supervisor with the user's rights, so nobody may choose for us what that file
// is: no link on the way to it, no second name, no other owner, nobody else who may write to it or to its folder.
#pragma once

#include <sys/types.h>

#include <string>

#include "audit/problem.h"
#include "audit/sink.h"
#include "base/fd.h"

namespace jail::audit {

struct OpenSink {
  Sink sink;
  enum class Age { New, Old } age = Age::Old;  // New: nothing was in it
};

// Makes what is missing of the folder that default_folder() names (mode 0700) and opens it.
Or<Fd> open_default_folder(const std::string& path, uid_t euid);

// The folder of a file that the user named.
Or<Fd> open_named_folder(const std::string& path);

// FIFOs and character devices: only where the user named the file.
enum class Special { Refused, Welcome };

// `name` in `folder`, made with mode 0600 where it is missing; `path` is for messages.
Or<OpenSink> open_file(Fd folder, const std::string& name, const std::string& path, uid_t euid, Special special);

}  // namespace jail::audit
