"""What programs read: --json of each verb is one JSON value or one a line, and says what the words for people say."""
import json
import pathlib
import unittest

from jail_case import both_launchers


@both_launchers
class Json:
    def parsed(self, *words):
        ended = self.jail(*words)
        self.assertEqual(ended.out.count("\n"), 1, ended)
        return ended, json.loads(ended.out)

    def test_check(self):
        ended, said = self.parsed("check", "--json", self.profile())
        self.assertEqual(ended.code, 0, ended)
        self.assertEqual([fault for fault in said["diagnostics"] if fault["severity"] == "error"], [])

    def test_check_with_faults(self):
        profile = self.profile("limits: {pids: 0}\nunknwon: 1\n")
        ended, said = self.parsed("check", "--json", profile)
        self.assertEqual(ended.code, 1)
        errors = [fault for fault in said["diagnostics"] if fault["severity"] == "error"]
        last = len(pathlib.Path(profile).read_text().splitlines())
        self.assertEqual({fault["line"] for fault in errors}, {last - 1, last})
        for fault in errors:
            self.assertEqual(fault["file"], profile)
            self.assertGreater(fault["column"], 0)
            self.assertTrue(fault["message"])

    def test_show(self):
        ended, said = self.parsed("show", "--json", self.profile())
        self.assertEqual(ended.code, 0, ended)
        self.assertEqual(said["profile"], "cli-test")
        self.assertRegex(said["digest"], r"^[0-9a-f]{64}$")
        self.assertEqual(said["refusals"], [])
        for layer in said["layers"]:
            self.assertIn(layer["state"], ("enforced", "partial", "absent"))

    def test_show_and_the_log_agree(self):
        """The plan that is shown is the one that a run carries out."""
        profile = self.profile()
        _, said = self.parsed("show", "--json", profile)
        self.assertEqual(self.run_plugin("exit", 0, profile=profile).code, 0)
        started = next(record for record in self.records() if record["kind"] == "run.started")
        self.assertEqual({layer["layer"]: layer["state"] for layer in said["layers"]},
                         {layer["layer"]: layer["state"] for layer in started["policy"]})

    def test_doctor(self):
        for words in ([], [self.profile()]):
            ended, said = self.parsed("doctor", "--json", *words)
            self.assertEqual(ended.code, 0 if said["can_run"] else 1)
            self.assertIn("landlock", [layer["layer"] for layer in said["layers"]])

    def test_doctor_is_right(self):
        """Where it says that this machine can run a profile, the profile runs."""
        profile = self.profile()
        _, said = self.parsed("doctor", "--json", profile)
        self.assertEqual(self.run_plugin("exit", 0, profile=profile).code, 0 if said["can_run"] else 125)


@both_launchers
class AuditTail:
    def tail(self, *words):
        return self.jail("audit", "tail", "--file", self.log, *words)

    def test_json_is_the_log(self):
        self.run_plugin("exit", 3)
        ended = self.tail("--json")
        self.assertEqual((ended.code, ended.error), (0, ""), ended)
        self.assertEqual([json.loads(line) for line in ended.out.splitlines()], self.records())

    def test_people_see_command_and_end(self):
        self.run_plugin("exit", 3)
        ended = self.tail()
        self.assertEqual(ended.out.count("\n"), len(self.records()), ended)
        for word in ("run.started", "attacker", "run.ended", "exited 3"):
            self.assertIn(word, ended.out)

    def test_one_run_of_many(self):
        for status in (1, 2, 3):
            self.run_plugin("exit", status)
        wanted = [record for record in self.records() if record["kind"] == "run.ended"][1]["run"]
        ended = self.tail("--json", "--run", wanted[:8])
        records = [json.loads(line) for line in ended.out.splitlines()]
        self.assertEqual({record["run"] for record in records}, {wanted})
        self.assertEqual(records[-1]["exit"], 2)

    def test_number_of_lines(self):
        for _ in range(4):
            self.run_plugin("exit", 0)
        self.assertEqual(self.tail("--json", "-n", 2).out.count("\n"), 2)
        ended = self.tail("--run", "no-such-run")
        self.assertEqual((ended.code, ended.out), (1, ""), ended)
        self.assertIn("no record of run 'no-such-run'", ended.error)

    def test_reason_of_a_refusal(self):
        self.run_plugin("exit", 0, profile=self.profile("  read: [\"/no/such/grant\"]\n"))
        ended = self.tail()
        self.assertIn("run.refused", ended.out)
        self.assertIn("/no/such/grant", ended.out)

    def test_torn_end(self):
        self.run_plugin("exit", 0)
        with open(self.log, "ab") as log:
            log.write(b"{\"schema\":\"jail/1\",\"seq\":")
        ended = self.tail("--json")
        self.assertEqual(ended.code, 0, ended)
        for line in ended.out.splitlines():
            json.loads(line)
        self.assertIn("torn", ended.error)

    def test_no_log(self):
        ended = self.jail("audit", "tail", "--file", self.dir / "log" / "none.jsonl")
        self.assertEqual(ended.code, 1, ended)
        self.assert_message(ended, "none.jsonl")

    def test_by_name_of_the_profile(self):
        if self.uid == 0:
            self.skipTest("root's own log folder is the machine's")
        environment = {"XDG_STATE_HOME": str(self.dir / "home" / "state")}
        self.jail("run", self.profile(), "--", self.attacker, "exit", "6", environment=environment)
        ended = self.jail("audit", "tail", "cli-test", environment=environment)
        self.assertEqual(ended.code, 0, ended)
        self.assertIn("exited 6", ended.out)


if __name__ == "__main__":
    unittest.main()
