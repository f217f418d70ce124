"""`monitor.hash`: every file that a pattern means is in the log, with its digest or the reason why it has none, before
anything of the plugin runs.
"""
import hashlib
import os
import pathlib
import unittest

from jail_case import both_launchers


def sha256(path):
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()


@both_launchers
class PluginFile:
    def setUp(self):
        super().setUp()
        self.tree = self.dir / "read" / "plugin"
        (self.tree / "sub").mkdir(parents=True)
        (self.tree / "main.py").write_text("main\n")
        (self.tree / "sub" / ".a.py").write_text("a\n")
        (self.tree / "readme").write_text("no code\n")
        self.own(self.dir / "read")

    def hashing(self, *globs, more=""):
        listed = ", ".join(f"\"{glob}\"" for glob in globs)
        return self.profile(f"  read: [\"{self.tree}\"]\nmonitor: {{hash: [{listed}]{more}}}\n")

    def files(self):
        return {record["path"]: record.get("sha256") or record["problem"]
                for record in self.records() if record["kind"] == "plugin.file"}

    def test_before_the_plugin(self):
        ended = self.run_plugin("exit", 5, profile=self.hashing(f"{self.tree}/**/*.py", more=", files: changes"))
        self.assertEqual(ended.code, 5, ended)
        self.assertEqual(self.files(), {f"{self.tree}/main.py": sha256(self.tree / "main.py"),
                                        f"{self.tree}/sub/.a.py": sha256(self.tree / "sub" / ".a.py")})
        kinds = self.kinds()
        self.assertEqual(kinds[:4], ["log.opened", "run.started", "plugin.file", "plugin.file"])
        self.assertIn("process.exec", kinds[4:])

    def test_without_a_source_of_events(self):
        profile = self.hashing(f"{self.tree}/*.py", more=", source: none")
        self.assertEqual(self.run_plugin("exit", 5, profile=profile).code, 5)
        self.assertEqual(list(self.files()), [f"{self.tree}/main.py"])

    def test_program_that_is_run(self):
        """Its process.exec has the digest, too; that of another program has none."""
        profile = self.profile(f"monitor: {{files: changes, hash: [\"{self.attacker}\"]}}\n")
        self.assertEqual(self.run_plugin("exit", 5, profile=profile).code, 5)
        executed = [record for record in self.records() if record["kind"] == "process.exec"]
        self.assertEqual([record["sha256"] for record in executed], [sha256(self.attacker)])
        self.log.unlink()
        self.run_plugin("exit", 5, profile=self.hashing(f"{self.tree}/*.py", more=", files: changes"))
        self.assertFalse(any("sha256" in record for record in self.records() if record["kind"] == "process.exec"))

    def test_what_is_no_file(self):
        os.symlink("/etc/shadow", self.tree / "shadow.py")
        os.symlink("/", self.tree / "sub" / "up")
        os.mkfifo(self.tree / "fifo.py")
        profile = self.hashing(f"{self.tree}/**/*.py")
        self.assertEqual(self.run_plugin("exit", 5, profile=profile).code, 5)
        files = self.files()
        self.assertIn("link", files[f"{self.tree}/shadow.py"])
        self.assertEqual(files[f"{self.tree}/fifo.py"], "a fifo, not a file")
        self.assertEqual(len(files), 4, files)

    def test_what_the_plugin_may_not_read(self):
        os.chmod(self.tree / "main.py", 0)
        os.chmod(self.tree / "sub", 0)
        self.assertEqual(self.run_plugin("exit", 5, profile=self.hashing(f"{self.tree}/**/*.py")).code, 5)
        os.chmod(self.tree / "sub", 0o755)
        self.assertEqual(self.files(), {f"{self.tree}/main.py": "Permission denied",
                                        f"{self.tree}/sub": "Permission denied"})

    def test_beyond_a_bound(self):
        for number in range(10_003):
            (self.tree / "sub" / f"{number}.py").touch()
        with open(self.tree / "sparse.py", "wb") as file:
            file.truncate(1 << 40)
        self.own(self.dir / "read")
        self.assertEqual(self.run_plugin("exit", 5, profile=self.hashing(f"{self.tree}/**/*.py")).code, 5)
        self.assertEqual(len(self.files()), 10_000)
        self.assertEqual(self.files()[f"{self.tree}/sparse.py"], "more than 2 GiB in all")
        [limit] = [record for record in self.records() if record["kind"] == "limit.reached"]
        self.assertEqual((limit["which"], limit["value"], limit["limit"]), ("monitor.hash.files", 10_006, 10_000))
        self.assertLess(self.kinds().index("limit.reached"), self.kinds().index("run.ended"))

    def test_hostile_names(self):
        name = self.tree / "x\n\x1b[2J\udcff.py"
        name.write_text("x")
        self.own(self.dir / "read")
        self.assertEqual(self.run_plugin("exit", 5, profile=self.hashing(f"{self.tree}/x*.py")).code, 5)
        [path] = self.files()
        self.assertTrue(path.endswith("x\n\x1b[2J\\xff.py"), repr(path))
        shown = self.jail("audit", "tail", "--file", self.log)
        self.assertNotIn("\x1b[2J", shown.out)

    def test_a_pattern_that_matches_nothing(self):
        profile = self.hashing(f"{self.tree}/*.none", f"{self.tree}/*.py")
        warning = r"test\.yaml:7:\d+: warning: this pattern of monitor\.hash matches no file"
        self.assertRegex(self.jail("check", profile).out, warning)
        ended = self.run_plugin("exit", 5, profile=profile)
        self.assertEqual(ended.code, 5)
        self.assertRegex(ended.error, warning)

    def test_a_pattern_outside_the_grants(self):
        for glob in ("/usr/share/doc/**", f"{self.dir}/read/*.py"):
            with self.subTest(glob=glob):
                self.assert_refused(self.run_plugin("exit", 5, profile=self.hashing(glob)), "test.yaml:7:",
                                    "is not granted")

    def test_a_relative_pattern(self):
        profile = self.hashing("plugin/*.py")
        self.assert_refused(self.run_plugin("exit", 5, profile=profile), f"'{self.dir}/profile/plugin' is not granted")

    def test_for_people(self):
        self.run_plugin("exit", 5, profile=self.hashing(f"{self.tree}/*.py"))
        shown = self.jail("audit", "tail", "--file", self.log).out
        self.assertRegex(shown, rf"plugin\.file +{self.tree}/main\.py sha256 {sha256(self.tree / 'main.py')[:16]}")


if __name__ == "__main__":
    unittest.main()
