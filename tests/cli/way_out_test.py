"""`network.allow` and `network.listen` for ports of the host's loopback: what is named is reached, nothing else is, and
what passes the bytes on can neither be reached by the plugin nor be more than that.
"""
import contextlib
import hashlib
import os
import pathlib
import signal
import socket
import subprocess
import threading
import time
import unittest

from jail_case import BINARY, both_launchers

SECONDS = 30
AWAY = ("import socket, sys\n"
        "def at(host, port):\n"
        "    return socket.create_connection((host, port), timeout=20)\n"
        "def why_not(host, port):\n"
        "    try:\n"
        "        at(host, port).recv(1)\n"
        "        return 'reached'\n"
        "    except OSError as error:\n"
        "        return type(error).__name__\n")


class Server:
    """Answers each connection with what `answer(connection)` does, in a thread of its own."""

    def __init__(self, answer, host="127.0.0.1"):
        self.answer = answer
        self.listening = socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET,
                                              backlog=512)
        self.port = self.listening.getsockname()[1]
        self.accepted = 0
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listening.accept()
                self.accepted += 1
                threading.Thread(target=self.speak, args=(connection,), daemon=True).start()

    def speak(self, connection):
        with connection, contextlib.suppress(OSError):
            self.answer(connection)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listening.shutdown(socket.SHUT_RDWR)
        self.listening.close()


def greet(connection):
    connection.sendall(b"hello")


def count_and_digest(connection):
    """Reads to the end, then tells what came: needs an end in one direction alone."""
    digest, size = hashlib.sha256(), 0
    while data := connection.recv(1 << 16):
        digest.update(data)
        size += len(data)
    connection.sendall(f"{size} {digest.hexdigest()}".encode() + b"x" * size)


def free_port(host="127.0.0.1"):
    with Server(greet, host) as server:
        return server.port


@both_launchers
class WayOut:
    def profile_with(self, network, more=""):
        return self.document(f"version: 1\nname: way-out\nextends: [python]\nnetwork: {network}\n{more}")

    def python(self, code, network, more="", **options):
        ended = self.jail("run", "--audit", self.log, self.profile_with(network, more), "--", "python3", "-c",
                          AWAY + code, **options)
        return ended

    def of_kind(self, kind):
        return [record for record in self.records() if record["kind"] == kind]

    def test_the_named_port_and_no_other(self):
        with Server(greet) as named, Server(greet) as other:
            for server in (named, other):  # both can be reached from here
                with socket.create_connection(("127.0.0.1", server.port)) as outside:
                    self.assertEqual(outside.recv(5), b"hello")
            ended = self.python(f"print(at('127.0.0.1', {named.port}).recv(5), why_not('127.0.0.1', {other.port}),\n"
                                f"      why_not('127.0.0.2', {named.port}), why_not('203.0.113.1', {named.port}))",
                                f"{{allow: [\"tcp://127.0.0.1:{named.port}\"]}}")
            self.assertEqual(ended.out.split(), ["b'hello'", "ConnectionRefusedError", "ConnectionRefusedError",
                                                 "OSError"], ended)
            self.assertEqual(other.accepted, 1)
        flow, = self.of_kind("net.flow")
        self.assertEqual((flow["source"], flow["address"], flow["port"], flow["bytes_received"], flow["decision"]),
                         ("egress", "127.0.0.1", named.port, 5, "allowed"))
        refused = [record["port"] for record in self.of_kind("net.connect") if record["decision"] == "denied"]
        self.assertIn(other.port, refused)

    def test_ipv6(self):
        with Server(greet, "::1") as named, Server(greet, "::1") as other:
            ended = self.python(f"print(at('::1', {named.port}).recv(5), why_not('::1', {other.port}),\n"
                                f"      why_not('127.0.0.1', {named.port}))",
                                f"{{allow: [\"tcp://[::1]:{named.port}\"]}}")
            self.assertEqual(ended.out.split(), ["b'hello'", "ConnectionRefusedError", "ConnectionRefusedError"], ended)

    def test_a_network_of_loopback_addresses(self):
        """The address that was meant is the one that is reached; another network, another port are not."""
        with Server(greet) as named, Server(lambda connection: connection.sendall(b"other"), "127.8.9.1") as there:
            ask = "print({})".format(", ".join(
                f"why_not('{host}', {port})" for host, port in (("127.0.0.1", named.port), ("127.8.9.1", there.port),
                                                                ("127.8.9.1", named.port), ("127.9.0.1", there.port))))
            allowed = f"\"tcp://127.8.0.0/16:{there.port}\", \"tcp://127.0.0.0/24:{named.port}\""
            ended = self.python(ask + f"\nprint(at('127.8.9.1', {there.port}).recv(5))", f"{{allow: [{allowed}]}}")
            self.assertEqual(ended.out.split(), ["reached", "reached", "ConnectionResetError", "ConnectionResetError",
                                                 "b'other'"], ended)
        refused = {(record["address"], record["port"], record["errno"]) for record in self.of_kind("net.connect")}
        self.assertEqual(refused, {("127.8.9.1", named.port, "ECONNRESET"), ("127.9.0.1", there.port, "ECONNRESET")})

    def test_a_url_of_the_environment(self):
        with Server(greet) as named:
            ended = self.python(f"print(at('127.0.0.1', {named.port}).recv(5))", "{allow: [\"${env:CRM_URL}\"]}",
                                environment={"CRM_URL": f"http://127.0.0.1:{named.port}/api?x=1"})
            self.assertEqual(ended.out.strip(), "b'hello'", ended)

    def test_a_range_has_a_door_for_each_port(self):
        with Server(greet) as named:
            ended = self.python(f"print(at('127.0.0.1', {named.port}).recv(5))",
                                f"{{allow: [\"tcp://127.0.0.1:{named.port - 3}-{named.port + 3}\"]}}")
            self.assertEqual(ended.out.strip(), "b'hello'", ended)

    def test_bytes_and_the_end_of_one_direction_pass_unchanged(self):
        """Eight mebibytes each way: more than any buffer on the way holds."""
        with Server(count_and_digest) as server:
            ended = self.python("import hashlib, os\n"
                                "data = os.urandom(8 << 20)\n"
                                f"s = at('127.0.0.1', {server.port})\n"
                                "s.sendall(data)\n"
                                "s.shutdown(socket.SHUT_WR)\n"
                                "answer = b''.join(iter(lambda: s.recv(1 << 16), b''))\n"
                                "head = f'{len(data)} {hashlib.sha256(data).hexdigest()}'.encode()\n"
                                "print(answer.startswith(head), len(answer) - len(head) == len(data))",
                                f"{{allow: [\"tcp://127.0.0.1:{server.port}\"]}}")
            self.assertEqual(ended.out.split(), ["True", "True"], ended)
        flow, = self.of_kind("net.flow")
        self.assertEqual(flow["bytes_sent"], 8 << 20)
        last, = self.of_kind("run.ended")
        self.assertEqual((last["bytes_sent"], last["bytes_received"]), (8 << 20, flow["bytes_received"]))

    def test_nobody_listens_on_the_host(self):
        """The connection is reset at once, and the log says what the host said."""
        port = free_port()
        ended = self.python(f"print(why_not('127.0.0.1', {port}))", f"{{allow: [\"tcp://127.0.0.1:{port}\"]}}")
        self.assertEqual(ended.out.strip(), "ConnectionResetError", ended)
        flow, = self.of_kind("net.flow")
        self.assertEqual((flow["decision"], flow["errno"]), ("failed", "ECONNREFUSED"))

    def test_more_connections_than_a_relay_has_room_for(self):
        """Those beyond are reset at once; when others have ended there is room again."""
        with Server(lambda connection: (greet(connection), connection.recv(1))) as server:
            ended = self.python("held = []\n"
                                "def first():\n"  # the connection may be reset before connect(2) has returned
                                "    try:\n"
                                f"        held.append(at('127.0.0.1', {server.port}))\n"
                                "        return held[-1].recv(5)\n"
                                "    except ConnectionResetError:\n"
                                "        return b'reset'\n"
                                "answers = [first() for _ in range(300)]\n"
                                "print(answers.count(b'hello'), answers.count(b'reset'))\n"
                                "for s in held: s.close()\n"
                                "while first() != b'hello': pass\n"
                                "print(b'hello')", f"{{allow: [\"tcp://127.0.0.1:{server.port}\"]}}")
            self.assertEqual(ended.out.split(), ["256", "44", "b'hello'"], ended)
        full = [flow.get("count", 1) for flow in self.of_kind("net.flow") if flow.get("errno") == "EMFILE"]
        self.assertGreaterEqual(sum(full), 44)
        self.assertLess(len(full), 3)  # alike, they are told once and counted

    def test_connections_that_carry_nothing_are_told_once_and_counted(self):
        """A flood of them does not use up the log."""
        with Server(lambda connection: connection.recv(1)) as server:
            ended = self.python("import struct\n"
                                "for _ in range(500):\n"
                                f"    s = at('127.0.0.1', {server.port})\n"
                                "    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))\n"
                                "    s.close()\n", f"{{allow: [\"tcp://127.0.0.1:{server.port}\"]}}")
            self.assertEqual(ended.code, 0, ended)
        counts = [flow.get("count", 1) for flow in self.of_kind("net.flow")]
        self.assertLessEqual(sum(counts), 500)
        self.assertGreater(sum(counts), 200)  # a busy relay has some waiting, and they are gone before it takes them
        self.assertLess(len(counts), 10)

    def test_what_is_open_when_the_run_ends_is_told_to_the_last(self):
        """However much it is at once: nobody hides a connection among those that end with him."""
        with Server(lambda connection: connection.recv(1)) as server:
            ended = self.python(f"all = [at('127.0.0.1', {server.port}) for _ in range(250)]\n"
                                "for i, one in enumerate(all): one.sendall(b'x' * (i + 1))\n"
                                "import os; os._exit(0)", f"{{allow: [\"tcp://127.0.0.1:{server.port}\"]}}")
            self.assertEqual(ended.code, 0, ended)
        sent = sorted(flow["bytes_sent"] for flow in self.of_kind("net.flow") for _ in range(flow.get("count", 1)))
        last = self.records()[-1]
        self.assertEqual((len(sent), sum(sent), last["lost"]), (250, last["bytes_sent"], {}))

    def test_datagrams_between_its_own_sockets_are_no_denial(self):
        """Of UDP one that is connected listens, too, for whom it is connected to."""
        ended = self.python("a, b = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))\n"
                            "for one in (a, b): one.bind(('127.0.0.1', 0))\n"
                            "a.connect(b.getsockname()); b.connect(a.getsockname()); a.send(b'x'); b.recv(1)\n"
                            "b.sendto(b'y', a.getsockname())\na.recv(1)", "{}")
        self.assertEqual(ended.code, 0, ended)
        self.assertEqual([record for record in self.records() if record.get("decision") == "denied"], [])

    def test_the_plugins_own_loopback_is_free(self):
        ended = self.python("s = socket.create_server(('127.0.0.1', 8765))\n"
                            "c = at('127.0.0.1', 8765)\n"
                            "s.accept()[0].sendall(b'own')\n"
                            "print(c.recv(3))", f"{{allow: [\"tcp://127.0.0.1:{free_port()}\"]}}")
        self.assertEqual(ended.out.strip(), "b'own'", ended)

    LISTENS = ("s = socket.create_server(({host!r}, {port}), family={family})\n"
               "print('ready', flush=True)\n"
               "c = s.accept()[0]\n"
               "print(c.recv(3))\n"
               "c.sendall(b'answer')\n")

    def listening(self, host, port, family, network):
        return self.starting(self.LISTENS.format(host=host, port=port, family=f"socket.{family.name}"), network)

    def starting(self, code, network):
        words = ["python3", "-c", AWAY + code]
        command = [BINARY, "run", "--audit", str(self.log), self.profile_with(network), "--", *words]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                   preexec_fn=self.become(), env=self.environment, text=True)
        self.addCleanup(process.kill)
        self.assertEqual(process.stdout.readline(), "ready\n")
        return process

    def test_the_host_reaches_what_listens(self):
        for host, family in (("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6)):
            with self.subTest(host=host):
                self.log.unlink(missing_ok=True)
                port = free_port(host)
                shown = f"[{host}]" if ":" in host else host
                process = self.listening(host, port, family, f"{{listen: [\"tcp://{shown}:{port}\"]}}")
                with socket.create_connection((host, port), timeout=SECONDS) as connection:
                    connection.sendall(b"ask")
                    self.assertEqual(connection.recv(10), b"answer")
                out, _ = process.communicate(timeout=SECONDS)
                self.assertEqual((process.returncode, out), (0, "b'ask'\n"))
                flow = self.of_kind("net.flow")[0]  # as the plugin sees it: who came, what it was sent
                self.assertEqual((flow["bytes_sent"], flow["bytes_received"], flow["local_port"]), (6, 3, port))
                self.assertEqual(flow["address"], host)

    ECHOES = ("s = socket.socket(socket.{family}, socket.SOCK_DGRAM)\n"
              "s.bind(({host!r}, {port}))\n"
              "print('ready', flush=True)\n"
              "for _ in range(3):\n"
              "    data, peer = s.recvfrom(65536)\n"
              "    s.sendto(data.upper(), peer)\n")

    def test_datagrams_of_the_host_reach_what_listens(self):
        """Each peer gets its own answers, from the address that it asked; nobody else is in between."""
        for host, family in (("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6)):
            with self.subTest(host=host), socket.socket(family, socket.SOCK_DGRAM) as one, \
                    socket.socket(family, socket.SOCK_DGRAM) as other:
                self.log.unlink(missing_ok=True)
                port = free_port(host)
                shown = f"[{host}]" if ":" in host else host
                process = self.starting(self.ECHOES.format(host=host, port=port, family=family.name),
                                        f"{{listen: [\"udp://{shown}:{port}\"]}}")
                for peer, data in ((one, b"a" * 60000), (other, b"b"), (one, b"c")):
                    peer.settimeout(SECONDS)
                    peer.connect((host, port))
                    peer.send(data)
                    self.assertEqual(peer.recv(65536), data.upper())
                process.communicate(timeout=SECONDS)
                flows = self.of_kind("net.flow")
                self.assertEqual(sorted((flow["bytes_received"], flow["bytes_sent"], flow["port"]) for flow in flows),
                                 sorted([(60001, 60001, one.getsockname()[1]), (1, 1, other.getsockname()[1])]))
                self.assertEqual({(flow["protocol"], flow["local_port"], flow["address"]) for flow in flows},
                                 {("udp", port, host)})

    def test_what_is_not_named_is_not_reached_from_the_host(self):
        port, named = free_port(), free_port()
        process = self.listening("127.0.0.1", port, socket.AF_INET, f"{{listen: [\"tcp://127.0.0.1:{named}\"]}}")
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=SECONDS)
        with self.assertRaises(ConnectionResetError):  # there is a door, and nobody behind it
            with socket.create_connection(("127.0.0.1", named), timeout=SECONDS) as nobody:
                nobody.recv(1)
        process.terminate()
        process.communicate(timeout=SECONDS)

    def test_low_ports_of_its_own_network_are_the_plugins(self):
        """On the host they are privileged, and stay so for whoever starts it."""
        ended = self.python("socket.create_server(('127.0.0.1', 80)).close(); print('bound')",
                            f"{{listen: [\"tcp://127.0.0.1:{free_port()}\"]}}")
        self.assertEqual((ended.code, ended.out), (0, "bound\n"), ended)
        if self.uid != 0:
            ended = self.python("print('ran')", "{listen: [\"tcp://127.0.0.1:1\"]}")
            self.assert_refused(ended, "127.0.0.1:1", "denied")

    def test_a_port_that_is_taken(self):
        with Server(greet) as taken:
            ended = self.python("print('ran')", f"{{listen: [\"tcp://127.0.0.1:{taken.port}\"]}}")
            self.assert_refused(ended, "test.yaml:4:", f"127.0.0.1:{taken.port}", "in use")

    HOLDS = "s = at('127.0.0.1', {port})\nprint(s.recv(5), flush=True)\nsys.stdin.readline()\n"

    def with_a_relay(self, port, code):
        command = [BINARY, "run", "--audit", str(self.log),
                   self.profile_with(f"{{allow: [\"tcp://127.0.0.1:{port}\"]}}"), "--", "python3", "-c",
                   AWAY + self.HOLDS.format(port=port) + code]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   preexec_fn=self.become(), env=self.environment, text=True)
        self.addCleanup(process.kill)
        self.assertEqual(process.stdout.readline(), "b'hello'\n")
        children = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        own_network = os.readlink("/proc/self/ns/net")
        relay, = [pid for pid in children if self.network_of(pid) == own_network]
        return process, int(relay)

    @staticmethod
    def network_of(pid):
        return os.readlink(f"/proc/{pid}/ns/net")

    @unittest.skipIf(os.geteuid() != 0, "only root looks at a process that cannot be looked at")
    def test_a_relay_holds_nothing_but_its_sockets(self):
        with Server(lambda connection: (greet(connection), connection.recv(1))) as server:
            process, relay = self.with_a_relay(server.port, "")
            status = dict(line.split(":\t", 1) for line in
                          pathlib.Path(f"/proc/{relay}/status").read_text().splitlines() if ":\t" in line)
            self.assertEqual((status["NoNewPrivs"], status["Seccomp"]), ("1", "2"))
            self.assertEqual({status[name] for name in ("CapPrm", "CapEff", "CapInh", "CapAmb")}, {"0" * 16})
            self.assertNotIn("0", status["Uid"].split())
            self.assertEqual(pathlib.Path(f"/proc/{relay}/environ").read_bytes().strip(b"\0"), b"")
            kinds = {os.readlink(f"/proc/{relay}/fd/{fd}").split(":")[0] for fd in os.listdir(f"/proc/{relay}/fd")}
            self.assertEqual(kinds, {"socket", "anon_inode"})
            process.communicate("\n", timeout=SECONDS)

    @unittest.skipIf(os.geteuid() != 0, "only root finds the process")
    def test_a_relay_that_dies_shuts_the_door(self):
        with Server(lambda connection: (greet(connection), connection.recv(1))) as server:
            process, relay = self.with_a_relay(
                server.port, "try: s.recv(1)\n"
                             "except OSError as error: print(type(error).__name__)\n"
                             f"print(why_not('127.0.0.1', {server.port}), flush=True)\n")
            self.kill_relay(relay)
            out, _ = process.communicate("\n", timeout=SECONDS)
            self.assertEqual(out.split(), ["ConnectionResetError", "ConnectionRefusedError"])
        self.assertEqual(process.returncode, 0)
        changed, = self.of_kind("monitor.changed")
        self.assertIn("network.allow", changed["reason"])

    def kill_relay(self, relay):
        ended = os.pidfd_open(relay)
        signal.pidfd_send_signal(ended, signal.SIGKILL)
        limit = time.monotonic() + SECONDS
        while "monitor.changed" not in self.kinds() and time.monotonic() < limit:
            time.sleep(0.01)
        os.close(ended)

    @unittest.skipIf(os.geteuid() != 0, "only root finds the process")
    def test_what_a_dead_relay_has_cut_off_is_not_whole(self):
        """Neither to the plugin, in the midst of a download, nor to the server."""
        answers = []
        def answer(connection):
            greet(connection)
            try:
                connection.sendall(b"x" * (1 << 16))
                answers.append(connection.recv(1))
            except OSError as error:
                answers.append(type(error).__name__)
        with Server(answer) as server:
            process, relay = self.with_a_relay(server.port, "size = 0\n"
                                               "try:\n"
                                               "    while data := s.recv(1 << 16): size += len(data)\n"
                                               "    print('whole', size)\n"
                                               "except OSError as error: print(type(error).__name__, size)\n")
            self.kill_relay(relay)
            out, _ = process.communicate("\n", timeout=SECONDS)
            limit = time.monotonic() + SECONDS
            while not answers and time.monotonic() < limit:
                time.sleep(0.01)
        self.assertEqual((out.split()[0], answers), ("ConnectionResetError", ["ConnectionResetError"]))

    def test_what_is_not_built_yet_is_refused_with_its_line(self):
        for entry in ("tcp://127.0.0.1:*", "tcp://127.0.0.1:1000-2000"):
            with self.subTest(entry=entry):
                ended = self.python("print('ran')", f"\n  allow: [\"tcp://127.0.0.1:80\", \"{entry}\"]")
                self.assert_refused(ended, "test.yaml:5:", "not part of this version")


if __name__ == "__main__":
    unittest.main()
