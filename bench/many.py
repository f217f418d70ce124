"""JAIL [COUNT]: what it costs to start, list and end jails when many live: medians of the first and last twenty starts,
of `jail ps`, and what `jail top` uses in ten seconds. As the user who runs it.
"""
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

jail, count = sys.argv[1], int((sys.argv[2:] + ["200"])[0])
PROFILE = "version: 1\nname: many\nextends: [shell]\n"


def timed(work):
    begun = time.monotonic()
    work()
    return (time.monotonic() - begun) * 1e3


def start(profile, live):
    reading, writing = os.pipe()
    live.append(subprocess.Popen([jail, "run", "--audit", "/dev/null", "--status-fd", str(writing), profile, "--",
                                  "sleep", "1000"], pass_fds=[writing], stderr=subprocess.DEVNULL))
    os.close(writing)
    os.read(reading, 4096)  # it has started
    os.close(reading)


with tempfile.TemporaryDirectory() as folder:
    profile = pathlib.Path(folder, "many.yaml")
    profile.write_text(PROFILE, encoding="utf-8")
    live = []
    starts = [timed(lambda: start(profile, live)) for _ in range(count)]
    listed = len(json.loads(subprocess.check_output([jail, "ps", "--json"])))
    asked = [timed(lambda: subprocess.check_output([jail, "ps"])) for _ in range(9)]
    top = subprocess.Popen([jail, "top", "-n", "6", "--every", "2"], stdout=subprocess.DEVNULL)
    _, _, used = os.wait4(top.pid, 0)
    ended = timed(lambda: subprocess.check_output([jail, "kill", "many"]))
    for process in live:
        process.wait()
    print(f"{listed} jails live; start: {statistics.median(starts[:20]):.1f} ms the first, "
          f"{statistics.median(starts[-20:]):.1f} ms the last")
    print(f"jail ps: {statistics.median(asked):.1f} ms; jail top: {(used.ru_utime + used.ru_stime) * 10:.2f} % of a "
          f"processor; jail kill of all: {ended:.0f} ms")
