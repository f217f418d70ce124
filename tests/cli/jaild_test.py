"""A user's `source: ebpf` by way of jaild: the same events, no privilege; what is said when it is not there, and what
becomes of a run whose jaild ends.
"""
import contextlib
import ctypes
import fcntl
import json
import os
import select
import signal
import socket
import subprocess
import tempfile
import time
import unittest

from jail_case import BINARY, IS_ROOT, PRCTL, SECONDS, USER, JailTest

JAILD = os.environ["JAIL_JAILD"]
EBPF = "monitor: {source: ebpf, files: %s}\n"
PR_SET_NO_NEW_PRIVS = 38
CLONE_NEWNS, MS_REC, MS_PRIVATE = 0x20000, 0x4000, 0x40000


def squat(locked, pipe, uid):
    """In the process that becomes jaild: a BPF file system that all may write to, and a user who was there first."""
    libc = ctypes.CDLL(None, use_errno=True)
    private = libc.unshare(CLONE_NEWNS) == 0 and libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None) == 0
    if not private or libc.mount(b"bpf", b"/sys/fs/bpf", b"bpf", 0, b"mode=1777") != 0:
        os._exit(1)
    if os.fork() == 0:
        jaild = os.pidfd_open(os.getppid())
        os.setresuid(uid, uid, uid)
        os.mkdir("/sys/fs/bpf/jail")
        lock = os.open("/sys/fs/bpf/jail", os.O_RDONLY)
        fcntl.flock(lock, fcntl.LOCK_EX)
        os.write(pipe, b"locked")
        for number in set(range(1024)) - {lock, jaild}:  # by one of these is known that jaild was executed
            with contextlib.suppress(OSError):
                os.close(number)
        select.select([jaild], [], [])
        os._exit(0)
    if os.read(locked, 6) != b"locked":
        os._exit(1)


class Jaild(JailTest):
    uid = USER

    @classmethod
    def setUpClass(cls):
        if not IS_ROOT:
            raise unittest.SkipTest("only root starts jaild")
        cls.folder = tempfile.TemporaryDirectory(prefix="jaild-", dir="/var/tmp")
        cls.addClassCleanup(cls.folder.cleanup)
        os.chmod(cls.folder.name, 0o755)

    def setUp(self):
        super().setUp()
        self.socket = f"{self.folder.name}/{self._testMethodName}.sock"
        self.jaild = None
        (self.dir / "read" / "file").write_text("text")

    def tearDown(self):
        self.stop(signal.SIGTERM)
        super().tearDown()

    def serve(self, *words, **options):
        self.jaild = subprocess.Popen([JAILD, "--socket", self.socket], stderr=subprocess.PIPE, **options)
        self.addCleanup(self.jaild.stderr.close)
        said = self.jaild.stderr.readline().decode()
        self.assertEqual(said, "jaild: serving\n")
        loads = json.loads(self.jail("doctor", "--json", "--broker", self.socket).out)
        for family in words:
            if loads["ebpf"][family] != "loads":
                self.skipTest(f"{family}: {loads['ebpf'][family]}")

    def stop(self, number):
        if self.jaild and self.jaild.returncode is None:
            self.jaild.send_signal(number)
            self.jaild.wait(SECONDS)

    def stating(self, files="all", more="", extra=""):
        return self.profile(f"  read: [\"{self.dir}/read\"]\n{extra}" + EBPF % files + more)

    def run_traced(self, *words, **others):
        return self.run_plugin(*words, options=("--broker", self.socket), **others)

    def told(self, kind, **members):
        return [record for record in self.records() if record["kind"] == kind
                and all(record.get(name) == value for name, value in members.items())]

    def test_programs_and_files(self):
        self.serve("process", "file_exit")
        file = self.dir / "read" / "file"
        self.assertEqual(self.run_traced("read-by", "open", file, profile=self.stating()).code, 0)
        executed, = self.told("process.exec", source="ebpf")
        self.assertEqual((executed["path"], executed["pid"]), (str(self.attacker), self.records()[1]["pid"]))
        opened, = self.told("file.open", path=str(file))
        self.assertEqual((opened["source"], opened["file"][1]), ("ebpf", file.stat().st_ino))
        self.assertEqual(len(self.told("process.exit", source="ebpf")), 1)
        self.assertEqual(self.records()[-1]["lost"], {})

    def test_power_that_is_not_given(self):
        """Below Linux 6.14 by a program that hangs on the end of a function: after jaild has given up all it can."""
        self.serve("process", "privilege")
        profile = self.stating("denied", "syscalls: {allow: [chroot]}\n")
        self.run_traced("chroot-climb", self.dir / "write", profile=profile)
        attempt, = self.told("privilege.attempt", call="chroot")
        self.assertEqual((attempt["source"], attempt["decision"], attempt["capability"]),
                         ("ebpf", "denied", "CAP_SYS_CHROOT"))

    def test_the_hosts_network(self):
        self.serve("process", "network")
        with socket.socket() as server:
            server.bind(("127.0.0.1", 0))
            server.listen()
            port = server.getsockname()[1]
            self.run_traced("tcp", port, profile=self.stating("denied", "network: {mode: host}\n"))
        connected, = self.told("net.connect")
        self.assertEqual((connected["source"], connected["address"], connected["port"]), ("ebpf", "127.0.0.1", port))

    def test_started_by_its_socket(self):
        """As systemd does (sd_listen_fds(3)): who asks before it runs is answered when it does."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listening:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
            listening.bind(self.socket)
            os.chmod(self.socket, 0o666)
            listening.listen()
            words = ["/bin/sh", "-c", "LISTEN_PID=$$ LISTEN_FDS=1 exec \"$0\"", JAILD]
            self.jaild = subprocess.Popen(words, stderr=subprocess.DEVNULL, pass_fds=[3],
                                          preexec_fn=lambda: os.dup2(listening.fileno(), 3))
        self.assertRegex(self.jail("doctor", "--broker", self.socket).out, rf"(?m)^  answers +jaild +{self.socket}$")

    def test_doctor_says_whether_it_answers(self):
        self.serve()
        shown = self.jail("doctor", "--broker", self.socket).out
        self.assertRegex(shown, rf"(?m)^  answers +jaild +{self.socket}$")
        self.assertEqual(json.loads(self.jail("doctor", "--json", "--broker", self.socket).out)["jaild"], self.socket)

    def test_without_it(self):
        ended = self.run_traced("exit", 0, profile=self.stating())
        self.assert_refused(ended, "needs root, or CAP_BPF and CAP_PERFMON; "
                                   f"no jaild at {self.socket}: No such file or directory")
        self.assertIn(f"no jaild at {self.socket}", self.jail("doctor", "--broker", self.socket).out)

    def test_a_ring_of_more_than_it_lends(self):
        self.serve("process")
        stated = "monitor: {source: ebpf, files: denied, ring: %s}\n"
        grants = f"  read: [\"{self.dir}/read\"]\n"
        self.assert_refused(self.run_traced("exit", 0, profile=self.profile(grants + stated % "32M")),
                            "jaild lends no ring of more than 16 MiB")
        self.assertEqual(self.run_traced("exit", 0, profile=self.profile(grants + stated % "16M")).code, 0)
        self.assertEqual(len(self.told("process.exec", source="ebpf")), 1)

    AUTO = "monitor: {source: auto%s}\n"
    TRACED = "programs started, and processes that end: ebpf; programs denied: notify"

    def run_auto(self, more="", rest="", **others):
        """What the log says of the sources."""
        profile = self.profile(f"  read: [\"{self.dir}/read\"]\n" + self.AUTO % more + rest)
        others = {"options": ("--broker", self.socket)} | others
        self.log.unlink(missing_ok=True)
        self.assertEqual(self.run_plugin("exit", 3, profile=profile, **others).code, 3)
        return self.told("run.started")[0].get("sources", [])

    def run_auto_answered(self, *words, **others):
        """The same; a slow machine's jaild may need several tries to answer in time."""
        limit = time.monotonic() + SECONDS
        while "does not answer" in " ".join(sources := self.run_auto(*words, **others)):
            self.assertLess(time.monotonic(), limit, sources)
        return sources

    def test_auto_takes_of_it_what_is_cheapest(self):
        self.serve("process", "network")
        self.assertIn(self.TRACED, self.run_auto_answered(", files: all", "network: {mode: host}\n"))
        self.assertEqual(len(self.told("process.exec", source="ebpf", decision="allowed")), 1)
        self.assertEqual(len(self.told("process.exec")), 1, "each once")
        self.assertEqual(self.told("process.exit", source="ebpf")[0]["exit"], 3)
        sources = " ".join(self.told("run.started")[0]["sources"])
        self.assertIn("Internet addresses spoken with, and how much: ebpf", sources)
        self.assertNotIn("by the end of each system call", sources)

    def test_auto_says_what_it_has_taken(self):
        self.serve("process")
        profile = self.profile(f"  read: [\"{self.dir}/read\"]\n" + self.AUTO % "")
        limit = time.monotonic() + SECONDS
        while self.TRACED not in (shown := self.jail("show", "--plan", "--broker", self.socket, profile)).out:
            self.assertIn("does not answer", shown.out)
            self.assertLess(time.monotonic(), limit, shown)

    def test_auto_without_one_says_nothing_of_it(self):
        self.assertEqual(self.run_auto(), [])

    def test_auto_goes_on_without_one_that_has_ended(self):
        self.serve()
        self.stop(signal.SIGKILL)
        self.assertIn(f"no ebpf: no jaild at {self.socket}: Connection refused", self.run_auto())

    def test_auto_does_not_wait_for_one_that_does_not_answer(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listening:
            listening.bind(self.socket)
            os.chmod(self.socket, 0o666)
            listening.listen()
            self.assertIn(f"no ebpf: jaild at {self.socket}: it does not answer", self.run_auto())

    def test_auto_goes_on_without_one_that_does_not_serve(self):
        self.serve("process")
        sources = self.run_auto_answered(finish=lambda: PRCTL(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        self.assertIn(f"no ebpf: jaild at {self.socket}: who asks has given up new privileges (no_new_privs)", sources)

    def test_auto_takes_no_ring_that_it_does_not_lend(self):
        self.serve("process")
        self.assertIn("no ebpf: jaild lends no ring of more than 16 MiB", self.run_auto_answered(", ring: 32M"))

    def test_one_that_is_not_roots(self):
        path = str(self.dir / "runtime" / "false.sock")
        pid = os.fork()
        if pid == 0:
            os.setresuid(self.uid, self.uid, self.uid)
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listening:
                listening.bind(path)
                listening.listen()
                while True:
                    with listening.accept()[0] as connection:
                        connection.recv(1)
        while not os.path.exists(path) or self.is_refused(path):
            time.sleep(0.001)
        asked = self.run_plugin("exit", 0, profile=self.stating(), options=("--broker", path))
        self.log.unlink()
        sources = self.run_auto(options=("--broker", path))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.unlink(path)
        self.assert_refused(asked, f"jaild at {path}: it is not root's")
        self.assertIn(f"no ebpf: jaild at {path}: it is not root's", sources)

    @staticmethod
    def is_refused(path):
        """Whether nobody listens yet, by the kernel's list: a connection would be the one that is waited for."""
        with open("/proc/net/unix", encoding="utf-8") as lines:
            return not any(line.split()[-1] == path and line.split()[3] == "00010000" for line in lines)

    def test_its_folder_is_never_granted(self):
        for folder, code in ((self.dir / "read", 0), ("/run/jail", 1), ("/run", 1), ("/var/run/jail", 1)):
            checked = self.jail("check", self.profile(f"  read: [\"{folder}\"]\n", name="granted"))
            self.assertEqual(checked.code, code, checked)

    def started(self, profile):
        """A run that waits for its standard input to end, and is watched."""
        words = ["run", "--broker", self.socket, "--audit", self.log, profile, "--", "/bin/cat"]
        process = subprocess.Popen([BINARY, *map(str, words)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, cwd=self.dir / "write", preexec_fn=self.become(),
                                   env=self.environment)
        process.stdin.write(b"x")
        process.stdin.flush()
        self.assertEqual(process.stdout.read(1), b"x")
        return process

    def waiting(self, on_loss="count"):
        grants = "  exec: [/bin/cat]\n  libraries: [/usr/lib, /lib64]\n"
        return self.profile(f"monitor: {{source: ebpf, files: denied, on_loss: {on_loss}}}\n", grants=grants)

    def test_it_ends_during_a_run(self):
        self.serve("process")
        process = self.started(self.waiting())
        self.stop(signal.SIGKILL)
        limit = time.monotonic() + SECONDS
        while "monitor.changed" not in self.kinds() and time.monotonic() < limit:
            time.sleep(0.01)
        self.serve()
        out, error = process.communicate(timeout=SECONDS)
        self.assertEqual((process.returncode, out), (0, b""), error)
        changed, = self.told("monitor.changed")
        self.assertEqual((changed["event_source"], changed["source"]), ("notify", "ebpf"))
        self.assertIn("jaild: it has closed the connection", changed["reason"])
        self.assertEqual(self.records()[-1]["outcome"], "exited")
        self.log.unlink()
        self.run_traced("exit", 3, profile=self.stating("denied"))
        self.assertEqual(len(self.told("process.exec", source="ebpf")), 1, "the new one serves")

    def test_it_ends_during_a_run_that_must_be_watched(self):
        self.serve("process")
        process = self.started(self.waiting("kill"))
        self.stop(signal.SIGKILL)
        self.assertEqual(process.wait(SECONDS), 125)
        process.communicate()
        self.assertEqual(self.records()[-1]["outcome"], "monitor-lost")

    def test_a_killed_launcher_leaves_nothing(self):
        self.serve("process")
        descriptors = f"/proc/{self.jaild.pid}/fd"
        before = len(os.listdir(descriptors))
        process = self.started(self.waiting())
        self.assertGreater(len(os.listdir(descriptors)), before)
        process.kill()
        process.communicate()
        limit = time.monotonic() + SECONDS
        while len(os.listdir(descriptors)) > before and time.monotonic() < limit:
            time.sleep(0.01)
        self.assertLessEqual(len(os.listdir(descriptors)), before)

    def test_names_that_are_taken_mean_nothing_to_it(self):
        """A stranger's folder where root keeps programs, and a lock on it: jaild takes nothing from there."""
        locked, pipe = os.pipe()
        self.addCleanup(os.close, locked)
        self.addCleanup(os.close, pipe)
        self.serve("process", preexec_fn=lambda: squat(locked, pipe, self.uid))
        self.run_traced("exit", 0, profile=self.stating("denied"))
        self.assertEqual(len(self.told("process.exec", source="ebpf")), 1)


if __name__ == "__main__":
    unittest.main()
