"""JAIL [SECONDS] [NAME...]: what others on the machine notice while a plugin does its worst, in a jail with the default
limits and a time limit. A probe beside it sleeps for a millisecond, makes some system calls and now and then a process;
per bomb: how the run ended, which limits the log says were reached, and how late the probe was, with the ratio to a
quiet machine. As the user who runs it.
"""
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

jail, seconds, names = sys.argv[1], float((sys.argv[2:] + ["5"])[0]), set(sys.argv[3:])
BASE = f"version: 1\nname: bomb\nextends: [python]\nlimits: {{time: {int(seconds * 1000)}ms, grace: 1ms%s}}\n"
MEMORY = ("import os, sys\n"
          "def take():\n"
          "    kept = []\n"
          "    while True:\n"
          "        try:\n"
          "            kept.append(bytearray(b'x') * (1 << 20))\n"
          "        except MemoryError:\n"
          "            pass\n")
BOMBS = {
    "fork bomb": ("", "import os\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n        pass\n"),
    "fork and end": ("", "import os\nwhile True:\n    if os.fork() == 0:\n        os._exit(0)\n    os.wait()\n"),
    "memory of one": (", memory: 256M", MEMORY + "take()\n"),
    # Each could have this much where no control group counts them together.
    "memory of many": (", memory: 48M, pids: 16",
                       MEMORY + "for _ in range(15):\n    if os.fork() == 0:\n        take()\ntake()\n"),
    "descriptors": ("", "import os\nfor _ in range(5):\n    os.fork()\nwhile True:\n    try:\n"
                        "        os.open('/dev/null', os.O_RDONLY)\n    except OSError:\n        pass\n"),
    "bytes in /tmp": ("", "import os\nfull = os.open('/tmp/full', os.O_CREAT | os.O_WRONLY)\nwhile True:\n    try:\n"
                          "        os.write(full, bytes(1 << 16))\n    except OSError:\n        pass\n"),
    "files in /tmp": ("", "import os\nnumber = 0\nwhile True:\n    number += 1\n    try:\n"
                          "        os.mknod(f'/tmp/{number}')\n    except OSError:\n        pass\n"),
    "files on disk": (", file_size: 16M", "import os\nwhile True:\n    one = os.open('full', os.O_CREAT | 1)\n"
                      "    for _ in range(255):\n        os.write(one, bytes(1 << 16))\n    os.fsync(one)\n"
                      "    os.close(one)\n    os.unlink('full')\n"),
    "spin": ("", "import os\nfor _ in range(5):\n    os.fork()\nwhile True:\n    pass\n"),
    "sleep": ("", "import time\ntime.sleep(1000)\n"),
    "log flood": ("", "import itertools, os\nfor number in itertools.count():\n    try:\n"
                      "        os.mkdir(f'/etc/{number}')\n    except OSError:\n        pass\n"),
    "stdout flood": ("", "import os\nwhile True:\n    os.write(1, b'x' * 65536)\n"),
}


def work(made):
    """What a shell or a server does: some 30 us on a quiet machine."""
    with open("/proc/self/stat", "rb") as file:
        file.read()
    reading, writing = os.pipe()
    os.write(writing, b"x")
    os.read(reading, 1)
    os.close(reading)
    os.close(writing)
    if made % 20 == 0:
        child = os.fork()
        if child == 0:
            os._exit(0)
        os.waitpid(child, 0)


def probe(is_over):
    """How long beyond its sleep each round took, in microseconds."""
    late = []
    while not is_over():
        begun = time.perf_counter()
        time.sleep(0.001)
        work(len(late))
        late.append((time.perf_counter() - begun - 0.001) * 1e6)
    return late


def middle_and_worst(late):
    return statistics.median(late), statistics.quantiles(late, n=100)[98]


def ended(log):
    records = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    limits = {record["which"] for record in records if record["kind"] == "limit.reached"} - {"limits.time"}
    last = records[-1]
    if last["kind"] == "run.refused":
        sys.exit(last["reason"])
    return last["outcome"], ", ".join(sorted(limits)) or "-"


def explode(folder, more, code):
    profile, log = pathlib.Path(folder, "bomb.yaml"), pathlib.Path(folder, "log")
    log.unlink(missing_ok=True)
    profile.write_text(BASE % more + f"filesystem: {{write: [\"{folder}/work\"]}}\n", encoding="utf-8")
    with subprocess.Popen([jail, "run", "--audit", log, profile, "--", "python3", "-c", code],
                          stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run:
        late = probe(lambda: run.poll() is not None)
    return ended(log), late


def quiet():
    until = time.monotonic() + seconds
    return middle_and_worst(probe(lambda: time.monotonic() > until))


with tempfile.TemporaryDirectory() as folder:
    pathlib.Path(folder, "work").mkdir()
    before = quiet()
    print(f"{'':15} {'outcome':9} {'p50 us':>7} {'p99 us':>8}  {'ratio':>11}  limits in the log")
    print(f"{'quiet':15} {'':9} {before[0]:7.0f} {before[1]:8.0f}")
    for name, (more, code) in BOMBS.items():
        if names and name not in names:
            continue
        (outcome, limits), late = explode(folder, more, code)
        if len(late) < 100:
            print(f"{name:15} {outcome:9} {'over after ' + str(len(late)) + ' rounds':>29}  {limits}", flush=True)
            continue
        now = middle_and_worst(late)
        print(f"{name:15} {outcome:9} {now[0]:7.0f} {now[1]:8.0f}  {now[0] / before[0]:4.1f} {now[1] / before[1]:5.1f}x"
              f"  {limits}", flush=True)
    after = quiet()
    print(f"{'quiet again':15} {'':9} {after[0]:7.0f} {after[1]:8.0f}")
