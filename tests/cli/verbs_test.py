"""The other verbs and every page of help: they answer, on the right stream, and change nothing."""
import unittest

from jail_case import both_launchers

VERBS = ("run", "check", "show", "why", "doctor", "digest", "audit")


@both_launchers
class Help:
    def test_all_pages(self):
        for words in ([], *([verb] for verb in VERBS)):
            for option in ("--help", "-h"):
                with self.subTest(words=words, option=option):
                    ended = self.jail(*words, option)
                    self.assertEqual((ended.code, ended.error), (0, ""))
                    self.assertIn("Usage", ended.out)

    def test_verbs_are_listed(self):
        ended = self.jail("--help")
        for verb in VERBS:
            self.assertRegex(ended.out, rf"(?m)^\s+{verb}\s")

    def test_exit_statuses_are_told(self):
        ended = self.jail("run", "--help")
        for status in ("124", "125", "126", "127", "128"):
            self.assertIn(status, ended.out)

    def test_version(self):
        ended = self.jail("--version")
        self.assertEqual(ended.code, 0)
        self.assertRegex(ended.out, r"\d+\.\d+")

    def test_nothing_is_no_help(self):
        ended = self.jail()
        self.assertEqual((ended.code, ended.out), (2, ""))

    def test_unknown_words(self):
        profile = self.profile()
        for words, said in ((["bogus"], "no verb 'bogus'"), (["chek"], "did you mean 'check'?"),
                            (["run", "--bogus", profile, "--", "true"], "not expected: --bogus\n")):
            with self.subTest(words=words):
                ended = self.jail(*words)
                self.assertEqual((ended.code, ended.out), (2, ""), ended)
                self.assertIn(said, ended.error)

    def test_closed_output(self):
        """`jail --help | true`: no crash."""
        ended = self.jail("--help", seconds=10)
        self.assertEqual(ended.code, 0)


@both_launchers
class Check:
    def test_good(self):
        ended = self.jail("check", self.profile())
        self.assertEqual(ended.code, 0, ended)

    def test_templates(self):
        for template in ("base", "python", "node", "shell"):
            with self.subTest(template=template):
                ended = self.jail("check", self.document(f"version: 1\nname: t\nextends: [{template}]\n"))
                self.assertEqual(ended.code, 0, ended)

    def test_another_user(self):
        if self.uid == 0:
            self.skipTest("root may start a plugin as anybody")
        ended = self.jail("check", self.profile("user: daemon\n"))
        self.assertIn("warning: a run is refused: userns: only root", ended.out)
        self.assertIn("leave 'user' out", ended.out)

    def test_runs_nothing(self):
        """A profile is data: nothing that it names is started."""
        marker = self.dir / "write" / "marker"
        script = self.dir / "bin" / "script"
        script.write_text(f"#!/bin/sh\ntouch {marker}\n")
        script.chmod(0o755)
        self.own(self.dir / "bin")
        profile = self.profile(grants=f"  exec: [\"{script}\"]\n")
        for verb in ("check", "show", "doctor"):
            self.jail(verb, profile)
        self.assertFalse(marker.exists())


@both_launchers
class Show:
    def test_names_places(self):
        profile = self.profile("limits: {pids: 17}\n")
        ended = self.jail("show", profile)
        self.assertEqual(ended.code, 0, ended)
        self.assertIn("17", ended.out)
        self.assertRegex(ended.out, r"test\.yaml:\d+")

    def test_plan(self):
        ended = self.jail("show", "--plan", self.profile())
        self.assertEqual(ended.code, 0, ended)
        for layer in ("landlock", "seccomp", "mount"):
            self.assertIn(layer, ended.out)

    def test_plan_before_the_first_run(self):
        """What a run makes is in the plan before there was one, and showing it makes nothing."""
        if self.uid == 0:
            self.skipTest("root's state is the machine's own /var/lib/jail")
        grants = "  write: [\"${state}\", \"${state}/cache\"]\n"
        profile = self.profile(f"  exec: [\"{self.attacker}\"]\n", grants=grants)
        state = self.dir / "home" / ".local" / "share" / "jail" / "state" / "cli-test"
        before = self.jail("show", "--plan", profile)
        self.assertEqual(before.code, 0, before)
        self.assertIn(f"write {state}  #", before.out)
        self.assertIn(f"start in {state}", before.out)
        self.assertFalse(state.exists())
        self.assertEqual(self.run_plugin("exit", 0, profile=profile).code, 0)
        self.assertEqual(self.jail("show", "--plan", profile).out, before.out)

    def test_limits_as_they_were_written(self):
        ended = self.jail("show", "--plan", self.profile("limits: {pids: 64}\n"))
        self.assertRegex(ended.out, r"limits.pids +at most 64, and the jail's own pid 1\n")
        self.assertRegex(ended.out, r"limits.core +no core files\n")

    def test_secret_values_are_not_shown(self):
        profile = self.profile("env: {secret: [TOKEN]}\n")
        for words in (["show", profile], ["show", "--plan", profile], ["check", profile]):
            ended = self.jail(*words, environment={"TOKEN": "a-very-secret-value"})
            self.assertNotIn("a-very-secret-value", ended.out + ended.error)

    def test_bad_profile(self):
        ended = self.jail("show", self.document("version: 1\nname: bad\nunknown: 1\n"))
        self.assertNotEqual(ended.code, 0)
        self.assertIn("test.yaml:3", ended.error)


@both_launchers
class Doctor:
    def test_machine(self):
        ended = self.jail("doctor")
        self.assertIn(ended.code, (0, 1), ended)
        for word in ("landlock", "seccomp"):
            self.assertIn(word, ended.out.lower())

    def test_profile(self):
        ended = self.jail("doctor", self.profile())
        self.assertIn(ended.code, (0, 1), ended)

    def test_layer_that_fails(self):
        profile = self.profile(f"integrity: {{path: \"{self.dir}/bin\", sha256: \"{'0' * 64}\"}}\n",
                               grants=f"  exec: [\"{self.attacker}\"]\n  read: [\"{self.dir}/bin\"]\n")
        ended = self.jail("doctor", profile)
        self.assertEqual(ended.code, 1, ended)
        self.assertRegex(ended.out, r"\n  absent +integrity +\S.*its digest is")
        self.assertNotRegex(ended.out, r"enforced +integrity")


if __name__ == "__main__":
    unittest.main()
