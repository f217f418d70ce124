#include "profile/read_network.h"

#include "profile/endpoint.h"
#include "profile/keys.h"
#include "profile/quoted.h"
#include "profile/suggest.h"

namespace jail::profile {
namespace {

// An entry that is one ${env:NAME} and nothing else holds what the operator's other programs have there: a URL.
bool is_one_environment_variable(std::string_view text) {
  return text.starts_with("${env:") && text.find('}') == text.size() - 1;
}

// A text with a user name in it may have the password too: it is not repeated.
std::string problem_of(const Node& node, const std::string& problem) {
  const bool may_hold_password = node.text.find('@') != std::string_view::npos;
  return "the endpoint" + (may_hold_password ? "" : " " + quoted(node.text)) + ": " + problem;
}

std::optional<Endpoint> endpoint_of(Reader& reader, const Node& node) {
  const std::optional<Expanded> text = reader.expanded(node, Flavour::Text);
  if (!text) return std::nullopt;
  EndpointReading reading = is_one_environment_variable(node.text) ? parse_url(text->text) : parse_endpoint(text->text);
  reading.endpoint.place = reader.place(node);
  if (reading.problem.empty()) return std::move(reading.endpoint);
  reader.error(node, problem_of(node, reading.problem), reading.hint);
  return std::nullopt;
}

bool is_tcp_by_name(const Endpoint& endpoint) {
  const bool is_name = endpoint.kind == HostKind::Name || endpoint.kind == HostKind::Wildcard;
  return is_name && endpoint.protocol == Protocol::Tcp;
}

// The endpoint alone, or {to: ..., sni: ...}.
std::optional<Endpoint> destination_of(Reader& reader, const Node& node) {
  if (node.kind != NodeKind::Mapping) return endpoint_of(reader, node);
  const Node* to = nullptr;
  const Node* stated = nullptr;
  Setting<Sni> sni;
  for (const auto& [key, value] : pairs_of(node)) {
    if (key.text == "to") to = &value;
    else if (key.text == "sni") reader.choose(*(stated = &value), kSniChecks, sni);
    else
      reader.error(key, "unknown key " + quoted(key.text) + " in a destination's entry",
                   hint_for(key.text, kDestinationKeys));
  }
  if (to == nullptr) return reader.error(node, "an entry without its 'to'"), std::nullopt;
  std::optional<Endpoint> endpoint = endpoint_of(reader, *to);
  if (!endpoint) return std::nullopt;
  if (stated != nullptr && !is_tcp_by_name(*endpoint))
    return reader.error(*stated, "'sni' says nothing here: only tcp to a host by name is looked at", "leave it out"),
           std::nullopt;
  endpoint->sni = sni.value;
  return endpoint;
}

bool is_unspecified(const Endpoint& endpoint) {
  return endpoint.kind == HostKind::Address && (endpoint.host == "0.0.0.0" || endpoint.host == "::");
}

std::string listen_problem(const Endpoint& endpoint) {
  if (endpoint.kind != HostKind::Address) return "a listener has one address of this host, no name and no prefix";
  return endpoint.ports.empty() ? "a listener has ports of its own, not ':*'" : "";
}

}  // namespace

void read_allowed(Reader& reader, const Node& list) {
  std::vector<Endpoint>& allow = reader.profile().network.allow;
  allow.reserve(allow.size() + list.below);
  reader.each(list, [&](const Node& node) {
    std::optional<Endpoint> endpoint = destination_of(reader, node);
    if (!endpoint) return;
    // Linux takes a connection to 0.0.0.0 or :: as one to its own loopback.
    if (is_unspecified(*endpoint))
      return reader.error(node, problem_of(node, "no host has this address"),
                          "for the host's loopback write 127.0.0.1, for every address 0.0.0.0/0");
    allow.push_back(std::move(*endpoint));
  });
}

void read_listens(Reader& reader, const Node& list) {
  reader.each(list, [&](const Node& node) {
    std::optional<Endpoint> endpoint = endpoint_of(reader, node);
    if (!endpoint) return;
    if (const std::string problem = listen_problem(*endpoint); !problem.empty())
      return reader.error(node, problem_of(node, problem), "write tcp://127.0.0.1:8080");
    reader.profile().network.listen.push_back(std::move(*endpoint));
  });
}

void read_sockets(Reader& reader, const Node& list) {
  reader.each(list, [&](const Node& node) {
    if (std::optional<PathEntry> entry = reader.entry(node, kSocketKeys))
      reader.profile().network.unix_sockets.push_back({std::move(entry->path), reader.place(node), entry->dangerous});
  });
}

}  // namespace jail::profile
