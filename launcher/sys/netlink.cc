#include "sys/netlink.h"

namespace jail::sys::netlink {

std::optional<std::string_view> attribute_in(std::string_view attributes, int type) noexcept {
  while (const auto head = value_in<nlattr>(attributes)) {
    if (head->nla_len < NLA_HDRLEN || head->nla_len > attributes.size()) return std::nullopt;
    if ((head->nla_type & NLA_TYPE_MASK) == type) return attributes.substr(NLA_HDRLEN, head->nla_len - NLA_HDRLEN);
    attributes.remove_prefix(std::min<std::size_t>(NLA_ALIGN(head->nla_len), attributes.size()));
  }
  return std::nullopt;
}

}  // namespace jail::sys::netlink
