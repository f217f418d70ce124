// Whom the resolver asks, and what it knows without asking: /etc/resolv.conf and /etc/hosts of the host.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "egress/address.h"
#include "egress/names.h"

namespace jail::egress {

struct Upstreams {
  std::vector<std::string> searched;  // domains that a plugin's short names may be of
  std::vector<Address> servers;  // at least one, at most kMostServers, in the order they are asked
  std::unordered_map<std::string, std::vector<Address>> hosts;  // of permitted names only
  std::vector<Address> own;      // the host's: a name points to them only where the profile has the address
};

inline constexpr std::size_t kMostServers = 3;
inline constexpr std::size_t kMostHosts = 4096;

// resolv.conf(5): "nameserver" lines; without any, the name server on this host. A server with a scope
// ("fe80::1%eth0") is passed over.
std::vector<Address> servers_in(std::string_view resolv_conf);

// Of the host's "search" list what a permitted name lies below: at most kMostSearched.
std::vector<std::string> searched_in(std::string_view resolv_conf, const std::vector<profile::Endpoint>& allow);
inline constexpr std::size_t kMostSearched = 6;  // as many as resolv.conf(5) had for long

// hosts(5), lower case.
std::unordered_map<std::string, std::vector<Address>> hosts_in(std::string_view hosts, const Names& names);

// Of this host. A file that cannot be opened is as good as an empty one; SysError for one that then cannot be read.
Upstreams read_upstreams(const Names& names, const std::vector<profile::Endpoint>& allow);
// The plugin's resolv.conf(5): the jail's own name server, and those domains.
std::string read_settings_of_names(const std::vector<profile::Endpoint>& allow);
std::string settings_of_names(const std::vector<std::string>& searched);
// Its /etc/hosts alone.
std::unordered_map<std::string, std::vector<Address>> read_hosts(const Names& names);

}  // namespace jail::egress
