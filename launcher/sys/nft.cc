#include "sys/nft.h"

#include <arpa/inet.h>
#include <endian.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <linux/netlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "sys/netlink.h"

namespace jail::sys::nft {
namespace {

constexpr std::size_t kMostOfAMessage = 1000;    // elements: the length of an attribute is 16 bits
constexpr int kSendBuffer = 1 << 20;             // as far as net.core.wmem_max lets it
constexpr std::size_t kMostReceived = 1 << 16;
constexpr std::uint32_t kReset = NFT_REJECT_TCP_RST;

template <typename Value>
std::string_view raw(const Value& value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

void pad(std::string& bytes) { bytes.resize(NLA_ALIGN(bytes.size()), '\0'); }

std::string attribute(std::uint16_t type, std::string_view value) {
  const nlattr head{static_cast<std::uint16_t>(NLA_HDRLEN + value.size()), type};
  std::string all(raw(head));
  all.append(value);
  pad(all);
  return all;
}

std::string number(std::uint16_t type, std::uint32_t value) { return attribute(type, raw(htonl(value))); }
std::string number64(std::uint16_t type, std::uint64_t value) { return attribute(type, raw(htobe64(value))); }
std::string number16(std::uint16_t type, std::uint16_t value) { return attribute(type, raw(htons(value))); }

template <typename Value>
std::string number(std::uint16_t type, Value value) {
  return number(type, static_cast<std::uint32_t>(value));
}

std::string text(std::uint16_t type, std::string_view value) { return attribute(type, std::string(value) + '\0'); }

std::string nested(std::uint16_t type, std::string_view attributes) {
  return attribute(type | NLA_F_NESTED, attributes);
}

std::string data(std::uint16_t type, std::string_view value) {
  return nested(type, attribute(NFTA_DATA_VALUE, value));
}

std::string_view view(std::span<const std::uint8_t> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string verdict(std::uint32_t code, std::string_view chain) {
  std::string inner = number(NFTA_VERDICT_CODE, code);
  if (!chain.empty()) inner += text(NFTA_VERDICT_CHAIN, chain);
  return number(NFTA_IMMEDIATE_DREG, std::uint32_t{NFT_REG_VERDICT}) +
         nested(NFTA_IMMEDIATE_DATA, nested(NFTA_DATA_VERDICT, inner));
}

std::string message_of(std::uint16_t type, std::uint16_t flags, const nfgenmsg& family, std::string_view attributes) {
  nlmsghdr header{};
  header.nlmsg_len = static_cast<std::uint32_t>(NLMSG_LENGTH(sizeof family) + attributes.size());
  header.nlmsg_type = type;
  header.nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
  return std::string(raw(header)).append(raw(family)).append(attributes);
}

std::uint16_t of_tables(int type) { return static_cast<std::uint16_t>(NFNL_SUBSYS_NFTABLES << 8 | type); }

constexpr nfgenmsg kInet{.nfgen_family = NFPROTO_INET, .version = NFNETLINK_V0, .res_id = 0};

std::string boundary(std::uint16_t type) {
  const nfgenmsg of_nftables{.nfgen_family = AF_UNSPEC, .version = NFNETLINK_V0, .res_id = htons(NFNL_SUBSYS_NFTABLES)};
  return message_of(type, 0, of_nftables, {});
}

std::uint32_t aligned_size_of(Type type) { return NLA_ALIGN(size_of(type)); }

bool send(const Fd& socket, std::string_view bytes) noexcept {
  return ::send(socket.get(), bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size());
}

// What has come; empty where nothing has (errno). The kernel answers before send(2) returns.
std::string receive(const Fd& socket) {
  std::string bytes(kMostReceived, '\0');
  const ssize_t size = TEMP_FAILURE_RETRY(::recv(socket.get(), bytes.data(), bytes.size(), MSG_DONTWAIT));
  bytes.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
  return bytes;
}

// 0 where all that was asked for was done; the first error else.
int answer_to(const Fd& socket) {
  std::optional<int> error;
  for (std::string bytes = receive(socket); !bytes.empty(); bytes = receive(socket))
    netlink::for_each_message(bytes, [&](const nlmsghdr& header, std::string_view body) {
      const auto value = netlink::value_in<std::int32_t>(body);
      if (header.nlmsg_type == NLMSG_ERROR && value && error.value_or(0) == 0) error = -*value;
      return true;
    });
  return error.value_or(EPROTO);
}

}  // namespace

Register word(std::uint32_t number) noexcept {
  const std::uint32_t first = NFT_REG_1;
  return static_cast<Register>(number == 0 ? first : NFT_REG32_00 + number);
}

std::uint32_t size_of(Type type) noexcept {
  switch (type) {
    case Type::Ipv4: return 4;
    case Type::Ipv6: return 16;
    case Type::Protocol: return 1;
    case Type::Port: return 2;
  }
  return 0;
}

Expressions& Expressions::add(std::string_view name, std::string_view attributes) {
  bytes_ += nested(NFTA_LIST_ELEM, text(NFTA_EXPR_NAME, name) + nested(NFTA_EXPR_DATA, attributes));
  return *this;
}

Expressions& Expressions::load(Meta what, Register into) {
  return add("meta", number(NFTA_META_DREG, into) + number(NFTA_META_KEY, what));
}

Expressions& Expressions::load(Base base, std::uint32_t offset, std::uint32_t size, Register into) {
  return add("payload", number(NFTA_PAYLOAD_DREG, into) + number(NFTA_PAYLOAD_BASE, base) +
                            number(NFTA_PAYLOAD_OFFSET, offset) + number(NFTA_PAYLOAD_LEN, size));
}

Expressions& Expressions::mask(Register what, std::span<const std::uint8_t> bits) {
  const std::string nothing(bits.size(), '\0');
  return add("bitwise", number(NFTA_BITWISE_SREG, what) + number(NFTA_BITWISE_DREG, what) +
                            number(NFTA_BITWISE_LEN, bits.size()) + data(NFTA_BITWISE_MASK, view(bits)) +
                            data(NFTA_BITWISE_XOR, nothing));
}

Expressions& Expressions::compare(Compare how, Register what, std::span<const std::uint8_t> with) {
  return add("cmp", number(NFTA_CMP_SREG, what) + number(NFTA_CMP_OP, how) + data(NFTA_CMP_DATA, view(with)));
}

Expressions& Expressions::look_up(Lookup how, std::string_view set, Register key) {
  return add("lookup",
             text(NFTA_LOOKUP_SET, set) + number(NFTA_LOOKUP_SREG, key) + number(NFTA_LOOKUP_FLAGS, how));
}

Expressions& Expressions::count(std::string_view counter) {
  return add("objref", number(NFTA_OBJREF_IMM_TYPE, std::uint32_t{NFT_OBJECT_COUNTER}) +
                           text(NFTA_OBJREF_IMM_NAME, counter));
}

Expressions& Expressions::limit(std::uint64_t per_second, std::uint32_t burst) {
  return add("limit", number64(NFTA_LIMIT_RATE, per_second) + number64(NFTA_LIMIT_UNIT, 1) +
                          number(NFTA_LIMIT_BURST, burst) +
                          number(NFTA_LIMIT_TYPE, std::uint32_t{NFT_LIMIT_PKTS}));
}

Expressions& Expressions::log(std::uint16_t group, std::uint32_t bytes) {
  return add("log",
             number16(NFTA_LOG_GROUP, group) + number(NFTA_LOG_SNAPLEN, bytes) + number16(NFTA_LOG_QTHRESHOLD, 1));
}

Expressions& Expressions::reset_stream() {
  return add("reject", number(NFTA_REJECT_TYPE, kReset) + attribute(NFTA_REJECT_ICMP_CODE, std::string_view("", 1)));
}

Expressions& Expressions::accept() { return add("immediate", verdict(NF_ACCEPT, {})); }

Expressions& Expressions::drop() { return add("immediate", verdict(NF_DROP, {})); }

Expressions& Expressions::go_to(std::string_view chain) {
  return add("immediate", verdict(static_cast<std::uint32_t>(NFT_GOTO), chain));
}

Expressions& Expressions::lead_to(std::uint16_t port) {
  add("immediate", number(NFTA_IMMEDIATE_DREG, word(0)) + data(NFTA_IMMEDIATE_DATA, raw(htons(port))));
  return add("tproxy", number(NFTA_TPROXY_FAMILY, std::uint32_t{NFPROTO_UNSPEC}) +
                           number(NFTA_TPROXY_REG_PORT, word(0)));
}

Batch::Batch(std::string table) : table_(std::move(table)), bytes_(boundary(NFNL_MSG_BATCH_BEGIN)) {}

void Batch::message(std::uint16_t type, std::uint16_t flags, std::string_view attributes) {
  last_ = bytes_.size();
  bytes_ += message_of(of_tables(type), flags, kInet, attributes);
}

void Batch::add_table() { message(NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_EXCL, text(NFTA_TABLE_NAME, table_)); }

void Batch::add_counter(std::string_view name) {
  message(NFT_MSG_NEWOBJ, NLM_F_CREATE,
          text(NFTA_OBJ_TABLE, table_) + text(NFTA_OBJ_NAME, name) +
              number(NFTA_OBJ_TYPE, std::uint32_t{NFT_OBJECT_COUNTER}) + nested(NFTA_OBJ_DATA, {}));
}

void Batch::add_set(const Set& set) {
  std::uint32_t type = 0;
  std::uint32_t size = 0;
  std::string parts;
  for (const Type part : set.key) {
    type = type << 6 | static_cast<std::uint32_t>(part);
    size += set.key.size() > 1 ? aligned_size_of(part) : size_of(part);
    parts += nested(NFTA_LIST_ELEM, number(NFTA_SET_FIELD_LEN, size_of(part)));
  }
  std::uint32_t flags = 0;
  std::string description;
  if (set.most != 0) description += number(NFTA_SET_DESC_SIZE, set.most);
  if (set.kind == Set::Kind::Timeouts) flags |= NFT_SET_TIMEOUT;
  if (set.kind == Set::Kind::Intervals) flags |= NFT_SET_INTERVAL;
  if (set.kind == Set::Kind::Intervals && set.key.size() > 1) {
    flags |= NFT_SET_CONCAT;
    description += nested(NFTA_SET_DESC_CONCAT, parts);
  }
  message(NFT_MSG_NEWSET, NLM_F_CREATE,
          text(NFTA_SET_TABLE, table_) + text(NFTA_SET_NAME, set.name) + number(NFTA_SET_FLAGS, flags) +
              number(NFTA_SET_KEY_TYPE, type) + number(NFTA_SET_KEY_LEN, size) + number(NFTA_SET_ID, ++sets_) +
              (description.empty() ? description : nested(NFTA_SET_DESC, description)));
}

void Batch::add_elements(std::string_view set, std::span<const Element> elements) {
  change_elements(NFT_MSG_NEWSETELEM, NLM_F_CREATE, set, elements);
}

void Batch::delete_elements(std::string_view set, std::span<const Element> elements) {
  change_elements(NFT_MSG_DELSETELEM, 0, set, elements);
}

void Batch::change_elements(std::uint16_t type, std::uint16_t flags, std::string_view set,
                            std::span<const Element> elements) {
  while (!elements.empty()) {
    const auto some = elements.first(std::min(elements.size(), kMostOfAMessage));
    elements = elements.subspan(some.size());
    std::string list;
    for (const Element& element : some) {
      std::string one = data(NFTA_SET_ELEM_KEY, element.key);
      if (!element.last.empty()) one += data(NFTA_SET_ELEM_KEY_END, element.last);
      if (element.is_end) one += number(NFTA_SET_ELEM_FLAGS, std::uint32_t{NFT_SET_ELEM_INTERVAL_END});
      if (element.timeout_ms) one += number64(NFTA_SET_ELEM_TIMEOUT, *element.timeout_ms);
      list += nested(NFTA_LIST_ELEM, one);
    }
    message(type, flags,
            text(NFTA_SET_ELEM_LIST_TABLE, table_) + text(NFTA_SET_ELEM_LIST_SET, set) +
                nested(NFTA_SET_ELEM_LIST_ELEMENTS, list));
  }
}

void Batch::add_chain(std::string_view name, std::optional<Hook> hook) {
  std::string attributes = text(NFTA_CHAIN_TABLE, table_) + text(NFTA_CHAIN_NAME, name);
  if (hook)
    attributes += nested(NFTA_CHAIN_HOOK, number(NFTA_HOOK_HOOKNUM, *hook) + number(NFTA_HOOK_PRIORITY, 0U)) +
                  number(NFTA_CHAIN_POLICY, std::uint32_t{NF_DROP}) + text(NFTA_CHAIN_TYPE, "filter");
  message(NFT_MSG_NEWCHAIN, NLM_F_CREATE, attributes);
}

void Batch::add_rule(std::string_view chain, const Expressions& expressions) {
  message(NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND,
          text(NFTA_RULE_TABLE, table_) + text(NFTA_RULE_CHAIN, chain) +
              nested(NFTA_RULE_EXPRESSIONS, expressions.bytes()));
}

// The last of it is acknowledged; what fails is told anyway.
std::string Batch::finish() && {
  if (last_ != 0) {
    nlmsghdr header{};
    std::memcpy(&header, bytes_.data() + last_, sizeof header);
    header.nlmsg_flags |= NLM_F_ACK;
    std::memcpy(bytes_.data() + last_, &header, sizeof header);
  }
  return std::move(bytes_) + boundary(NFNL_MSG_BATCH_END);
}

Fd open_socket() noexcept {
  Fd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER));
  if (!socket) return socket;
  (void)::setsockopt(socket.get(), SOL_SOCKET, SO_SNDBUF, &kSendBuffer, sizeof kSendBuffer);
  const int on = 1;
  (void)::setsockopt(socket.get(), SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);  // no copy of what was asked
  return socket;
}

int commit(const Fd& socket, Batch batch) {
  return send(socket, std::move(batch).finish()) ? answer_to(socket) : errno;
}

std::optional<std::uint64_t> packets(const Fd& socket, const std::string& table, std::string_view counter) {
  const std::string ask =
      message_of(of_tables(NFT_MSG_GETOBJ), 0, kInet,
                 text(NFTA_OBJ_TABLE, table) + text(NFTA_OBJ_NAME, counter) +
                     number(NFTA_OBJ_TYPE, std::uint32_t{NFT_OBJECT_COUNTER}));
  std::optional<std::uint64_t> count;
  if (!send(socket, ask)) return count;
  netlink::for_each_message(receive(socket), [&](const nlmsghdr& header, std::string_view body) {
    if (header.nlmsg_type != of_tables(NFT_MSG_NEWOBJ) || body.size() < sizeof(nfgenmsg)) return true;
    const auto held = netlink::attribute_in(body.substr(NLMSG_ALIGN(sizeof(nfgenmsg))), NFTA_OBJ_DATA);
    const auto value = held ? netlink::attribute_in(*held, NFTA_COUNTER_PACKETS) : std::nullopt;
    std::uint64_t big_endian = 0;
    if (!value || value->size() != sizeof big_endian) return true;
    std::memcpy(&big_endian, value->data(), sizeof big_endian);
    count = be64toh(big_endian);
    return false;
  });
  return count;
}

int listen(const Fd& socket, std::uint16_t group, std::uint32_t bytes) {
  const int on = 1;  // else ENOBUFS would come before what is there, and nothing more until all of that is read
  (void)::setsockopt(socket.get(), SOL_NETLINK, NETLINK_NO_ENOBUFS, &on, sizeof on);
  const nfgenmsg of_group{.nfgen_family = AF_UNSPEC, .version = NFNETLINK_V0, .res_id = htons(group)};
  const nfulnl_msg_config_cmd bind{.command = NFULNL_CFG_CMD_BIND};
  nfulnl_msg_config_mode mode{};
  mode.copy_range = htonl(bytes);
  mode.copy_mode = NFULNL_COPY_PACKET;
  constexpr auto kConfig = static_cast<std::uint16_t>(NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_CONFIG);
  const std::string ask = message_of(kConfig, NLM_F_ACK, of_group,
                                     attribute(NFULA_CFG_CMD, raw(bind)) + attribute(NFULA_CFG_MODE, raw(mode)));
  return send(socket, ask) ? answer_to(socket) : errno;
}

std::optional<std::vector<std::string>> logged(const Fd& socket) {
  const std::string bytes = receive(socket);
  if (bytes.empty()) return std::nullopt;
  std::vector<std::string> packets;
  netlink::for_each_message(bytes, [&](const nlmsghdr& header, std::string_view body) {
    constexpr std::uint16_t kPacket = NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_PACKET;
    if (header.nlmsg_type != kPacket || body.size() < sizeof(nfgenmsg)) return true;
    const auto packet = netlink::attribute_in(body.substr(NLMSG_ALIGN(sizeof(nfgenmsg))), NFULA_PAYLOAD);
    if (packet) packets.emplace_back(*packet);
    return true;
  });
  return packets;
}

}  // namespace jail::sys::nft
