"""`monitor: {source: ebpf}`: what became of programs and files is told by the kernel's programs, with the layer and the
line that said no, each attempt once; what no program sees, by notification. Who may not load programs is refused by
name. `source: auto` takes of them what nobody else pays for.
"""
import json
import os
import pathlib
import signal
import socket
import subprocess
import time
import unittest

from jail_case import BINARY, IS_ROOT, both_launchers
from log_test import in_own_mounts
from loss_test import MONITOR_LOST, LossTest

EBPF = "monitor: {source: ebpf, files: %s}\n"


@both_launchers
class Ebpf:
    def setUp(self):
        super().setUp()
        (self.dir / "read" / "file").write_text("text")
        (self.dir / "home" / "secret").write_text("text")
        os.chmod(self.dir / "home" / "secret", 0o644)

    def stating(self, files="all", more=""):
        return self.profile(f"  read: [\"{self.dir}/read\"]\n" + EBPF % files + more)

    def needs(self, *families):
        if self.uid != 0:
            self.skipTest("only root loads programs")
        loads = json.loads(subprocess.run([BINARY, "doctor", "--json"], stdout=subprocess.PIPE, check=False).stdout)
        for family in families:
            if loads["ebpf"][family] != "loads":
                self.skipTest(f"{family}: {loads['ebpf'][family]}")

    def told(self, kind, **members):
        return [record for record in self.records() if record["kind"] == kind
                and all(record.get(name) == value for name, value in members.items())]

    def test_an_ordinary_user_is_refused(self):
        if self.uid == 0:
            self.skipTest("launched by root")
        ended = self.run_plugin("exit", 0, profile=self.stating())
        self.assert_refused(ended, "error: monitor: no eBPF programs (process): needs root, or CAP_BPF and CAP_PERFMON")
        self.assertEqual(self.kinds()[-1], "run.refused")

    def test_an_ordinary_user_may_go_without(self):
        if self.uid == 0:
            self.skipTest("launched by root")
        ended = self.run_plugin("exit", 5, profile=self.stating(more="best_effort: [monitor]\n"))
        self.assertEqual(ended.code, 5, ended)
        self.assertEqual(self.records()[1]["event_source"], "none")

    def test_doctor_says_what_loads(self):
        shown = self.jail("doctor").out
        for family in ("process", "network", "file_exit", "file_lsm"):
            self.assertRegex(shown, rf"(?m)^  (loads|absent) +ebpf\.{family} ")
        if self.uid != 0:
            self.assertRegex(shown, r"absent +ebpf\.process +needs root")

    def test_programs_from_the_first_one_to_the_last_exit(self):
        self.needs("process")
        self.assertEqual(self.run_plugin("exit", 5, profile=self.stating("denied")).code, 5)
        started = self.records()[1]
        self.assertEqual(started["event_source"], "ebpf")
        self.assertIn("programs started, and processes that end: ebpf; programs denied: notify", started["sources"])
        executed, = self.told("process.exec")
        self.assertEqual((executed["source"], executed["path"], executed["decision"]),
                         ("ebpf", str(self.attacker), "allowed"))
        self.assertEqual(executed["argv"], [str(self.attacker), "exit", "5"])
        self.assertEqual(executed["pid"], started["pid"])
        self.assertEqual(executed["file"][1], os.stat(self.attacker).st_ino)
        ended, = self.told("process.exit")
        self.assertEqual((ended["source"], ended["exit"], ended["pid"]), ("ebpf", 5, started["pid"]))
        self.assertEqual(self.records()[-1]["lost"], {})

    def test_files(self):
        self.needs("process", "file_exit")
        file = self.dir / "read" / "file"
        self.run_plugin("read-by", "open", file, profile=self.stating())
        opened, = self.told("file.open", path=str(file))
        self.assertEqual((opened["source"], opened["decision"]), ("ebpf", "allowed"))
        self.assertNotIn("access", opened, "it is the usual one")
        self.assertEqual(opened["file"][:2], [file.stat().st_dev, file.stat().st_ino])

    def test_a_look(self):
        self.needs("process", "file_exit")
        file = self.dir / "read" / "file"
        self.run_plugin("read-by", "stat", file, profile=self.stating())
        looked = self.told("file.open", path=str(file), source="ebpf", access=["stat"])
        self.assertEqual(len(looked), 1)

    def test_changes_only(self):
        self.needs("process", "file_exit")
        self.run_plugin("read-by", "open", self.dir / "read" / "file", profile=self.stating("changes"))
        self.assertEqual(self.told("file.open"), [])
        self.log.unlink()
        made = self.dir / "write" / "made"
        self.run_plugin("change-own", "write", made, profile=self.stating("changes"))
        self.assertTrue(self.told("file.open", path=str(made), source="ebpf", decision="allowed"))

    def test_what_is_denied_is_told_once_and_by_whom(self):
        self.needs("process", "file_exit")
        secret = self.dir / "home" / "secret"
        for files in ("denied", "changes", "all"):
            with self.subTest(files=files):
                self.log.unlink(missing_ok=True)
                self.run_plugin("read-by", "open", secret, profile=self.stating(files))
                denied, = self.told("file.open", path=str(secret))
                self.assertEqual((denied["source"], denied["decision"], denied["layer"], denied["rule"],
                                  denied["errno"]), ("ebpf", "denied", "mount", "default", "ENOENT"))
                self.assertNotIn("predicted", denied)

    def test_a_program_that_is_denied_is_told_once(self):
        self.needs("process", "file_exit")
        self.run_plugin("execute", "/bin/true", profile=self.stating())
        denied, = self.told("process.exec", path="/bin/true")
        self.assertEqual((denied["decision"], denied["layer"], denied["argv"]), ("denied", "mount", ["/bin/true"]))

    def test_what_the_files_own_mode_denies(self):
        """Which no plan foretells."""
        self.needs("process", "file_exit")
        file = self.dir / "read" / "file"
        os.chmod(file, 0)
        self.run_plugin("read-by", "open", file, profile=self.stating("denied"))
        denied, = self.told("file.open", path=str(file))
        self.assertEqual((denied["decision"], denied["layer"], denied["errno"]), ("denied", "permission", "EACCES"))

    def test_what_the_filter_denies_is_told_once(self):
        self.needs("process", "file_exit")
        self.run_plugin("change-own", "mkfifo", self.dir / "write" / "made", profile=self.stating("denied",
                        "syscalls: {deny: [mknod, mknodat]}\n"))
        denied, = [record for record in self.records() if record.get("decision") == "denied"]
        self.assertEqual((denied["kind"], denied["layer"]), ("syscall.denied", "seccomp"))

    def test_a_stranger_is_not_told_of(self):
        self.needs("process", "file_exit")
        file = self.dir / "read" / "file"
        stranger = subprocess.Popen(["/bin/sh", "-c", f"while :; do cat {file} >/dev/null; done"])
        try:
            self.run_plugin("exit", 0, profile=self.stating())
        finally:
            stranger.kill()
            stranger.wait()
        self.assertEqual(self.told("file.open", path=str(file)), [])
        self.assertEqual(len(self.told("process.exec")), 1)

    def test_the_hosts_network(self):
        self.needs("process", "network")
        with socket.socket() as server:
            server.bind(("127.0.0.1", 0))
            server.listen()
            port = server.getsockname()[1]
            profile = self.stating("denied", "network: {mode: host}\n")
            self.run_plugin("tcp", port, profile=profile)
        connected, = self.told("net.connect")
        self.assertEqual((connected["source"], connected["address"], connected["port"]), ("ebpf", "127.0.0.1", port))
        flow, = self.told("net.flow")
        self.assertEqual((flow["source"], flow["protocol"], flow["address"], flow["port"], flow["pid"]),
                         ("ebpf", "tcp", "127.0.0.1", port, connected["pid"]))
        self.assertGreaterEqual(flow["packets_sent"], 2)
        group = pathlib.Path(self.records()[1]["cgroup"])
        self.assertRegex(group.name, r"^jail-\d+$")
        self.assertFalse(group.exists(), "the group is left")

    def test_a_connection_that_the_supervisor_makes_is_told_once(self):
        """As it makes all of them where a unix socket is granted, which old kernels do not tell apart."""
        self.needs("process", "network")
        granted = self.dir / "home" / "granted.sock"
        with socket.socket(socket.AF_UNIX) as unix, socket.socket() as server:
            unix.bind(str(granted))
            server.bind(("127.0.0.1", 0))
            server.listen()
            port = server.getsockname()[1]
            profile = self.stating("denied", f"network: {{mode: host, unix: [\"{granted}\"]}}\n")
            self.run_plugin("tcp", port, profile=profile)
        connected, = self.told("net.connect")
        self.assertEqual((connected["decision"], connected["address"], connected["port"]),
                         ("allowed", "127.0.0.1", port))

    def test_the_jails_own_network_has_one_event_an_attempt(self):
        self.needs("process")
        self.run_plugin("tcp", 1, profile=self.stating("denied"))
        connected, = self.told("net.connect")
        self.assertEqual(connected["decision"], "denied")

    def test_what_goes_through_a_ring_is_whose_ring_it_is(self):
        """io_uring: the kernel's own threads do it, in the name of who has made the ring."""
        self.needs("process", "network")
        with socket.socket() as server:
            server.bind(("127.0.0.1", 0))
            server.listen()
            port = server.getsockname()[1]
            ring = "syscalls: {allow: [io_uring_setup, io_uring_enter, io_uring_register]}\n"
            self.run_plugin("ring-connect", port, profile=self.stating("none", "network: {mode: host}\n" + ring))
        connected, = self.told("net.connect")
        executed, = self.told("process.exec")
        self.assertEqual((connected["source"], connected["port"]), ("ebpf", port))
        self.assertEqual((connected["pid"], connected["jail_pid"]), (executed["pid"], executed["jail_pid"]))

    def test_what_the_kernels_own_thread_opens(self):
        self.needs("process", "file_lsm")
        file = self.dir / "read" / "file"
        ring = "syscalls: {allow: [io_uring_setup, io_uring_enter, io_uring_register]}\n"
        self.run_plugin("ring-polled-open", file, profile=self.stating("all", ring))
        opened, = self.told("file.open", path=str(file))
        executed, = self.told("process.exec")
        self.assertEqual((opened["source"], opened["pid"], opened["jail_pid"]),
                         ("ebpf", executed["pid"], executed["jail_pid"]))

    def test_power_that_the_profile_lets_be_asked_for(self):
        self.needs("process", "privilege")
        profile = self.stating("none", "syscalls: {allow: [chroot]}\n")
        self.run_plugin("chroot-climb", self.dir / "write", profile=profile)
        attempt, = self.told("privilege.attempt", call="chroot")
        self.assertEqual((attempt["source"], attempt["decision"], attempt["layer"], attempt["capability"]),
                         ("ebpf", "denied", "permission", "CAP_SYS_CHROOT"))

    def test_a_ring_of_the_size_that_is_stated(self):
        self.needs("process")
        profile = self.profile("monitor: {source: ebpf, ring: 64K}\n")
        self.assertEqual(self.run_plugin("exit", 5, profile=profile).code, 5)
        self.assertEqual(len(self.told("process.exit")), 1)

    def test_nothing_is_left_of_a_killed_supervisor(self):
        self.needs("process", "network")
        profile = self.profile("network: {mode: host}\nmonitor: {source: ebpf}\n")
        killed = subprocess.Popen([BINARY, "run", "--audit", self.log, profile, "--", self.attacker, "hold"],
                                  cwd=self.dir / "write", env=self.environment, stdin=subprocess.DEVNULL)
        while not self.log.exists() or "process.exec" not in self.kinds():
            self.assertIsNone(killed.poll())
            time.sleep(0.01)
        killed.kill()
        killed.wait()
        group = pathlib.Path(self.records()[1]["cgroup"])
        kept = set(pathlib.Path("/sys/fs/bpf/jail").glob("*/run_*"))
        self.assertTrue(group.exists(), "control: a killed process takes nothing away")
        self.assertEqual(self.survivors(), [])
        self.log.unlink()
        self.assertEqual(self.run_plugin("exit", 5, profile=profile).code, 5)
        self.assertFalse(group.exists(), "the group is left")
        self.assertEqual(kept & set(pathlib.Path("/sys/fs/bpf/jail").glob("*/run_*")), set())

    def test_capabilities_are_enough(self):
        if self.uid == 0 or not IS_ROOT:
            self.skipTest("root's, to give an ordinary user capabilities")
        powers = "+bpf,+perfmon"
        ended = self.jail("run", "--audit", self.log, self.stating("denied"), "--", self.attacker, "exit", "5",
                          through=["setpriv", "--reuid", self.uid, "--regid", self.uid, "--clear-groups",
                                   "--inh-caps", powers, "--ambient-caps", powers])
        if "process): this kernel" in ended.error:
            self.skipTest(ended.error)
        self.assertEqual(ended.code, 5, ended)
        executed, = self.told("process.exec")
        self.assertEqual((executed["source"], executed["path"]), ("ebpf", str(self.attacker)))

    def test_the_plan_says_what_tells_what(self):
        self.needs("process", "file_exit")
        shown = self.jail("show", "--plan", self.stating()).out
        self.assertRegex(shown, r"(?m)^monitor +source ebpf, files: all$")
        self.assertRegex(shown, r"(?m)^monitor +files: ebpf, by the end of each system call")


def with_kept_programs():
    """A `prepare`: a BPF file system of the launcher's own, which goes with it."""
    def mount():
        if os.system("mount -t bpf bpf /sys/fs/bpf") != 0:
            os._exit(98)
    return in_own_mounts(mount)


@both_launchers
class Option:
    """`--monitor`: whatever the profile says."""

    def watched(self, *words, more="monitor: {source: none}\n"):
        shown = self.jail("show", "--plan", *words, self.profile(more))
        self.assertEqual(shown.code, 0, shown)
        return shown.out

    def test_it_is_put_over_the_profile(self):
        self.assertNotIn("source notify", self.watched())
        plan = self.watched("--monitor", "notify,all")
        self.assertIn("monitor         source notify, files: all", plan)
        self.assertIn("monitor         enforced  # --monitor", plan)
        more = "monitor: {source: notify, files: all}\n"
        self.assertIn("source notify, files: changes", self.watched("--monitor", "changes", more=more))
        self.assertNotIn("source notify", self.watched("--monitor", "none", more=more))

    def test_a_run_is_watched_so_and_its_log_says_who_asked(self):
        file = self.dir / "read" / "file"
        file.write_text("text")
        profile = self.profile(f"  read: [\"{self.dir}/read\"]\nmonitor: {{source: none}}\n")
        self.run_plugin("read-by", "open", file, profile=profile, options=("--monitor", "notify,all"))
        self.assertTrue([record for record in self.records() if record.get("path") == str(file)])
        layer, = [layer for layer in self.records()[1]["policy"] if layer["layer"] == "monitor"]
        self.assertEqual(layer["asked_by"], "--monitor")

    def test_words_that_are_none(self):
        for words in ("all,denied", "notify,auto", "everything", ""):
            ended = self.run_plugin("exit", 0, options=("--monitor", words))
            self.assertEqual((ended.code, ended.out), (2, ""), words)

    def test_by_name_it_is_as_strict_as_the_profile(self):
        if self.uid == 0:
            self.skipTest("root may have it")
        ended = self.run_plugin("exit", 0, options=("--monitor", "ebpf"))
        self.assert_refused(ended, "--monitor: error: monitor: no eBPF programs")


@both_launchers
class Auto:
    """What nobody else pays for, where programs can be kept; else notification alone."""

    def test_nothing_is_loaded_that_cannot_be_kept(self):
        if self.uid == 0 and os.path.ismount("/sys/fs/bpf"):
            self.skipTest("a BPF file system is here")
        self.assertEqual(self.run_plugin("exit", 5).code, 5)
        self.assertEqual(self.records()[1]["event_source"], "notify")

    def test_programs_by_ebpf_and_files_by_notification(self):
        if self.uid != 0:
            self.skipTest("only root loads programs")
        if json.loads(self.jail("doctor", "--json").out)["ebpf"]["process"] != "loads":
            self.skipTest("no programs here")
        secret = self.dir / "home" / "secret"
        secret.write_text("text")
        ended = self.run_plugin("read-by", "open", secret, prepare=with_kept_programs())
        records = self.records()
        self.assertEqual(records[1]["event_source"], "ebpf and notify", ended)
        self.assertIn("files: notify", records[1]["sources"])
        executed, = [record for record in records if record["kind"] == "process.exec"]
        self.assertEqual((executed["source"], executed["decision"]), ("ebpf", "allowed"))
        self.assertEqual(len([record for record in records if record["kind"] == "process.exit"]), 1)
        denied, = [record for record in records if record.get("path") == str(secret)]
        self.assertEqual((denied["decision"], denied["layer"]), ("denied", "mount"))
        self.assertNotEqual(denied.get("source"), "ebpf")


# Goes on when it is told to; opens a file often, which is allowed, and some in between that it has not been given.
FLOODS = """
import os, sys, time
allowed, times, end = sys.argv[1], int(sys.argv[2]), sys.argv[3]
open("ready", "w").close()
while not os.path.exists("go"):
    time.sleep(0.01)
for number in range(times):
    os.close(os.open(allowed, os.O_RDONLY))
    if number % (times // 100) == 0:
        try:
            os.open(f"{sys.argv[4]}/{number // (times // 100)}", os.O_RDONLY)
        except OSError:
            pass
open("past", "w").close()
while end == "stay":
    time.sleep(0.1)
"""
DENIED = 100
TIMES = 12_000  # records of more than a ring holds


@both_launchers
class EbpfLoss(LossTest):
    """The reader is held by SIGSTOP while the plugin floods the ring: notification would have made the plugin wait."""

    def setUp(self):
        super().setUp()
        if self.uid != 0:
            self.skipTest("only root loads programs")
        loads = json.loads(subprocess.run([BINARY, "doctor", "--json"], stdout=subprocess.PIPE, check=False).stdout)
        if loads["ebpf"]["file_exit"] != "loads":
            self.skipTest(loads["ebpf"]["file_exit"])
        self.write = self.dir / "write"
        for number in range(DENIED):
            (self.dir / "home" / str(number)).write_text("x")

    def flooded(self, reaction, end="go"):
        """A run whose ring has overflowed, and that is read again now; and where it says how it stands."""
        told, status = os.pipe()
        profile = self.python(f"monitor: {{source: ebpf, files: all, on_loss: {reaction}}}\n")
        run = self.start(FLOODS, "/usr/bin/python3", TIMES, end, self.dir / "home", profile=profile,
                         pass_fds=(status,), audit=("--audit", str(self.log), "--status-fd", str(status)))
        os.close(status)
        self.told = os.fdopen(told)
        self.addCleanup(self.told.close)
        self.wait_for((self.write / "ready").exists, "the plugin does not begin")
        run.send_signal(signal.SIGSTOP)
        self.wait_for(lambda: pathlib.Path(f"/proc/{run.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T",
                      "it does not stop")
        (self.write / "go").touch()
        self.wait_for((self.write / "past").exists, "the plugin waits for its supervisor")
        run.send_signal(signal.SIGCONT)
        return run

    def test_count(self):
        code, _, error = self.end(self.flooded("count"))
        self.assertEqual(code, 0, error)
        records = self.records()
        lost = records[-1]["lost"]["ebpf"]
        self.assertGreater(lost, 0)
        self.assertEqual(sum(record["count"] for record in records if record["kind"] == "monitor.lost"), lost)
        opened = [record for record in records if record.get("path", "").startswith("/usr/bin/python3")
                  and record["kind"] == "file.open" and "access" not in record]
        told = sum(record.get("count", 1) for record in opened)
        self.assertLess(told, TIMES)
        self.assertGreaterEqual(told + lost, TIMES, "an open is without account")
        secret = {f"{self.dir}/home/{number}" for number in range(DENIED)}
        denied = [record for record in records if record.get("path") in secret]
        self.assertEqual({record["path"] for record in denied}, secret)
        self.assertEqual(len(denied), DENIED)
        self.assertEqual({(record["decision"], record["layer"], record["rule"], record["errno"], record["source"])
                          for record in denied}, {("denied", "mount", "default", "ENOENT", "ebpf")})

    @unittest.skipIf(os.environ.get("JAIL_VM"), "what is done about a loss is no kernel's matter")
    def test_kill(self):
        code, _, error = self.end(self.flooded("kill", "stay"))
        self.assertEqual(code, MONITOR_LOST, error)
        self.assertIn("the plugin was ended (monitor.on_loss: kill)", error)
        self.assertEqual(self.records()[-1]["outcome"], "monitor-lost")

    @unittest.skipIf(os.environ.get("JAIL_VM"), "what is done about a loss is no kernel's matter")
    def test_freeze(self):
        run = self.flooded("freeze", "stay")
        phases = [json.loads(self.told.readline()) for _ in range(2)]
        self.assertEqual([said["phase"] for said in phases], ["started", "frozen"])
        run.send_signal(signal.SIGTERM)
        code, _, error = self.end(run)
        self.assertEqual(code, MONITOR_LOST, error)
        self.assertEqual(self.records()[-1]["outcome"], "monitor-lost")


if __name__ == "__main__":
    unittest.main()
