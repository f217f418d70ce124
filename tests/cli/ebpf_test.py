"""`monitor: {source: ebpf}`: what was allowed is told by the kernel's programs, what was denied by notification, each
attempt once. Who may not load programs is refused by name.
"""
import json
import os
import pathlib
import socket
import subprocess
import unittest

from jail_case import BINARY, both_launchers

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
        group = pathlib.Path(self.records()[1]["cgroup"])
        self.assertRegex(group.name, r"^jail-\d+$")
        self.assertFalse(group.exists(), "the group is left")

    def test_the_jails_own_network_has_one_event_an_attempt(self):
        self.needs("process")
        self.run_plugin("tcp", 1, profile=self.stating("denied"))
        connected, = self.told("net.connect")
        self.assertEqual(connected["decision"], "denied")

    def test_the_plan_says_what_tells_what(self):
        self.needs("process", "file_exit")
        shown = self.jail("show", "--plan", self.stating()).out
        self.assertRegex(shown, r"(?m)^monitor +source ebpf, files: all$")
        self.assertRegex(shown, r"(?m)^monitor +files that were reached: ebpf, by ")


if __name__ == "__main__":
    unittest.main()
