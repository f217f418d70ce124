"""Limits of a jail as a whole, by its control group: each is reached by who tries, nobody else pays, and the log tells.

Needs control groups of version 2 that have controllers; elsewhere these are skipped, by that name.
"""
import contextlib
import itertools
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

from jail_case import BINARY, IS_ROOT, both_launchers
from live_test import wait_for

TOP = pathlib.Path("/sys/fs/cgroup")
WANTED = {"memory", "pids", "cpu"}
NUMBERS = itertools.count(1)
MIB = 1 << 20
TAKES = """
import os, sys, threading
def take(name, limit, one):
    try:
        for number in range(limit * 2 if name in sys.argv else limit // 2):
            one(number)
    except (OSError, RuntimeError):
        pass
idle, zero = threading.Event(), os.open("/dev/zero", os.O_RDONLY)
full = os.open("/tmp/full", os.O_CREAT | os.O_WRONLY)
take("limits.pids", 20, lambda _: threading.Thread(target=idle.wait, daemon=True).start())
take("limits.temporary", 4 << 8, lambda _: os.write(full, bytes(4096)))
take("limits.temporary_inodes", 1024, lambda number: os.symlink("x", f"/tmp/{number}"))
take("limits.files", 64, lambda _: os.dup(zero))
sys.stdin.read()
"""


def own_group():
    lines = pathlib.Path("/proc/self/cgroup").read_text().splitlines()
    return TOP / next((line[4:] for line in lines if line.startswith("0::")), "")


def controllers_of(group, file="cgroup.subtree_control"):
    try:
        return set((group / file).read_text().split())
    except OSError:
        return set()


def write(file, text):
    file.write_text(text)


def enter(group):
    write(group / "cgroup.procs", "0")


class Limited:
    def limited(self, limits, *words, more="", **others):
        self.log.unlink(missing_ok=True)
        grants = f"  exec: [\"{self.attacker}\"]\n  write: [\"{self.dir}/write\"]\n{more}"
        return self.run_plugin(*words, profile=self.profile(f"limits: {{{limits}}}\n", grants), **others)

    def reached(self):
        return [(record["which"], record["value"], record["limit"]) for record in self.records()
                if record["kind"] == "limit.reached"]

    def last(self):
        record = self.records()[-1]
        self.assertEqual(record["kind"], "run.ended")
        return record

    def started(self):
        return next(record for record in self.records() if record["kind"] == "run.started")

    def layer(self, name):
        return next(layer for layer in self.started()["policy"] if layer["layer"] == name)


# Past the page cache, in which no limit is met.
WRITE_AND_READ = ("dd if=/dev/zero of=x bs=64k count=32 oflag=direct status=none; "
                  "dd if=x of=/dev/null bs=64k iflag=direct status=none")

# Two children that it leaves behind once each has 200 ms of a processor, and 20 MiB.
LEAVES = """
import os, time
def used(pid): return sum(map(int, open(f'/proc/{pid}/stat').read().rsplit(')', 1)[1].split()[11:13]))
reading, writing = os.pipe()
def spin():
    kept = b'x' * (20 << 20)
    os.write(writing, b'x')
    while True: pass
children = [os.fork() or spin() for _ in range(2)]
for _ in children: os.read(reading, 1)
while any(used(child) < 20 for child in children): time.sleep(0.01)
"""


@both_launchers
class OfEachProcess(Limited):
    """What needs no control group, and what becomes of the others without."""

    def test_descriptors_and_files(self):
        self.assertIn("EMFILE", self.limited("files: 32", "descriptors", 100).out)
        self.assertIn("EFBIG", self.limited("file_size: 1M", "fill", self.dir / "write", 4).out)

    def test_times_are_told(self):
        self.assertEqual(self.limited("cpu_time: 1s", "burn").code, 152)
        (which, value, limit), = self.reached()
        self.assertEqual((which, limit), ("limits.cpu_time", 1000))
        self.assertGreaterEqual(value, 500)  # the limit counts whole ticks
        self.assertEqual(self.limited("time: 1s", "hold").code, 124)
        (which, value, limit), = self.reached()
        self.assertEqual((which, limit), ("limits.time", 1000))
        self.assertGreaterEqual(value, 1000)

    def held(self, *full):
        """Whose limits are told of a plugin that has reached these, and of the others half."""
        self.log.unlink(missing_ok=True)
        profile = self.document("version: 1\nname: full\nextends: [python]\nfilesystem: {temporary: 4M}\n"
                                "limits: {pids: 20, files: 64}\n")
        process = subprocess.Popen([BINARY, "run", "--audit", str(self.log), profile, "--", "python3", "-c", TAKES,
                                    *full], preexec_fn=self.become(), env=self.environment, cwd=self.dir / "write",
                                   stdin=subprocess.PIPE)
        try:
            wait_for(lambda: self.log.exists() and self.log.read_text().count("limit.reached") == len(full), full)
        finally:
            process.communicate(timeout=30)
        self.assertEqual(process.returncode, 0)
        return {(which, limit) for which, value, limit in self.reached() if value == limit}

    def test_what_nobody_is_woken_for(self):
        """Each of the two runs is the control of the other."""
        self.assertEqual(self.held("limits.pids", "limits.temporary"),
                         {("limits.pids", 20), ("limits.temporary", 4 * MIB)})
        self.assertEqual(self.held("limits.files", "limits.temporary_inodes"),
                         {("limits.files", 64), ("limits.temporary_inodes", 1024)})

    def test_what_is_used_by_those_who_outlive_the_plugin(self):
        """Nobody has waited for them, and so nobody is told of it but by a look."""
        profile = self.document("version: 1\nname: left\nextends: [python]\n")
        ended = self.jail("run", "--audit", self.log, profile, "--", "python3", "-c", LEAVES)
        self.assertEqual(ended.code, 0, ended)
        last = self.records()[-1]
        self.assertGreaterEqual(last["user_ms"] + last["sys_ms"], 380)
        self.assertGreaterEqual(last["memory_peak"], 38 * MIB)  # the kernel counts roughly (proc_pid_stat(5))
        self.assertGreaterEqual(last["processes_peak"], 2)

    def test_what_is_full_at_the_end(self):
        profile = self.document("version: 1\nname: full\nextends: [shell]\nfilesystem: {temporary: 1M}\n")
        for bytes_written, told in ((MIB // 2, []), (2 * MIB, [("limits.temporary", MIB, MIB)])):
            self.log.unlink(missing_ok=True)
            self.jail("run", "--audit", self.log, profile, "--", "sh", "-c",
                      f"head -c {bytes_written} /dev/zero > /tmp/full")
            self.assertEqual(self.reached(), told)

    def test_without_a_group(self):
        if controllers_of(own_group(), "cgroup.controllers"):
            self.skipTest("there are controllers")
        self.assertIn("EAGAIN", self.limited("pids: 20, memory: 48M", "processes", 60).out)
        for name in ("limits.pids", "limits.memory"):
            self.assertEqual(self.layer(name)["state"], "partial")
            self.assertRegex(self.layer(name)["reason"], r"^no control group \(.+\): ")
        self.assert_refused(self.limited("cpu: 0.5", "exit", 0), "limits.cpu: no control group", "best_effort")
        self.assert_refused(self.limited("io: 1M", "exit", 0), "limits.io: no control group", "best_effort")
        self.assertEqual(self.limited("cpu: 0.5", "exit", 3, options=("--best-effort",)).code, 3)
        self.assertEqual(self.layer("limits.cpu")["state"], "absent")


def a_disk():
    """A block device of its own, and a file system on it: (its folder, its number, what takes it away)."""
    tools = [shutil.which(tool, path="/usr/sbin:/sbin:/usr/bin:/bin") for tool in ("losetup", "mkfs.ext4", "modprobe")]
    if not (IS_ROOT and os.environ.get("JAIL_VM") and all(tools)):
        raise unittest.SkipTest("needs root, and a machine of its own to make a disk on")
    losetup, mkfs, modprobe = tools
    subprocess.run([modprobe, "loop"], check=False)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="disk-", dir="/run"))
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, folder)
        folder.chmod(0o755)
        subprocess.run(["truncate", "--size=16M", folder / "image"], check=True)
        subprocess.run([mkfs, "-q", "-O", "^has_journal", folder / "image"], check=True)
        loop = subprocess.run([losetup, "--find", "--show", folder / "image"], check=True, capture_output=True,
                              text=True).stdout.strip()
        stack.callback(subprocess.run, [losetup, "--detach", loop], check=True)
        (folder / "disk").mkdir()
        subprocess.run(["mount", loop, folder / "disk"], check=True)
        stack.callback(subprocess.run, ["umount", folder / "disk"], check=True)
        number = pathlib.Path(f"/sys/block/{pathlib.Path(loop).name}/dev").read_text().strip()
        return folder / "disk", number, stack.pop_all().close


class Delegated(Limited):
    """Jails are started in `command`, a group of a subtree that belongs to who starts them. They have company there."""

    def setUp(self):
        super().setUp()
        if not WANTED <= controllers_of(own_group().parent):
            self.skipTest("no controllers")
        self.tree = own_group().parent
        if IS_ROOT:
            self.tree = self.new_group(own_group().parent)
            write(self.tree / "cgroup.subtree_control", " ".join(f"+{name}" for name in WANTED))
        self.command = self.new_group(self.tree)
        self.other = subprocess.Popen(["sleep", "1000"], preexec_fn=lambda: enter(self.command))

    def new_group(self, parent):
        group = parent / f"limits_test_{os.getpid()}_{next(NUMBERS)}"
        group.mkdir()
        self.addCleanup(self.remove, group)
        if IS_ROOT:
            for path in (group, group / "cgroup.procs", group / "cgroup.subtree_control"):
                os.chown(path, self.uid, self.uid)
        return group

    @staticmethod
    def remove(group):
        for inside in sorted(group.glob("**/"), reverse=True):
            inside.rmdir()

    def jail(self, *arguments, prepare=None, group=None, **others):
        def prepare_in_group():
            enter(group or self.command)
            if prepare:
                prepare()
        return super().jail(*arguments, prepare=prepare_in_group, **others)

    @staticmethod
    def is_left(group):
        """Who was in it is our child by now."""
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0] != 0:
                pass
        return "populated 0" in (group / "cgroup.events").read_text()

    def start(self, *words, profile=None):
        return subprocess.Popen([BINARY, "run", "--audit", str(self.log), profile or self.profile(), "--",
                                 self.attacker, *words],
                                preexec_fn=self.become(lambda: enter(self.command)), env=self.environment,
                                cwd=self.dir / "write", stdin=subprocess.DEVNULL)

    def tearDown(self):
        self.other.kill()
        self.other.wait()
        super().tearDown()
        self.assertEqual(list(self.tree.glob("**/jail-*")), [], "control groups are left")


@both_launchers
class OfDisks(Delegated):
    """What is read and written a second: of a real block device, on which nobody else is."""

    def setUp(self):
        self.disk, self.number, remove = a_disk()
        self.addCleanup(remove)
        super().setUp()
        self.disk.chmod(0o777)

    def on_disk(self, limits, script):
        self.log.unlink(missing_ok=True)
        profile = self.document(f"version: 1\nname: disk\nextends: [shell]\nfilesystem: {{write: [\"{self.disk}\"]}}\n"
                                f"limits: {{{limits}}}\n")
        return self.jail("run", "--audit", self.log, profile, "--", "sh", "-c", f"cd {self.disk}; {script}")

    def test_both_ways(self):
        """As long as what is allowed takes, which is told; where more is allowed, it is not."""
        for limit, told in (("1G", []), ("1M", [("limits.io", MIB, MIB)])):
            ended = self.on_disk(f"io: {limit}", WRITE_AND_READ)
            self.assertEqual((ended.code, ended.out, ended.error), (0, "", ""), ended)
            self.assertEqual(self.layer("limits.io")["state"], "enforced")
            last = self.last()
            self.assertGreaterEqual(min(last["bytes_written"], last["bytes_read"]), 2 * MIB)
            self.assertEqual(self.reached(), told)
        self.assertGreaterEqual(last["limits"]["limits.io"], 1)
        self.assertGreater(last["wall_ms"], 3500, "two seconds each way, and a tenth's bytes pass at once")

    def test_who_is_to_end_does_not_wait_for_it(self):
        ended = self.on_disk("io: 64K, time: 1s, grace: 1s",
                             "exec dd if=/dev/zero of=x bs=4M count=4 oflag=direct status=none")
        self.assertEqual((ended.code, self.last()["outcome"]), (124, "timeout"), ended)
        self.assertLess(self.last()["wall_ms"], 20000, "who is to end does not wait for the minute that 4 MiB take")

    def test_where_it_stands(self):
        profile = self.profile("limits: {io: 20M}\n", f"  exec: [\"{self.attacker}\"]\n")
        shown = self.jail("show", "--plan", profile).out
        self.assertRegex(shown, r"limits.io +at most 20 MiB read a second and as much written")
        process = self.start("hold", profile=profile)
        wait_for(lambda: self.log.exists() and "run.started" in self.log.read_text(), "the plugin")
        stands = (pathlib.Path(self.started()["cgroup"]) / "io.max").read_text().splitlines()
        self.assertIn(f"{self.number} rbps={20 * MIB} wbps={20 * MIB} riops=max wiops=max", stands)
        process.terminate()
        process.wait()

    def test_where_the_controller_is(self):
        """It is given when it is asked for: by the caller's own group, or by one above where only that has it."""
        alone = self.new_group(self.tree)
        for limit, parent in (("max", self.tree), ("500", alone)):
            write(alone / "pids.max", limit)
            self.assertEqual(self.limited("pids: 20", "exit", 3, group=alone).code, 3)
            self.assertTrue(self.started()["cgroup"].startswith(f"{alone}/jail-"), "the control")
            self.assertEqual(self.limited("io: 1M", "exit", 3, group=alone).code, 3)
            self.assertTrue(self.started()["cgroup"].startswith(f"{parent}/jail-"))
            self.assertEqual((alone / "cgroup.subtree_control").read_text().strip(), "")
            self.assertIn("io", controllers_of(self.tree))

    def test_where_nobody_gives_it(self):
        crowded = self.new_group(self.tree)
        write(crowded / "pids.max", "500")
        self.assert_refused(self.limited("io: 1M", "exit", 0, group=crowded), "limits.io: no control group",
                            f"{crowded} has no controller for io")


@both_launchers
class Limits(Delegated):
    def test_no_disk_to_be_limited(self):
        if any(int(size.read_text()) for size in pathlib.Path("/sys/block").glob("*/size")):
            self.skipTest("there are disks")
        self.assert_refused(self.limited("io: 1M", "exit", 0), "limits.io: this machine shows no disk")
        self.assertEqual(self.limited("io: 1M", "exit", 3, options=("--best-effort",)).code, 3)
        self.assertEqual(self.layer("limits.io")["state"], "absent")

    def test_memory(self):
        """Of one process, of many, and what RLIMIT_DATA does not count: shared memory, and files in memory."""
        for words, more in ((("memory", 400), ""), (("shared-memory", 400), ""), (("memory-of-many", 100), ""),
                            (("fill", "/dev/shm", 400), "  temporary: 500M\n")):
            with self.subTest(attack=words):
                ended = self.limited("memory: 48M", *words, more=more)
                self.assertEqual((ended.code, ended.out), (137, ""), ended)
                self.assert_message(ended, "jail: limits.memory was reached")
                last = self.last()
                self.assertEqual((last["outcome"], last["signal"]), ("oom", 9))
                self.assertIn("limits.memory was reached", last["reason"])
                self.assertEqual(self.reached(), [("limits.memory", 48 * MIB, 48 * MIB)])
                self.assertGreaterEqual(last["limits"]["limits.memory"], 1)
                self.assertGreater(last["memory_peak"], 40 * MIB)
                self.assertLessEqual(last["memory_peak"], 48 * MIB)

    def test_the_callers_immunity_is_not_passed_on(self):
        """Who may not be killed for memory would wait for it for ever, in a group that is full."""
        def be_immune():
            write(pathlib.Path("/proc/self/oom_score_adj"), "-1000")
        if not IS_ROOT:
            self.skipTest("needs root to be immune")
        self.assertEqual(self.limited("memory: 48M", "memory", 400, prepare=be_immune).code, 137)
        self.assertEqual(self.last()["outcome"], "oom")

    def test_memory_below_the_limit(self):
        ended = self.limited("memory: 48M", "memory", 24)
        self.assertEqual((ended.code, self.reached(), "limits" in self.last()), (0, [], False), ended)
        self.assertGreater(self.last()["memory_peak"], 24 * MIB)
        self.assertEqual(self.layer("limits.memory")["state"], "enforced")

    def test_processes(self):
        for attack in ("processes", "fork-chain", "threads"):
            with self.subTest(attack=attack):
                ended = self.limited("pids: 20", attack, 60)
                self.assertIn("EAGAIN", ended.out)
                self.assertEqual(self.reached(), [("limits.pids", 20, 20)])
                last = self.last()
                self.assertEqual((last["outcome"], last["limits"]["limits.pids"]), ("exited", 1), last)
                self.assertEqual(last["processes_peak"], 20)

    def test_processes_below_the_limit(self):
        ended = self.limited("pids: 20", "processes", 10)
        self.assertEqual((ended.code, self.reached(), self.last()["processes_peak"]), (0, [], 11), ended)

    def test_processor(self):
        self.limited("time: 2s", "burn")
        free = self.last()
        self.assertGreater(free["user_ms"] + free["sys_ms"], free["wall_ms"] // 2, "the control")
        self.assertNotIn("throttled_ms", free)
        self.limited("cpu: 0.2, time: 3s", "burn")
        held = self.last()
        self.assertEqual(held["outcome"], "timeout")
        # What it took to build the jail was before the limit.
        self.assertLess(held["user_ms"] + held["sys_ms"], held["wall_ms"] // 4 + 300)
        self.assertGreater(held["throttled_ms"], 0)
        self.assertEqual([(which, limit) for which, _, limit in self.reached()],
                         [("limits.cpu", 200), ("limits.time", 3000)])

    def test_the_plan_says_what_holds(self):
        ended = self.limited("memory: 48M, pids: 20, cpu: 1.5", "exit", 0)
        self.assertEqual(ended.code, 0, ended)
        for name in ("limits.memory", "limits.pids", "limits.cpu"):
            self.assertEqual(self.layer(name)["state"], "enforced")
        self.assertTrue(self.started()["cgroup"].startswith(f"{self.tree}/jail-"))
        shown = self.jail("show", "--plan", self.dir / "profile" / "test.yaml").out
        self.assertRegex(shown, r"limits.memory +at most 48 MiB for all, no swap")
        self.assertRegex(shown, r"limits.cpu +at most 1500 thousandths of a core for all")
        doctor = json.loads(self.jail("doctor", "--json").out)
        states = {layer["layer"]: layer["state"] for layer in doctor["layers"]}
        self.assertEqual((states["limits.memory"], states["limits.pids"]), ("enforced", "enforced"))

    def test_by_default_some_memory_is_left_to_others(self):
        self.limited("time: 1m", "exit", 0)
        self.assertEqual(self.layer("limits.memory")["state"], "enforced")
        self.assertRegex(self.jail("show", "--plan", self.dir / "profile" / "test.yaml").out,
                         "limits.memory +at most .* for all")

    def test_the_first_process_of_a_group(self):
        """As of a container, or of a scope: no other group has controllers for it."""
        alone = self.new_group(self.tree)
        write(alone / "pids.max", "500")
        ended = self.limited("pids: 20", "processes", 60, group=alone)
        self.assertIn("EAGAIN", ended.out)
        self.assertEqual(self.reached(), [("limits.pids", 20, 20)])
        self.assertTrue(self.started()["cgroup"].startswith(f"{alone}/jail-"))
        self.assertEqual([path for path in alone.iterdir() if path.is_dir()], [])
        self.assertEqual((alone / "cgroup.subtree_control").read_text().strip(), "")

    def test_a_scope_of_systemd(self):
        """By a real manager of the user's units, which puts the command into a group that it has delegated."""
        if not (IS_ROOT and self.uid and os.environ.get("JAIL_VM") and shutil.which("systemd-run")):
            self.skipTest("needs systemd, and a machine of its own to start it on")
        pathlib.Path("/run/systemd/system").mkdir(parents=True, exist_ok=True)  # it asks whether the machine has it
        runtime = self.dir / "manager"
        runtime.mkdir(0o700)
        os.chown(runtime, self.uid, self.uid)
        group = self.new_group(self.tree)
        environment = {**self.environment, "XDG_RUNTIME_DIR": str(runtime)}
        manager = subprocess.Popen(["/lib/systemd/systemd", "--user", "--unit=default.target"],
                                   preexec_fn=self.become(lambda: enter(group)), env=environment,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_for((runtime / "systemd" / "private").exists, "the manager")
            through = ("sh", "-c", "echo $$ > \"$1\"; shift; exec \"$@\"", "sh", self.command / "cgroup.procs",
                       "setpriv", f"--reuid={self.uid}", f"--regid={self.uid}", "--clear-groups",
                       "systemd-run", "--user", "--scope", "--quiet", "-p", "Delegate=yes")
            ended = self.limited("pids: 20, memory: 48M, cpu: 1", "processes", 60, through=through,
                                 environment=environment)
            self.assertIn("EAGAIN", ended.out, ended)
            self.assertEqual(self.reached()[0], ("limits.pids", 20, 20))
            self.assertRegex(self.started()["cgroup"], rf"^{group}/.+\.scope/jail-[0-9]+$")
            self.check_that_a_scope_is_asked_for(group, environment)
        finally:
            manager.terminate()
            manager.wait()

    def check_that_a_scope_is_asked_for(self, group, environment):
        """By jail itself, where nothing else has the controllers for what is stated, and not for what is not."""
        for path in (self.tree, self.command):
            os.chown(path, 0, 0)
        self.assert_refused(self.limited("cpu: 0.5", "exit", 0), "may not be used by uid")
        self.assertEqual(self.limited("pids: 20", "exit", 3, environment=environment).code, 3)
        self.assertEqual(self.layer("limits.pids")["state"], "partial")
        ended = self.limited("cpu: 1, memory: 48M, pids: 20", "processes", 60, environment=environment)
        self.assertIn("EAGAIN", ended.out, ended)
        self.assertRegex(self.started()["cgroup"], rf"^{group}/.+/supervisor_of_jail-[0-9]+\.scope/jail-[0-9]+$")
        for name in ("limits.pids", "limits.memory", "limits.cpu"):
            self.assertEqual(self.layer(name)["state"], "enforced")
        shown = self.jail("show", "--plan", self.dir / "profile" / "test.yaml", environment=environment).out
        self.assertRegex(shown, r"limits.memory +at most 48 MiB for all")
        wait_for(lambda: not list(group.glob("**/supervisor_of_jail-*")), "the scope to go")
        write(self.command / "pids.max", "500")
        self.assert_refused(self.limited("cpu: 0.5", "exit", 0, environment=environment), "limit of its own")

    def test_the_limits_around_it_are_never_left(self):
        crowded = self.new_group(self.tree)
        other = subprocess.Popen(["sleep", "1000"], preexec_fn=lambda: enter(crowded))
        try:
            write(crowded / "pids.max", "500")
            ended = self.limited("pids: 20, memory: 48M", "processes", 60, group=crowded)
            self.assertIn("EAGAIN", ended.out)  # by RLIMIT_NPROC
            self.assertEqual(self.layer("limits.pids")["state"], "partial")
            self.assertTrue(self.started()["cgroup"].startswith(f"{crowded}/jail-"))
            self.assertIn("has other processes in it", self.layer("limits.pids")["reason"])
            self.assert_refused(self.limited("cpu: 0.5", "exit", 0, group=crowded), "limits.cpu", "other processes")
            self.assertEqual((crowded / "cgroup.procs").read_text().split(), [str(other.pid)])
        finally:
            other.kill()
            other.wait()

    def test_the_limits_above_it_still_hold(self):
        """Those of the administrator, of which the profile knows nothing: the log does not take them for its own."""
        if not IS_ROOT:
            self.skipTest("needs root, whose limit it is")
        write(self.tree / "pids.max", "30")
        ended = self.limited("pids: 40", "processes", 60)
        self.assertIn("EAGAIN", ended.out, ended)
        self.assertEqual((self.reached(), "limits" in self.last()), ([], False))
        self.assertLess(self.last()["processes_peak"], 30)
        write(self.tree / "memory.max", str(40 * MIB))
        self.assertEqual(self.limited("memory: 100M", "memory", 400).code, 137)
        self.assertEqual((self.reached(), self.last()["outcome"]), ([], "oom"))
        self.assertIn("a control group around the jail", self.last()["reason"])

    def test_somebody_elses_groups_are_not_used(self):
        if not IS_ROOT or self.uid == 0:
            self.skipTest("needs root to make somebody else's, and an ordinary user to be kept out")
        for path in (self.tree, self.tree / "cgroup.procs"):
            os.chown(path, 0, 0)
        os.chown(self.command, 0, 0)
        self.assertEqual(self.limited("pids: 20", "exit", 0).code, 0)
        self.assertEqual(self.layer("limits.pids")["state"], "partial")
        self.assertIn(f"may not be used by uid {self.uid}", self.layer("limits.pids")["reason"])

    def test_a_killed_supervisor_leaves_a_group_that_the_next_run_takes_away(self):
        process = self.start("hold")
        group = self.tree / f"jail-{process.pid}"
        try:
            wait_for(lambda: self.log.exists() and "run.started" in self.log.read_text(), "the plugin")
            self.assertEqual(len((group / "cgroup.procs").read_text().split()), 2, "pid 1 and the plugin")
        finally:
            process.kill()
            process.wait()
        wait_for(lambda: self.is_left(group), "the end of the jail")
        self.assertEqual(self.limited("pids: 20", "exit", 0).code, 0)
        self.assertFalse(group.exists())

    def test_a_user_who_looks_sees_what_the_group_counts(self):
        process = self.start("hold")
        try:
            found = wait_for(lambda: [one for one in json.loads(self.jail("ps", "--json").out)
                                      if one["supervisor"] == process.pid and one["state"] == "running"], "the jail")
            self.assertEqual(found[0]["processes"], 1)
            self.assertGreater(found[0]["memory"], 0)
        finally:
            process.terminate()
            process.wait()


if __name__ == "__main__":
    unittest.main()
