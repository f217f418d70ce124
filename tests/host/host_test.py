#!/usr/bin/python3
"""A plugin host in a jail: what behaves works, what means harm gets nothing. Every attack has its control: outside the
jail the same plugin, started by the same user, does get what it is after.
"""
import json
import os
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import scene  # noqa: E402

JAIL = os.environ["JAIL_BINARY"]
PYTHON = "/usr/bin/python3"
ORDINARY = int(os.environ.get("JAIL_TEST_UID", "1001")) if os.geteuid() == 0 else os.getuid()
STEPS = {"files", "subprocess", "sqlite3", "threads", "multiprocessing-pool",
         "multiprocessing-queue", "shared-memory", "tempfile-links", "zoneinfo", "ssl-context",
         "ctypes", "socketpair", "asyncio"}
# What every user can do without a jail on every machine. The rest of the attacks needs root, or a kernel with keyrings.
ANYBODY = {"ssh-key", "aws-keys", "ssh-key-by-link", "ssh-key-by-hard-link", "etc-passwd", "home-listing",
           "write-in-home", "write-outside", "write-own-code", "setuid-file", "env-secrets", "environ-of-victim",
           "environ-of-any-process", "proc-victim-root", "proc-victim-mem", "ptrace-victim", "tcp-out", "udp-out",
           "shell", "other-program", "fork-bomb", "memory", "kill-victim"}
ROOT_ONLY = {"etc-shadow", "packet-socket"}


class HostTest:
    uid = 0

    def setUp(self):
        if self.uid == 0 and os.geteuid() != 0:
            self.skipTest("started by root: these tests run as an ordinary user")
        self.scene = scene.Scene(self.uid)
        self.addCleanup(self.scene.close)

    def host(self, name, loader="file", **config):
        return [self.scene.host / "plughost.py", "--plugin", self.scene.host / "plugins" / name, "--loader", loader,
                "--config", json.dumps(self.scene.config(**config))]

    def in_jail(self, name, loader="file", **config):
        log = self.scene.folder / "log.jsonl"
        done = self.scene.run([
            JAIL, "run", "--audit", log, "--set", f"host={self.scene.host / 'plughost.py'}",
            "--set", f"plugin={self.scene.host / 'plugins' / name}", self.scene.host / f"profiles/{name}.yaml", "--",
            PYTHON, *self.host(name, loader, **config), "--data", "."])
        self.assertIn(done.returncode, (0, 1), done.stderr)
        self.log = log.read_text()
        return self.results(done)

    def results(self, done):
        results = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertTrue(results, done.stderr)
        return results

    def assert_recorded(self):
        kinds = [json.loads(line)["kind"] for line in self.log.splitlines()]
        self.assertEqual([kinds[0], kinds[-1]], ["log.opened", "run.ended"])
        self.assertIn("run.started", kinds)

    def assert_benign(self, loader):
        results = self.in_jail("benign", loader)
        self.assertEqual([result for result in results if not result["ok"]], [])
        self.assertEqual({result["step"] for result in results}, STEPS)
        self.assert_recorded()

    def test_benign_plugin_from_a_file_works(self):
        self.assert_benign("file")

    def test_benign_plugin_from_an_entry_point_works(self):
        self.assert_benign("entry-point")

    def test_benign_plugin_finds_its_files_again(self):
        self.in_jail("benign")
        again = {result["step"]: result["ok"] for result in self.in_jail("benign")}
        self.assertTrue(again["sqlite3"])
        self.assertTrue((self.scene.state / "plughost-benign/plugin.db").is_file())

    def test_control_outside_the_jail_the_hostile_plugin_gets_everything(self):
        data = self.scene.folder / "data"
        data.mkdir()
        self.scene.own()
        # Bombs small enough for any machine, and larger than what the profile grants.
        done = self.scene.run([PYTHON, "-B", *self.host("hostile", processes=100, megabytes=600), "--data", data])
        results = {result["attack"]: result for result in self.results(done)}
        wanted = ANYBODY | (ROOT_ONLY if self.uid == 0 else set())
        self.assertEqual([results[name] for name in sorted(wanted) if results[name]["got"] is None], [])
        self.assertEqual(results["ssh-key"]["got"], scene.SSH_KEY)
        self.assertEqual(results["env-secrets"]["got"], scene.SECRETS)
        self.assertEqual(results["environ-of-victim"]["got"], scene.SECRETS)
        self.assertEqual((self.scene.tcp.got, self.scene.udp.got), ([b"stolen"], [b"stolen"]))
        self.assertTrue((self.scene.outside / "planted").exists())
        self.assertNotEqual(self.scene.victim.poll(), None)

    def assert_hostile_gets_nothing(self, loader):
        results = self.in_jail("hostile", loader)
        self.assertEqual([result for result in results if result["got"] is not None], [])
        tried = {result["attack"] for result in results}
        self.assertEqual((ANYBODY | ROOT_ONLY) - tried, set())
        self.assertEqual((self.scene.tcp.got, self.scene.udp.got), ([], []))
        self.assertEqual(list(self.scene.outside.iterdir()), [])
        self.assertEqual((self.scene.home / ".bashrc").read_text(), "")
        self.assertIsNone(self.scene.victim.poll())
        self.assert_recorded()
        for secret in scene.SECRETS.values():
            self.assertNotIn(secret, self.log)

    def test_hostile_plugin_from_a_file_gets_nothing(self):
        self.assert_hostile_gets_nothing("file")

    def test_hostile_plugin_from_an_entry_point_gets_nothing(self):
        self.assert_hostile_gets_nothing("entry-point")

    def test_hostile_plugin_is_stopped_by_limits_and_not_by_luck(self):
        results = {result["attack"]: result for result in self.in_jail("hostile")}
        self.assertEqual(results["fork-bomb"]["errno"], "EAGAIN")
        self.assertIn(results["memory"]["errno"], ("ENOMEM", None))  # None: the control group's kill

    def test_profiles_are_sound(self):
        for name in ("benign", "hostile"):
            done = self.scene.run([JAIL, "check", "--json", "--set", f"host={self.scene.host / 'plughost.py'}",
                                   "--set", f"plugin={self.scene.host / 'plugins' / name}",
                                   self.scene.host / f"profiles/{name}.yaml"])
            self.assertEqual(done.returncode, 0, done.stdout)
            faults = json.loads(done.stdout)["diagnostics"]
            self.assertEqual([fault for fault in faults if fault["severity"] == "error"], [])


class AsOrdinaryUser(HostTest, unittest.TestCase):
    uid = ORDINARY


class AsRoot(HostTest, unittest.TestCase):
    uid = 0


if __name__ == "__main__":
    unittest.main(verbosity=2)
