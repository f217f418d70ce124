// The machine's own list of users, /etc/passwd (passwd(5)), read as it stands: the name services, which would ask
// others, are not linked.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>

namespace jail::sys {

struct Account {
  std::string name;
  uid_t uid = 0;
  gid_t gid = 0;
  std::string home;
};

// The first that fits; nothing: none does, or the list cannot be read.
std::optional<Account> account_of(uid_t uid);
std::optional<Account> account_named(std::string_view name);

}  // namespace jail::sys
