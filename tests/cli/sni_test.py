"""A permission for a name is one for the name, not for whoever shares its address: what a stream to it asks for, by TLS
or by HTTP, is looked at before a byte of it goes out. The world is that of names_test, where one server has two names.
"""
import os
import shutil
import ssl
import socket
import subprocess
import tempfile
import unittest

import names_test as world
from jail_case import both_launchers

API, API6 = world.API, world.API6
PERMITTED, COTENANT = "api.acme.example", "cotenant.example"
TLS, TLS_ELSEWHERE, HTTP, LINES = 443, 8443, 80, 2525
world.NAMES.append(f"--host-record={COTENANT},{API},{API6}")
world.WORLD = """
import http.server, os, socket, socketserver, ssl, sys, threading
seen = []
class Greeting(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    def do_GET(self):
        said = getattr(self.connection, 'said', '-')
        body = ' '.join(seen) if self.path == '/seen' else f"hello {said} {self.headers['Host']}"
        seen.append(f"{said}/{self.headers['Host']}")
        self.send_response(200); self.send_header('Content-Length', str(len(body))); self.end_headers()
        self.wfile.write(body.encode())
    def log_message(self, *_): pass
class Line(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write(b'220 ready\\n')
        self.wfile.write(b'250 ' + self.rfile.readline())
class Web(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6
    daemon_threads = True
    def handle_error(self, *_): pass
class Lines(socketserver.ThreadingTCPServer):
    address_family = socket.AF_INET6
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(os.environ['CERTIFICATE'])
context.set_alpn_protocols(['h2', 'http/1.1'])
def note(connection, name, _): connection.said = name or '-'
context.sni_callback = note
class Secure(Web):
    def get_request(self):
        connection, address = super().get_request()
        return context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), address
for number, kind, handler in ((int(sys.argv[1]), Web, Greeting), (80, Web, Greeting), (443, Secure, Greeting),
                              (8443, Secure, Greeting), (2525, Lines, Line)):
    threading.Thread(target=kind(('::', number), handler).serve_forever).start()
"""
CLIENT = f"""
import socket, ssl
API, API6, PERMITTED, COTENANT = {API!r}, {API6!r}, {PERMITTED!r}, {COTENANT!r}
context = ssl._create_unverified_context()
def look_up(name): socket.getaddrinfo(name, 80)
def told(error): return type(error).__name__
def read(stream): return b''.join(iter(lambda: stream.recv(4096), b'')).decode().split('\\r\\n\\r\\n', 1)[-1] or 'ended'
def request(host, path='/'):
    return f'GET {{path}} HTTP/1.1\\r\\nHost: {{host}}\\r\\nConnection: close\\r\\n\\r\\n'.encode()
def plain(*pieces, port={HTTP}, at=API):
    try:
        with socket.create_connection((at, port), timeout=20) as s:
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for piece in pieces: s.sendall(piece)
            return read(s)
    except OSError as error:
        return told(error)
def http(host, **options): return plain(request(host), **options)
def tls(name, host=None, port={TLS}, at=API, protocols=()):
    own = ssl._create_unverified_context()
    if protocols: own.set_alpn_protocols(protocols)
    try:
        with socket.create_connection((at, port), timeout=20) as s, own.wrap_socket(s, server_hostname=name) as t:
            if t.selected_alpn_protocol() == 'h2': return 'h2'
            t.sendall(request(host or name))
            return read(t)
    except OSError as error:
        return told(error)
def hello(name):
    out = ssl.MemoryBIO()
    try: context.wrap_bio(ssl.MemoryBIO(), out, server_hostname=name).do_handshake()
    except ssl.SSLWantReadError: return out.read()
def records(message, size):
    pieces = [message[at:at + size] for at in range(5, len(message), size)]
    return [b'\\x16\\x03\\x01' + len(piece).to_bytes(2, 'big') + piece for piece in pieces]
def answer(*pieces, at=API):
    try:
        with socket.create_connection((at, {TLS}), timeout=20) as s:
            for piece in pieces: s.sendall(piece)
            return s.recv(1).hex() or 'ended'
    except OSError as error:
        return told(error)
"""
RESET = "ConnectionResetError"
CERTIFICATE = None


def setUpModule():
    global CERTIFICATE
    if os.geteuid() != 0:
        raise unittest.SkipTest("only root makes networks that stand for the world")
    CERTIFICATE = tempfile.mkdtemp(prefix="jail-sni-")
    both = os.path.join(CERTIFICATE, "both.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-keyout", both, "-out", both + ".crt", "-subj", "/CN=test", "-days", "1"], check=True,
                   capture_output=True)
    with open(both, "a", encoding="ascii") as pem, open(both + ".crt", encoding="ascii") as certificate:
        pem.write(certificate.read())
    os.environ["CERTIFICATE"] = both
    world.setUpModule()


def tearDownModule():
    world.tearDownModule()
    if CERTIFICATE:
        shutil.rmtree(CERTIFICATE)


def outside(name, port, host=None):
    """What a client that is in no jail gets."""
    context = ssl._create_unverified_context()
    with socket.create_connection((API, port), timeout=20) as plain, \
            context.wrap_socket(plain, server_hostname=name) as stream:
        stream.sendall(f"GET / HTTP/1.0\r\nHost: {host or name}\r\n\r\n".encode())
        return b"".join(iter(lambda: stream.recv(4096), b"")).decode()


@both_launchers
class Sni:
    def run_in(self, *words, entries=None, more=""):
        ports = f"{TLS},{TLS_ELSEWHERE},{HTTP},{LINES}"
        lines = "".join(f"    - {entry}\n" for entry in entries or [f"\"tcp://*.acme.example:{ports}\""])
        profile = self.document(f"version: 1\nname: sni\nextends: [python]\n{more}network:\n  allow:\n{lines}")
        return self.jail("run", "--audit", self.log, profile, "--", *words)

    def python(self, code, **options):
        ended = self.run_in("python3", "-c", CLIENT + "look_up(PERMITTED)\n" + code, **options)
        self.assertEqual(ended.code, 0, ended)
        return ended.out.splitlines()

    def denied(self):
        return [(record.get("host"), record["port"], record["layer"], record["errno"], record["rule"].rsplit("/", 1)[1])
                for record in self.records() if record["kind"] == "net.connect" and record["decision"] == "denied"]

    def reasons(self):
        return [record["reason"] for record in self.records()
                if record["kind"] == "net.connect" and record["decision"] == "denied"]

    def test_control_the_co_tenant_can_be_reached_from_outside(self):
        self.assertIn(f"hello {COTENANT} {COTENANT}", outside(COTENANT, TLS))

    def test_tls_is_for_a_permitted_name(self):
        out = self.python("for at in (API, API6):\n"
                          "    print(tls(PERMITTED, at=at)); print(tls(COTENANT, at=at)); print(tls(None, 'x', at=at))")
        self.assertEqual(out, [f"hello {PERMITTED} {PERMITTED}", RESET, RESET] * 2)
        self.assertEqual(self.denied(), [(COTENANT, TLS, "network", "ECONNRESET", "test.yaml:6"),
                                         (None, TLS, "network", "ECONNRESET", "test.yaml:6")] * 2)
        flows = [record["host"] for record in self.records() if record["kind"] == "net.flow"]
        self.assertEqual(flows, [PERMITTED] * 2)
        plugin = next(record["pid"] for record in self.records() if record["kind"] == "run.started")
        asking = [record.get("pid") for record in self.records() if record["kind"] == "net.connect"]
        self.assertEqual(asking, [plugin] * 4)
        self.assertIn("without SNI", self.reasons()[1])
        said = self.jail("audit", "tail", "--denied", "--file", self.log)
        self.assertIn(f"tcp://{COTENANT}:{TLS}", said.out, said)

    def test_http_is_for_a_permitted_name_and_nothing_of_another_arrives(self):
        other = f"as-{self.uid}.{COTENANT}"
        out = self.python(f"for at in (API, API6): print(http(PERMITTED, at=at)); print(http('{other}', at=at))\n"
                          "print(http(API)); print(plain(request(PERMITTED, '/seen')))")
        self.assertEqual(out[:5], [f"hello - {PERMITTED}", RESET] * 2 + [RESET])
        self.assertNotIn(f"-/{other}", out[5].split())
        self.assertIn(f"-/{PERMITTED}", out[5].split())

    def test_a_hello_in_pieces(self):
        """Of a record each, sent one by one: a server puts them together, and so does who looks at them."""
        out = self.python("for name in (PERMITTED, COTENANT):\n"
                          "    whole = hello(name)\n"
                          "    print(answer(whole), answer(*records(whole, 16)), answer(whole[:3], whole[3:]))")
        self.assertEqual(out, ["16 16 16", " ".join([RESET] * 3)])

    def test_bytes_that_change_while_they_are_looked_at(self):
        """Pages of a file that is sent stay the plugin's: what is sent on is what was looked at. The control is that a
        server does see both names where nobody looks."""
        flips = (f"import mmap, os, signal\n"
                 "head, other = request(PERMITTED), request(COTENANT)\n"
                 "file = open('/tmp/head', 'w+b')\n"
                 "file.write(head); file.flush()\n"
                 "page = mmap.mmap(file.fileno(), len(head))\n"
                 "flipping = os.fork()\n"
                 "while flipping == 0: page[:] = other; page[:] = head\n"
                 "def once():\n"
                 "    try:\n"
                 f"        with socket.create_connection((API, {HTTP}), timeout=20) as s:\n"
                 "            os.sendfile(s.fileno(), file.fileno(), 0, len(head))\n"
                 "            return read(s)\n"
                 "    except OSError as error:\n"
                 "        return told(error)\n"
                 "print(sorted({once() for _ in range(60)}))\n"
                 "os.kill(flipping, signal.SIGKILL)\n")
        permitted, other = f"hello - {PERMITTED}", f"hello - {COTENANT}"
        self.assertNotIn(other, self.python(flips)[0])
        unchecked = self.python(flips, entries=[f"{{to: \"tcp://*.acme.example:{HTTP}\", sni: off}}"])[0]
        self.assertIn(permitted, unchecked)
        self.assertIn(other, unchecked)

    def test_an_urgent_byte_is_a_byte(self):
        """Else it would be left out by who looks, and could come back later."""
        out = self.python(f"s = socket.create_connection((API, {HTTP}), timeout=20)\n"
                          "s.sendall(b'GET / HTTP/1.0\\r\\nHost: ')\n"
                          "s.send(b'x', socket.MSG_OOB)\n"
                          "try: s.sendall(PERMITTED.encode() + b'\\r\\n\\r\\n'); print(read(s))\n"
                          "except OSError as error: print(told(error))", entries=[f"tcp://{PERMITTED}:{HTTP}"])
        self.assertEqual(out, [RESET])
        self.assertEqual([host for host, *_ in self.denied()], ["x" + PERMITTED])

    def test_http_2(self):
        """Over TLS the hello has the name; in the clear it cannot be read."""
        out = self.python("print(tls(PERMITTED, protocols=['h2'])); print(tls(COTENANT, protocols=['h2']))\n"
                          "print(plain(b'PRI * HTTP/2.0\\r\\n\\r\\nSM\\r\\n\\r\\n'))")
        self.assertEqual(out, ["h2", RESET, RESET])

    def test_what_is_in_doubt_is_refused(self):
        out = self.python(
            f"print(plain(b'SSH-2.0-x\\r\\n', port={TLS})); print(plain(b'EHLO me\\r\\n'))\n"
            "print(plain(b'GET / HTTP/1.1\\r\\nHost: ' + PERMITTED.encode() + b'\\r\\nHost: x\\r\\n\\r\\n'))\n"
            "print(plain(b'GET /' + b'a' * 20000))\n"
            f"s = socket.create_connection((API, {TLS}), timeout=20)\n"
            "s.sendall(hello(PERMITTED)[:100]); s.shutdown(socket.SHUT_WR)\n"
            "try: print(s.recv(1))\n"
            "except OSError as error: print(told(error))")
        self.assertEqual(out, [RESET] * 5)
        words = ("neither TLS nor HTTP", "neither TLS nor HTTP", "two hosts", "16 KiB", "malformed")
        for reason, word in zip(self.reasons(), words, strict=True):
            self.assertIn(word, reason)

    def test_other_ports(self):
        """TLS and HTTP are looked at there, too; a protocol in which the server speaks first, or another, passes."""
        out = self.python(f"print(tls(PERMITTED, port={TLS_ELSEWHERE})); print(tls(COTENANT, port={TLS_ELSEWHERE}))\n"
                          f"print(plain(b'EHLO me\\r\\n', port={LINES})); print(http(COTENANT, port={LINES}))")
        self.assertEqual(out, [f"hello {PERMITTED} {PERMITTED}", RESET, "220 ready", "250 EHLO me", "", RESET])

    def test_requests_that_a_lenient_server_takes_at_other_ports(self):
        """Without a version, behind odd white space, behind the PROXY protocol."""
        out = self.python("rest = b'\\r\\nHost: ' + COTENANT.encode() + b'\\r\\n\\r\\n'\n"
                          "for line in (b'GET /', b'GET\\x0b/ HTTP/1.1', b'\\xa0GET / HTTP/1.1', b'GET http://x/',\n"
                          "             b'GET x', b'PROXY TCP4 1.1.1.1 1.1.1.1 1 2\\r\\nGET / HTTP/1.1',\n"
                          "             b'\\x80\\x2e\\x01\\x03\\x01'):\n"
                          f"    print(plain(line + rest, port={LINES}))\n"
                          f"print(plain(b'EHLO me\\r\\n', port={LINES}).splitlines()[0])")
        self.assertEqual(out, [RESET] * 7 + ["220 ready"])

    def test_a_long_stream_passes_whole(self):
        """Four mebibytes each way behind what was looked at."""
        out = self.python(f"print(len(plain(b'\\0' + b'x' * (4 << 20) + b'\\n', port={LINES})))")
        self.assertEqual(out, [str(len("220 ready\n250 ") + (4 << 20) + 2)])
        flow, = [record for record in self.records() if record["kind"] == "net.flow"]
        self.assertEqual(flow["bytes_sent"], (4 << 20) + 2)

    def test_who_says_nothing_is_no_attempt(self):
        """A connection that only is made, and one that waits before it speaks."""
        out = self.python(f"socket.create_connection((API, {TLS}), timeout=20).close()\n"
                          f"s = socket.create_connection((API, {HTTP}), timeout=20)\n"
                          "print(http(PERMITTED))\n"
                          "s.sendall(request(PERMITTED))\n"
                          "print(read(s))")
        self.assertEqual(out, [f"hello - {PERMITTED}"] * 2)
        self.assertEqual(self.denied(), [])

    def test_nobody_listens_there(self):
        """Who has said nothing yet learns it at once, though two processes hold its socket."""
        out = self.python("try: print(socket.create_connection((API, 444), timeout=20).recv(1))\n"
                          "except OSError as error: print(told(error))", entries=[f"tcp://{PERMITTED}:444"])
        self.assertEqual(out, [RESET])
        flow, = [record for record in self.records() if record["kind"] == "net.flow"]
        self.assertEqual((flow["decision"], flow["errno"], flow["host"]), ("failed", "ECONNREFUSED", PERMITTED))

    def test_sni_off_is_a_named_weakening(self):
        entry = f"{{to: \"tcp://*.acme.example:{TLS},{HTTP}\", sni: off}}"
        out = self.python("print(tls(COTENANT)); print(http(COTENANT))", entries=[entry])
        self.assertEqual(out, [f"hello {COTENANT} {COTENANT}", f"hello - {COTENANT}"])
        profile = self.dir / "profile" / "test.yaml"
        self.assertIn("shares an address", self.jail("check", profile).out)
        self.assertIn("sni: off", self.jail("show", profile).out)

    def test_an_address_that_a_line_has_is_not_looked_at(self):
        out = self.python("print(tls(COTENANT)); print(http(COTENANT))",
                          entries=[f"\"tcp://*.acme.example:{TLS},{HTTP}\"", f"tcp://{API}:{TLS}"])
        self.assertEqual(out, [f"hello {COTENANT} {COTENANT}", RESET])

    def test_curl(self):
        curl = shutil.which("curl", path="/usr/bin:/bin")
        if not curl:
            self.skipTest("there is no curl")
        ended = self.run_in(curl, "-ksS", "--http1.1", f"https://{PERMITTED}/", "--next", "-ksS", "--http1.1",
                            "--connect-to", f"{COTENANT}:{TLS}:{PERMITTED}:{TLS}", f"https://{COTENANT}/",
                            more=f"filesystem: {{exec: [{curl}], libraries: [/usr/lib, /lib], read: [/etc/ssl]}}\n")
        self.assertEqual(ended.out, f"hello {PERMITTED} {PERMITTED}", ended)
        self.assertEqual(ended.code, 35, ended)  # CURLE_SSL_CONNECT_ERROR
        self.assertEqual([host for host, *_ in self.denied()], [COTENANT])


if __name__ == "__main__":
    unittest.main()
