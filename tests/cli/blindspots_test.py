"""`jail doctor --blindspots`: what is done in a jail of this machine, held against what its log tells."""
import json
import os
import re
import unittest

from jail_case import both_launchers

RESULTS = {"logged", "denied+logged", "denied", "invisible", "unsupported", "untried"}


@both_launchers
class Blindspots:
    def setUp(self):
        super().setUp()
        self.before = set(os.listdir("/var/tmp"))

    def examine(self, *words):
        ended = self.jail("doctor", "--blindspots", *words)
        left = {name for name in set(os.listdir("/var/tmp")) - self.before if name.startswith("jail-blindspots-")}
        self.assertEqual({name for name in left if os.stat(f"/var/tmp/{name}").st_uid == self.uid}, set())
        return ended

    def test_nothing_is_invisible(self):
        ended = self.examine("--json")
        self.assertEqual((ended.code, ended.error), (0, ""), ended)
        found = json.loads(ended.out)
        self.assertTrue(found["sees_all"])
        self.assertGreaterEqual(len(found["actions"]), 40)
        for action in found["actions"]:
            with self.subTest(action=action["action"]):
                for source in {"notify", "ebpf", "auto"} & set(found["sources"]):
                    self.assertIn(action[source]["result"], ("logged", "denied+logged", "unsupported"), source)

    def test_ebpf_alone_has_a_column_where_it_loads(self):
        loads = json.loads(self.jail("doctor", "--json").out)["ebpf"]
        found = json.loads(self.examine("--json").out)
        if loads["file_exit"] != "loads":
            self.assertEqual(set(found["sources"]), {"notify"})
            self.assertIn(loads["file_exit"], found["absent"]["ebpf"])
            return
        self.assertLessEqual({"sys_exit", "ebpf"}, set(found["sources"]))
        self.assertEqual(found["sources"]["ebpf"]["invisible"], 0)
        told = {action["action"]: action["sys_exit"]["result"] for action in found["actions"]}
        self.assertEqual(told["openat, O_TMPFILE"], "logged")
        self.assertEqual(told["reboot"], "denied")
        self.assertEqual(told["socketpair"], "invisible")

    def test_shape_of_the_json(self):
        found = json.loads(self.examine("--json").out)
        self.assertEqual(set(found), {"kernel", "uid", "files", "sees_all", "sources", "absent", "actions"})
        self.assertEqual(found["uid"], self.uid)
        source = found["sources"]["notify"]
        self.assertEqual(set(source), RESULTS | {"blind_spots"})
        self.assertTrue(source["blind_spots"])
        results = [action["notify"]["result"] for action in found["actions"]]
        for result in RESULTS:
            self.assertEqual(source[result], results.count(result), result)
        for action in found["actions"]:
            self.assertLessEqual({"group", "action", "notify"}, set(action))
            if action["notify"]["result"] in ("logged", "denied+logged"):
                self.assertGreaterEqual(action["notify"]["seq"], 1, action)
            if action["notify"]["result"].startswith("denied"):
                self.assertRegex(action["notify"]["errno"], r"^E[A-Z0-9]+$", action)

    def test_a_table_for_people(self):
        ended = self.examine()
        self.assertEqual((ended.code, ended.error), (0, ""), ended)
        rows = re.findall(r"(?m)^  (\S.{50}) ([a-z+]+)(?: +(E[A-Z0-9]+))?(?: +[a-z+]+)*$", ended.out)
        self.assertGreaterEqual(len(rows), 40)
        self.assertLessEqual({result for _, result, _ in rows}, RESULTS)
        self.assertRegex(ended.out, rf"(?m)^notify: {len(rows)} actions: \d+ logged, \d+ denied\+logged, ")
        self.assertIn("files: denied", ended.out)

    def test_it_has_a_profile_of_its_own(self):
        ended = self.jail("doctor", "--blindspots", self.profile())
        self.assertEqual((ended.code, ended.out), (2, ""), ended)

    def test_a_jail_that_cannot_be_built(self):
        """The reason, and no table."""
        if self.uid == 0:
            self.skipTest("root's folders do not depend on the environment")
        for words in ((), ("--json",)):
            ended = self.jail("doctor", "--blindspots", *words, environment={"XDG_DATA_HOME": "relative"})
            self.assertEqual((ended.code, ended.out), (125, ""), ended)
            self.assert_message(ended, "nothing could be tried", "XDG_DATA_HOME")


if __name__ == "__main__":
    unittest.main()
