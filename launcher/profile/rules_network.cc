// Where the plugin may connect, and what such a permission means beyond its words.
#include <algorithm>
#include <array>

#include "profile/endpoint.h"
#include "profile/quoted.h"
#include "profile/rules.h"

namespace jail::profile {
namespace {

// Below these anybody gets a name, or everybody's data shares one: a permission for one customer is one for all. The
// best known of the private part of the public suffix list (publicsuffix.org), and what hosts of content add to it.
constexpr std::array<std::string_view, 34> kSharedHosts{"amazonaws.com",
                                                        "cloudfront.net",
                                                        "awsapprunner.com",
                                                        "workers.dev",
                                                        "pages.dev",
                                                        "r2.dev",
                                                        "trycloudflare.com",
                                                        "github.io",
                                                        "githubusercontent.com",
                                                        "gitlab.io",
                                                        "vercel.app",
                                                        "netlify.app",
                                                        "herokuapp.com",
                                                        "azurewebsites.net",
                                                        "windows.net",
                                                        "azureedge.net",
                                                        "cloudapp.net",
                                                        "cloudapp.azure.com",
                                                        "appspot.com",
                                                        "web.app",
                                                        "firebaseapp.com",
                                                        "firebaseio.com",
                                                        "storage.googleapis.com",
                                                        "run.app",
                                                        "ngrok.io",
                                                        "ngrok-free.app",
                                                        "digitaloceanspaces.com",
                                                        "fly.dev",
                                                        "onrender.com",
                                                        "deno.dev",
                                                        "repl.co",
                                                        "glitch.me",
                                                        "fastly.net",
                                                        "akamaized.net"};

constexpr std::string_view kMetadata = "169.254.169.254";

bool is_at_or_below(std::string_view name, std::string_view domain) {
  return name.ends_with(domain) && (name.size() == domain.size() || name[name.size() - domain.size() - 1] == '.');
}

bool is_shared(std::string_view name) {
  return std::ranges::any_of(kSharedHosts, [&](std::string_view domain) { return is_at_or_below(name, domain); });
}

std::string shown(const Endpoint& endpoint) { return quoted(to_string(endpoint)); }

void check_wildcard(Case& now, const Endpoint& endpoint) {
  if (endpoint.host.find('.') == std::string::npos)
    now.warning(endpoint.place, shown(endpoint) + " is every host below a top-level name");
  else if (is_shared(endpoint.host))
    now.warning(endpoint.place, shown(endpoint) + " is shared hosting: anybody can have a name below it",
                "name the hosts in full");
}

void check_allowed(Case& now, const Endpoint& endpoint) {
  if (endpoint.ports.empty()) now.warning(endpoint.place, shown(endpoint) + " opens every port", "name the ports");
  if (endpoint.kind == HostKind::Wildcard) check_wildcard(now, endpoint);
  if (endpoint.sni == Sni::Off)
    now.warning(endpoint.place, "sni: off reaches whoever shares an address with " + shown(endpoint),
                "leave it out where clients say the name (TLS with SNI, HTTP)");
  if (endpoint.kind == HostKind::Prefix && endpoint.prefix_length == 0)
    now.warning(endpoint.place, shown(endpoint) + " is every address, those of this machine's own network too");
  if (endpoint.kind == HostKind::Prefix && endpoint.host.starts_with("127.") && endpoint.prefix_length < 32)
    now.warning(endpoint.place, shown(endpoint) + " reaches every service on this host's loopback with such a port",
                "name the address and the port: tcp://127.0.0.1:5432");
  if (endpoint.kind != HostKind::Wildcard && endpoint.host.starts_with("169.254."))
    now.warning(endpoint.place, shown(endpoint) + " reaches the cloud's metadata service (" + std::string(kMetadata) +
                                    "), which hands out this machine's credentials");
}

void check_listener(Case& now, const Endpoint& endpoint) {
  if (endpoint.host == "0.0.0.0" || endpoint.host == "::")
    now.warning(endpoint.place, shown(endpoint) + " is reachable from every network this host is in",
                "127.0.0.1 is reachable from this host alone");
}

// With the host's own network there is no wall for a list to open.
void check_host_mode(Case& now) {
  const Network& network = now.profile.network;
  const Place place = network.mode.stated.value_or(now.profile.place);
  now.warning(place, "mode: host shares the host's network: every address, its loopback, its abstract sockets");
  const auto refuse = [&](const Place& where, std::string_view key) {
    now.error(where, "network." + std::string(key) + " says nothing with " + see("mode: host", place),
              "leave one of the two out");
  };
  if (!network.allow.empty()) refuse(network.allow.front().place, "allow");
  if (!network.listen.empty()) refuse(network.listen.front().place, "listen");
}

}  // namespace

// A call that is opened by its own name makes sockets that nobody connects for the plugin.
void refuse_sockets_beside_granted_ones(Case& now) {
  if (now.profile.network.unix_sockets.empty()) return;
  for (const SyscallName& call : now.profile.syscalls.allow)
    if (call.name == "socket" || call.name == "socketpair")
      now.error(call.place,
                quoted(call.name) + " beside network.unix: every socket the plugin can see could be reached",
                "take it out: stream and seqpacket sockets can be made as it is");
}

void check_network(Case& now) {
  const Network& network = now.profile.network;
  refuse_sockets_beside_granted_ones(now);
  for (const Endpoint& endpoint : network.allow) check_allowed(now, endpoint);
  for (const Endpoint& endpoint : network.listen) check_listener(now, endpoint);
  if (network.mode.value == NetworkMode::Host) check_host_mode(now);
}

}  // namespace jail::profile
