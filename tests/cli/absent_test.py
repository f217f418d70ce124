"""Paths that a profile expects to be absent (monitor.expect_absent): counted in one record where nobody has them, and
told one by one like all others where the host has them or the profile hides them.
"""
import unittest

from jail_case import both_launchers

LOOKS = """
import os, sys
for name in sys.argv[1:]:
    for number in range(20):
        try:
            os.open(f"{name}/{number}", os.O_RDONLY)
        except OSError:
            pass
"""


@both_launchers
class Absent:
    def looked_for(self, patterns, *folders, files="all", more=""):
        listed = ", ".join(f'"{pattern}"' for pattern in patterns)
        profile = self.document(f"version: 1\nname: cli-test\nextends: [python]\n{more}"
                                f"monitor: {{files: {files}, expect_absent: [{listed}]}}\n")
        ended = self.jail("run", "--audit", self.log, profile, "--", "python3", "-c", LOOKS, *folders)
        self.assertEqual(ended.code, 0, ended)
        return [record for record in self.records()
                if any(record.get("path", "").startswith(f"{folder}/") for folder in folders)]

    def test_counted_where_nobody_has_them(self):
        nowhere = self.dir / "nowhere"
        found = self.looked_for([f"{nowhere}/*"], nowhere)
        self.assertTrue(all(record["expected"] and record["decision"] == "failed" for record in found), found)
        self.assertLessEqual(len(found), 2)
        counted = found[-1]
        self.assertGreaterEqual(counted["count"], 19)
        self.assertLessEqual(counted["first"], counted["last"])
        self.assertLessEqual(len(counted["samples"]), 5)

    def test_control_one_by_one(self):
        nowhere = self.dir / "nowhere"
        found = self.looked_for(["/srv/*"], nowhere)
        self.assertEqual(len(found), 20)
        self.assertFalse(any("expected" in record for record in found))

    def test_not_told_where_only_denials_are(self):
        self.assertEqual(self.looked_for(["/srv/*"], self.dir / "nowhere", files="denied"), [])

    def test_what_the_host_has_is_told(self):
        here = self.dir / "here"
        here.mkdir()
        for number in range(20):
            (here / str(number)).write_text("x")
        self.own(self.dir)
        for files in ("all", "denied"):
            with self.subTest(files=files):
                self.log.unlink(missing_ok=True)
                found = self.looked_for(["/*", f"{here}/*"], here, files=files)
                self.assertEqual([record["path"] for record in found], [f"{here}/{number}" for number in range(20)])
                self.assertEqual({record["decision"] for record in found}, {"denied"})

    def test_what_is_hidden_is_told(self):
        secret = self.dir / "read" / "secret"
        secret.mkdir()
        self.own(self.dir)
        more = f"filesystem:\n  read: [\"{self.dir}/read\"]\n  hide: [\"{secret}\"]\n"
        found = self.looked_for(["/*"], secret, more=more)
        self.assertEqual(len(found), 20, found)
        self.assertEqual({record["decision"] for record in found}, {"denied"})


if __name__ == "__main__":
    unittest.main()
