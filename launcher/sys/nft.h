// nf_tables by netlink: messages of one transaction encoded, sent, and what the kernel answers (nfnetlink of
// include/uapi/linux/netfilter/nf_tables.h, Linux 5.6 for intervals of concatenations). Of all that nft(8) knows only
// what a wall of ours is made of; always of the family "inet". Encoding is pure.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"

namespace jail::sys::nft {

// The register that an expression loads into or looks at: the first, or so many words of 4 bytes behind its beginning.
// What is loaded into neighbours is one key, each part of which has whole words.
enum class Register : std::uint32_t {};
Register word(std::uint32_t number) noexcept;

enum class Meta : std::uint32_t { Mark = 3, InDevice = 4, Family = 15, Protocol = 16 };  // NFT_META_*
enum class Base : std::uint32_t { Network = 1, Transport = 2 };                          // NFT_PAYLOAD_*_HEADER
enum class Compare : std::uint32_t { Equal = 0, Unequal = 1 };                           // NFT_CMP_*
enum class Lookup : std::uint32_t { Among = 0, NotAmong = 1 };

// What one rule does, in turn; it ends where a comparison or a lookup fails.
class Expressions {
 public:
  Expressions& load(Meta what, Register into);
  Expressions& load(Base base, std::uint32_t offset, std::uint32_t size, Register into);  // bytes of the packet
  Expressions& mask(Register what, std::span<const std::uint8_t> bits);
  Expressions& compare(Compare how, Register what, std::span<const std::uint8_t> with);
  Expressions& look_up(Lookup how, std::string_view set, Register key);
  Expressions& count(std::string_view counter);
  Expressions& limit(std::uint64_t per_second, std::uint32_t burst);
  Expressions& log(std::uint16_t group, std::uint32_t bytes);  // at once, the packet's first `bytes`
  Expressions& reset_stream();
  Expressions& accept();
  Expressions& drop();
  Expressions& go_to(std::string_view chain);
  Expressions& lead_to(std::uint16_t port);  // to who listens there, in Hook::Arriving; of TCP

  [[nodiscard]] const std::string& bytes() const noexcept { return bytes_; }

 private:
  Expressions& add(std::string_view name, std::string_view attributes);
  std::string bytes_;
};

// Types of nft(8), by which it prints a key (src/datatype.c): the kernel looks at the length alone.
enum class Type : std::uint32_t { Ipv4 = 7, Ipv6 = 8, Protocol = 12, Port = 13 };
std::uint32_t size_of(Type type) noexcept;  // bytes

struct Set {
  enum class Kind { Fixed, Intervals, Timeouts };
  std::string name;
  std::vector<Type> key;  // of several: a concatenation, each in whole words
  Kind kind = Kind::Fixed;
  std::uint32_t most = 0;  // elements; 0: as many as come
};

struct Element {
  std::string key;
  std::string last{};                      // of an interval, with the key; empty: the key alone
  std::optional<std::uint64_t> timeout_ms{};
  bool is_end = false;  // of an interval of a single part: it ends before this one
};

// NF_INET_*; what no rule accepts is dropped.
enum class Hook : std::uint32_t { Arriving = 0, In = 1, Forward = 2, Out = 3 };

// One transaction: all of it comes to be, or nothing.
class Batch {
 public:
  explicit Batch(std::string table);

  void add_table();
  void add_counter(std::string_view name);
  void add_set(const Set& set);
  void add_elements(std::string_view set, std::span<const Element> elements);
  void delete_elements(std::string_view set, std::span<const Element> elements);
  void add_chain(std::string_view name, std::optional<Hook> hook);
  void add_rule(std::string_view chain, const Expressions& expressions);

  // The whole of it; nothing is added after.
  std::string finish() &&;

 private:
  void message(std::uint16_t type, std::uint16_t flags, std::string_view attributes);
  void change_elements(std::uint16_t type, std::uint16_t flags, std::string_view set,
                       std::span<const Element> elements);

  std::string table_;
  std::string bytes_;
  std::size_t last_ = 0;  // where its last message begins
  std::uint32_t sets_ = 0;
};

// Of the caller's network namespace, whoever asks by it with the capability there (CAP_NET_ADMIN). Empty, and errno.
Fd open_socket() noexcept;

// 0, or the errno of what the kernel did not take. ENOENT: it lacks an expression, or an element is not there.
int commit(const Fd& socket, Batch batch);

// How many packets a counter has seen; nothing: it is not there.
std::optional<std::uint64_t> packets(const Fd& socket, const std::string& table, std::string_view counter);

// What a log expression sends to its group comes to this socket, a record for each packet; what finds no room there is
// lost without a word. 0 or errno.
int listen(const Fd& socket, std::uint16_t group, std::uint32_t bytes);
// From the IP header on; without waiting. Nothing: there is none.
std::optional<std::vector<std::string>> logged(const Fd& socket);

}  // namespace jail::sys::nft
