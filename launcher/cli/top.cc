// `jail top`: the live jails again and again, those that use most at the top. On a terminal a screen of its own, in a
// pipe one table after the other.
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/text.h"
#include "cli/jails.h"
#include "cli/verbs.h"

namespace jail::cli {
namespace {

using registry::Live;
using Clock = std::chrono::steady_clock;

constexpr const char* kFooter =
    R"(Keys on a terminal: c m p e d a sort by processor, memory, processes, events, denials, age; q ends.

Examples:
  jail top
  jail top --sort denied --every 5
  jail top -n 1 | head
)";

struct Options {
  double every_s = 2;
  std::uint64_t times = 0;  // 0: until somebody ends it
  std::string sort = "cpu";
};

struct Order {
  const char* name;
  char key;
  std::uint64_t (*of)(const registry::Status&);  // the greatest first; null: by the share of a processor
};
constexpr Order kOrders[] = {
    {"cpu", 'c', nullptr},
    {"memory", 'm', [](const registry::Status& status) { return status.memory; }},
    {"processes", 'p', [](const registry::Status& status) { return status.processes; }},
    {"events", 'e', [](const registry::Status& status) { return status.events; }},
    {"denied", 'd', [](const registry::Status& status) { return status.denied; }},
    {"age", 'a', [](const registry::Status& status) { return ~status.started_ns; }},
};

std::atomic<bool> g_end = false;
void ask_to_end(int) { g_end = true; }
void wake(int) {}

// Raw input and the other screen, as long as it lives.
class Screen {
 public:
  Screen() {
    is_raw_ = ::tcgetattr(STDIN_FILENO, &before_) == 0;
    termios raw = before_;
    raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
    if (is_raw_) (void)::tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    std::fputs("\x1b[?1049h\x1b[?25l", stdout);
  }
  ~Screen() {
    std::fputs("\x1b[?25h\x1b[?1049l", stdout);
    std::fflush(stdout);
    if (is_raw_) (void)::tcsetattr(STDIN_FILENO, TCSANOW, &before_);
  }
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  static void draw(const std::vector<std::string>& lines) {
    winsize size{};
    if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row == 0) size.ws_row = 24, size.ws_col = 80;
    std::fputs("\x1b[H", stdout);
    const std::size_t shown = std::min<std::size_t>(lines.size(), size.ws_row);
    for (std::size_t i = 0; i < shown; ++i)
      std::printf("%s%s\x1b[K", i == 0 ? "" : "\r\n", first_characters(lines[i], size.ws_col).c_str());
    std::fputs("\x1b[J", stdout);
    std::fflush(stdout);
  }

 private:
  static std::string first_characters(std::string_view line, std::size_t most) {
    std::size_t end = 0;
    for (; most > 0 && end < line.size(); --most) end += text::first_character(line.substr(end)).size;
    return std::string(line.substr(0, end));
  }

  termios before_{};
  bool is_raw_ = false;
};

// What each has used between two looks.
class Meter {
 public:
  std::vector<Share> shares(const std::vector<Live>& jails) {
    const auto now = Clock::now();
    const auto passed_ms = std::chrono::duration<double, std::milli>(now - last_).count();
    std::map<std::string, std::uint64_t, std::less<>> used;
    std::vector<Share> shares;
    for (const Live& live : jails) {
      if (!live.status) continue;
      used[live.run] = live.status->cpu_ms;
      const auto before = used_.find(live.run);
      if (before == used_.end() || live.status->cpu_ms < before->second) continue;
      shares.push_back({live.run, static_cast<double>(live.status->cpu_ms - before->second) * 100 / passed_ms});
    }
    used_ = std::move(used);
    last_ = now;
    return shares;
  }

 private:
  Clock::time_point last_ = Clock::now();
  std::map<std::string, std::uint64_t, std::less<>> used_;
};

void sort(std::vector<Live>& jails, const std::vector<Share>& shares, const Order& order) {
  const auto percent = [&](const Live& live) {
    const auto known = std::ranges::find(shares, live.run, &Share::run);
    return known == shares.end() ? -1.0 : known->percent;
  };
  std::ranges::stable_sort(jails, [&](const Live& a, const Live& b) {
    if (!a.status || !b.status) return a.status.has_value() && !b.status;
    return order.of == nullptr ? percent(a) > percent(b) : order.of(*a.status) > order.of(*b.status);
  });
}

// Waits so long, or until a key that means something.
void wait(const Options& options, bool hears_keys, const Order*& order) {
  const auto end = Clock::now() + std::chrono::milliseconds(static_cast<std::int64_t>(options.every_s * 1000));
  pollfd polled[] = {{hears_keys ? STDIN_FILENO : -1, POLLIN, 0}, {STDOUT_FILENO, 0, 0}};
  while (!g_end) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now()).count();
    if (left <= 0 || ::poll(polled, 2, static_cast<int>(left)) <= 0) return;  // or another size of the screen
    if ((polled[1].revents & (POLLERR | POLLHUP | POLLNVAL)) != 0) return g_end.store(true);
    char key = 'q';
    if (::read(STDIN_FILENO, &key, 1) <= 0) polled[0].fd = -1;
    else if (key == 'q') g_end = true;
    for (const Order& one : kOrders)
      if (one.key == key) return (void)(order = &one);
  }
}

int top_verb(const Options& options) {
  struct sigaction action {};
  action.sa_handler = ask_to_end;
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) (void)::sigaction(signal, &action, nullptr);
  action.sa_handler = wake;
  (void)::sigaction(SIGWINCH, &action, nullptr);
  const Order* order = std::ranges::find_if(kOrders, [&](const Order& one) { return options.sort == one.name; });
  std::optional<Screen> screen;
  if (::isatty(STDOUT_FILENO) != 0) screen.emplace();
  Meter meter;
  for (std::uint64_t turn = 0; !g_end && std::ferror(stdout) == 0; ++turn) {
    std::vector<Live> jails = registry::list_live(kAnswerPatience);
    const std::vector<Share> shares = meter.shares(jails);
    sort(jails, shares, *order);
    std::vector<std::string> lines = lines_of(jails, shares);
    lines.insert(lines.begin(), std::to_string(jails.size()) + " live jails, by " + order->name);
    if (screen) Screen::draw(lines);
    else for (const std::string& line : lines) std::puts(line.c_str());
    std::fflush(stdout);
    if (turn + 1 == options.times) break;
    wait(options, screen.has_value() && ::isatty(STDIN_FILENO) != 0, order);
  }
  return EXIT_SUCCESS;
}

}  // namespace

void add_top(CLI::App& app, int& status) {
  auto options = std::make_shared<Options>();
  CLI::App* verb = app.add_subcommand("top", "The live jails, again and again, those that use most first");
  verb->footer(kFooter);
  verb->add_option("--every", options->every_s, "Seconds")->check(CLI::Range(0.1, 3600.0))->capture_default_str();
  verb->add_option("-n,--times", options->times, "How often; without it until interrupted")
      ->check(CLI::PositiveNumber);
  verb->add_option("--sort", options->sort, "Which are first")
      ->check(CLI::IsMember({"cpu", "memory", "processes", "events", "denied", "age"}))
      ->capture_default_str();
  verb->callback([options, &status] { status = top_verb(*options); });
}

}  // namespace jail::cli
