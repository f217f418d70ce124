"""JAIL [ROUNDS]: what a permission for a name costs, in a world of its own (tests/cli/world.py); needs root.

    start-up with one name and with 10,000; a look-up among them, of one that was never asked for and of one that was;
    a request by HTTP over a connection of its own, where the address is permitted, where the name is, and where it is
    with `sni: off`.

All in turn in one run. Prints medians, and what each is more than the first of its kind.
"""
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests" / "cli"))
from world import World  # noqa: E402

ADDRESS, PORT, MANY, ASKED = "203.0.113.10", 80, 10_000, 100
SERVER = f"""
import socket
listening = socket.create_server(('{ADDRESS}', {PORT}), backlog=512)
while True:
    connection = listening.accept()[0]
    connection.recv(4096)
    connection.sendall(b'HTTP/1.1 204 No Content\\r\\nConnection: close\\r\\n\\r\\n')
    connection.close()
"""
LOOK_UP = f"""
import socket, statistics, sys, time
def timed(name):
    began = time.perf_counter()
    socket.getaddrinfo(name, {PORT}, socket.AF_INET)
    return (time.perf_counter() - began) * 1e6
names = [f'n{{i}}.example' for i in range(0, int(sys.argv[1]), max(1, int(sys.argv[1]) // {ASKED}))]
fresh = [timed(name) for name in names]
again = [timed(name) for name in names]
print(statistics.median(fresh), statistics.median(again))
"""
REQUEST = f"""
import socket, statistics, sys, time
def request():
    began = time.perf_counter()
    with socket.create_connection(to, timeout=20) as s:
        s.sendall(b'GET / HTTP/1.1\\r\\nHost: n0.example\\r\\n\\r\\n')
        assert s.recv(4096).startswith(b'HTTP/1.1 204')
    return (time.perf_counter() - began) * 1e6
to = socket.getaddrinfo('n0.example', {PORT}, socket.AF_INET)[0][4]
print(statistics.median(request() for _ in range(500)))
"""


def profile_in(folder, name, lines):
    path = pathlib.Path(folder, f"{name}.yaml")
    path.write_text(f"version: 1\nname: {name}\nextends: [python]\nnetwork:\n  allow:\n"
                    + "".join(f"    - {line}\n" for line in lines)
                    + "filesystem: {exec: [/usr/bin/true]}\nmonitor: {source: none}\n", "utf-8")
    return path


def run(jail, profile, *command):
    done = subprocess.run([jail, "run", "--audit", "/dev/null", profile, "--", *command], check=True,
                          stdout=subprocess.PIPE, text=True)
    return [float(word) for word in done.stdout.split()]


def timed_start(jail, profile):
    began = time.perf_counter()
    run(jail, profile, "/usr/bin/true")
    return (time.perf_counter() - began) * 1e3


def show(what, unit, figures):
    medians = {name: statistics.median(values) for name, values in figures.items()}
    first = next(iter(medians.values()))
    for name, value in medians.items():
        print(f"{what:8} {name:22} {value:9.2f} {unit}  {value - first:+9.2f}")


def main():
    jail, rounds = sys.argv[1], int((sys.argv[2:] + ["7"])[0])
    world = World([ADDRESS], [f"--address=/example/{ADDRESS}", "--cache-size=0", "--local-ttl=60"],
                  [["python3", "-c", SERVER]], ["n0.example", (ADDRESS, PORT)])
    starts, looks, requests = {}, {}, {}
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        names = {count: profile_in(folder, f"names{count}", [f"tcp://n{i}.example:{PORT}" for i in range(count)])
                 for count in (1, MANY)}
        ways = {"address": profile_in(folder, "address", [f"tcp://{ADDRESS}:{PORT}", f"tcp://n0.example:{PORT}"]),
                "name": names[1],
                "name, sni: off": profile_in(folder, "unnamed", [f"{{to: \"tcp://n0.example:{PORT}\", sni: off}}"])}
        for _ in range(rounds):
            for _ in range(5):
                for count, profile in names.items():
                    starts.setdefault(f"{count} names", []).append(timed_start(jail, profile))
            for count, profile in names.items():
                fresh, again = run(jail, profile, "python3", "-c", LOOK_UP, str(count))
                looks.setdefault(f"of {count}", []).append(fresh)
                looks.setdefault(f"of {count}, again", []).append(again)
            for name, profile in ways.items():
                requests.setdefault(name, []).extend(run(jail, profile, "python3", "-c", REQUEST))
    world.end()
    show("start", "ms", starts)
    show("look-up", "us", looks)
    show("request", "us", requests)


if __name__ == "__main__":
    main()
