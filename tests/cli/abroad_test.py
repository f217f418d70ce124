"""`network.allow` for other hosts by address: a network namespace is the host here, with servers at addresses that
stand for the world's. What an entry names is reached, by TCP and by UDP, IPv4 and IPv6; the address beside it, the host
itself and the cloud's metadata service are not, though they can be from outside the jail.
"""
import contextlib
import ctypes
import os
import socket
import subprocess
import threading
import unittest

from jail_case import both_launchers

CLONE_NEWNET = 0x40000000
NAMED, BESIDE, METADATA = "203.0.113.10", "203.0.113.11", "169.254.169.254"
NAMED6, BESIDE6 = "2001:db8::10", "2001:db8::11"
PORT = 7070
CLIENT = """
import socket
def family(host): return socket.AF_INET6 if ':' in host else socket.AF_INET
def tcp(host, port=%d):
    try:
        with socket.create_connection((host, port), timeout=20) as s:
            return s.recv(5).decode() or 'ended'
    except OSError as error:
        return type(error).__name__
def udp(host, port=%d, size=2):
    with socket.socket(family(host), socket.SOCK_DGRAM) as s:
        s.settimeout(%s)
        try:
            s.sendto(b'x' * size, (host, port))
            answer, sender = s.recvfrom(65536)
            return f'{len(answer)}@{sender[0]}'
        except OSError as error:
            return type(error).__name__
"""


def setUpModule():
    if os.geteuid() != 0:
        raise unittest.SkipTest("only root makes a network that stands for the world")
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for address in (NAMED, BESIDE, METADATA, NAMED6, BESIDE6):
        bits, options = ("128", ["nodad"]) if ":" in address else ("32", [])
        subprocess.run(["ip", "address", "add", f"{address}/{bits}", "dev", "lo", *options], check=True)
    for address in ("0.0.0.0", "::"):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        stream = socket.create_server((address, PORT), family=family, backlog=128)
        datagrams = socket.socket(family, socket.SOCK_DGRAM)
        if family == socket.AF_INET6:
            datagrams.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        datagrams.bind((address, PORT))
        threading.Thread(target=greet, args=(stream,), daemon=True).start()
        threading.Thread(target=echo, args=(datagrams,), daemon=True).start()


def greet(listening):
    while True:
        connection, _ = listening.accept()
        with connection, contextlib.suppress(OSError):
            connection.sendall(b"hello")


def echo(datagrams):
    """Unconnected, so the kernel answers from the address that was asked only where there is one: all are of `lo`."""
    while True:
        data, sender = datagrams.recvfrom(65536)
        with contextlib.suppress(OSError):
            datagrams.sendto(data, sender)


@both_launchers
class Abroad:
    def python(self, code, *allowed, patience=20):
        entries = ", ".join(f"\"{entry}\"" for entry in allowed)
        profile = self.document(f"version: 1\nname: abroad\nextends: [python]\nnetwork: {{allow: [{entries}]}}\n")
        ended = self.jail("run", "--audit", self.log, profile, "--", "python3", "-c",
                          CLIENT % (PORT, PORT, patience) + code)
        self.assertEqual(ended.code, 0, ended)
        return ended.out.split()

    def told(self, kind, decision):
        return [(record["address"], record.get("protocol", record.get("source"))) for record in self.records()
                if record["kind"] == kind and record["decision"] == decision]

    def test_control_all_of_them_can_be_reached_from_outside(self):
        for host in (NAMED, BESIDE, METADATA, NAMED6, BESIDE6):
            with socket.create_connection((host, PORT), timeout=20) as connection:
                self.assertEqual(connection.recv(5), b"hello", host)

    def test_an_address(self):
        out = self.python(f"print(tcp('{NAMED}'), tcp('{NAMED6}'), tcp('{BESIDE}'), tcp('{BESIDE6}'),\n"
                          f"      tcp('{METADATA}'), tcp('127.0.0.1'), tcp('{NAMED}', {PORT + 1}))",
                          f"tcp://{NAMED}:{PORT}", f"tcp://[{NAMED6}]:{PORT}")
        self.assertEqual(out, ["hello", "hello"] + ["ConnectionRefusedError"] * 5)
        self.assertEqual(sorted(self.told("net.flow", "allowed")), sorted([(NAMED, "tcp"), (NAMED6, "tcp")]))
        self.assertEqual([address for address, source in self.told("net.connect", "denied") if source == "egress"],
                         [BESIDE, BESIDE6, METADATA, "127.0.0.1"])

    def test_a_network_is_not_what_lies_near(self):
        out = self.python(f"print(tcp('{METADATA}'), tcp('127.0.0.1'), tcp('{NAMED}'), tcp('::1'), tcp('{NAMED6}'))",
                          f"tcp://0.0.0.0/0:{PORT}", f"tcp://[::]/0:{PORT}")
        refused, reset = "ConnectionRefusedError", "ConnectionResetError"  # by the kernel; by the relay, which alone
        self.assertEqual(out, [refused, refused, reset, refused, reset])  # knows this host's own addresses
        out = self.python(f"print(tcp('{METADATA}'), tcp('127.0.0.1'), tcp('{NAMED}'), tcp('::1'), tcp('{NAMED6}'))",
                          *(f"tcp://{half}/1:{PORT}" for half in ("0.0.0.0", "128.0.0.0", "[::]", "[8000::]")))
        self.assertEqual(out, [refused, refused, reset, refused, reset], "nor are all of them in two")
        out = self.python(f"print(tcp('{METADATA}'), tcp('{NAMED}'))", f"tcp://169.254.0.0/16:{PORT}")
        self.assertEqual(out, ["hello", "ConnectionRefusedError"])

    def test_a_network_of_this_host_beside_others(self):
        out = self.python(f"print(tcp('127.0.0.1'), tcp('127.5.5.5'), tcp('{NAMED}', {PORT + 1}), tcp('{NAMED}'),\n"
                          f"      tcp('{BESIDE}'), tcp('::1'), udp('127.0.0.1'), udp('127.6.5.5'))",
                          f"tcp://127.0.0.0/8:{PORT}", f"tcp://{NAMED}:{PORT + 1}", f"udp://127.0.0.0/16:{PORT}")
        self.assertEqual(out, ["hello", "hello", "ConnectionResetError"] + ["ConnectionRefusedError"] * 3 +
                         ["2@127.0.0.1", "PermissionError"])

    def test_every_port(self):
        """Of the address that was meant and no other; the plugin's own loopback stays its own."""
        out = self.python(f"print(tcp('{NAMED}'), tcp('{NAMED6}'), tcp('{NAMED}', {PORT + 1}), tcp('::ffff:{NAMED}'))\n"
                          f"print(tcp('{BESIDE}'), tcp('{BESIDE6}'), tcp('{METADATA}', {PORT + 1}),\n"
                          f"      tcp('{BESIDE}', 65535), tcp('127.0.0.1'), tcp('::1'), udp('{NAMED}'))\n"
                          "for host in ('127.0.0.1', '::1'):\n"
                          "    server = socket.create_server((host, 9000), family=family(host))\n"
                          "    client = socket.create_connection((host, 9000))\n"
                          "    server.accept()[0].send(b'own'); print(client.recv(3).decode())",
                          f"tcp://{NAMED}:*", f"tcp://[{NAMED6}]:*")
        self.assertEqual(out[:4], ["hello", "hello", "ConnectionResetError", "hello"])
        self.assertEqual(out[4:], ["ConnectionRefusedError"] * 6 + ["PermissionError", "own", "own"])
        refused = [(record["address"], record["port"]) for record in self.records()
                   if record["kind"] == "net.connect" and record["decision"] == "denied"]
        self.assertCountEqual(refused, [(BESIDE, PORT), (BESIDE6, PORT), (METADATA, PORT + 1), (BESIDE, 65535),
                                        ("127.0.0.1", PORT), ("::1", PORT)])  # told by two, in no order

    def test_every_port_of_a_network_is_not_what_lies_near(self):
        refused, reset = "ConnectionRefusedError", "ConnectionResetError"
        out = self.python(f"print(tcp('{METADATA}'), tcp('127.0.0.1'), tcp('{NAMED}'), tcp('{NAMED}', 9), tcp('::1'))",
                          "tcp://0.0.0.0/0:*")
        self.assertEqual(out, [refused, refused, reset, reset, refused])
        out = self.python(f"print(tcp('{METADATA}'), tcp('{NAMED}'))", "tcp://169.254.0.0/16:*")
        self.assertEqual(out, ["hello", refused])

    def test_addresses_in_disguise(self):
        out = self.python(f"print(tcp('::ffff:{NAMED}'), tcp('::ffff:{BESIDE}'), tcp('::ffff:127.0.0.1'),\n"
                          "      tcp('0.0.0.0'))",
                          f"tcp://{NAMED}:{PORT}")
        self.assertEqual(out, ["hello"] + ["ConnectionRefusedError"] * 3)

    def test_datagrams(self):
        """The answer comes from the address that was asked."""
        out = self.python(f"print(udp('{NAMED}'), udp('{NAMED6}'), udp('127.0.0.1', size=60000))",
                          f"udp://{NAMED}:{PORT}", f"udp://[{NAMED6}]:{PORT}", f"udp://127.0.0.1:{PORT}")
        self.assertEqual(out, [f"2@{NAMED}", f"2@{NAMED6}", "60000@127.0.0.1"])
        self.assertEqual(sorted(self.told("net.flow", "allowed")),
                         [("127.0.0.1", "udp"), (NAMED6, "udp"), (NAMED, "udp")])

    def test_datagrams_to_others_fail_at_once_and_are_told(self):
        out = self.python(f"print(udp('{BESIDE}'), udp('{METADATA}'), udp('{NAMED}', {PORT + 1}))",
                          f"udp://{NAMED}:{PORT}")
        self.assertEqual(out, ["PermissionError"] * 3)
        self.assertEqual([address for address, source in self.told("net.send", "denied") if source == "egress"],
                         [BESIDE, METADATA])

    def test_a_protocol_is_not_the_other(self):
        out = self.python(f"print(tcp('{NAMED}'), udp('{NAMED6}'))",
                          f"udp://{NAMED}:{PORT}", f"tcp://[{NAMED6}]:{PORT}", patience=0.3)
        self.assertEqual(out[0], "ConnectionRefusedError")
        self.assertNotIn("@", out[1])

    def test_many_senders_of_datagrams_are_bounded(self):
        """Beyond the bound they are lost; who is there goes on."""
        out = self.python("many = []\n"
                          "for _ in range(400):\n"
                          "    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
                          "    s.settimeout(0.2)\n"
                          f"    s.sendto(b'a', ('{NAMED}', {PORT}))\n"
                          "    many.append(s)\n"
                          "def has_answer(s):\n"
                          "    try: return s.recv(10) == b'a'\n"
                          "    except OSError: return False\n"
                          "print(has_answer(many[0]), any(map(has_answer, many[256:260])))\n"
                          "many[0].settimeout(20)\n"
                          f"many[0].sendto(b'b', ('{NAMED}', {PORT}))\n"
                          "print(many[0].recv(10))", f"udp://{NAMED}:{PORT}")
        self.assertEqual(out, ["True", "False", "b'b'"])


if __name__ == "__main__":
    unittest.main()
