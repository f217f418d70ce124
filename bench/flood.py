"""JAIL FLOOD [RATE] [SECONDS]: what becomes of a flood of allowed opens under eBPF, by the size of the ring. Each open
is in the log, by itself or in the count of a record, or counted there as lost or as beyond the run's share; needs root.
Prints a line for each size, and one for a flood of which no two opens in a row are alike, so that each is a record.
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

jail, flood = sys.argv[1:3]
rate, seconds = (sys.argv[3:] + ["300000", "10"][len(sys.argv) - 3:])

PROFILE = """version: 1
name: flood
filesystem: {exec: ["%s"], read: ["%s"]}
monitor: {source: ebpf, files: all, ring: %s}
"""
MANY = 4000  # more kinds than are told once and then counted


def flooded(folder, ring, files):
    profile, log, read = pathlib.Path(folder, "flood.yaml"), pathlib.Path(folder, "log"), pathlib.Path(folder, "read")
    read.mkdir()
    os.chmod(folder, 0o755)
    paths = [read / str(number) for number in range(files)]
    for path in paths:
        path.touch()
    profile.write_text(PROFILE % (flood, read, ring), encoding="utf-8")
    ended = subprocess.run([jail, "run", "--audit", log, profile, "--", flood, rate, seconds, *paths],
                           stdout=subprocess.PIPE, check=True, encoding="utf-8")
    told, last = 0, {"seq": 0}
    for part in pathlib.Path(folder).glob("log*"):  # it is rotated
        for record in map(json.loads, part.read_bytes().splitlines()):
            last = max(last, record, key=lambda either: either["seq"])
            if record["kind"] == "file.open" and record["path"].startswith(str(read)):
                told += record.get("count", 1)
    return ended.stdout.split(), told, last


for ring, files in (("64K", 1), ("1M", 1), ("16M", 1), ("16M", MANY)):
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        (opened, took), told, last = flooded(folder, ring, files)
    lost, counted = last["lost"].get("ebpf", 0), last.get("counted", {}).get("file.open", 0)
    print(f"ring {ring:>4}, {files:4} files: {int(opened) / float(took):8.0f} opens/s for {took} s: {opened} opened, "
          f"{told} told, {counted} beyond the run's share and counted, {lost} lost and counted; "
          f"without account: {int(opened) - told - counted - lost}")
