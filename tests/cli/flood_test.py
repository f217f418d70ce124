"""A hundred denials in the midst of a million allowed calls: each of them is in the log, with layer, rule and errno;
the log stays within its bounds and can be read; the supervisor does not grow (SECURITY G2, B5).
"""
import json
import os
import pathlib
import subprocess
import time
import unittest

from jail_case import BINARY, SECONDS, both_launchers

CALLS = 50_000 if os.environ.get("JAIL_VM") else 1_000_000
DENIED = 100
SHARE = 64 << 20  # of what is allowed, a run has this many bytes in its log; more is counted (audit/budget.h)
RETAINED = 128 << 20  # of all generations
MOST_MEMORY = 24 << 10  # KiB


@both_launchers
class Flood:
    def setUp(self):
        if self.uid == 0:
            self.skipTest("a million calls are enough once: the ordinary user's run has them")
        super().setUp()

    def flood(self, files, calls):
        secret = self.dir / "secret"
        secret.mkdir()
        for number in range(DENIED):
            (secret / str(number)).write_text("x")
        public = self.dir / "read" / "public"
        public.write_text("x")
        self.own(self.dir)
        profile = self.profile(f"  read: [\"{self.dir}/read\"]\nmonitor: {{files: {files}}}\n")
        words = ["open-in-flood", secret, public, DENIED, calls]
        command = [BINARY, "run", "--audit", self.log, profile, "--", self.attacker, *words]
        run = subprocess.Popen(list(map(str, command)), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, preexec_fn=self.become(), env=self.environment,
                               cwd=self.dir / "write")
        self.peak = 0
        start = time.monotonic()
        while run.poll() is None:
            self.assertLess(time.monotonic() - start, 10 * SECONDS)
            self.peak = max(self.peak, peak_of(run.pid))
            time.sleep(0.05)
        out, error = run.communicate()
        self.assertIn(b"denied", out, error)
        self.seconds = time.monotonic() - start
        return sorted(self.log.parent.glob("run*.jsonl"), key=lambda log: (log == self.log, generation(log)))

    def check(self, logs):
        records = [record for log in logs for record in self.records(log)]
        numbers = [record["seq"] for record in records]
        self.assertEqual(numbers, list(range(1, len(records) + 1)), "a gap that nobody speaks of")
        self.assertEqual(records[-1]["lost"], {})
        secret = {f"{self.dir}/secret/{number}" for number in range(DENIED)}
        denied = [record for record in records if record.get("decision") == "denied" and record.get("path") in secret]
        self.assertEqual(len(denied), DENIED)
        self.assertEqual({record["path"] for record in denied}, secret)
        said = {(record["layer"], record["rule"], record["errno"]) for record in denied}
        self.assertEqual(said, {("mount", "default", "ENOENT")})
        size = sum(log.stat().st_size for log in logs)
        self.assertLess(size, min(RETAINED, SHARE + (1 << 20)))
        self.assertLess(self.peak, MOST_MEMORY)
        print(f"\n{self.id()}: {self.seconds:.1f} s, {len(records)} records of {size} bytes, {self.peak} KiB ",
              end="", flush=True)
        return records

    def test_denied_alone(self):
        """What is allowed is looked at and not told."""
        self.assertLess(len(self.check(self.flood("denied", CALLS))), 2 * DENIED)

    def test_all(self):
        """What is allowed is told: alike it is coalesced."""
        records = self.check(self.flood("all", CALLS))
        public = [record for record in records if record.get("path", "").endswith("/read/public")]
        self.assertEqual(sum(record.get("count", 1) for record in public), CALLS)


def generation(log):
    name = log.name.split(".")
    return int(name[1]) if len(name) == 3 else 0


def peak_of(pid):
    """KiB that the process has had in memory of its own."""
    try:
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")), 0)


if __name__ == "__main__":
    unittest.main()
