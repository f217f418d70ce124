"""Many runs: what one of them leaves behind, however little, adds up. And one long run: what it grows by.

The kernel counts the namespaces that a run makes, for the user namespace around the launcher: with fewer allowed there
than there are runs, a leak is ENOSPC (namespaces(7)). It frees some of them a little later, hence the headroom. Nothing
else on the machine disturbs that count, as it would a look at /proc.
"""
import ctypes
import json
import os
import pathlib
import random
import resource
import signal
import subprocess
import sys
import time
import unittest

from jail_case import BINARY, IS_ROOT, PRCTL, PR_SET_CHILD_SUBREAPER, SECONDS, both_launchers
from odd_machine_test import CLONE_NEWUSER, in_user_namespace

PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)
RUNS = 300 if os.environ.get("JAIL_VM") else 1000
AT_ONCE = 50 if os.environ.get("JAIL_VM") else 200
KILLED = 40 if os.environ.get("JAIL_VM") else 200
LATEST_S = 0.03  # when a run is killed: while it is built, or when its plugin runs
NAMESPACES = RUNS // 2
KINDS = ("user", "mnt", "pid", "net", "ipc", "uts", "cgroup")
ROUNDS, MEGABYTE = 40, 1 << 20
SETTLED_S = 1.5  # what short runs are spared is there by then
BUSY = f"""
import os, sys
for line in sys.stdin.buffer:
    for _ in range(10):
        if os.fork() == 0:
            os._exit(0)
        os.wait()
    sys.stdout.buffer.write(b"x" * {MEGABYTE})
    sys.stdout.buffer.flush()
"""


def own_groups():
    """The control groups of version 2 below our own."""
    mounts = [line.split() for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines()]
    path = next((words[4] for words in mounts if "cgroup2" in words), None)
    own = next((line[4:] for line in pathlib.Path("/proc/self/cgroup").read_text().splitlines()
                if line.startswith("0::/")), "")
    return os.listdir(f"{path}/{own}") if path else []


@both_launchers
class ManyRuns:
    def in_child(self, work):
        """`work` in a process of its own, as the launcher's user, in a namespace with limits; gives what it returns."""
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            status = 1
            try:
                PRCTL(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
                limits = {f"max_{kind}_namespaces": NAMESPACES for kind in KINDS}
                self.become(in_user_namespace(limits) if IS_ROOT else None)()
                os.chdir(self.dir / "write")
                os.write(writer, json.dumps(work()).encode())
                status = 0
            finally:
                os._exit(status)
        os.close(writer)
        with open(reader, "rb") as results:
            said = results.read()
        self.assertEqual(os.waitpid(child, 0)[1], 0, "the child that starts the runs has failed")
        return json.loads(said)

    def start(self, command, quiet):
        streams = [(os.POSIX_SPAWN_DUP2, quiet, number) for number in (0, 1)]
        return os.posix_spawn(BINARY, command, self.environment, file_actions=streams)

    def command(self, profile, *words):
        return [BINARY, "run", "--audit", str(self.log), profile, "--", self.attacker, *words]

    def test_one_after_the_other(self):
        profile = self.profile()

        def work():
            quiet = os.open("/dev/null", os.O_RDWR)
            before, wrong, peaks = self.holdings(), [], []
            for run in range(RUNS):
                _, status = os.waitpid(self.start(self.command(profile, "exit", str(run % 100)), quiet), 0)
                if os.waitstatus_to_exitcode(status) != run % 100:
                    wrong.append((run, os.waitstatus_to_exitcode(status)))
                if run in (RUNS // 10, RUNS - 1):
                    peaks.append(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
            return {"before": before, "after": self.holdings(), "wrong": wrong[:5], "peaks": peaks}

        found = self.in_child(work)
        self.assertEqual(found["wrong"], [], "(run, status)")
        self.assertEqual(found["after"], found["before"])
        self.assertLessEqual(found["peaks"][1], found["peaks"][0] + 1024, "KiB of the largest process")
        self.assertEqual(self.kinds().count("run.ended"), RUNS)

    @staticmethod
    def holdings():
        """What of a run could be left with whoever started it."""
        return {"descriptors": len(os.listdir("/proc/self/fd")),
                "mounts": pathlib.Path("/proc/self/mountinfo").read_text().count("\n"),
                "children": pathlib.Path("/proc/thread-self/children").read_text()}

    def test_all_at_once(self):
        profile, ready = self.profile(), self.dir / "write"

        def work():
            quiet = os.open("/dev/null", os.O_RDWR)
            before = self.holdings()
            runs = [self.start(self.command(profile, "hold", f"{ready}/{run}"), quiet) for run in range(AT_ONCE)]
            limit = time.monotonic() + SECONDS
            while len(os.listdir(ready)) < AT_ONCE and time.monotonic() < limit:
                time.sleep(0.02)
            together = len(os.listdir(ready))
            listed = json.loads(subprocess.check_output([BINARY, "ps", "--json"], env=self.environment))
            listed = sum(one["state"] == "running" and one["supervisor"] in runs for one in listed)
            for run in runs:
                os.kill(run, signal.SIGTERM)
            statuses = {os.waitstatus_to_exitcode(os.waitpid(run, 0)[1]) for run in runs}
            return {"before": before, "after": self.holdings(), "together": together, "listed": listed,
                    "statuses": sorted(statuses)}

        found = self.in_child(work)
        self.assertEqual((found["together"], found["listed"]), (AT_ONCE, AT_ONCE))
        self.assertEqual(found["statuses"], [128 + signal.SIGTERM])
        self.assertEqual(found["after"], found["before"])
        self.assertEqual(len({record["run"] for record in self.records()}), AT_ONCE)

    def test_the_count_sees_a_leak(self):
        """The control: as many namespaces as are allowed, kept, and the next jail is refused."""
        if not IS_ROOT:
            self.skipTest("only root makes a user namespace with all ids")
        enter = in_user_namespace({"max_user_namespaces": 1})

        def prepare():
            enter()
            reader, writer = os.pipe()
            if os.fork() == 0:
                self.become()()  # the limit is one for each user
                LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
                LIBC.unshare(CLONE_NEWUSER)
                os.write(writer, b"kept")
                signal.pause()
            os.read(reader, 4)

        self.assert_refused(self.run_plugin("exit", 0, prepare=prepare), "No space left")


@both_launchers
class KilledAtAnyMoment:
    """SIGKILL to the supervisor, or to pid 1 of the jail, whenever it comes: nothing is left, and the log is true."""

    BUSY = "while :; do (while :; do :; done) & sleep 0.001; kill $!; done"

    def test_nothing_is_left(self):
        random.seed(os.getpid())
        profile = self.document("version: 1\nname: cli-test\nextends: [shell]\nlimits: {pids: 32}\n"
                                "network: {allow: [\"tcp://127.0.0.1:9\"]}\n")
        quiet = os.open("/dev/null", os.O_RDWR)
        self.addCleanup(os.close, quiet)
        ends, killed = [], []
        for number in range(KILLED):
            process = subprocess.Popen([BINARY, "run", "--audit", self.log, profile, "--", "sh", "-c", self.BUSY],
                                       stdin=quiet, stdout=quiet, stderr=quiet, preexec_fn=self.become(),
                                       env=self.environment, cwd=self.dir / "write")
            time.sleep(random.uniform(0, LATEST_S))
            victim = process.pid if number % 2 == 0 else self.first_child_of(process.pid)
            os.kill(victim or process.pid, signal.SIGKILL)
            ends.append(process.wait(SECONDS))
            killed.append(process.pid)
        self.assertEqual(self.survivors(), [])
        after = self.jail("run", "--audit", "/dev/null", profile, "--", "sh", "-c", "exit 3")
        self.assertEqual(after.code, 3, after)  # it takes away what they have left
        self.assertEqual([pid for pid in killed if f"jail-{pid}" in own_groups()], [])
        self.assertTrue(any(end == -signal.SIGKILL for end in ends), "no supervisor was killed")
        self.assertTrue(any(end in (125, 137) for end in ends), "no pid 1 was killed")
        kinds = {}
        for record in self.records() if self.log.exists() else []:
            kinds.setdefault(record["run"], []).append((record["kind"], record.get("outcome")))
        for run, told in kinds.items():
            with self.subTest(run=run):
                ends = [outcome for kind, outcome in told if kind == "run.ended"]
                self.assertLessEqual(len(ends), 1)
                self.assertTrue(set(ends) <= {"killed"}, told)
                self.assertTrue(not ends or ("run.started", None) in told, told)

    @staticmethod
    def first_child_of(pid):
        """Pid 1 of the jail: it is made first."""
        try:
            children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        except OSError:
            return None
        return int(children[0]) if children else None


@both_launchers
class LongRun:
    def test_supervisor_does_not_grow(self):
        profile = self.document("version: 1\nname: cli-test\nextends: [python]\n")
        command = [BINARY, "run", "--audit", self.log, profile, "--", "python3", "-c", BUSY]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=self.environment,
                                   preexec_fn=self.become(), cwd=self.dir / "write")
        seen, begun = [], time.monotonic()
        while len(seen) < ROUNDS or seen[-1][0] < 2 * SETTLED_S:
            process.stdin.write(b"go on\n")
            process.stdin.flush()
            self.assertEqual(len(process.stdout.read(MEGABYTE)), MEGABYTE)
            seen.append((time.monotonic() - begun, len(os.listdir(f"/proc/{process.pid}/fd")),
                         self.resident(process.pid)))
        process.stdin.close()
        self.assertEqual(process.wait(SECONDS), 0)
        process.stdout.close()
        early, late = next(one for one in seen if one[0] > SETTLED_S), seen[-1]
        self.assertEqual(late[1], early[1], "descriptors")
        self.assertLessEqual(late[2], early[2] + 256, "KiB of memory")

    @staticmethod
    def resident(pid):
        for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
        return sys.maxsize


if __name__ == "__main__":
    unittest.main()
