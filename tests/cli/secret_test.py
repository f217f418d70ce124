"""The value of a secret reaches the plugin and nobody else: no log, no message, no final record, however the run ends.
"""
import os
import unittest

from jail_case import both_launchers

VALUE = "correct-horse-battery-staple"
ENVIRONMENT = {"TOKEN": VALUE, "UNNAMED": "unnamed-" + VALUE[::-1]}


@both_launchers
class Secret:
    def run_secretly(self, *words, more="", options=(), **others):
        """A run with the secret; gives how it ended and all that jail itself has written."""
        self.log.unlink(missing_ok=True)
        reader, writer = os.pipe()
        profile = self.profile(f"env: {{secret: [TOKEN]}}\n{more}")
        ended = self.run_plugin(*words, profile=profile, options=("--status-fd", writer, *options),
                                environment=ENVIRONMENT, pass_fds=(writer,), **others)
        os.close(writer)
        with open(reader, encoding="utf-8") as status:
            return ended, ended.error + status.read() + (self.log.read_text() if self.log.exists() else "")

    def assert_silent(self, said):
        self.assertTrue(said)
        for value in ENVIRONMENT.values():
            self.assertNotIn(value, said)

    def test_plugin_has_it(self):
        ended, said = self.run_secretly("variable", "TOKEN")
        self.assertIn(f"VERDICT allowed - TOKEN={VALUE}", ended.out, "the control: it did not arrive")
        self.assert_silent(said)

    def test_unnamed_variables_do_not_arrive(self):
        ended, said = self.run_secretly("variable", "UNNAMED")
        self.assertIn("VERDICT denied", ended.out)
        self.assert_silent(said)

    def test_short_values_are_told(self):
        """What is too short to be looked for in a log is no secret there (SECURITY D5): check and run say so."""
        profile = self.profile("env: {secret: [TOKEN]}\n")
        for value, told in (("hunter2", True), ("hunter22", False), ("", False)):
            with self.subTest(value=value):
                checked = self.jail("check", profile, environment={"TOKEN": value})
                ran = self.run_plugin("exit", 0, profile=profile, environment={"TOKEN": value})
                self.assertEqual((checked.code, ran.code), (0, 0), ran)
                for said in (checked.out, ran.error):
                    self.assertEqual("'TOKEN' is too short" in said, told, said)
                    self.assertNotIn("hunter2", said)
        self.assertNotIn("too short", self.jail("check", profile).out, "not set, so nothing is known of it")

    def test_in_the_command_line(self):
        """People do put it there; the record of the command must not keep it, also not as a part of an argument."""
        ended, said = self.run_secretly("exit", "0", VALUE, f"--token={VALUE}", f"https://u:{VALUE}@acme.example/")
        self.assertEqual(ended.code, 0, ended)
        self.assert_silent(said)

    def test_when_it_cannot_be_executed(self):
        profile = self.profile("env: {secret: [TOKEN]}\n")
        ended = self.jail("run", "--audit", self.log, profile, "--", f"/{VALUE}/program", environment=ENVIRONMENT)
        self.assertEqual(ended.code, 127, ended)
        self.assert_silent(self.log.read_text())

    def test_when_it_is_refused(self):
        ended, said = self.run_secretly("exit", "0", VALUE, more="limits: {cpu: 0.5}\n")
        self.assertEqual(ended.code, 125, ended)
        self.assert_silent(said)

    def test_when_time_is_up(self):
        limits = "limits: {time: 200ms, grace: 100ms}\n"
        ended, said = self.run_secretly("hold", f"{self.dir}/write/{VALUE}", more=limits)
        self.assertEqual(ended.code, 124, ended)
        self.assert_silent(said)

    def test_in_a_path_of_the_profile(self):
        """${env:TOKEN} is the operator's own mistake, and still no reason to print it."""
        _, said = self.run_secretly("exit", "0", more="cwd: \"/no/such/${env:TOKEN}\"\n")
        self.assert_silent(said)


if __name__ == "__main__":
    unittest.main()
