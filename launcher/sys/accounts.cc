#include "sys/accounts.h"

#include <pwd.h>

#include <cstdio>
#include <memory>

namespace jail::sys {
namespace {

template <typename Fits>
std::optional<Account> first(const Fits& fits) {
  const std::unique_ptr<FILE, int (*)(FILE*)> accounts(std::fopen("/etc/passwd", "re"), std::fclose);
  while (const passwd* entry = accounts ? ::fgetpwent(accounts.get()) : nullptr)
    if (fits(*entry)) return Account{entry->pw_name, entry->pw_uid, entry->pw_gid, entry->pw_dir};
  return std::nullopt;
}

}  // namespace

std::optional<Account> account_of(uid_t uid) {
  return first([uid](const passwd& entry) { return entry.pw_uid == uid; });
}

std::optional<Account> account_named(std::string_view name) {
  return first([name](const passwd& entry) { return name == entry.pw_name; });
}

}  // namespace jail::sys
