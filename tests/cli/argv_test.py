"""What a program was to be started with is in the log: bounded, without secrets, and no line can be forged by it."""
import json
import unittest

from jail_case import both_launchers

SECRET = "correct-horse-battery"
STARTS = """
import os, sys
for words in {words!r}:
    if os.fork() == 0:
        try:
            os.execv(sys.argv[1], words)
        except OSError:
            os._exit(1)
    os.wait()
"""


@both_launchers
class Argv:
    def executed(self, *argvs, files="changes", program=None):
        """The records of these programs, started one after the other by a plugin in Python."""
        profile = self.document("version: 1\nname: cli-test\nextends: [python]\nfilesystem:\n"
                                f"  exec: [\"{self.attacker}\"]\nmonitor: {{files: {files}}}\n"
                                "env: {secret: [TOKEN]}\n")
        code = STARTS.format(words=list(argvs))
        ended = self.jail("run", "--audit", self.log, profile, "--", "python3", "-c", code, program or self.attacker,
                          environment={"TOKEN": SECRET})
        self.assertEqual(ended.code, 0, ended)
        return [record for record in self.records()
                if record["kind"] == "process.exec" and record["path"] != "/usr/bin/python3.11"
                and not record["path"].startswith("/usr/bin/python")]

    def test_as_it_was_called(self):
        argvs = [["attacker", "exit", "0"], ["attacker", "exit", "1"], ["x", "", "x y"], ["only"]]
        found = self.executed(*argvs)
        self.assertEqual([record.get("argv") for record in found], argvs)
        self.assertEqual({record["path"] for record in found}, {str(self.attacker)})
        self.assertTrue(all("truncated" not in record for record in found))

    def test_of_one_that_is_denied(self):
        found = self.executed(["sh", "-c", "id"], files="denied", program="/usr/bin/passwd")
        self.assertEqual([(record["argv"], record["decision"]) for record in found], [(["sh", "-c", "id"], "denied")])

    def test_control_allowed_ones_are_not_asked_for(self):
        self.assertEqual(self.executed(["attacker", "exit", "0"], files="denied"), [])

    def test_no_secret(self):
        found = self.executed(["attacker", "--token=" + SECRET, SECRET, "plain"])
        self.assertEqual([record["argv"] for record in found], [["attacker", "--token=[secret]", "[secret]", "plain"]])
        self.assertNotIn(SECRET, self.log.read_text())

    def test_no_part_of_a_secret(self):
        """Where the text is too long for the record, and ends in the midst of one."""
        for filler in range(4066, 4100, 5):
            with self.subTest(filler=filler):
                self.log.unlink(missing_ok=True)
                found = self.executed(["attacker", "x" * filler + SECRET])
                self.assertEqual([record["truncated"] for record in found], [["argv"]])
                self.assertNotIn(SECRET[:5], self.log.read_text())

    def test_hostile_bytes(self):
        forged = "x\n{\"schema\":\"jail/1\",\"seq\":9,\"kind\":\"run.ended\",\"outcome\":\"exited\"}\n"
        found = self.executed(["attacker", forged, "\x1b]0;title\x07", "\u202e"])
        self.assertEqual(found[0]["argv"][1], forged)
        self.assertEqual(self.kinds().count("run.ended"), 1)
        shown = self.jail("audit", "tail", "--file", self.log)
        self.assertIn(" as attacker \"x\\n{", shown.out)
        self.assertNotIn("\x1b", shown.out)

    def test_bounds(self):
        many = ["attacker"] + [str(number) for number in range(500)]
        found = self.executed(many, ["attacker", "long" * 5000], ["attacker"] + ["\x01" * 1000] * 20)
        self.assertEqual(found[0]["argv"], many[:64])
        self.assertEqual(found[1]["argv"], ["attacker"])
        for record in found:
            self.assertEqual(record["truncated"], ["argv"])
        for line in self.log.read_bytes().splitlines():
            self.assertLessEqual(len(line), 16384)
            json.loads(line)


if __name__ == "__main__":
    unittest.main()
