"""`monitor: {source: ebpf}`: what was allowed is told by the kernel's programs, what was denied by notification, each
attempt once. Who may not load programs is refused by name.
"""
import json
import os
import pathlib
import socket
import subprocess
import time
import unittest

from jail_case import BINARY, IS_ROOT, both_launchers

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
        self.assertIn("programs started, and processes that end: ebpf", started["sources"])
        executed, = self.told("process.exec")
        self.assertEqual((executed["source"], executed["path"], executed["decision"]),
                         ("ebpf", str(self.attacker), "allowed"))
        self.assertEqual(executed["argv"], [str(self.attacker), "exit", "5"])
        self.assertEqual(executed["pid"], started["pid"])
        self.assertEqual(executed["inode"], os.stat(self.attacker).st_ino)
        ended, = self.told("process.exit")
        self.assertEqual((ended["source"], ended["exit"], ended["pid"]), ("ebpf", 5, started["pid"]))
        self.assertEqual(self.records()[-1]["lost"], {})

    def test_files(self):
        self.needs("process", "file_exit")
        file = self.dir / "read" / "file"
        self.run_plugin("read-by", "open", file, profile=self.stating())
        opened, = self.told("file.open", path=str(file))
        self.assertEqual((opened["source"], opened["decision"], opened["access"]), ("ebpf", "allowed", ["read"]))
        self.assertEqual((opened["inode"], opened["device"]), (file.stat().st_ino, file.stat().st_dev))

    def test_a_look(self):
        self.needs("process", "file_exit")
        loads = json.loads(self.jail("doctor", "--json").out)["ebpf"]
        if loads["file_lsm"] == "loads":
            self.skipTest("the hooks of security modules are not asked who looks")
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
        self.run_plugin("read-by", "open", secret, profile=self.stating())
        denied, = self.told("file.open", path=str(secret))
        self.assertEqual((denied["decision"], denied["layer"]), ("denied", "mount"))
        self.assertNotEqual(denied.get("source"), "ebpf")

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
        self.assertRegex(shown, r"(?m)^monitor +files that were reached: ebpf, by ")


if __name__ == "__main__":
    unittest.main()
