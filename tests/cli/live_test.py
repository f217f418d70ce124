"""The operator's hand on live jails: `ps`, `top`, `kill`, `freeze`, `thaw`, `logs`, `disable`, `enable`. Who may see
and end whom, what becomes of a jail whose supervisor hangs, and that no plugin gets at any of it.
"""
import contextlib
import ctypes
import json
import os
import pathlib
import pty
import select
import signal
import socket
import subprocess
import time
import unittest

from jail_case import BINARY, IS_ROOT, JailTest, both_launchers
from world import CLONE_NEWNS, LIBC, MNT_DETACH, leave_the_hosts

COUNTER = "i=0; while :; do i=$((i+1)); echo $i > count; done"
STRANGER = 60001
PTRACE_SEIZE, PTRACE_INTERRUPT = 0x4206, 0x4207
TOLD = "it wakes itself: 'jail kill' ends it"


def wait_for(condition, what, seconds=30):
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        if found := condition():
            return found
        time.sleep(0.02)
    raise AssertionError(f"waited in vain for {what}")


class Started:
    """Ends what a test has started before it looks for what is left."""

    def setUp(self):
        self.processes = []
        super().setUp()

    def tearDown(self):
        for process in self.processes:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGCONT)
                process.kill()
            process.communicate(timeout=30)
        super().tearDown()


@both_launchers
class Live(Started):
    def start(self, *words, name="live", more="", log=None):
        profile = self.document(f"version: 1\nname: \"{name}\"\nextends: [shell]\n"
                                f"filesystem: {{write: [\"{self.dir}/write\"]}}\n{more}", name)
        arguments = [BINARY, "run", "--audit", str(log or self.log), profile, "--", *(words or ("sleep", "1000"))]
        process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   preexec_fn=self.become(), env=self.environment, cwd=self.dir / "write")
        self.processes.append(process)
        self.wait_until_listed(process)
        return process

    def ps(self):
        """Those of this test's user: others may have theirs."""
        return [one for one in json.loads(self.jail("ps", "--json").out) if one["uid"] == self.uid]

    def mine(self, process):
        return next((one for one in self.ps() if one["supervisor"] == process.pid), None)

    def wait_until_listed(self, process):
        def is_there():
            found = self.mine(process)
            return found if found and found["state"] == "running" else None
        return wait_for(is_there, "the jail to be listed")

    def act(self, verb, *words):
        return self.jail(verb, *words)

    def test_ps(self):
        process = self.start("sh", "-c", "sleep 1000 & sleep 1000; :")
        wait_for(lambda: self.mine(process)["processes"] == 3, "three processes")
        found = self.mine(process)
        self.assertEqual((found["profile"], found["state"], found["command"], found["log"]),
                         ("live", "running", "sh -c sleep 1000 & sleep 1000; :", str(self.log)))
        self.assertGreater(found["memory"], 100_000)
        self.assertGreaterEqual(found["events"], 1)
        self.assertEqual(len([line for line in self.jail("ps").out.splitlines() if found["run"] in line]), 1)

    def test_what_it_uses_and_what_it_is_denied(self):
        process = self.start("sh", "-c", "cat /etc/shadow; cat /etc/gshadow; while :; do :; done")
        wait_for(lambda: self.mine(process)["cpu_ms"] > 50, "a processor's time")
        wait_for(lambda: self.mine(process)["denied"] >= 2, "denials")

    def test_what_has_ended_is_not_listed(self):
        process = self.start()
        process.kill()  # the supervisor, which can say nothing any more
        process.communicate(timeout=30)
        self.assertIsNone(self.mine(process))

    def test_kill(self):
        process = self.start("sh", "-c", "trap '' TERM; (setsid sleep 1000 &) ; sleep 1000")
        run = self.mine(process)["run"]
        ended = self.act("kill", run[:6], "--reason", "enough")
        self.assertEqual((ended.code, ended.out), (0, f"ended {run} (live)\n"), ended)
        self.assertEqual(process.wait(timeout=30), 137)
        self.assertIn(b"killed by the operator: enough", process.stderr.read())
        action, = [record for record in self.records() if record["kind"] == "operator.action"]
        self.assertEqual((action["action"], action["by_uid"], action["reason"]), ("kill", self.uid, "enough"))
        last = self.records()[-1]
        self.assertEqual((last["kind"], last["outcome"], last["reason"]),
                         ("run.ended", "killed", "killed by the operator: enough"))

    def test_kill_by_the_name_of_a_profile(self):
        both, other = [self.start(name="one"), self.start(name="one")], self.start(name="two")
        self.assertEqual(self.act("kill", "one").code, 0)
        self.assertEqual([process.wait(timeout=30) for process in both], [137, 137])
        self.assertIsNotNone(self.mine(other))
        ended = self.act("kill", "one")
        self.assertEqual(ended.code, 1)
        self.assertIn("no live jail has the profile 'one'", ended.error)

    def test_a_profiles_name_is_not_the_beginning_of_a_run(self):
        one, other = self.start(name="one"), self.start(name="other")
        letters = self.mine(other)["run"][:4]
        self.assertEqual(self.act("kill", letters[:3]).code, 1)
        named = self.start(name=letters)
        self.assertEqual(self.act("kill", letters).code, 0)
        self.assertEqual(named.wait(timeout=30), 137)
        self.assertIsNotNone(self.mine(other))
        self.assertIsNotNone(self.mine(one))
        both = self.act("kill", "")
        self.assertNotEqual(both.code, 0)
        self.assertIsNotNone(self.mine(other))

    def test_kill_with_a_supervisor_that_is_stopped(self):
        """It obeys and writes its log all the same."""
        process = self.start()
        process.send_signal(signal.SIGSTOP)
        wait_for(lambda: self.mine(process)["state"] == "no answer", "no answer")
        self.assertEqual(self.mine(process)["profile"], "live")
        self.assertEqual(self.act("disable", "live", "--kill", "--reason", "enough").code, 0)
        self.addCleanup(self.act, "enable", "live")
        self.assertEqual(process.wait(timeout=30), 137)
        self.assertEqual(self.records()[-1]["reason"], "killed by the operator: enough")

    def test_kill_with_a_supervisor_that_hangs(self):
        process = self.start("sh", "-c", "echo $$ > pid; sleep 1000")
        plugin = self.mine(process)["pid"]
        handle = os.pidfd_open(plugin)
        for request in (PTRACE_SEIZE, PTRACE_INTERRUPT):
            self.assertEqual(LIBC.ptrace(request, process.pid, None, None), 0)
        wait_for(lambda: self.mine(process)["state"] == "no answer", "no answer")
        ended = self.act("kill", "live")
        self.assertEqual(ended.code, 0, ended)
        self.assertEqual(process.wait(timeout=30), -9)
        self.assertTrue(select.select([handle], [], [], 30)[0], "the plugin lives on")
        os.close(handle)

    def count(self):
        with contextlib.suppress(ValueError, FileNotFoundError):
            return int((self.dir / "write" / "count").read_text())
        return 0

    def test_freeze_and_thaw(self):
        process = self.start("sh", "-c", f"({COUNTER}) & wait")
        wait_for(lambda: self.count() > 10, "the counter")
        self.assertEqual(self.act("freeze", "live", "--reason", "let me see").code, 0)
        self.assertEqual([self.mine(process)[key] for key in ("state", "reason")],
                         ["frozen", "frozen by the operator: let me see"])
        before, used = self.count(), self.mine(process)["cpu_ms"]
        deadline = time.monotonic() + 0.3
        while time.monotonic() < deadline:
            self.assertEqual((self.count(), self.mine(process)["cpu_ms"]), (before, used))
        self.assertEqual(self.act("thaw", "live").code, 0)
        wait_for(lambda: self.count() > before + 10, "the counter to go on")
        again = self.act("thaw", "live")
        self.assertEqual(again.code, 1)
        self.assertIn("it is not frozen", again.error)
        self.assertEqual([record["action"] for record in self.records() if record["kind"] == "operator.action"],
                         ["freeze", "thaw"])

    def actions(self):
        return [record for record in self.records() if record["kind"] == "operator.action"]

    def group(self):
        return next(record for record in self.records() if record["kind"] == "run.started").get("cgroup")

    def wake(self, plugin):
        """As a timer or a socket of its own would."""
        for _ in range(20):
            os.kill(plugin, signal.SIGCONT)
            time.sleep(0.002)

    def test_who_is_woken_again_and_again(self):
        """Its group holds it; without one it is stopped again, and the operator is told."""
        process = self.start("sh", "-c", COUNTER)
        plugin = self.mine(process)["pid"]
        wait_for(lambda: self.count() > 10, "the counter")
        self.assertEqual(self.act("freeze", "live").code, 0)
        if self.group():
            before = (self.dir / "write" / "count").read_text()
            for _ in range(5):
                self.wake(plugin)
                self.assertEqual((self.dir / "write" / "count").read_text(), before)
            self.assertEqual([action.get("reason") for action in self.actions()], [None])
        else:
            wait_for(lambda: self.wake(plugin) or TOLD in self.mine(process)["reason"], "what jail ps says")
            state = pathlib.Path(f"/proc/{plugin}/stat")
            wait_for(lambda: state.read_text().rpartition(")")[2].split()[0] == "T", "a stop")
            self.assertEqual([action.get("reason") for action in self.actions()], [None, TOLD])
        before = self.count()
        self.assertEqual(self.act("thaw", "live").code, 0)
        wait_for(lambda: self.count() > before + 10, "the counter to go on")
        self.assertEqual(self.mine(process)["state"], "running")

    def test_who_is_frozen_can_be_ended(self):
        for end in (lambda process: process.terminate(), lambda _: self.act("kill", "live")):
            process = self.start("sh", "-c", "trap '' TERM; while :; do sleep 1; done")
            self.assertEqual(self.act("freeze", "live").code, 0)
            end(process)
            self.assertEqual(process.wait(timeout=30), 137)

    def test_time_goes_on_for_who_is_frozen(self):
        process = self.start(more="limits: {time: 1s, grace: 60s}\n")
        self.assertEqual(self.act("freeze", "live").code, 0)
        self.assertEqual(process.wait(timeout=30), 124)

    def test_top(self):
        self.start(name="topmost")
        out = self.jail("top", "-n", "2", "--every", "0.1", "--sort", "age").out
        self.assertEqual(out.count("live jails, by age"), 2)
        self.assertEqual(out.count("topmost"), 2)
        self.assertNotIn("\x1b", out)
        self.assertEqual(self.jail("top", "--sort", "beauty").code, 2)

    def test_top_on_a_terminal(self):
        self.start()
        ours, theirs = pty.openpty()
        process = subprocess.Popen([BINARY, "top", "--every", "0.2"], stdin=theirs, stdout=theirs,
                                   stderr=subprocess.PIPE, preexec_fn=self.become(),
                                   env={**self.environment, "TERM": "xterm"})
        os.close(theirs)
        shown = b""

        def shows(words):
            nonlocal shown
            if select.select([ours], [], [], 0.1)[0]:
                with contextlib.suppress(OSError):
                    shown += os.read(ours, 65536)
            return words in shown
        wait_for(lambda: shows(b"live jails, by cpu"), "the first screen")
        os.write(ours, b"m")
        wait_for(lambda: shows(b"by memory"), "the other order")
        os.write(ours, b"q")
        wait_for(lambda: shows(b"\x1b[?1049l"), "the screen to be given back")
        self.assertEqual(process.wait(timeout=30), 0)
        process.stderr.close()
        os.close(ours)

    def test_logs(self):
        elsewhere = self.dir / "log" / "elsewhere.jsonl"
        process = self.start("sh", "-c", "cat /etc/shadow; sleep 1000", log=elsewhere)
        run = self.mine(process)["run"]
        wait_for(lambda: "shadow" in self.jail("logs", run[:8], "--denied").out, "the denial")
        self.assertEqual(self.jail("logs", "live", "--denied", "--json").out.count('"/etc/shadow"'), 1)

    def test_logs_of_one_of_several(self):
        """Who begins several runs' ids with his word means one of them, and is told which there are."""
        if self.uid == 0:
            self.skipTest("root's logs are the machine's own")
        profile = self.document("version: 1\nname: live\nextends: [shell]\n")
        runs = {}
        while max(map(len, runs.values()), default=0) < 2:
            self.assertEqual(self.jail("run", profile, "--", "true").code, 0)
            run = json.loads(self.jail("audit", "tail", "--json", "-n", "1", "live").out)["run"]
            runs.setdefault(run[0], []).append(run)
        first, both = next((first, both) for first, both in runs.items() if len(both) == 2)
        asked = self.jail("logs", first)
        self.assertEqual((asked.code, asked.out), (1, ""), asked)
        for run in both:
            self.assertIn(f"{run} (live)", asked.error)
        self.assertIn(both[0], self.jail("logs", "--json", both[0]).out)
        named = self.document("version: 1\nname: bad\nextends: [shell]\n", "bad")  # hexadecimal, and no run's id
        self.assertEqual(self.jail("run", named, "--", "true").code, 0)
        self.assertIn('"profile":"bad"', self.jail("logs", "--json", "bad").out)

    def test_reasons_are_whole_or_refused(self):
        process = self.start()
        longest = "r" * 192
        for words in (("kill", "live"), ("freeze", "live"), ("disable", "live")):
            ended = self.act(*words, "--reason", longest + "!")
            self.assertEqual(ended.code, 2, ended)
            self.assertIn("--reason: it has 193 bytes of at most 192", ended.error)
        self.assertEqual(self.act("freeze", "live", "--reason", longest).code, 0)
        self.assertEqual(self.mine(process)["reason"], f"frozen by the operator: {longest}")

    def test_disable(self):
        ran = self.run_and_end()
        self.assertEqual(ran.code, 0, ran)
        live = self.start()
        ended = self.act("disable", "live", "--reason", "CVE-1 \x1b[31m", "--kill")
        self.addCleanup(self.act, "enable", "live")
        self.assertEqual(ended.code, 0, ended)
        self.assertEqual(live.wait(timeout=30), 137)
        self.assert_refused(self.run_and_end(), "profile 'live' is disabled", "CVE-1 \\x1b[31m", "jail enable live")
        self.assertEqual(self.records()[-1]["kind"], "run.refused")
        self.assertEqual(self.said_of_disabled("check"), self.said_of_disabled("show"))
        self.assertIn("profile 'live', since 20", self.jail("disable").out)
        self.assertEqual(self.run_and_end(name="other").code, 0)
        self.assertEqual(self.act("enable", "live").code, 0)
        self.assertEqual(self.run_and_end().code, 0)
        self.assertEqual(self.act("enable", "live").code, 1)

    def run_and_end(self, name="live"):
        profile = self.document(f"version: 1\nname: {name}\nextends: [shell]\n", name)
        return self.jail("run", "--audit", self.log, profile, "--", "true")

    def said_of_disabled(self, verb):
        asked = self.jail(verb, self.document("version: 1\nname: live\nextends: [shell]\n"))
        self.assertEqual(asked.code, 0, asked)
        for words in ("profile 'live' is disabled by uid", " since 20", "CVE-1 \\x1b[31m", "'jail enable live'"):
            self.assertIn(words, asked.error)
        return asked.error

    def test_disable_bad_words(self):
        self.assertIn("is no name of a profile", self.act("disable", "../x").error)
        self.assertEqual(self.act("enable").code, 2)
        self.assertEqual(self.act("kill").code, 2)

    def test_disable_all(self):
        self.assertEqual(self.act("disable", "--all").code, 0)
        self.assert_refused(self.run_and_end(), "every profile is disabled")
        self.assertEqual(self.act("enable", "live").code, 1)
        self.assertEqual(self.act("enable", "--all").code, 0)
        self.assertEqual(self.run_and_end().code, 0)

    def test_what_is_disabled_stays_so_whatever_becomes_of_its_file(self):
        self.assertEqual(self.act("disable", "live").code, 0)
        self.addCleanup(self.act, "enable", "live")
        file = pathlib.Path("/etc/jail/disabled/live") if self.uid == 0 else \
            self.dir / "home" / ".local" / "state" / "jail" / "disabled" / "live"
        for content in (b"", b"\0\xff", b"{" * 100_000):
            file.write_bytes(content)
            self.assert_refused(self.run_and_end(), "is disabled")
        file.unlink()
        file.symlink_to("nowhere")
        self.assert_refused(self.run_and_end(), "is disabled")
        file.unlink()
        file.mkdir()
        self.assert_refused(self.run_and_end(), "is disabled")
        file.rmdir()
        self.assertEqual(self.run_and_end().code, 0)

    def test_no_jail_may_write_the_list(self):
        place = "/etc/jail/disabled" if self.uid == 0 else str(self.dir / "home/.local/state/jail/disabled")
        profile = self.document("version: 1\nname: live\nextends: [shell]\n"
                                f"filesystem: {{write: [{{path: {place}, optional: true}}]}}\n")
        self.assert_refused(self.jail("run", "--audit", self.log, profile, "--", "true"), place)

    def test_no_plugin_gets_at_the_socket_of_a_jail(self):
        """With the network of the host it has the same abstract names, and to the kernel it is its user."""
        target = self.start()
        name = f"jail/{self.uid}/{self.mine(target)['run']}/live"
        code = ("import socket\ns = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)\n"
                f"s.connect('\\0{name}')\nprint(len(s.recv(65536)))")
        outside = subprocess.run(["/usr/bin/python3", "-c", code], stdout=subprocess.PIPE, check=True,
                                 preexec_fn=self.become(), env=self.environment)
        self.assertGreater(int(outside.stdout), 100)
        for network in ("", "network: {mode: host}\n"):
            profile = self.document(f"version: 1\nname: guest\nextends: [python]\n{network}")
            ended = self.jail("run", "--audit", self.log, profile, "--", "python3", "-c", code)
            self.assertEqual(ended.code, 1, ended)
            self.assertRegex(ended.error, "PermissionError|ConnectionRefusedError")


class Strangers(Started, JailTest):
    """Two users and root."""

    def setUp(self):
        super().setUp()

    def as_stranger(self, *words):
        def become():
            os.setgroups([])
            os.setresgid(STRANGER, STRANGER, STRANGER)
            os.setresuid(STRANGER, STRANGER, STRANGER)
        home = self.dir / "stranger"
        home.mkdir(exist_ok=True)
        os.chown(home, STRANGER, STRANGER)
        process = subprocess.Popen(words, preexec_fn=become, env={"PATH": "/usr/bin:/bin", "HOME": str(home)},
                                   cwd=home, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.processes.append(process)
        return process

    def impostor(self, code):
        """A stranger's program, once it says that it is ready."""
        process = self.as_stranger("/usr/bin/python3", "-c", code)
        self.assertEqual(process.stdout.readline(), b"ready\n")
        return process

    def listed(self, uid=0):
        return [one for one in json.loads(self.jail("ps", "--json").out) if one["uid"] == uid]

    def test_root_sees_and_ends_what_others_do_not(self):
        profile = self.document("version: 1\nname: theirs\nextends: [shell]\n")
        jailed = self.as_stranger(BINARY, "run", "--audit", "/dev/null", profile, "--", "sleep", "1000")
        found, = wait_for(lambda: [one for one in self.listed(STRANGER) if one["state"] == "running"], "their jail")
        self.uid = 60002
        self.assertEqual(self.listed(STRANGER), [])
        self.assertEqual(self.jail("kill", found["run"]).code, 1)
        self.uid = 0
        self.assertEqual(self.jail("freeze", found["run"]).code, 0)
        self.uid = STRANGER
        self.assertIn("root has frozen it", self.jail("thaw", found["run"]).error)
        self.uid = 0
        self.assertEqual(self.jail("thaw", found["run"]).code, 0)
        self.assertEqual(self.jail("kill", found["run"]).code, 0)
        self.assertEqual(jailed.wait(timeout=30), 137)

    def test_a_socket_of_another_user_is_served_to_nobody_else(self):
        profile = self.document("version: 1\nname: theirs\nextends: [shell]\n")
        jailed = self.as_stranger(BINARY, "run", "--audit", "/dev/null", profile, "--", "sleep", "1000")
        found, = wait_for(lambda: [one for one in self.listed(STRANGER) if one["state"] == "running"], "their jail")
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as control:
            control.connect(f"\0jail/{STRANGER}/{found['run']}/theirs")
            self.assertGreater(len(control.recv(65536)), 100)
        os.seteuid(60002)
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as control:
                control.settimeout(30)
                control.connect(f"\0jail/{STRANGER}/{found['run']}/theirs")
                self.assertEqual(control.recv(65536), b"")
        finally:
            os.seteuid(0)

    def test_nobody_passes_for_a_jail_of_somebody_else(self):
        """Nor does a socket that says nothing, or nonsense, hold anybody up."""
        code = ("import os, socket\n"
                "def listening(name):\n"
                "    one = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)\n"
                "    one.bind('\\0jail/' + name)\n"
                "    one.listen(5)\n"
                "    return one\n"
                "of_root, of_path = listening('0/00000000deadbeef/live'), listening(f'{os.getuid()}/../../etc')\n"
                "own = listening(f'{os.getuid()}/00000000deadbeef/live')\n"
                "print('ready', flush=True)\n"
                "while True:\n"
                "    visitor, _ = own.accept()\n"
                "    visitor.send(b'x' * 5000)\n"
                "    visitor.recv(1)\n")
        impostor = self.impostor(code)
        self.assertEqual([one["run"] for one in self.listed() if one["run"] == "00000000deadbeef"], [])
        self.assertEqual([one["state"] for one in self.listed(STRANGER)], ["no answer"])

    def test_nobody_hides_a_jail_or_holds_up_its_end(self):
        """By thousands of names in the space of all, by a queue that is full, by an end that never comes."""
        profile = self.document("version: 1\nname: theirs\nextends: [shell]\n")
        jailed = self.start_as_root(profile)
        code = ("import os, socket, sys\n"
                "own = os.getuid()\n"
                "def named(name, listens):\n"
                "    one = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)\n"
                "    one.bind('\\0jail/' + name)\n"
                "    if listens: one.listen(0)\n"
                "    return one\n"
                "some = [named(f'0/{number:016x}/live', False) for number in range(450)]\n"
                "some += [named(f'0/{number:016x}/live', True) for number in range(500, 900)]\n"
                "full = named(f'{own}/00000000feedbeef/nobodys', True)\n"
                "some += [socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(3)]\n"
                "for one in some[-3:]:\n"
                "    one.setblocking(False)\n"
                "    try: one.connect('\\0jail/' + f'{own}/00000000feedbeef/nobodys')\n"
                "    except BlockingIOError: pass\n"
                "print('ready', flush=True)\nsys.stdin.read()\n")
        impostor = self.impostor(code)
        self.assertIn(jailed.pid, [one["supervisor"] for one in self.listed()])
        self.assertEqual([one["state"] for one in self.listed(STRANGER)], ["no answer"])
        ended = self.jail("kill", "theirs")
        self.assertEqual((ended.code, ended.out.count("ended")), (0, 1), ended)
        self.assertEqual(jailed.wait(timeout=30), 137)
        self.assertEqual(self.jail("disable", "nobodys", "--kill").code, 1)  # nobody gets at it to see who it is
        self.assertIsNone(impostor.poll())
        self.jail("enable", "nobodys")

    def start_as_root(self, profile):
        process = subprocess.Popen([BINARY, "run", "--audit", "/dev/null", profile, "--", "sleep", "1000"],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   env=self.environment, cwd=self.dir / "write")
        self.processes.append(process)
        wait_for(lambda: [one for one in self.listed() if one["supervisor"] == process.pid and
                          one["state"] == "running"], "the jail")
        return process

    def test_what_root_disables_is_disabled_for_all(self):
        profile = self.document("version: 1\nname: theirs\nextends: [shell]\n")
        self.assertEqual(self.jail("disable", "theirs", "--reason", "for all").code, 0)
        self.addCleanup(self.jail, "enable", "theirs")
        self.uid = 60002
        refused = self.jail("run", "--audit", "/dev/null", profile, "--", "true")
        self.assert_refused(refused, "is disabled by uid 0", "for all")
        self.assertIn("still is, by uid 0", self.jail("enable", "theirs").error)
        self.uid = 0


WORK = pathlib.Path("/etc/jail")
MADE = False


def setUpModule():
    """What root disables here holds in this process's mount namespace alone."""
    global MADE
    if not IS_ROOT:
        return
    MADE = not WORK.exists()
    WORK.mkdir(exist_ok=True)
    leave_the_hosts(CLONE_NEWNS)
    if LIBC.mount(b"none", bytes(WORK), b"tmpfs", 0, b"mode=755") != 0:
        raise OSError(ctypes.get_errno(), "mount")


def tearDownModule():
    if IS_ROOT:
        LIBC.umount2(bytes(WORK), MNT_DETACH)
    if MADE:
        WORK.rmdir()


if __name__ == "__main__":
    unittest.main()
