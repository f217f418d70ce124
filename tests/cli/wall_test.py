"""The kernel's own wall around the way out (nf_tables in the jail's network), beside the relay's table: what no line
permits is refused by the kernel, each of the two holds by itself, and nobody in the jail can touch it.
"""
import os
import pathlib
import re
import shutil
import subprocess
import time
import unittest

from abroad_test import BESIDE, BESIDE6, CLIENT, METADATA, NAMED, NAMED6, PORT, setUpModule  # noqa: F401
from jail_case import both_launchers

OTHER_PORT = PORT + 1
NFT = shutil.which("nft", path="/usr/sbin:/usr/bin:/sbin:/bin")
# Answers what it is asked, line by line.
PLUGIN = CLIENT % (PORT, PORT, 20) + """
import os, sys
held = []
def child(call):
    pid = os.fork()
    if pid == 0: os._exit(call() is None)
    return os.waitpid(pid, 0)[0]
def sent(host):
    with socket.socket(family(host), socket.SOCK_DGRAM) as s:
        error_of(lambda: s.sendmsg([b'x'], [], 0, (host, %d)))
def connected(host):
    with socket.socket(family(host), socket.SOCK_DGRAM) as s:
        s.connect((host, %d))
        error_of(lambda: s.send(b'x'))
def error_of(call):
    try: return call() and None
    except OSError as error: return type(error).__name__
for line in sys.stdin: print(eval(line), flush=True)
""" % (PORT, PORT)


def sets_of(text):
    """By name: its type, its flags, its elements without their times."""
    sets = {}
    for name, body in re.findall(r"set (\w+) \{((?:[^{}]|\{[^{}]*\})*)\}", text):
        listed = re.search(r"elements = \{([^}]*)\}", body)
        elements = listed.group(1).split(",") if listed else []
        flags = re.search(r"flags (\w+)", body)
        sets[name] = (re.search(r"type ([\w .]+\w)", body).group(1), flags and flags.group(1),
                      {re.sub(r" (timeout|expires) \S+", "", element.strip()) for element in elements})
    return sets


def chains_of(text):
    """By name: its rules in their order."""
    return {name: [line.strip() for line in body.strip().splitlines()]
            for name, body in re.findall(r"chain (\w+) \{([^}]*?)\n\t\}", text.replace("{ ", "(").replace(" }", ")"))}


@both_launchers
class Wall:
    def start(self, *allowed, more=""):
        entries = ", ".join(f"\"{entry}\"" for entry in allowed)
        profile = self.document(f"version: 1\nname: wall\nextends: [python]\nnetwork: {{allow: [{entries}]}}\n{more}")
        process = subprocess.Popen([os.environ["JAIL_BINARY"], "run", "--audit", str(self.log), profile, "--",
                                    "python3", "-c", PLUGIN], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                   preexec_fn=self.become(), env=self.environment)
        self.addCleanup(self.stop, process)
        self.process = process
        self.assertEqual(self.ask("1 + 1"), "2")
        own = os.readlink("/proc/self/ns/net")
        children = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        self.inside = next(pid for pid in children if os.readlink(f"/proc/{pid}/ns/net") != own)
        started = next(record for record in self.records() if record["kind"] == "run.started")
        layer = next(layer for layer in started["policy"] if layer["layer"] == "net")
        if layer["state"] == "partial":
            self.end()
            self.skipTest(layer["reason"])
        return profile

    @staticmethod
    def stop(process):
        process.kill()
        process.communicate()

    def ask(self, question):
        self.process.stdin.write(question + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def end(self):
        self.process.communicate(timeout=60)
        self.assertEqual(self.process.returncode, 0)

    def nft(self, *words):
        if not NFT:
            self.skipTest("there is no nft")
        command = ["nsenter", "-t", self.inside, "-n", NFT, *words]
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout

    def denied(self, **wanted):
        return [record for record in self.records() if record.get("decision") == "denied" and
                record["kind"] in ("net.connect", "net.send") and
                all(record.get(key) == value for key, value in wanted.items())]

    def test_the_kernel_holds_what_the_plan_shows(self):
        self.compare(12, f"tcp://{NAMED}:{PORT}-{PORT + 2}", f"udp://[{NAMED6}]:{PORT}",
                     f"tcp://api.acme.example:{OTHER_PORT}",
                     f"tcp://10.0.0.0/8:{PORT}", f"tcp://10.1.0.0/16:{PORT}", f"tcp://[::]/0:{PORT}",
                     f"tcp://169.254.0.0/16:{PORT}", f"udp://0.0.0.0/0:{PORT}")

    def test_the_kernel_holds_the_way_of_every_port(self):
        self.compare(12, f"tcp://{NAMED}:*", f"tcp://[{NAMED6}]:*", "tcp://api.acme.example:*", "tcp://10.0.0.0/8:*",
                     "tcp://10.1.0.0/16:*", "tcp://169.254.0.0/16:*", f"tcp://{BESIDE}:{PORT}")

    def compare(self, count, *allowed):
        profile = self.start(*allowed)
        printed = self.nft("list", "ruleset")
        shown = self.jail("show", "--plan", profile).out
        meant = [line.split(" nft ", 1)[1] for line in shown.splitlines() if " nft " in line]
        sets = sets_of(printed)
        self.assertEqual(sets, sets_of("\n".join(meant)))
        self.assertEqual(len(sets), count)
        chains = {}
        for line in meant:
            if line.startswith("chain "):
                name, rule = line.removeprefix("chain ").split(": ", 1)
                chains.setdefault(name, []).append(rule)
        self.assertEqual(chains_of(printed), chains)
        self.end()

    def test_refused_at_once_and_told_once(self):
        """With the source that knows whose call it was, and without one."""
        for monitor in ("", "monitor: {source: none}\n"):
            with self.subTest(monitor=monitor):
                self.log.unlink(missing_ok=True)
                profile = self.start(f"tcp://{NAMED}:{PORT}", f"udp://{NAMED}:{PORT}", f"tcp://[{NAMED6}]:{PORT}",
                                     f"udp://[{NAMED6}]:{PORT}", more=monitor)
                for host in (NAMED, NAMED6):
                    self.assertEqual(self.ask(f"tcp('{host}'), udp('{host}')"), f"('hello', '2@{host}')")
                attempts = [(BESIDE, PORT), (BESIDE6, PORT), (METADATA, PORT),
                            (NAMED, OTHER_PORT), (NAMED6, OTHER_PORT), ("127.0.0.1", PORT), ("::1", PORT)]
                for host, port in attempts:
                    self.assertEqual(self.ask(f"tcp('{host}', {port}), udp('{host}', {port})"),
                                     "('ConnectionRefusedError', 'PermissionError')", (host, port))
                self.end()
                plugin = next(record["pid"] for record in self.records() if record["kind"] == "run.started")
                for host, port in attempts:
                    for kind, errno in (("net.connect", "ECONNREFUSED"), ("net.send", "EPERM")):
                        told, = self.denied(kind=kind, address=host, port=port)
                        line = f"{profile}:4" if host in (NAMED, NAMED6) else "default"
                        self.assertEqual((told["layer"], told["rule"], told["errno"]), ("network", line, errno))
                        self.assertEqual(told.get("source") == "egress", bool(monitor or port == PORT))
                        self.assertEqual(told.get("pid"), None if monitor else plugin)
                flows = [record["address"] for record in self.records() if record["kind"] == "net.flow"]
                self.assertEqual(sorted(flows), sorted([NAMED, NAMED6] * 2), "the relay has seen no other")

    def test_a_refusal_has_the_process_that_asked_for_it(self):
        """Also one that has ended since, and where the packet was sent by a call that names nobody."""
        self.start(f"tcp://{NAMED}:{PORT}", f"udp://{NAMED}:{PORT}")
        asking = {f"tcp('{BESIDE}')": ("net.connect", BESIDE, None),
                  f"tcp('::ffff:{METADATA}')": ("net.connect", METADATA, None),
                  f"udp('{BESIDE}')": ("net.send", BESIDE, None),
                  f"sent('{METADATA}')": ("net.send", METADATA, "sendmsg"),
                  "connected('198.51.100.1')": ("net.send", "198.51.100.1", None)}
        pids = [int(self.ask(f"child(lambda: {call})")) for call in asking]
        self.assertEqual(len(set(pids)), len(asking))
        self.end()
        for pid, (kind, address, call) in zip(pids, asking.values(), strict=True):
            told, = self.denied(kind=kind, address=address, port=PORT)
            self.assertEqual((told["jail_pid"], told.get("call"), told["source"]), (pid, call, "egress"), told)

    def test_the_plugins_own_loopback_is_free(self):
        self.start(f"tcp://{NAMED}:{PORT}")
        for host in ("127.0.0.1", "127.8.9.1", "::1"):
            self.assertEqual(self.ask(f"held.append(socket.create_server(('{host}', 9000), family=family('{host}')))"),
                             "None")
            self.assertEqual(self.ask(f"held.append(socket.create_connection(('{host}', 9000)))"), "None")
            self.assertEqual(self.ask("held[-2].accept()[0].send(b'word\\n'), held[-1].recv(5)"), "(5, b'word\\n')")
        self.assertEqual(self.ask("held.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)), "
                                  "held[-1].connect(('127.0.0.1', 9001)), held[-1].send(b'x'), "
                                  "error_of(lambda: held[-1].recv(1))").split(", ")[-1], "'ConnectionRefusedError')")
        self.end()

    def test_the_relay_alone_holds(self):
        """Without any rule of the kernel's: what no line permits is reset, and told by the relay."""
        self.start(f"tcp://{NAMED}:{PORT}", f"udp://{NAMED}:{PORT}", f"tcp://[{NAMED6}]:{PORT}")
        self.nft("flush", "ruleset")
        self.assertEqual(self.nft("list", "ruleset"), "")
        self.assertEqual(self.ask(f"tcp('{NAMED}'), tcp('{NAMED6}'), udp('{NAMED}')"),
                         f"('hello', 'hello', '2@{NAMED}')")
        for host in (BESIDE, BESIDE6, METADATA, "127.0.0.1"):
            self.assertEqual(self.ask(f"tcp('{host}')"), "ConnectionResetError", host)
        self.end()
        self.assertEqual([record["errno"] for record in self.denied(source="egress")], ["ECONNRESET"] * 4)

    def test_nobody_in_the_jail_touches_it(self):
        """Neither by the calls of a profile nor, where one allows all sockets, with the powers that it has."""
        reach = (f"error_of(lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)), "
                 f"error_of(lambda: socket.socket().setsockopt(socket.SOL_SOCKET, 36, 0x6a61696c)), "
                 f"tcp('{BESIDE}')")
        self.start(f"tcp://{NAMED}:{PORT}")
        self.assertEqual(self.ask(reach), "('OSError', 'PermissionError', 'ConnectionRefusedError')")
        self.end()
        if not NFT:
            self.skipTest("there is no nft")
        more = f"syscalls: {{allow: [socket]}}\nfilesystem: {{exec: [{NFT}], libraries: [/usr/lib, /lib]}}\n"
        self.start(f"tcp://{NAMED}:{PORT}", more=more)
        self.assertEqual(self.ask(reach), "(None, 'PermissionError', 'ConnectionRefusedError')")
        for words in ("flush ruleset", "list ruleset"):
            self.assertIn("Operation not permitted",
                          self.ask(f"repr(__import__('subprocess').run(['{NFT}', *'{words}'.split()], "
                                   "capture_output=True, text=True).stderr)"), words)
        self.assertEqual(self.ask(f"tcp('{BESIDE}'), tcp('{NAMED}')"), "('ConnectionRefusedError', 'hello')")
        self.assertIn("goto refuse", self.nft("list", "ruleset"))
        self.end()

    def test_a_flood_at_other_ports_hides_nothing(self):
        """The rate is for what nobody else tells: without who tells of those, they use it up."""
        for monitor in ("", "monitor: {source: none}\n"):
            with self.subTest(monitor=monitor):
                self.log.unlink(missing_ok=True)
                self.start(f"udp://{NAMED}:{PORT}", more=monitor)
                flood = f"[udp('{BESIDE}', {OTHER_PORT}) for _ in range(6000)].count('PermissionError')"
                self.assertEqual(self.ask(f"{flood}, udp('{BESIDE}')"), "(6000, 'PermissionError')")
                self.end()
                lost = sum(record["count"] for record in self.records() if record["kind"] == "monitor.lost")
                if monitor:
                    self.assertGreater(lost, 500)
                    continue
                told, = self.denied(address=BESIDE, port=PORT)
                self.assertEqual((told["source"], lost, self.records()[-1]["lost"]), ("egress", 0, {}))
                others = self.denied(address=BESIDE, port=OTHER_PORT)
                self.assertEqual(sum(record.get("count", 1) for record in others), 6000)

    def test_a_flood_is_counted(self):
        """The first are told one by one, the others as lost, while it lasts: together all of them."""
        self.start(f"udp://{NAMED}:{PORT}", more="monitor: {source: none}\n")
        self.assertEqual(self.ask(f"[udp('{BESIDE}') for _ in range(6000)].count('PermissionError')"), "6000")
        limit = time.monotonic() + 60
        while "monitor.lost" not in self.kinds() and time.monotonic() < limit:
            time.sleep(0.01)
        self.assertNotIn("run.ended", self.kinds())
        self.end()
        told = sum(record.get("count", 1) for record in self.denied(address=BESIDE))
        lost = sum(record["count"] for record in self.records() if record["kind"] == "monitor.lost")
        self.assertEqual(told + lost, 6000)
        self.assertEqual(self.records()[-1]["lost"], {"egress": lost})
        self.assertGreater(told, 99)

    def test_a_flood_does_not_hide_another_attempt(self):
        """Who is notified of calls knows of it, though nobody has room for what became of it."""
        self.start(f"udp://{NAMED}:{PORT}")
        self.ask(f"[udp('{BESIDE}') for _ in range(6000)].count('PermissionError'), udp('{METADATA}')")
        self.end()
        self.assertGreater(self.records()[-1]["lost"].get("egress", 0), 500)
        found = self.denied(address=METADATA, port=PORT)
        self.assertEqual([(one["kind"], one["errno"], one["jail_pid"]) for one in found], [("net.send", "EPERM", 2)])

    def test_a_flood_ends_who_may_not_be_lost_sight_of(self):
        self.start(f"udp://{NAMED}:{PORT}", more="monitor: {on_loss: kill}\n")
        self.ask(f"[udp('{BESIDE}') for _ in range(6000)].count('PermissionError')")
        self.process.wait(timeout=60)
        self.assertEqual(self.process.returncode, 125)
        self.assertEqual(self.records()[-1]["outcome"], "monitor-lost")


if __name__ == "__main__":
    unittest.main()
