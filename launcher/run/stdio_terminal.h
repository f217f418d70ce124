// One terminal of the operator's, and the jail's that stands for it. While our process group is the foreground one of
// the terminal that is the plugin's input, it is held: in raw mode, so that Ctrl-C, Ctrl-Z and the like are bytes
// that act in the jail's terminal, on the jail's processes. Otherwise it is written to and never read. Nothing tells
// a background group that it came to the foreground without having been stopped: a timer makes it look.
#pragma once

#include <termios.h>

#include <cstddef>
#include <optional>
#include <vector>

#include "base/fd.h"
#include "run/stdio.h"
#include "run/stdio_channel.h"
#include "run/stdio_questions.h"
#include "run/stdio_relay.h"

namespace jail::run {

class Terminal {
 public:
  // The operator's to read and to write, one description where it is ours.
  struct Operators {
    Channel keyboard;
    Channel screen;
  };
  Terminal(Operators operators, Fd master, TerminalInput input);
  ~Terminal();
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  void add_to(std::vector<pollfd>& polled) const;
  void handle(const std::vector<pollfd>& polled);
  void copy_size() noexcept;
  void continued();
  // The reader of the plugin's output is about to see its end, and may be an editor that then takes the terminal.
  void yield();
  void plugin_ended();

  // The plugin's output alone, for the time after its end.
  [[nodiscard]] bool pending() const noexcept { return master_ && output_.pending(); }
  void add_output_to(std::vector<pollfd>& polled) const;
  std::size_t handle_output(const std::vector<pollfd>& polled);

 private:
  [[nodiscard]] bool in_foreground() const noexcept;
  [[nodiscard]] bool in_line_mode() const noexcept;
  [[nodiscard]] bool may_be_held() const noexcept;
  [[nodiscard]] bool is_left_alone() noexcept;
  void look_at_foreground();
  void hold();
  void let_go();
  void pass_typed(const std::vector<pollfd>& polled);
  void hang_up() noexcept;
  void drop_answers() noexcept;
  void drop_typed() noexcept;

  Channel keyboard_;
  Fd master_;
  Fd slave_;  // held open: a master whose last slave was closed reads EIO, yet the plugin may open /dev/tty once more
  Fd timer_;  // runs while we wait for the foreground
  TerminalInput input_;
  bool over_ = false;    // the plugin has ended
  int quiet_looks_ = 0;  // since somebody else, such as a pager, had the terminal
  Questions questions_;
  Relay output_;
  Relay typed_;
  std::optional<termios> saved_;  // what to restore; nothing while the terminal is not held
};

}  // namespace jail::run
