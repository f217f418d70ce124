"""JAIL FLOOD [RATE] [SECONDS]: what becomes of a flood of allowed opens under eBPF, by the size of the ring. Each is in
the log, or counted there as lost or as beyond the run's share, with a few of the program's own start; needs root.
Prints a line for each size.
"""
import json
import pathlib
import subprocess
import sys
import tempfile

jail, flood = sys.argv[1:3]
rate, seconds = [float(word) for word in (sys.argv[3:] + ["300000", "10"][len(sys.argv) - 3:])]

PROFILE = """version: 1
name: flood
filesystem: {exec: ["%s"], read: [/etc/hostname]}
monitor: {source: ebpf, files: all, ring: %s}
"""

for ring in ("64K", "1M", "16M"):
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        profile, log = pathlib.Path(folder, "flood.yaml"), pathlib.Path(folder, "log")
        profile.write_text(PROFILE % (flood, ring), encoding="utf-8")
        ended = subprocess.run([jail, "run", "--audit", log, profile, "--", flood, "/etc/hostname", str(rate),
                                str(seconds)], stdout=subprocess.PIPE, check=True, encoding="utf-8")
        opened, took = ended.stdout.split()
        with open(log, "rb") as lines:
            last = json.loads(lines.readlines()[-1])
    told, lost = last["events"]["file.open"], last["lost"].get("ebpf", 0)
    print(f"ring {ring:>4}: {int(opened) / float(took):8.0f} opens/s for {took} s: {opened} opened, {told} told, "
          f"of these {last.get('counted', {}).get('file.open', 0)} counted only; {lost} lost and counted; "
          f"without account: {max(0, int(opened) - told - lost)}")
