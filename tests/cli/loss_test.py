"""Records that reach the disk before the plugin goes on (audit.durable: each), and what becomes of a plugin whose
events are lost (monitor.on_loss).

A disk that confirms nothing is a filter around the launcher, under which fdatasync(2) is EIO: whoever goes on all the
same has not waited for it.
"""
import contextlib
import ctypes
import json
import os
import pathlib
import select
import signal
import struct
import subprocess
import time
import unittest

from jail_case import BINARY, IS_ROOT, PRCTL, SECONDS, both_launchers
from log_test import in_own_mounts

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO, SECCOMP_RET_TRACE = 0x7FFF0000, 0x00050000, 0x7FF00000
SYS_FSYNC, SYS_FDATASYNC, EIO = 74, 75, 5
PTRACE = ctypes.CDLL(None, use_errno=True).ptrace
PTRACE_POKEUSER, PTRACE_CONT, PTRACE_SEIZE, PTRACE_EVENT_SECCOMP, WALL = 6, 7, 0x4206, 7, 0x40000000
PTRACE_O_TRACECLONE, PTRACE_O_TRACESECCOMP, PTRACE_O_EXITKILL = 0x8, 0x80, 0x100000
RAX, ORIG_RAX = 10, 15  # of a tracee's registers, in words

# Goes on past what it is denied, says so in a file, and stays.
GOES_ON = """
import os, sys, time
try:
    os.open("/etc/shadow", os.O_RDONLY)
except OSError:
    open(sys.argv[1], "w").close()
while sys.argv[2:]:
    time.sleep(1)
"""
# Denials that are all different, in a process of three: a child, and one whose parent has ended.
FLOODS = """
import os, socket, sys, time
def tick(name):
    while True:
        os.utime(name)
        time.sleep(0.01)
for name in ("child", "orphan"):
    open(name, "w").close()
    if os.fork() == 0:
        if name == "orphan" and os.fork() != 0:
            os._exit(0)
        tick(name)
for number in range(int(sys.argv[1])):
    try:
        socket.socket(40, 1, number)
    except OSError:
        pass
open("past", "w").close()
"""
# A name at an address that nobody has: the kernel says EFAULT, and who looks on cannot tell what was asked for.
NAMELESS = """
import ctypes, time
libc = ctypes.CDLL(None)
libc.open(ctypes.c_void_p(0x10000), 0)
open("past", "w").close()
"""
ENOUGH = 3000  # records of more than a pipe and the queue hold
MONITOR_LOST = 125


def children(pid):
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return []


def filter_syncs(action):
    code = [(0x20, 0, 0, 0), (0x15, 1, 0, SYS_FDATASYNC), (0x15, 0, 1, SYS_FSYNC),
            (0x06, 0, 0, action), (0x06, 0, 0, SECCOMP_RET_ALLOW)]
    program = b"".join(struct.pack("<HBBI", *instruction) for instruction in code)
    buffer = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("<HxxxxxxQ", len(code), ctypes.addressof(buffer))
    PRCTL(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if PRCTL(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, header, 0, 0) != 0:
        os._exit(99)


def no_disk():
    """A `finish`: from here on fsync and fdatasync are EIO."""
    filter_syncs(SECCOMP_RET_ERRNO | EIO)


@contextlib.contextmanager
def pipes(count):
    ends = [os.pipe() for _ in range(count)]
    try:
        yield ends
    finally:
        for end in sum(ends, ()):
            os.close(end)


def small_disk(folder, uid):
    """A `prepare`: the log's folder has room for some records, and for more when `filler` is gone."""
    def mount():
        if os.system(f"mount -t tmpfs -o size=4m,mode=755,uid={uid} tmpfs {folder} && "
                     f"head -c 3900000 /dev/zero >{folder}/filler") != 0:
            os._exit(98)
    return in_own_mounts(mount)


class Traced:
    """A launcher that stops before each of its own fdatasync(2) (seccomp(2), SECCOMP_RET_TRACE)."""

    def __init__(self, test, command):
        self.stopped = self.status = None
        self.pid = os.fork()
        if self.pid == 0:
            try:
                test.become()()
                os.chdir(test.dir / "write")
                filter_syncs(SECCOMP_RET_TRACE)
                os.kill(os.getpid(), signal.SIGSTOP)
                os.execve(BINARY, command, test.environment)
            finally:
                os._exit(99)
        os.waitpid(self.pid, os.WUNTRACED)
        self.ask(PTRACE_SEIZE, self.pid, 0, PTRACE_O_TRACECLONE | PTRACE_O_TRACESECCOMP | PTRACE_O_EXITKILL)
        os.kill(self.pid, signal.SIGCONT)

    @staticmethod
    def ask(what, pid, address=0, data=0):
        if PTRACE(what, pid, ctypes.c_void_p(address), ctypes.c_void_p(data)) != 0:
            raise OSError(ctypes.get_errno(), "ptrace")

    def next_sync(self):
        """The thread that is about to sync; None: the launcher has ended."""
        while self.status is None:
            thread, status = os.waitpid(-1, WALL)
            if os.WIFSTOPPED(status):
                event, number = status >> 16, os.WSTOPSIG(status)
                if event == PTRACE_EVENT_SECCOMP:
                    self.stopped = thread
                    return thread
                self.ask(PTRACE_CONT, thread, 0, 0 if event else number)
            elif thread == self.pid:
                self.status = os.waitstatus_to_exitcode(status)
        return None

    def until(self, condition):
        """Whether it is about to sync when that holds."""
        while self.next_sync() and not condition():
            self.go_on()
        return self.status is None

    def go_on(self):
        self.ask(PTRACE_CONT, self.stopped)

    def fail(self, error):
        self.ask(PTRACE_POKEUSER, self.stopped, 8 * ORIG_RAX, -1)
        self.ask(PTRACE_POKEUSER, self.stopped, 8 * RAX, -error)
        self.go_on()

    def finish(self):
        while self.next_sync():
            self.go_on()
        return self.status


class LossTest:
    def python(self, more=""):
        return self.document("version: 1\nname: cli-test\nextends: [python]\n"
                             f"filesystem:\n  write: [\"{self.dir}/write\"]\n{more}")

    def start(self, code, *words, profile, prepare=None, finish=None, audit=(), **options):
        """A run that is not waited for."""
        command = [BINARY, "run", *(audit or ("--audit", str(self.log))), profile, "--", "python3", "-c", code,
                   *map(str, words)]
        run = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               preexec_fn=self.become(prepare, finish), env=self.environment, cwd=self.dir / "write",
                               **options)
        self.addCleanup(self.stop, run)
        return run

    @staticmethod
    def stop(run):
        if run.poll() is None:
            run.kill()
        run.wait()
        run.stdout.close()
        run.stderr.close()

    def wait_for(self, condition, what):
        limit = time.monotonic() + SECONDS
        while not condition():
            self.assertLess(time.monotonic(), limit, what)
            time.sleep(0.01)

    def end(self, run):
        out, error = run.communicate(timeout=SECONDS)
        return run.returncode, out.decode(), error.decode()

    def group(self):
        return next(record for record in self.records() if record["kind"] == "run.started").get("cgroup")

    def denied(self):
        return [record for record in self.records() if record.get("path") == "/etc/shadow"]


@both_launchers
class OnDisk(LossTest):
    def test_killed_supervisor_leaves_the_record(self):
        """Who saw its EPERM is in the log, whatever ends the supervisor right then."""
        for durable in ("each", "batch", "none"):
            with self.subTest(durable=durable):
                self.log.unlink(missing_ok=True)
                mark = self.dir / "write" / durable
                run = self.start(GOES_ON, mark, "stay", profile=self.python(f"audit: {{durable: {durable}}}\n"))
                self.wait_for(mark.exists, "the plugin does not go on")
                run.kill()
                run.wait()
                self.assertEqual([record["decision"] for record in self.denied()], ["denied"])

    def test_refused_where_the_disk_does_not_confirm_the_beginning(self):
        mark = self.dir / "write" / "mark"
        run = self.start(GOES_ON, mark, profile=self.python("audit: {durable: each}\n"), finish=no_disk)
        code, _, error = self.end(run)
        self.assertEqual(code, 125, error)
        self.assertIn("Input/output error", error)
        self.assertFalse(mark.exists())

    def test_the_others_do_not_wait(self):
        """The control: under the same filter."""
        for durable in ("batch", "none"):
            with self.subTest(durable=durable):
                mark = self.dir / "write" / durable
                profile = self.python(f"audit: {{durable: {durable}}}\nmonitor: {{on_loss: kill}}\n")
                code, _, error = self.end(self.start(GOES_ON, mark, profile=profile, finish=no_disk))
                self.assertEqual(code, 0, error)
                self.assertTrue(mark.exists())

    def traced(self, mark, durable, reaction="count", limits=""):
        profile = self.python(f"audit: {{durable: {durable}}}\nmonitor: {{on_loss: {reaction}}}\n{limits}")
        plugin = ["python3", "-c", GOES_ON, str(mark)]
        return Traced(self, [BINARY, "run", "--audit", str(self.log), profile, "--", *plugin])

    def test_the_plugin_waits_for_the_disk(self):
        """fdatasync(2) of the denial is held up: until it comes back, the plugin is where it was."""
        mark = self.dir / "write" / "mark"
        run = self.traced(mark, "each")
        self.assertTrue(run.until(self.denied), "it never waited")
        time.sleep(0.3)
        self.assertFalse(mark.exists(), "the plugin did not wait")
        run.go_on()
        self.assertEqual(run.finish(), 0)
        self.assertTrue(mark.exists())

    def test_a_short_run_in_batches_waits_for_no_disk(self):
        """The control."""
        run = self.traced(self.dir / "write" / "mark", "batch")
        self.assertIsNone(run.next_sync())
        self.assertEqual(run.finish(), 0)

    def test_a_disk_that_fails_is_a_loss(self):
        for reaction, code in (("count", 0), ("kill", MONITOR_LOST)):
            with self.subTest(reaction=reaction):
                self.log.unlink(missing_ok=True)
                mark = self.dir / "write" / reaction
                run = self.traced(mark, "each", reaction)
                self.assertTrue(run.until(self.denied))
                run.fail(EIO)
                self.assertEqual(run.finish(), code)
                self.assertEqual(mark.exists(), code == 0)
                self.assertEqual(self.records()[-1]["lost"], {str(self.log): 1})

    def test_a_log_that_is_no_file(self):
        for more, code in (("", 125), ("best_effort: [audit]\n", 0)):
            with self.subTest(more=more):
                reader, writer = os.pipe()
                profile = self.python("audit: {durable: each}\n" + more)
                run = self.start("pass", profile=profile, audit=("--audit-fd", str(writer)), pass_fds=(writer,))
                os.close(writer)
                ended, _, error = self.end(run)
                self.assertEqual(ended, code, error)
                text = os.read(reader, 1 << 16).decode()
                os.close(reader)
                self.assertIn("not a file", error + text)


@both_launchers
class WithoutNotification:
    def test_each_is_refused(self):
        profile = self.profile("monitor: {source: none}\naudit: {durable: each}\n")
        line = len(pathlib.Path(profile).read_text().splitlines())
        self.assert_refused(self.run_plugin("exit", 0, profile=profile), f"test.yaml:{line}:", "audit: ")

    def test_control(self):
        self.assertEqual(self.run_plugin("exit", 3, profile=self.profile("audit: {durable: each}\n")).code, 3)


@both_launchers
class Kill(LossTest):
    def outcome(self):
        return self.records()[-1]["outcome"]

    def test_unreadable_memory(self):
        for reaction, code in (("count", 0), ("kill", MONITOR_LOST)):
            with self.subTest(reaction=reaction):
                for left in (self.log, self.dir / "write" / "past"):
                    left.unlink(missing_ok=True)
                run = self.start(NAMELESS, profile=self.python(f"monitor: {{on_loss: {reaction}}}\n"))
                ended, _, error = self.end(run)
                self.assertEqual(ended, code, error)
                self.assertEqual((self.dir / "write" / "past").exists(), code == 0)
                lost = [record for record in self.records() if record["kind"] == "monitor.lost"]
                self.assertEqual([record["count"] for record in lost], [1])
                self.assertIn("could not be read", lost[0]["reason"])
                self.assertEqual(self.outcome(), "exited" if code == 0 else "monitor-lost")
                if code:
                    self.assertIn("the plugin was ended (monitor.on_loss: kill), because events were lost: names and "
                                  "addresses in memory that could not be read", error)

    def test_stalled_reader(self):
        for reaction, code in (("count", 0), ("kill", MONITOR_LOST)):
            with self.subTest(reaction=reaction), pipes(2) as ((reader, writer), (told, status)):
                run = self.start(FLOODS, ENOUGH, profile=self.python(f"monitor: {{on_loss: {reaction}}}\n"),
                                 audit=("--audit-fd", str(writer), "--status-fd", str(status)),
                                 pass_fds=(writer, status))
                ended, _, error = self.end(run)
                self.assertEqual(ended, code, error)
                last = json.loads(os.read(told, 1 << 16).splitlines()[-1])
                self.assertEqual(last["outcome"], "exited" if code == 0 else "monitor-lost")
                self.assertIn("lost a record", error)

    def test_full_disk(self):
        if not IS_ROOT:
            self.skipTest("only root can mount a small file system")
        for reaction, code in (("count", 0), ("kill", MONITOR_LOST)):
            with self.subTest(reaction=reaction):
                run = self.start(FLOODS, ENOUGH, profile=self.python(f"monitor: {{on_loss: {reaction}}}\n"),
                                 prepare=small_disk(self.dir / "log", self.uid))
                ended, _, error = self.end(run)
                self.assertEqual(ended, code, error)
                self.assertIn("No space left" if code else "lost", error)


@both_launchers
class Freeze(LossTest):
    def setUp(self):
        super().setUp()
        self.write = self.dir / "write"

    def frozen(self, limits="", **options):
        """A run that stands still because nobody reads its log, and what it says about that."""
        self.reader, writer = os.pipe()
        told, status = os.pipe()
        run = self.start(FLOODS, ENOUGH, profile=self.python(f"monitor: {{on_loss: freeze}}\n{limits}"),
                         audit=("--audit-fd", str(writer), "--status-fd", str(status)), pass_fds=(writer, status))
        os.close(writer)
        os.close(status)
        self.told = os.fdopen(told)
        self.addCleanup(self.told.close)
        self.addCleanup(os.close, self.reader)
        phases = [json.loads(self.told.readline()) for _ in range(2)]
        self.assertEqual([said["phase"] for said in phases], ["started", "frozen"])
        self.assertIn("lost a record", phases[1]["reason"])
        return run

    def ticks(self):
        return [(self.write / name).stat().st_mtime_ns for name in ("child", "orphan")]

    def test_nobody_goes_on_until_the_log_does(self):
        run = self.frozen()
        before = self.ticks()
        time.sleep(0.3)
        self.assertEqual(self.ticks(), before, "a process goes on")
        self.assertFalse((self.write / "past").exists())
        text = b""
        while run.poll() is None:
            text += self.take()
        text += self.take()
        code, _, error = self.end(run)
        self.assertEqual(code, 0, error)
        self.assertIn("frozen", error)
        self.assertTrue((self.write / "past").exists())
        self.assertGreater(self.ticks(), before, "the others were left behind")
        records = [json.loads(line) for line in text.splitlines()]
        self.assertIn("monitor.lost", [record["kind"] for record in records])
        self.assertEqual(records[-1]["kind"], "run.ended")

    def take(self):
        if not select.select([self.reader], [], [], 0.05)[0]:
            return b""
        return os.read(self.reader, 1 << 20)

    def test_wall_clock(self):
        code, _, error = self.end(self.frozen("limits: {time: 3s}\n"))
        self.assertEqual(code, 124, error)

    def test_request_to_end(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(signal=number):
                run = self.frozen()
                run.send_signal(number)
                code, _, error = self.end(run)
                self.assertEqual(code, MONITOR_LOST, error)
                self.assertEqual(json.loads(self.told.read().splitlines()[-1])["outcome"], "monitor-lost")

    def test_killed_supervisor_takes_all_along(self):
        run = self.frozen()
        run.kill()
        run.wait()  # tearDown looks for survivors

    def test_unreadable_memory_stays_lost(self):
        run = self.start(NAMELESS, profile=self.python("monitor: {on_loss: freeze}\nlimits: {time: 2s}\n"))
        code, _, error = self.end(run)
        self.assertEqual(code, 124, error)
        self.assertFalse((self.write / "past").exists())
        self.assertIn("monitor.lost", self.kinds())

    def test_who_is_woken_again_and_again_is_ended(self):
        """As by a socket of its own that somebody writes to. The control is the test above."""
        run = self.start("import os\nif os.fork() == 0:\n    while True: pass\n" + NAMELESS,
                         profile=self.python("monitor: {on_loss: freeze}\nlimits: {time: 20s}\n"))
        self.wait_for(lambda: self.log.exists() and "run.started" in self.log.read_text(), "no start")
        if self.group():
            run.kill()
            self.end(run)
            self.skipTest("a control group holds it")
        while run.poll() is None:
            for child in children(run.pid):
                for process in children(child):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(int(process), signal.SIGCONT)
            time.sleep(0.002)
        code, _, error = self.end(run)
        self.assertEqual(code, MONITOR_LOST, error)
        self.assertIn("(and it wakes itself)", self.records()[-1]["reason"])

    def test_room_on_the_disk(self):
        if not IS_ROOT:
            self.skipTest("only root can mount a small file system")
        run = self.start(FLOODS, ENOUGH, profile=self.python("monitor: {on_loss: freeze}\n"),
                         prepare=small_disk(self.dir / "log", self.uid))
        os.set_blocking(run.stderr.fileno(), True)
        self.assertIn(b"frozen", run.stderr.readline())
        self.assertFalse((self.write / "past").exists())
        os.unlink(f"/proc/{run.pid}/root{self.dir}/log/filler")
        code, _, error = self.end(run)
        self.assertEqual(code, 0, error)
        self.assertTrue((self.write / "past").exists())


if __name__ == "__main__":
    unittest.main()
