#include "confine/syscall_table.h"

#include <algorithm>
#include <vector>

#include "confine/syscall_table_rows.h"
#include "profile/suggest.h"

namespace jail::confine::seccomp {
namespace {

constexpr bool in_order_of_numbers() {
  return std::ranges::adjacent_find(kRows, [](const Row& a, const Row& b) { return a.number >= b.number; }) ==
         std::ranges::end(kRows);
}
static_assert(in_order_of_numbers());
static_assert(std::ranges::is_sorted(kGroups, {}, &Group::name));
static_assert(kRows[std::size(kRows) - 1].number + 1 == kTableEnd);
// What cannot be checked by group cannot be lifted by one.
static_assert(std::ranges::none_of(kRows, [](const Row& row) { return !row.checks.empty() && row.risk.empty(); }));

}  // namespace

std::span<const Row> rows() { return kRows; }
std::span<const Group> groups() { return kGroups; }

const Row* find_row(std::uint32_t number) {
  const auto* const row = std::ranges::lower_bound(kRows, number, {}, &Row::number);
  return row != std::ranges::end(kRows) && row->number == number ? row : nullptr;
}

const Row* find_row(std::string_view name) {
  const auto* const row = std::ranges::find(kRows, name, &Row::name);
  return row != std::ranges::end(kRows) ? row : nullptr;
}

const Group* find_group(std::string_view name) {
  const auto* const group = std::ranges::lower_bound(kGroups, name, {}, &Group::name);
  return group != std::ranges::end(kGroups) && group->name == name ? group : nullptr;
}

bool is_member(const Row& row, const Group& group) {
  return group.members == Everything || (row.groups & group.members) != 0;
}

std::optional<std::string_view> name_of(std::uint32_t number) {
  const Row* const row = find_row(number);
  return row != nullptr ? std::optional(row->name) : std::nullopt;
}

std::string_view nearest_name(std::string_view mistyped) {
  std::vector<std::string_view> known;
  for (const Row& row : kRows) known.push_back(row.name);
  for (const Group& group : kGroups) known.push_back(group.name);
  return profile::nearest(mistyped, known);
}

}  // namespace jail::confine::seccomp
