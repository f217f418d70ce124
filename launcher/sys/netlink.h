// What comes over a netlink(7) socket, message by message and attribute by attribute. Pure; the bytes are the kernel's,
// and still bounded by what has come.
#pragma once

#include <linux/netlink.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <string_view>

namespace jail::sys::netlink {

// Each in turn, as (header, what follows it), until `each` says false.
template <typename Each>
void for_each_message(std::string_view bytes, const Each& each) {
  nlmsghdr header{};
  while (bytes.size() >= sizeof header) {
    std::memcpy(&header, bytes.data(), sizeof header);
    if (header.nlmsg_len < sizeof header || header.nlmsg_len > bytes.size()) return;
    if (!each(header, bytes.substr(NLMSG_HDRLEN, header.nlmsg_len - NLMSG_HDRLEN))) return;
    bytes.remove_prefix(std::min<std::size_t>(NLMSG_ALIGN(header.nlmsg_len), bytes.size()));
  }
}

// The value of an attribute among others; nothing: it is not there.
std::optional<std::string_view> attribute_in(std::string_view attributes, int type) noexcept;

// What begins with it; nothing: it is shorter.
template <typename Value>
std::optional<Value> value_in(std::string_view bytes) noexcept {
  Value value{};
  if (bytes.size() < sizeof value) return std::nullopt;
  std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}

}  // namespace jail::sys::netlink
