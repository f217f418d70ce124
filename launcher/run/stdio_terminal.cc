#include "run/stdio_terminal.h"

#include <sys/timerfd.h>
#include <unistd.h>

#include <array>
#include <chrono>

#include "base/error.h"
#include "sys/terminal.h"

namespace jail::run {
namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;

constexpr milliseconds kLook{250};
constexpr int kQuietLooks = 4;  // a second: more than a pager takes to start
// How long a terminal may take to answer: the way there and back over a slow line, and what it has yet to draw.
constexpr milliseconds kAnswer{200};
constexpr int kMostAnswers = 256;  // blocks of 4 KiB: a terminal's queue may be refilled while it is emptied

void run_timer(const Fd& timer, milliseconds every) {
  itimerspec when{};
  when.it_interval.tv_nsec = when.it_value.tv_nsec = duration_cast<std::chrono::nanoseconds>(every).count();
  check(::timerfd_settime(timer.get(), 0, &when, nullptr), "timerfd_settime");
}

termios raw(termios attributes) {
  ::cfmakeraw(&attributes);
  return attributes;
}

// One side turns line feeds into what a screen needs. Where the operator's terminal is never held it goes on doing so;
// the jail's then leaves the plugin's output as it is.
void leave_output_alone(const Fd& master) noexcept {
  std::optional<termios> attributes = sys::terminal_attributes(master.get());
  if (!attributes) return;
  attributes->c_oflag &= ~static_cast<tcflag_t>(OPOST);
  (void)sys::set_terminal_attributes(master.get(), *attributes);
}

}  // namespace

Terminal::Terminal(Operators operators, Fd master, TerminalInput input)
    : keyboard_(operators.keyboard),
      master_(std::move(master)),
      slave_(sys::terminal_peer(master_)),
      input_(input),
      output_({master_.get(), Manner::Own}, operators.screen, &questions_),
      typed_(keyboard_, {master_.get(), Manner::Own}) {
  if (input_ == TerminalInput::Never) leave_output_alone(master_);
  if (input_ == TerminalInput::WhileForeground || input_ == TerminalInput::Shared)
    timer_ = Fd(check(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK), "timerfd_create"));
  if (timer_) run_timer(timer_, kLook);
  look_at_foreground();
}

Terminal::~Terminal() {
  if (saved_ ? may_be_held() : questions_.last() && in_foreground() && in_line_mode()) drop_answers();
}

// Answers are waited for and read away in raw mode: otherwise they would be echoed, and held back until a line is full.
void Terminal::drop_answers() noexcept {
  const std::optional<termios> attributes = saved_ ? saved_ : sys::terminal_attributes(keyboard_.fd);
  if (!attributes) return;
  (void)sys::set_terminal_attributes(keyboard_.fd, raw(*attributes));
  if (questions_.last()) {
    const auto until = *questions_.last() + kAnswer;
    for (auto now = Questions::Clock::now(); now < until; now = Questions::Clock::now()) {
      pollfd answer{keyboard_.fd, POLLIN, 0};
      (void)::poll(&answer, 1, static_cast<int>(duration_cast<milliseconds>(until - now).count()) + 1);
      if (is_gone(answer.revents)) break;
      drop_typed();
    }
  }
  drop_typed();
  sys::discard_input(keyboard_.fd);
  (void)sys::set_terminal_attributes(keyboard_.fd, *attributes);
}

// tcflush(3) alone leaves what waits behind a full queue of the terminal.
void Terminal::drop_typed() noexcept {
  std::array<std::byte, 4096> dropped;
  for (int block = 0; block < kMostAnswers; ++block)
    if (take(keyboard_, dropped).state != Moved::State::Going) return;
}

void Terminal::add_output_to(std::vector<pollfd>& polled) const {
  if (master_) output_.add_to(polled);
}

std::size_t Terminal::handle_output(const std::vector<pollfd>& polled) { return master_ ? output_.handle(polled) : 0; }

void Terminal::add_to(std::vector<pollfd>& polled) const {
  if (!master_) return;
  output_.add_to(polled);
  if (saved_ && !over_) typed_.add_to(polled);
  else if (timer_) polled.push_back({timer_.get(), POLLIN, 0});
}

void Terminal::handle(const std::vector<pollfd>& polled) {
  if (!master_) return;
  (void)output_.handle(polled);
  if (output_.state() == Relay::State::SinkGone) return hang_up();
  std::uint64_t looks = 0;
  if (timer_ && !saved_ && ::read(timer_.get(), &looks, sizeof looks) > 0) look_at_foreground();
  if (saved_ && !over_) pass_typed(polled);
}

// Asked before each read: in the background it would take from the shell what is typed there, or give EIO.
void Terminal::pass_typed(const std::vector<pollfd>& polled) {
  if (revents_of(polled, keyboard_.fd) != 0 && !may_be_held()) return let_go();
  (void)typed_.handle(polled);
  if (typed_.state() == Relay::State::Going) return;
  if (is_gone(readiness(keyboard_.fd, 0))) return hang_up();
  // An end of file that is none: of a terminal that somebody else took out of raw mode, or that left our foreground.
  typed_ = Relay(keyboard_, {master_.get(), Manner::Own});
  look_at_foreground();
}

// What the kernel does when a line drops: the jail's session leader and foreground group get SIGHUP.
void Terminal::hang_up() noexcept {
  slave_.reset();
  master_.reset();
}

void Terminal::copy_size() noexcept {
  const std::optional<winsize> size = sys::window_size(keyboard_.fd);
  if (size && master_) sys::set_window_size(master_.get(), *size);
}

// A shell sets the terminal as it likes it when a job stops, and not back when the job goes on.
void Terminal::continued() {
  look_at_foreground();
  if (saved_ && !over_ && in_line_mode()) hold();
  copy_size();
}

bool Terminal::in_foreground() const noexcept { return sys::foreground_group(keyboard_.fd) == ::getpgrp(); }

bool Terminal::in_line_mode() const noexcept {
  const std::optional<termios> attributes = sys::terminal_attributes(keyboard_.fd);
  return attributes && (attributes->c_lflag & ICANON) != 0;
}

bool Terminal::may_be_held() const noexcept {
  return input_ == TerminalInput::Always || (input_ != TerminalInput::Never && in_foreground());
}

// Whoever draws on a terminal takes it out of its line mode.
bool Terminal::is_left_alone() noexcept {
  if (input_ != TerminalInput::Shared) return true;
  quiet_looks_ = in_line_mode() ? quiet_looks_ + 1 : 0;
  return quiet_looks_ > kQuietLooks;
}

void Terminal::look_at_foreground() {
  if (over_) return;
  if (!saved_ && may_be_held() && is_left_alone()) hold();
  else if (saved_ && !may_be_held()) let_go();
}

void Terminal::hold() {
  saved_ = sys::terminal_attributes(keyboard_.fd);
  if (!saved_) return;
  (void)sys::set_terminal_attributes(keyboard_.fd, raw(*saved_));
  if (timer_) run_timer(timer_, milliseconds(0));
  copy_size();
}

void Terminal::yield() {
  if (input_ != TerminalInput::Shared || !saved_ || over_) return;
  if (in_foreground()) (void)sys::set_terminal_attributes(keyboard_.fd, *saved_);
  let_go();
}

// All but the processing of output, of which some may be on its way.
void Terminal::plugin_ended() {
  over_ = true;
  timer_.reset();
  if (!saved_ || !may_be_held()) return;
  drop_typed();
  termios attributes = *saved_;
  attributes.c_oflag = raw(*saved_).c_oflag;
  (void)sys::set_terminal_attributes(keyboard_.fd, attributes);
}

// Not restored here: in the background it is the shell that decides how its terminal is set.
void Terminal::let_go() {
  saved_.reset();
  quiet_looks_ = 0;
  if (timer_) run_timer(timer_, kLook);
}

}  // namespace jail::run
