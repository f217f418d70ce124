#!/usr/bin/python3
"""`jail run` in an interactive shell on a real terminal: a person's commands and keys, and what stands on the screen.

The test is the terminal emulator and the person in front of it; bash is the operator's shell, with job control.
Usage: terminal_test.py [-v] JAIL
"""
import fcntl
import os
import pathlib
import pty
import re
import select
import signal
import struct
import sys
import tempfile
import termios
import time
import unittest

JAIL = ""
PROMPT = "<operator>"
PATIENCE_S = 10
PROFILE = """\
version: 1
name: terminal
extends: [shell]
limits: {{time: {time}}}
"""


class Terminal:
    """An emulator with the operator's bash in it."""

    def __init__(self, folder):
        self.screen = ""
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "PS1": PROMPT,
                           "TERM": "xterm", "LC_ALL": "C"}
            os.chdir(folder)
            os.execve("/bin/bash", ["bash", "--norc", "--noprofile", "--noediting", "-i"], environment)
        self.resize(24, 80)
        self.until(PROMPT)

    def close(self):
        os.close(self.master)
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)

    def resize(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def press(self, keys):
        os.write(self.master, keys.encode())

    def until(self, wanted, patience_s=PATIENCE_S):
        """What the screen shows up to and with `wanted`, a regular expression; it is then forgotten."""
        end = time.monotonic() + patience_s
        while not (found := re.search(wanted, self.screen)):
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.master], [], [], left)[0]:
                raise AssertionError(f"'{wanted}' does not come; the screen shows {self.screen!r}")
            self.screen += os.read(self.master, 65536).decode(errors="replace")
        shown, self.screen = self.screen[:found.end()], self.screen[found.end():]
        return shown

    def quiet(self, seconds):
        """What comes within a time."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if select.select([self.master], [], [], left)[0]:
                self.screen += os.read(self.master, 65536).decode(errors="replace")
        shown, self.screen = self.screen, ""
        return shown

    def run(self, command):
        """Types a command and returns its output, without the echo of the command."""
        self.press(command + "\r")
        return self.until(re.escape(PROMPT))[len(command):-len(PROMPT)].replace("\r\n", "\n").strip("\n")


class OnATerminal(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        folder = pathlib.Path(self.folder.name)
        for name, limit in (("sh", "60s"), ("brief", "1s")):
            (folder / f"{name}.yaml").write_text(PROFILE.format(time=limit))
        self.terminal = Terminal(folder)
        self.terminal.run(f"J() {{ local p=$1; shift; {JAIL} run --audit log.jsonl ./$p.yaml -- \"$@\"; }}")

    def tearDown(self):
        self.terminal.close()
        self.folder.cleanup()

    def into_jail(self):
        """An interactive shell in the jail, at its prompt."""
        self.terminal.press("J sh env PS1='<plug''in>' sh -i\r")
        self.terminal.until("<plugin>")

    def start_in_jail(self, then):
        """A job in the jail's shell; it says when it runs."""
        self.terminal.press(f"sh -c 'echo u\"\"p; exec {then}'\r")
        self.terminal.until("up\r\n")

    def leave_jail(self, status=0):
        self.terminal.press(f"exit {status}\r")
        self.terminal.until(re.escape(PROMPT))
        self.assertEqual(self.terminal.run("echo status=$?"), f"status={status}")

    def test_a_shell_answers_and_its_status_comes_back(self):
        before = self.terminal.run("stty -a")
        self.into_jail()
        self.terminal.press("echo $((6*7)); tty\r")
        shown = self.terminal.until("<plugin>")
        self.assertIn("42", shown)
        self.assertIn("/dev/pts/0", shown)
        self.leave_jail(5)
        self.assertEqual(self.terminal.run("stty -a"), before)

    def test_keys_are_echoed_once(self):
        self.into_jail()
        self.terminal.press("echo twice\r")
        self.assertEqual(self.terminal.until("<plugin>"), "echo twice\r\ntwice\r\n<plugin>")
        self.leave_jail()

    def test_a_control_c_ends_the_job_and_not_the_shell_in_the_jail(self):
        self.into_jail()
        self.start_in_jail("sleep 30")
        self.terminal.press("\x03")
        self.terminal.until("<plugin>")
        self.terminal.press("echo rc=$?\r")
        self.terminal.until("rc=130")
        self.leave_jail()

    def test_a_control_c_ends_a_plain_plugin(self):
        self.terminal.press("J sh sh -c 'echo u\"\"p; exec sleep 30'\r")
        self.terminal.until("up\r\n")
        self.terminal.press("\x03")
        self.terminal.until(re.escape(PROMPT))
        self.assertEqual(self.terminal.run("echo status=$?"), "status=130")

    def test_a_control_c_ends_a_plugin_whose_input_is_no_terminal(self):
        self.terminal.press("J sh sh -c 'echo u\"\"p; exec sleep 30' </dev/null\r")
        self.terminal.until("up\r\n")
        self.terminal.press("\x03")
        self.terminal.until(re.escape(PROMPT))
        self.assertEqual(self.terminal.run("echo status=$?"), "status=130")

    def test_jobs_can_be_stopped_and_resumed_in_the_jail(self):
        self.into_jail()
        self.start_in_jail("cat")
        self.terminal.press("\x1a")
        self.assertIn("Stopped", self.terminal.until("<plugin>"))
        self.terminal.press("fg\r")
        self.terminal.press("line\r")
        self.terminal.until("line\r\n(.|\n)*line\r\n")  # it reads, so it is in the foreground
        self.terminal.press("\x03")
        self.terminal.until("<plugin>")
        self.leave_jail(0)

    def test_a_new_size_is_seen_and_signalled(self):
        self.terminal.press("J sh sh -c 'trap \"stty size; exit\" WINCH; stty size; while :; do sleep 0.1; done'\r")
        self.terminal.until("24 80")
        self.terminal.resize(33, 111)
        self.terminal.until("33 111")
        self.terminal.until(re.escape(PROMPT))

    def test_an_end_of_input_is_typed(self):
        self.terminal.press("J sh sh -c 'echo u\"\"p; exec cat'\r")
        self.terminal.until("up\r\n")
        self.terminal.press("line\r")
        self.terminal.until("line\r\nline\r\n")
        self.terminal.press("\x04")
        self.terminal.until(re.escape(PROMPT))

    def test_in_the_background_it_writes_and_waits_and_in_the_foreground_it_reads(self):
        self.terminal.press("J sh sh -c 'echo u\"\"p; read line; echo got:$line' &\r")
        if "up\r" not in self.terminal.until(re.escape(PROMPT)):
            self.terminal.until("up\r")
        self.assertIn("mine", self.terminal.run("echo mine"))
        self.assertIn("Running", self.terminal.run("jobs"))
        self.terminal.press("fg\r")
        self.terminal.press("yours\r")
        self.terminal.until("got:yours")
        self.terminal.until(re.escape(PROMPT))

    def test_the_answers_of_the_terminal_do_not_become_a_command(self):
        self.terminal.press("J sh sh -c 'printf \"\\033[6n\"; sleep 1'\r")
        self.terminal.until("\x1b\\[6n")
        self.terminal.press("\x1b[1;1R;echo injected\r")
        self.terminal.until("injected")
        self.terminal.until(re.escape(PROMPT))
        self.assertEqual(self.terminal.quiet(0.5), "")
        self.assertEqual(self.terminal.run("echo clean"), "clean")

    def test_a_pager_behind_it_gets_the_keys(self):
        pager = ("import os,sys,termios,tty; t=os.open(\"/dev/tty\",os.O_RDWR); "
                 "old=termios.tcgetattr(t); tty.setcbreak(t); print(\"READY\",flush=True);"
                 "text=sys.stdin.read(); print(\"PAGE\",text.strip(),flush=True);"
                 "keys=b\"\".join(os.read(t,1) for _ in range(3)); termios.tcsetattr(t,termios.TCSANOW,old);"
                 "print(\"KEYS\",keys.decode())")
        self.terminal.press(f"J sh sh -c 'echo text; sleep 2' | python3 -c '{pager}'\r")
        self.terminal.until("READY\r?\n")  # what is typed before is flushed
        self.terminal.press("a")
        self.terminal.until("PAGE text")
        self.terminal.press("bc")
        self.terminal.until("KEYS abc")
        self.terminal.until(re.escape(PROMPT))

    def test_a_loop_keeps_its_input(self):
        shown = self.terminal.run("printf '1\\n2\\n3\\n' | while read n; do J sh echo n$n; done")
        self.assertEqual(shown, "n1\nn2\nn3")
        self.assertEqual(self.terminal.run("printf 'a\\nb\\nc\\n' | { J sh sh -c 'read x; echo $x'; cat; }"), "a\nb\nc")

    def test_no_command_is_written_into_the_script_that_a_shell_reads(self):
        attack = "sh -c 'echo \"echo INJECTED-\\$((40+2))\" >/proc/self/fd/0'"
        folder = pathlib.Path(self.folder.name)
        (folder / "plain").write_text(attack + "\n")
        (folder / "jailed").write_text(f"{JAIL} run --audit log.jsonl ./sh.yaml -- {attack}\n")
        self.assertIn("INJECTED-42", self.terminal.run("{ cat plain; sleep 1; } | bash -s"), "control")
        self.assertNotIn("INJECTED", self.terminal.run("{ cat jailed; sleep 1; } | bash -s"))

    def test_a_reader_that_does_not_read_does_not_delay_the_time_limit(self):
        self.terminal.press("{ J brief yes; echo status=$? >&2; } | sleep 30 &\r")
        self.terminal.until("status=124", 8)
        self.terminal.run("kill %1; wait")

    def test_a_reader_that_goes_away_ends_the_plugin(self):
        self.assertEqual(self.terminal.run("J sh yes | head -n 2; echo ${PIPESTATUS[0]}"), "y\ny\n141")

    def test_a_slow_reader_gets_everything(self):
        self.assertEqual(self.terminal.run("J sh head -c 300000 /dev/zero | { sleep 1; wc -c; }"), "300000")

    def test_a_signal_to_the_supervisor_restores_the_terminal(self):
        before = self.terminal.run("stty -a")
        self.terminal.press("J sh sh -c 'echo u\"\"p; sleep 30'; stty -a; echo d\"\"one\r")
        self.terminal.until("up")
        os.kill(os.tcgetpgrp(self.terminal.master), signal.SIGTERM)
        self.assertIn(before, self.terminal.until("done").replace("\r\n", "\n"))
        self.terminal.until(re.escape(PROMPT))

    def test_a_stopped_supervisor_goes_on(self):
        self.terminal.press("J sh sh -c 'echo u\"\"p; read line; echo got:$line'\r")
        self.terminal.until("up")
        os.kill(os.tcgetpgrp(self.terminal.master), signal.SIGSTOP)
        self.terminal.until(f"Stopped(.|\n)*{PROMPT}")
        self.assertEqual(self.terminal.run("echo mine"), "mine")
        self.terminal.press("fg\r")
        self.terminal.press("yours\r")
        self.terminal.until("got:yours")
        self.terminal.until(re.escape(PROMPT))


if __name__ == "__main__":
    JAIL = os.path.abspath(sys.argv.pop())
    unittest.main()
