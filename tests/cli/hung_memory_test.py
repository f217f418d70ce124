"""A plugin whose arguments lie in a file of a file system that does not answer (SECURITY B5): reading them waits for
ever, and the wall clock ends the run all the same.
"""
import os
import time
import unittest

from jail_case import IS_ROOT, both_launchers
from silent_file_system import SilentFileSystem


@both_launchers
class HungMemory:
    def setUp(self):
        if not IS_ROOT or not os.path.exists("/dev/fuse"):
            self.skipTest("a file system of the test's own needs root and /dev/fuse")
        super().setUp()
        self.silent = SilentFileSystem(self.dir / "read")

    def tearDown(self):
        self.silent.end()
        super().tearDown()

    def test_ends_by_the_wall_clock(self):
        profile = self.profile(f"  read: [\"{self.dir}/read\"]\nlimits: {{time: 1s, grace: 1s}}\n")
        start = time.monotonic()
        ended = self.run_plugin("name-in-file", self.dir / "read" / "name", profile=profile)
        self.assertEqual(ended.code, 124, ended)
        self.assertLess(time.monotonic() - start, 20)
        self.assertTrue(self.silent.asked.is_set(), "nobody asked for the name")
        self.assertEqual(self.kinds()[-1], "run.ended")
        self.assertTrue(any(record.get("path_unknown") for record in self.records()), self.records())


if __name__ == "__main__":
    unittest.main()
