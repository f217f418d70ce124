"""`network.allow` by name: a network namespace is the host here, with a real DNS server on its loopback; another one,
joined to it by a pair of interfaces, is the world. A permitted name leads where it points, by the programs that people
use; the address behind it is not open before it was asked for, other names are not there, and no name leads back in.
"""
import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import threading
import time
import unittest

from jail_case import both_launchers
from world import HOST, World

PORT = 8080
API, API6, OTHER, LISTED = "203.0.113.10", "2001:db8:2::10", "203.0.113.11", "203.0.113.12"
NAMES = [f"--host-record=api.acme.example,{API},{API6}", "--cname=alias.acme.example,api.acme.example",
         f"--host-record=acme.example,{API}", f"--host-record=evil.example,{OTHER}",
         f"--host-record=evilacme.example,{OTHER}",
         "--host-record=loopback.acme.example,127.0.0.1", "--host-record=metadata.acme.example,169.254.169.254",
         "--host-record=private.acme.example,10.0.0.1", f"--host-record=host.acme.example,{HOST}",
         f"--host-record=deep.down.acme.example,{API}", "--host-record=far.acme.example,198.51.100.1",
         "--host-record=unroutable.acme.example,2a00::1"]
WORLD = """
import http.server, socket, sys
class Greeting(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    def do_GET(self):
        body = b'hello ' + self.headers['Host'].encode()
        self.send_response(200); self.send_header('Content-Length', str(len(body))); self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass
class Both(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6
server = Both(('::', int(sys.argv[1])), Greeting)
server.serve_forever()
"""
CLIENT = """
import socket, urllib.request
def get(host, port=%d, name=None):
    request = urllib.request.Request(f'http://{host}:{port}/', headers={'Host': name} if name else {})
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.read().decode().split()[0]
    except OSError as error:
        reason = getattr(error, 'reason', error)
        return type(reason).__name__
def look_up(name):
    try:
        return ' '.join(sorted({entry[4][0] for entry in socket.getaddrinfo(name, 80, type=socket.SOCK_STREAM)}))
    except socket.gaierror as error:
        return 'gaierror'
"""
IN_THE_WORLD = None


def setUpModule():
    """Namespaces end with this process: nothing outside it changes."""
    if os.geteuid() != 0:
        raise unittest.SkipTest("only root makes networks that stand for the world")
    global IN_THE_WORLD
    dns = ["dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--bind-interfaces",
           "--user=root", f"--listen-address={OTHER}", f"--listen-address={API6}",
           f"--host-record=elsewhere.example,{API}"]
    IN_THE_WORLD = World([API, API6, OTHER, LISTED], NAMES, [["python3", "-c", WORLD, PORT], dns],
                         ["api.acme.example", (API6, PORT), (OTHER, 53)], search="secret.example acme.example",
                         hosts=f"{LISTED} listed.acme.example\n")
    own = socket.create_server(("", PORT), backlog=64)  # of the host: nothing for a plugin
    threading.Thread(target=serve_the_host, args=(own,), daemon=True).start()


def serve_the_host(listening):
    while True:
        with contextlib.suppress(OSError), listening.accept()[0] as connection:
            connection.sendall(b"HTTP/1.0 200 OK\r\n\r\nhost")


def tearDownModule():
    if IN_THE_WORLD:
        IN_THE_WORLD.end()


@both_launchers
class Names:
    def run_in(self, *words, allowed=("tcp://*.acme.example:8080",), more=""):
        entries = ", ".join(f"\"{entry}\"" for entry in allowed)
        profile = self.document(f"version: 1\nname: names\nextends: [python]\nnetwork: {{allow: [{entries}]}}\n{more}")
        return self.jail("run", "--audit", self.log, profile, "--", *words)

    def python(self, code, **options):
        ended = self.run_in("python3", "-c", CLIENT % PORT + code, **options)
        self.assertEqual(ended.code, 0, ended)
        return ended.out.split("\n")[:-1]

    def lookups(self, **wanted):
        return [record for record in self.records() if record["kind"] == "net.dns" and
                all(record.get(key) == value for key, value in wanted.items())]

    def test_control_the_world_can_be_reached_from_outside(self):
        for address in (API, OTHER, LISTED, API6):
            with socket.create_connection((address, PORT), timeout=20) as connection:
                connection.sendall(b"GET / HTTP/1.0\r\nHost: x\r\n\r\n")
                self.assertIn(b"hello", connection.recv(4096) + connection.recv(4096))
        self.assertEqual(socket.gethostbyname("evil.example"), OTHER)

    def test_a_name_leads_where_it_points_and_its_address_not_before(self):
        out = self.python("name = 'api.acme.example'\n"
                          f"print(get('{API}', name=name)); print(get(name)); print(get('{API}', name=name))\n"
                          f"print(get('{OTHER}', name=name)); print(get('api.acme.example', {PORT + 1}))")
        self.assertEqual(out, ["ConnectionRefusedError", "hello", "hello", "ConnectionRefusedError",
                               "ConnectionRefusedError"])
        asked, = self.lookups(name="api.acme.example", type="A", decision="allowed")[:1]
        self.assertEqual((asked["source"], asked["answers"]), ("egress", [API]))
        flows = [(record["address"], record["host"]) for record in self.records() if record["kind"] == "net.flow"]
        self.assertEqual(len(flows), 2)
        self.assertIn(flows[0], ((API, "api.acme.example"), (API6, "api.acme.example")))

    def test_the_log_has_the_name_that_led_to_an_address(self):
        """Also of what is refused, at ports that lead out and others, and where the stream itself names nobody."""
        out = self.python(f"print(get('api.acme.example', {PORT + 1}), get('api.acme.example', {PORT + 2}))\n"
                          f"socket.create_connection((look_up('api.acme.example').split()[0], {PORT}), timeout=20)",
                          allowed=(f"tcp://api.acme.example:{PORT}", f"tcp://{OTHER}:{PORT + 1}",
                                   f"tcp://[2001:db8:2::99]:{PORT + 1}"))
        self.assertEqual(out, ["ConnectionRefusedError ConnectionRefusedError"])
        refused = [record for record in self.records() if record["kind"] == "net.connect"]
        self.assertLessEqual({(port, "api.acme.example", "test.yaml:4") for port in (PORT + 1, PORT + 2)},
                             {(one["port"], one["host"], one["rule"].rsplit("/", 1)[1]) for one in refused})
        told = [(record["kind"], record["host"], record["decision"]) for record in self.records()
                if record.get("source") == "egress" and record["kind"] in ("net.connect", "net.flow")]
        self.assertEqual(set(told), {("net.connect", "api.acme.example", "denied"),
                                     ("net.flow", "api.acme.example", "allowed")})

    ASKING = """
import struct
QUESTION = struct.pack('>6H', 7, 0x100, 1, 0, 0, 0) + b'\\x09elsewhere\\x07example\\0' + struct.pack('>2H', 1, 1)
def said(message): return f'{message[3] & 15}/{struct.unpack(">H", message[6:8])[0]}'
def ask(server):
    with socket.socket(socket.AF_INET6 if ':' in server else socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(20)
        s.connect((server, 53))
        s.send(QUESTION)
        return said(s.recv(512))
def ask_by_stream(server):
    with socket.create_connection((server, 53), timeout=20) as s:
        s.sendall(struct.pack('>H', len(QUESTION)) + QUESTION)
        return said(s.recv(512)[2:])
"""

    def test_a_name_server_by_its_address_beside_names(self):
        """It is asked itself; at every other address of port 53 there is the jail's own, which knows no such name."""
        out = self.python(self.ASKING +
                          f"print(ask('{OTHER}'), ask('{API6}'), ask_by_stream('{OTHER}'), ask_by_stream('{API6}'))\n"
                          f"print(ask('{LISTED}'), ask('127.0.0.1'), ask('{API6}1'), ask_by_stream('{LISTED}'))\n"
                          "print(get('api.acme.example'))",
                          allowed=(f"tcp://*.acme.example:{PORT}", f"udp://{OTHER}:53", f"tcp://{OTHER}:53",
                                   f"udp://[{API6}]:53", f"tcp://[{API6}]:53"))
        self.assertEqual(out, ["0/1 0/1 0/1 0/1", "3/0 3/0 3/0 3/0", "hello"])

    def test_every_port_of_a_name(self):
        """But for those of the resolver; of other names and addresses none."""
        out = self.python(f"print(get('{API}', name='api.acme.example'))\n"
                          "name = 'api.acme.example'\n"
                          f"print(get(name), get(name, {PORT + 1}), get('{API}', name='x'))\n"
                          f"print(get('{OTHER}'), look_up('evil.example'))", allowed=("tcp://*.acme.example:*",))
        self.assertEqual(out, ["ConnectionRefusedError", "hello ConnectionResetError ConnectionResetError",
                               "ConnectionRefusedError gaierror"])

    def test_wildcards_and_chains(self):
        out = self.python("for name in ('deep.down.acme.example', 'alias.acme.example'): print(get(name))")
        self.assertEqual(out, ["hello"] * 2)

    def test_a_name_of_the_hosts_own_list(self):
        """Also for a plugin that has the list, and so does not ask."""
        for more in ("", "filesystem: {read: [/etc/hosts]}\n"):
            with self.subTest(more=more):
                self.assertEqual(self.python(f"print(get('listed.acme.example'), get('{API}'))", more=more),
                                 ["hello ConnectionRefusedError"])

    def test_the_kernel_alone_refuses_what_it_has_no_element_for(self):
        """As when the time of a name has passed: what the relay still permits is refused, what had begun goes on."""
        nft = shutil.which("nft", path="/usr/sbin:/usr/bin:/sbin:/bin")
        if not nft:
            self.skipTest("there is no nft")
        profile = self.document("version: 1\nname: names\nextends: [python]\n"
                                f"network: {{allow: [\"tcp://*.acme.example:{PORT}\"]}}\n")
        code = CLIENT % PORT + ("import http.client, sys\n"
                                f"port, held, name = {PORT}, {{}}, 'api.acme.example'\n"
                                "def ask(host):\n"
                                "    one = held.setdefault(host, http.client.HTTPConnection(host, port, timeout=20))\n"
                                "    one.request('GET', '/', headers={'Host': name})\n"
                                "    return one.getresponse().read().decode().split()[0]\n"
                                "for line in sys.stdin: print(eval(line), flush=True)\n")
        process = subprocess.Popen([os.environ["JAIL_BINARY"], "run", "--audit", str(self.log), profile, "--",
                                    "python3", "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   preexec_fn=self.become(), env=self.environment, text=True)
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)

        def ask(question):
            process.stdin.write(question + "\n")
            process.stdin.flush()
            return process.stdout.readline().strip()

        self.assertEqual(ask(f"get('{API}'), look_up(name), get('{API}', name=name), get('{API6}', name=name), "
                             f"get('{LISTED}', name=name), ask('{API}'), ask('{API6}')"),
                         f"('ConnectionRefusedError', '{API6} {API}', 'hello', 'hello', 'hello', 'hello', 'hello')"
                         .replace(f"{API6} {API}", " ".join(sorted([API, API6]))))
        children = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        own = os.readlink("/proc/self/ns/net")
        inside = next(pid for pid in children if os.readlink(f"/proc/{pid}/ns/net") != own)
        for command in ("delete", "add"):
            for name, addresses in (("names4", (API, LISTED)), ("names6", (API6,))):
                elements = ", ".join(f"{address} . tcp . {PORT}" for address in addresses)
                subprocess.run(["nsenter", "-t", inside, "-n", nft, command, "element", "inet", "jail", name,
                                f"{{ {elements} }}"], check=True)
            answer = "ConnectionRefusedError" if command == "delete" else "hello"
            self.assertEqual(ask(f"[get(host, name=name) for host in {[API, API6, LISTED]}]"), str([answer] * 3))
            self.assertEqual(ask(f"ask('{API}'), ask('{API6}')"), "('hello', 'hello')")
        process.stdin.close()
        process.stdin = None
        self.assertEqual(process.wait(timeout=60), 0)

    def test_other_names_are_not_there(self):
        """Neither the bare domain of a wildcard nor one that only ends alike; nobody outside is asked for them."""
        out = self.python("for name in ('acme.example', 'evil.example', 'evilacme.example'):\n"
                          "    print(look_up(name), get(name))")
        self.assertEqual(out, ["gaierror gaierror"] * 3)
        for name in ("acme.example", "evil.example", "evilacme.example"):
            denied, = self.lookups(name=name, type="A", decision="denied")[:1]
            self.assertEqual((denied["rule"], denied["layer"], denied["rcode"]), ("default", "network", "NXDOMAIN"))

    def test_no_name_leads_back_in(self):
        """To loopback, a private network, the cloud's metadata or the host's own address (DNS rebinding)."""
        out = self.python("for name in ('loopback', 'metadata', 'private', 'host'):\n"
                          "    print(look_up(name + '.acme.example'))")
        self.assertEqual(out, ["gaierror"] * 4)
        denied = self.lookups(name="loopback.acme.example", type="A")[0]
        self.assertEqual((denied["decision"], denied["rule"].rsplit("/", 1)[1]), ("denied", "test.yaml:4"))
        self.assertIn("may not point to", denied["reason"])

    def test_a_name_leads_back_in_where_an_entry_does(self):
        out = self.python("print(look_up('host.acme.example'))",
                          allowed=("tcp://*.acme.example:8080", f"tcp://{HOST}:22"))
        self.assertEqual(out, [HOST])

    def test_a_line_of_the_hosts_opens_its_own_ports_and_none_of_a_names(self):
        out = self.python("print(look_up('loopback.acme.example'), get('loopback.acme.example'), get('127.0.0.1'))",
                          allowed=(f"tcp://*.acme.example:{PORT}", "tcp://127.0.0.1:9"))
        self.assertEqual(out, ["127.0.0.1 ConnectionRefusedError ConnectionRefusedError"])

    def test_addresses_that_become_the_hosts(self):
        """By a local route, or while the jail runs: what would stay on this host is no other host."""
        later = "203.0.113.77"
        with socket.create_connection(("198.51.100.9", PORT), timeout=20) as control:
            self.assertIn(b"host", control.recv(100))
        profile = self.document("version: 1\nname: names\nextends: [python]\n"
                                f"network: {{allow: [\"tcp://0.0.0.0/0:{PORT}\"]}}\n")
        code = CLIENT % PORT + f"input()\nprint(get('198.51.100.9'), get('{later}'), get('{API}'))"
        process = subprocess.Popen([os.environ["JAIL_BINARY"], "run", "--audit", str(self.log), profile, "--",
                                    "python3", "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   preexec_fn=self.become(), env=self.environment, text=True)
        self.addCleanup(process.kill)
        while not self.log.exists() or "run.started" not in self.kinds():
            time.sleep(0.01)
        subprocess.run(["ip", "address", "add", f"{later}/32", "dev", "lo"], check=True)
        self.addCleanup(subprocess.run, ["ip", "address", "del", f"{later}/32", "dev", "lo"], check=True)
        out, _ = process.communicate("\n", timeout=60)
        self.assertEqual(out.split(), ["ConnectionResetError", "ConnectionResetError", "hello"])

    def test_what_the_host_cannot_reach_is_not_given(self):
        """A program that is given addresses of two families counts on the one that leads nowhere to fail at once."""
        self.assertEqual(self.python("print(look_up('unroutable.acme.example'))"), ["gaierror"])

    def test_by_its_whole_name_alone(self):
        out = self.python("print(get('api.acme.example')); print(get('alias.acme.example'))",
                          allowed=("tcp://api.acme.example:8080",))
        self.assertEqual(out, ["hello", "gaierror"])

    def test_a_url_of_the_environment(self):
        profile = self.document("version: 1\nname: names\nextends: [python]\nenv: {allow: [CRM]}\n"
                                "network: {allow: [\"${env:CRM}\"]}\n")
        ended = self.jail("run", "--audit", self.log, profile, "--", "python3", "-c",
                          "import os, urllib.request\n"
                          "print(urllib.request.urlopen(os.environ['CRM'], timeout=20).read().decode())",
                          environment={"CRM": f"http://api.acme.example:{PORT}/v1"})
        self.assertEqual(ended.out, f"hello api.acme.example:{PORT}\n", ended)

    def test_asyncio(self):
        out = self.python("import asyncio\n"
                          "async def main():\n"
                          f"    reader, writer = await asyncio.open_connection('api.acme.example', {PORT})\n"
                          "    writer.write(b'GET / HTTP/1.0\\r\\nHost: api.acme.example\\r\\n\\r\\n')\n"
                          "    print((await reader.read()).decode().splitlines()[-1])\n"
                          "    writer.close()\n"
                          "asyncio.run(main())")
        self.assertEqual(out, ["hello api.acme.example"])

    def test_the_plugins_own_settings(self):
        """Programs that do without the C library's resolver read them; they name the jail's own server, and of the
        host's domains those that the profile knows anyway."""
        out = self.python("print(*open('/etc/resolv.conf').read().split(), sep='|')\n"
                          "print(get('api'))\n"
                          "try: open('/etc/resolv.conf', 'a')\n"
                          "except OSError as error: print(error.errno)")
        self.assertEqual(out, ["nameserver|127.0.0.1|search|acme.example", "hello", "30"])
        told = [record["errno"] for record in self.records()
                if record.get("decision") == "denied" and record.get("path") == "/etc/resolv.conf"]
        self.assertEqual(told, ["EROFS"])
        for operation, code in (("read", 0), ("write", 1)):
            said = self.jail("why", "--path", "/etc/resolv.conf", "--op", operation, self.dir / "profile" / "test.yaml")
            self.assertEqual(said.code, code, said)

    def test_the_hosts_settings_where_a_line_grants_them(self):
        out = self.python("print('secret.example' in open('/etc/resolv.conf').read(), get('api.acme.example'))",
                          more="filesystem: {read: [/etc/resolv.conf]}\n")
        self.assertEqual(out, ["True hello"])

    def test_curl(self):
        curl = shutil.which("curl", path="/usr/bin:/bin")
        if not curl:
            self.skipTest("there is no curl")
        ended = self.run_in(curl, "-sS", f"http://api.acme.example:{PORT}/", f"http://api.acme.example:{PORT}/again",
                            more=f"filesystem: {{exec: [{curl}], libraries: [/usr/lib, /lib]}}\n")
        self.assertEqual((ended.code, ended.out), (0, f"hello api.acme.example:{PORT}" * 2), ended)

    def test_another_name_server_is_not_reached(self):
        """All questions go to the jail's own, whomever they were meant for; other ways to ask are closed."""
        query = "b'\\x12\\x34\\x01\\0\\0\\1\\0\\0\\0\\0\\0\\0\\4evil\\7example\\0\\0\\1\\0\\1'"
        out = self.python("s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
                          "s.settimeout(20)\n"
                          f"s.sendto({query}, ('203.0.113.11', 53))\n"
                          "answer, sender = s.recvfrom(512)\n"
                          "print(sender[0], answer[3] & 15)\n"
                          "for port in (853, 443):\n"
                          "    try: socket.create_connection(('203.0.113.11', port), timeout=20)\n"
                          "    except OSError as error: print(type(error).__name__)")
        self.assertEqual(out, [f"{OTHER} 3", "ConnectionRefusedError", "ConnectionRefusedError"])

    def test_a_flood_of_names_below_a_wildcard_ends(self):
        """A tunnel made of labels: few get through, and the log says so."""
        out = self.python("refused = sum(look_up(f'x{i}.acme.example') == 'gaierror' for i in range(300))\n"
                          "print(refused, look_up('api.acme.example') != '')")
        self.assertEqual(out[0].split()[0], "300")
        told = [record.get("reason", "") for record in self.lookups(decision="denied")]
        self.assertTrue(any("within a minute" in reason or "a second" in reason for reason in told), told[-3:])

    def test_the_resolver_dies(self):
        """No name is looked up any more, nobody says for whom a stream is, and so none begins; what was under way goes
        on, as does the run, and the log says so."""
        code = (CLIENT % PORT + "import http.client\n"
                f"held = http.client.HTTPConnection('api.acme.example', {PORT}, timeout=20)\n"
                "def again():\n"
                "    held.request('GET', '/')\n"
                "    return held.getresponse().read().decode().split()[0]\n"
                "print(again(), flush=True)\ninput()\n"
                f"print(look_up('alias.acme.example'), get('{API}', name='api.acme.example'), again())\n")
        profile = self.document("version: 1\nname: names\nextends: [python]\n"
                                "network: {allow: [\"tcp://*.acme.example:8080\"]}\n")
        process = subprocess.Popen([os.environ["JAIL_BINARY"], "run", "--audit", str(self.log), profile, "--",
                                    "python3", "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, preexec_fn=self.become(), env=self.environment, text=True)
        self.addCleanup(process.kill)
        self.assertEqual(process.stdout.readline(), "hello\n")
        children = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        network = os.readlink("/proc/self/ns/net")
        _, resolver = [int(pid) for pid in children if os.readlink(f"/proc/{pid}/ns/net") == network]
        handle = os.pidfd_open(resolver)
        signal.pidfd_send_signal(handle, signal.SIGKILL)
        os.close(handle)
        limit = time.monotonic() + 20
        while "monitor.changed" not in [record["kind"] for record in self.records()] and time.monotonic() < limit:
            time.sleep(0.01)
        out, error = process.communicate("\n", timeout=30)
        self.assertEqual(out.split(), ["gaierror", "ConnectionResetError", "hello"], error)
        self.assertIn("no name is looked up", [record for record in self.records()
                                               if record["kind"] == "monitor.changed"][0]["reason"])

    def test_why_says_the_same_beforehand(self):
        allowed = (f"tcp://api.acme.example:{PORT}", f"tcp://*.acme.example:{PORT + 1}", f"tcp://{LISTED}:{PORT}")
        questions = [("api.acme.example", PORT), ("api.acme.example", 22),
                     ("evil.example", PORT), (LISTED, PORT), (API, PORT), (LISTED, 22), ("127.0.0.1", 22),
                     ("127.0.0.1", PORT)]
        errors = {"gaierror": None, "ConnectionResetError": "ECONNRESET", "ConnectionRefusedError": "ECONNREFUSED"}
        # A look-up first: the address of a name is open for who says that name, and for nothing else.
        out = self.python(f"for host, port in {questions}:\n"
                          "    print(get(host, port))", allowed=allowed)
        for (host, port), happened in zip(questions, out, strict=True):
            with self.subTest(host=host, port=port):
                said = self.jail("why", "--json", "--host", f"{host}:{port}", self.dir / "profile" / "test.yaml")
                answer = json.loads(said.out)
                if answer["decision"] == "allowed":
                    self.assertEqual(happened, "hello")
                elif (host, port) == (API, PORT):  # the wall is open for a name, which the stream does not say
                    self.assertEqual(happened, "ConnectionResetError")
                else:
                    self.assertEqual(answer.get("errno"), errors[happened])

    def test_many_at_once(self):
        out = self.python("import threading\n"
                          "done = []\n"
                          "def one():\n"
                          "    for _ in range(10): done.append(get('api.acme.example'))\n"
                          "threads = [threading.Thread(target=one) for _ in range(16)]\n"
                          "for thread in threads: thread.start()\n"
                          "for thread in threads: thread.join()\n"
                          "print(done.count('hello'))")
        self.assertEqual(out, ["160"])


if __name__ == "__main__":
    unittest.main()
