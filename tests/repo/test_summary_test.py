#!/usr/bin/python3
"""test_summary_test.py SUMMARY: no failure and no skip may get lost between the test programs and the last line."""
import pathlib
import subprocess
import sys
import tempfile
import unittest
from xml.sax.saxutils import escape

SUMMARY = sys.argv.pop()
GOOGLETEST = """[ RUN      ] A.Passes
[       OK ] A.Passes (0 ms)
[ RUN      ] A.Skips
a_test.cc:3: Skipped
this kernel has no Landlock
[  SKIPPED ] A.Skips (0 ms)
[ RUN      ] P/A.Fails/0
a_test.cc:4: Failure
1
[  FAILED  ] P/A.Fails/0, where GetParam() = 1 (0 ms)
[  SKIPPED ] 1 test, listed below:
[  SKIPPED ] A.Skips
[  FAILED  ] 1 test, listed below:
[  FAILED  ] P/A.Fails/0
"""
UNITTEST = """test_a (__main__.T.test_a) ... ok
test_b (__main__.T) ... some noise
ok
test_c (__main__.T.test_c) ... skipped 'no node'
test_d (__main__.T.test_d)
With a docstring. ... skipped 'needs root'
test_e (__main__.T.test_e) ... FAIL
"""


def case(name, status, output="", message=None):
    skipped = "" if message is None else f'<skipped message="{message}"/>'
    return f'<testcase name="{name}" status="{status}">{skipped}<system-out>{escape(output)}</system-out></testcase>'


class Summary(unittest.TestCase):
    def summary(self, cases, status="0", extra=()):
        with tempfile.TemporaryDirectory() as folder:
            leg = pathlib.Path(folder) / "host"
            leg.mkdir()
            if cases is not None:
                (leg / "junit.xml").write_text("<testsuite>" + "".join(cases) + "</testsuite>")
            (leg / "status").write_text(status + "\n")
            for name, text in extra:
                (leg / name).write_text(text)
            run = subprocess.run([SUMMARY, folder, "host"], capture_output=True, text=True)
            self.assertEqual(run.stderr, "")
            return run.returncode, run.stdout

    def expect(self, last_line, returncode, summary):
        self.assertEqual((summary[1].splitlines()[-1], summary[0]), (last_line, returncode), summary[1])

    def test_says_why_something_failed(self):
        output = UNITTEST + "=" * 70 + """
FAIL: test_e (__main__.T.test_e)
With a docstring.
----------------------------------------------------------------------
Traceback (most recent call last):
  File "x.py", line 1, in test_e
    self.assertEqual(1, 2)
AssertionError: 1 != 2 : of all things

----------------------------------------------------------------------
Ran 5 tests in 0.1s
"""
        self.assertIn("failed on host: AssertionError: 1 != 2 : of all things\n    u: T.test_e",
                      self.summary([case("u", "fail", output)], status="8")[1])
        self.assertIn("failed on host: 1\n    g: P/A.Fails/0", self.summary([case("g", "fail", GOOGLETEST)], "8")[1])

    def test_names_what_passed_at_a_further_try(self):
        output = ("1/2 Test #1: a .....***Failed    0.08 sec\n    Test #1: a .....   Passed    0.06 sec\n"
                  "2/2 Test #2: b .....***Skipped   0.08 sec\n")
        returncode, said = self.summary([case("a", "run"), case("b", "run")], extra=[("output", output)])
        self.assertIn("passed on host at a further try only (1): a\n", said)
        self.assertEqual(returncode, 0)

    def test_counts_what_passed(self):
        self.expect("2 passed, 0 failed, 0 skipped", 0, self.summary([case("a", "run"), case("b", "run")]))

    def test_names_the_skip_and_its_reason(self):
        summary = self.summary([case("a", "run"), case("b", "notrun", "no tun here\n", "SKIP_RETURN_CODE=77")])
        self.expect("1 passed, 0 failed, 1 skipped", 0, summary)
        self.assertIn("skipped on host: no tun here\n    b\n", summary[1])

    def test_opens_googletest_programs(self):
        summary = self.summary([case("all", "fail", GOOGLETEST)], "8")
        self.expect("1 passed, 1 failed, 1 skipped", 1, summary)
        self.assertIn("skipped on host: this kernel has no Landlock\n    all: A.Skips\n", summary[1])
        self.assertIn("failed on host: 1\n    all: P/A.Fails/0\n", summary[1])

    def test_sees_a_crash_inside_a_googletest_program(self):
        output = "[ RUN      ] A.Passes\n[       OK ] A.Passes (0 ms)\n[ RUN      ] A.Crashes\n"
        summary = self.summary([case("all", "fail", output)], "8")
        self.expect("1 passed, 1 failed, 0 skipped", 1, summary)
        self.assertIn("failed on host: did not end\n    all: A.Crashes\n", summary[1])

    def test_sees_a_program_that_fails_after_its_tests(self):
        output = "".join(f"[ RUN      ] A.{name}\n[       OK ] A.{name} (0 ms)\n" for name in "ab")
        self.expect("2 passed, 1 failed, 0 skipped", 1, self.summary([case("all", "fail", output)], "8"))

    def test_opens_unittest_programs(self):
        summary = self.summary([case("py", "fail", UNITTEST)], "8")
        self.expect("2 passed, 1 failed, 2 skipped", 1, summary)
        self.assertIn("skipped on host: needs root\n    py: T.test_d\n", summary[1])

    def test_sees_the_skips_of_a_silent_unittest(self):
        self.expect("0 passed, 0 failed, 2 skipped", 1, self.summary([case("py", "run", "OK (skipped=2)\n")]))

    def test_sees_the_skips_of_a_brief_googletest(self):
        self.expect("0 passed, 0 failed, 3 skipped", 1, self.summary([case("all", "run", "[  SKIPPED ] 3 tests.\n")]))

    def test_takes_a_missing_program_for_a_failure(self):
        summary = self.summary([case("a", "run"), case("b", "notrun", "", "Unable to find executable")], "8")
        self.expect("1 passed, 1 failed, 0 skipped", 1, summary)

    def test_fails_without_tests(self):
        self.expect("0 passed, 1 failed, 0 skipped", 1, self.summary([]))

    def test_fails_when_everything_was_skipped(self):
        self.expect("0 passed, 0 failed, 1 skipped", 1, self.summary(None, "0", [("skipped", "JAIL_SKIP_VM=1")]))

    def test_fails_without_results(self):
        summary = self.summary(None, "124", [("output", "vm-run: time limit of 600 s reached\n")])
        self.expect("0 passed, 1 failed, 0 skipped", 1, summary)
        self.assertIn("time limit", summary[1])

    def test_fails_on_a_status_that_no_test_explains(self):
        self.expect("1 passed, 1 failed, 0 skipped", 1, self.summary([case("a", "run")], "8"))

    def test_names_a_kernel_that_cannot_be_had(self):
        summary = self.summary(None, "75", [("output", "fetch: kernel new cannot be had: its suite cannot be read\n")])
        self.assertIn("its suite cannot be read", summary[1])
        self.assertIn("0 failed, 1 skipped", summary[1])


if __name__ == "__main__":
    unittest.main()
