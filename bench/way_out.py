"""JAIL [ROUNDS] [--flood SECONDS]: the way out against slirp4netns, where that is installed, in turn and in one
network namespace of its own that stands for the host: connections a second, one after the other; bytes a second over
one connection, each way; and what it adds to the start. Prints medians and ratios; needs root.

With --flood instead: 1,000 connections a second for so long, one in two of them reset at once and the other answered;
prints the times of the answered ones second by second, and what of them is in the log.
"""
import argparse
import collections
import ctypes
import json
import os
import pathlib
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

SERVER, PORT = "203.0.113.10", 7000
SECONDS, CONNECTIONS = 1.5, 1000
# In the jail or in the rival's namespace: what it measures is printed as one line of numbers.
CLIENT = f"""
import socket, time
def connect(word):
    s = socket.create_connection(('{SERVER}', {PORT}), timeout=20)
    s.sendall(word)
    return s
connect(b'c').recv(1)
start = time.perf_counter()
for _ in range({CONNECTIONS}):
    with connect(b'c') as s: s.recv(1)
each = (time.perf_counter() - start) / {CONNECTIONS}
piece, moved = bytearray(1 << 18), [0, 0]
with connect(b'r') as s:
    limit = time.perf_counter() + {SECONDS}
    while time.perf_counter() < limit: moved[0] += s.send(piece)
with connect(b's') as s:
    limit = time.perf_counter() + {SECONDS}
    while time.perf_counter() < limit: moved[1] += s.recv_into(piece)
print(each * 1e6, *[count * 8 / {SECONDS} / 1e9 for count in moved])
"""
FLOOD = f"""
import socket, struct, sys, time
def connect():
    return socket.create_connection(('{SERVER}', {PORT}), timeout=20)
start = time.perf_counter()
for second in range(int(sys.argv[1])):
    times = []
    for turn in range(500):
        due = start + second + turn / 500
        time.sleep(max(0, due - time.perf_counter()))
        s = connect()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        s.close()
        began = time.perf_counter()
        with connect() as s:
            s.sendall(b'c')
            s.recv(1)
        times.append((time.perf_counter() - began) * 1e6)
    times.sort()
    late = (time.perf_counter() - start - second - 1) * 1e3
    print(second, *[round(times[at]) for at in (250, 494, 499)], round(max(0, late), 1), flush=True)
"""


def serve(connection):
    with connection:
        piece = bytearray(1 << 18)
        try:
            word = connection.recv(1)
            if word == b"c":
                connection.sendall(b"c")
            while word == b"r" and connection.recv_into(piece):
                pass
            while word == b"s":
                connection.sendall(piece)
        except OSError:
            pass


def accept(listening):
    while True:
        threading.Thread(target=serve, args=(listening.accept()[0],), daemon=True).start()


def be_server():
    listening = socket.create_server((SERVER, PORT), backlog=512)
    accept(listening)


def run_jail(jail, profile, *command, log="/dev/null"):
    return subprocess.run([jail, "run", "--audit", log, profile, "--", *command], check=True,
                          stdout=subprocess.PIPE, text=True).stdout


def run_rival(attach):
    """In a fresh network namespace, once `attach` says that it is connected."""
    with subprocess.Popen(["unshare", "-n", "sleep", "60"]) as sleeper:
        own = os.readlink("/proc/self/ns/net")
        while os.readlink(f"/proc/{sleeper.pid}/ns/net") == own:
            time.sleep(0.01)
        rival = attach(str(sleeper.pid))
        try:
            return subprocess.run(["nsenter", "-t", str(sleeper.pid), "-n", sys.executable, "-c", CLIENT], check=True,
                                  stdout=subprocess.PIPE, text=True).stdout
        finally:
            rival.kill()
            rival.wait()
            sleeper.kill()


def slirp4netns(pid):
    reading, writing = os.pipe()
    rival = subprocess.Popen(["slirp4netns", "-c", "--mtu=65520", "-r", str(writing), pid, "tap0"], pass_fds=[writing],
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.close(writing)
    os.read(reading, 1)
    os.close(reading)
    return rival


def profile_in(folder, name, network):
    path = pathlib.Path(folder, f"{name}.yaml")
    path.write_text(f"version: 1\nname: {name}\nextends: [python]\nnetwork: {network}\n"
                    "filesystem: {exec: [/usr/bin/true]}\nmonitor: {source: none}\n", "utf-8")
    return path


OPEN = f"{{allow: [\"tcp://{SERVER}:{PORT}\"]}}"


def flood(jail, seconds):
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        log = pathlib.Path(folder, "log")
        out = run_jail(jail, profile_in(folder, "open", OPEN), "python3", "-c", FLOOD, str(seconds), log=str(log))
        rows = [[float(word) for word in line.split()] for line in out.splitlines()]
        print("second: p50, p99, max in us; ms behind the clock at its end")
        for second, *figures in rows:
            print(f"{second:4.0f}: {figures[0]:6.0f} {figures[1]:6.0f} {figures[2]:6.0f}  {figures[3]:6.1f}")
        print("medians of the seconds: " + ", ".join(f"{statistics.median(column):.0f}" for column in zip(*rows))
              .split(", ", 1)[1])
        told = collections.Counter()
        for line in log.read_text("utf-8").splitlines():
            record = json.loads(line)
            told[record["kind"]] += 1
            told[f"{record['kind']} stood for"] += record.get("count", 1)
        flows, meant = told["net.flow"], told["net.flow stood for"]
        print(f"log: {log.stat().st_size} bytes, {flows} records of {meant} connections, "
              f"{told['monitor.lost']} of loss, {told['limit.reached']} of limits")


def compare(jail, rounds):
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        profiles = {name: profile_in(folder, name, network) for name, network in (("closed", "{}"), ("open", OPEN))}
        ways = {"jail": lambda: run_jail(jail, profiles["open"], "python3", "-c", CLIENT)}
        if shutil.which("slirp4netns"):
            ways["slirp4netns"] = lambda: run_rival(slirp4netns)
        figures = {name: [] for name in ways}
        starts = {name: [] for name in profiles}
        for _ in range(rounds):
            for name, measure in ways.items():
                figures[name].append([float(word) for word in measure().split()])
            for _ in range(10):
                for name, profile in profiles.items():
                    began = time.perf_counter()
                    run_jail(jail, profile, "/usr/bin/true")
                    starts[name].append((time.perf_counter() - began) * 1e3)
    medians = {name: [statistics.median(column) for column in zip(*rows)] for name, rows in figures.items()}
    for name, (each, sent, received) in medians.items():
        ratio = [ours / theirs for ours, theirs in zip(medians["jail"], medians[name])]
        print(f"{name:12} connect, word, answer {each:7.1f} us (jail {ratio[0]:.2f}), out {sent:6.2f} Gbit/s "
              f"(jail {ratio[1]:.2f}), in {received:6.2f} Gbit/s (jail {ratio[2]:.2f})")
    closed, opened = (statistics.median(starts[name]) for name in ("closed", "open"))
    print(f"start of /usr/bin/true {closed:.2f} ms, with a way out {opened:.2f} ms (+{opened - closed:.2f})")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("jail")
    parser.add_argument("rounds", nargs="?", type=int, default=5)
    parser.add_argument("--flood", type=int, metavar="SECONDS")
    options = parser.parse_args()
    if ctypes.CDLL(None, use_errno=True).unshare(0x40000000) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    subprocess.run(["ip", "address", "add", f"{SERVER}/32", "dev", "lo"], check=True)
    server = os.fork()
    if server == 0:
        be_server()
    try:
        flood(options.jail, options.flood) if options.flood else compare(options.jail, options.rounds)
    finally:
        os.kill(server, 9)
        os.waitpid(server, 0)


if __name__ == "__main__":
    main()
