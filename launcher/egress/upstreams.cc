#include "egress/upstreams.h"

#include <fcntl.h>

#include <algorithm>
#include <optional>

#include "sys/file.h"

namespace jail::egress {
namespace {

constexpr const char* kSettings = "/etc/resolv.conf";

// Lists of advertisers' names to be blocked have some 100,000 lines.
constexpr std::size_t kLargestFile = std::size_t{16} << 20;

std::string_view take_word(std::string_view& line) {
  constexpr std::string_view kSpace = " \t\r";
  line.remove_prefix(std::min(line.find_first_not_of(kSpace), line.size()));
  const std::string_view word = line.substr(0, line.find_first_of(kSpace));
  line.remove_prefix(word.size());
  return word;
}

template <typename Each>
void for_each_line(std::string_view text, const Each& each) {
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    each(line.substr(0, line.find_first_of("#;")));
  }
}

std::string lower_text(std::string_view text) {
  std::string lowered(text);
  if (lowered.ends_with('.')) lowered.pop_back();
  for (char& one : lowered)
    if (one >= 'A' && one <= 'Z') one = static_cast<char>(one + ('a' - 'A'));
  return lowered;
}

bool lies_below(std::string_view name, std::string_view domain) {
  return name.size() > domain.size() && name.ends_with(domain) && name[name.size() - domain.size() - 1] == '.';
}

bool has_names_below(const std::vector<profile::Endpoint>& allow, std::string_view domain) {
  return std::ranges::any_of(allow, [domain](const profile::Endpoint& rule) {
    if (rule.kind == profile::HostKind::Name) return lies_below(rule.host, domain);
    return rule.kind == profile::HostKind::Wildcard &&
           (rule.host == domain || lies_below(rule.host, domain) || lies_below(domain, rule.host));
  });
}

std::string text_of_file(const char* path) {
  int error = 0;
  const Fd file = sys::try_open_at(AT_FDCWD, path, O_RDONLY | O_CLOEXEC, sys::Resolve::Anything, error);
  return file ? sys::read_file(file, kLargestFile) : std::string();
}

}  // namespace

std::vector<Address> servers_in(std::string_view resolv_conf) {
  std::vector<Address> servers;
  for_each_line(resolv_conf, [&](std::string_view line) {
    if (take_word(line) != "nameserver" || servers.size() == kMostServers) return;
    if (const auto server = address_of(take_word(line), kDnsPort)) servers.push_back(*server);
  });
  if (servers.empty()) servers.push_back(*address_of("127.0.0.1", kDnsPort));
  return servers;
}

std::vector<std::string> searched_in(std::string_view resolv_conf, const std::vector<profile::Endpoint>& allow) {
  std::vector<std::string> searched;  // the last line of them counts
  for_each_line(resolv_conf, [&](std::string_view line) {
    const std::string_view key = take_word(line);
    if (key != "search" && key != "domain") return;
    searched.clear();
    for (std::string_view word = take_word(line); !word.empty(); word = take_word(line))
      if (std::string domain = lower_text(word); has_names_below(allow, domain)) searched.push_back(std::move(domain));
  });
  if (searched.size() > kMostSearched) searched.resize(kMostSearched);
  return searched;
}

std::string settings_of_names(const std::vector<std::string>& searched) {
  std::string text = "nameserver 127.0.0.1\n";
  for (const std::string& domain : searched) text.append(&domain == &searched.front() ? "search " : " ").append(domain);
  return text + (searched.empty() ? "" : "\n");
}

std::unordered_map<std::string, std::vector<Address>> hosts_in(std::string_view text, const Names& names) {
  std::unordered_map<std::string, std::vector<Address>> hosts;
  std::size_t count = 0;
  for_each_line(text, [&](std::string_view line) {
    std::optional<Address> address;  // only of lines that have a permitted name
    const std::string_view first = take_word(line);
    for (std::string_view word = take_word(line); !word.empty() && count < kMostHosts; word = take_word(line)) {
      const std::string name = lower_text(word);
      if (names.permits(name).rules.empty()) continue;
      if (!address && !(address = address_of(first, 0))) return;
      hosts[name].push_back(*address);
      ++count;
    }
  });
  return hosts;
}

std::string read_settings_of_names(const std::vector<profile::Endpoint>& allow) {
  return settings_of_names(searched_in(text_of_file(kSettings), allow));
}

std::unordered_map<std::string, std::vector<Address>> read_hosts(const Names& names) {
  return hosts_in(text_of_file("/etc/hosts"), names);
}

Upstreams read_upstreams(const Names& names, const std::vector<profile::Endpoint>& allow) {
  const std::string settings = text_of_file(kSettings);
  return {searched_in(settings, allow), servers_in(settings), read_hosts(names), own_addresses()};
}

}  // namespace jail::egress
