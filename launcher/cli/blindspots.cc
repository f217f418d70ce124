#include "cli/blindspots.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "base/error.h"
#include "base/json.h"
#include "base/text.h"
#include "run/exit_status.h"

namespace jail::cli {
namespace {

using blindspot::Column;
using blindspot::Result;
using blindspot::Row;
using blindspot::Survey;

constexpr const char* kHead =
    "Each action was performed in a jail of the default profile that records all accesses to files (monitor: {files:\n"
    "all}). The default, files: denied, leaves out what was allowed, and looks at a name beside AT_EMPTY_PATH. What a\n"
    "plugin's processes do with one another (memory, pipes, signals) is nobody else's matter, and not tried.\n";
constexpr std::size_t kNameWidth = 54, kResultWidth = 15, kErrorWidth = 16;

std::string release() {
  utsname names{};
  return ::uname(&names) == 0 ? names.release : "unknown";
}

std::string error_of(const Row& row) { return row.error != 0 ? errno_name(row.error) : ""; }

template <typename Each>
void for_each_action(Each each) {
  std::size_t number = 0;
  for (const blindspot::Group& group : blindspot::groups())
    for (const blindspot::Action& action : group.actions) each(group, action, number++);
}

void print_counts(const Column& column) {
  std::string line = column.source + ": " + std::to_string(column.rows.size()) + " actions";
  for (std::size_t i = 0; i < blindspot::kResults; ++i) {
    const auto result = static_cast<Result>(i);
    line += (i == 0 ? ": " : ", ") + std::to_string(column.count(result)) + " " + std::string(name_of(result));
  }
  std::puts(line.c_str());
}

// Ends where the next column of a table begins.
std::string cell(std::string text, std::size_t width) {
  text.resize(std::max(text.size() + 1, width), ' ');
  return text;
}

void print_line(const Survey& survey, std::string_view name, std::size_t number) {
  std::string line = cell("  " + std::string(name), kNameWidth);
  for (const Column& column : survey.columns) {
    const Row& row = column.rows[number];
    line += cell(std::string(name_of(row.result)), kResultWidth);
    if (&column == survey.columns.data()) line += cell(error_of(row), kErrorWidth);
  }
  line.resize(line.find_last_not_of(' ') + 1);
  std::puts(line.c_str());
}

void print_columns(const Survey& survey) {
  std::string line = cell("action", kNameWidth);
  for (const Column& column : survey.columns) {
    line += cell(column.of == Column::Of::Alone ? column.source + " alone" : column.source, kResultWidth);
    if (&column == survey.columns.data()) line += cell("errno", kErrorWidth);
  }
  line.resize(line.find_last_not_of(' ') + 1);
  std::puts(line.c_str());
}

void print_lines(const Survey& survey) {
  std::printf("kernel %s, as uid %u\n%s", release().c_str(), ::geteuid(), kHead);
  print_columns(survey);
  const blindspot::Group* last = nullptr;
  for_each_action([&](const blindspot::Group& group, const blindspot::Action& action, std::size_t number) {
    if (&group != last) std::printf("%s\n", std::string(group.name).c_str());
    last = &group;
    print_line(survey, action.name, number);
  });
  for (const Column& column : survey.columns) {
    if (!column.blind_spots.empty()) std::printf("what %s cannot see, as run.started says:\n", column.source.c_str());
    for (const std::string& spot : column.blind_spots) std::printf("  %s\n", text::for_people(spot).c_str());
  }
  for (const auto& [source, why] : survey.absent)
    std::printf("%s cannot be had: %s\n", source.c_str(), text::for_people(why).c_str());
  for (const Column& column : survey.columns) print_counts(column);
}

void write_results(json::Writer& writer, const Survey& survey, std::size_t number) {
  for (const Column& column : survey.columns) {
    const Row& row = column.rows[number];
    writer.key(column.source);
    writer.begin_object();
    writer.member("result", name_of(row.result));
    if (row.error != 0) writer.member("errno", error_of(row));
    if (row.record != 0) writer.member("seq", row.record);
    writer.end_object();
  }
}

void write_column(json::Writer& writer, const Column& column) {
  writer.begin_object();
  for (std::size_t i = 0; i < blindspot::kResults; ++i)
    writer.member(name_of(static_cast<Result>(i)), column.count(static_cast<Result>(i)));
  writer.key("blind_spots");
  writer.begin_array();
  for (const std::string& spot : column.blind_spots) writer.value(spot);
  writer.end_array();
  writer.end_object();
}

void print_json(const Survey& survey, bool sees_all) {
  json::Writer writer;
  writer.begin_object();
  writer.member("kernel", release());
  writer.member("uid", ::geteuid());
  writer.member("files", "all");
  writer.member("sees_all", sees_all);
  writer.key("sources");
  writer.begin_object();
  for (const Column& column : survey.columns) writer.key(column.source), write_column(writer, column);
  writer.end_object();
  writer.key("absent");
  writer.begin_object();
  for (const auto& [source, why] : survey.absent) writer.member(source, why);
  writer.end_object();
  writer.key("actions");
  writer.begin_array();
  for_each_action([&](const blindspot::Group& group, const blindspot::Action& action, std::size_t number) {
    writer.begin_object();
    writer.member("group", group.name);
    writer.member("action", action.name);
    write_results(writer, survey, number);
    writer.end_object();
  });
  writer.end_array();
  writer.end_object();
  std::puts(writer.text().c_str());
}

}  // namespace

int show_blindspots(Form form, blindspot::Strictness strictness) {
  const Survey survey = blindspot::survey({"doctor", kPerformOption}, strictness);
  if (!survey.problem.empty()) {
    std::fprintf(stderr, "jail: nothing could be tried:\n%s", survey.problem.c_str());
    return run::kExitJailFailed;
  }
  bool sees_all = true;
  for (const Column& column : survey.columns) sees_all = sees_all && column.sees_all();
  form == Form::Json ? print_json(survey, sees_all) : print_lines(survey);
  return sees_all ? 0 : 1;
}

}  // namespace jail::cli
