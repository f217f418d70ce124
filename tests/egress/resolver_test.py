"""The resolver against dnsmasq and against servers that misbehave, with glibc's and hand-made questions.

Runs in a user, network and mount namespace of its own, as anybody: there 127.0.0.1:53 is dnsmasq's and the files in
/etc are the test's. Each command of the "plugin" runs in another network namespace, which resolver_scene makes.
"""
import json
import os
import pathlib
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

SCENE = os.environ["RESOLVER_SCENE"]
NAME_SERVER = "192.0.2.53"  # what the plugin believes to be one

RECORDS = """
host-record=api.corp.example,203.0.113.10,2001:db8::10
host-record=other.corp.example,203.0.113.11
host-record=corp.example,203.0.113.12
host-record=edge.cdn.example,203.0.113.20
cname=www.corp.example,chain.corp.example
cname=chain.corp.example,edge.cdn.example
address=/zone.example/203.0.113.30
host-record=loop.corp.example,127.0.0.1,::1
host-record=lan.corp.example,10.0.0.1
host-record=cloud.corp.example,169.254.169.254,203.0.113.40
host-record=mapped.corp.example,::ffff:127.0.0.1
host-record=host.corp.example,198.51.100.77
txt-record=api.corp.example,secret
"""
MANY = "".join(f"host-record=many.corp.example,2001:db8:1::{i:x}\n" for i in range(1, 61))

# The plugin's side: what a command below may use.
PRELUDE = """
import json, socket, struct, sys
def ask(name, family=0):
    try:
        found = socket.getaddrinfo(name, 443, family, socket.SOCK_STREAM)
        return sorted({one[4][0] for one in found})
    except socket.gaierror as error:
        return {v: k for k, v in vars(socket).items() if k.startswith("EAI_")}[error.errno]
def question(name, kind=1, number=7, edns=False):
    wire = b"".join(bytes([len(label)]) + label.encode() for label in name.split(".") if label) + b"\\0"
    opt = b"\\0" + struct.pack(">HHIH", 41, 1232, 0, 0) if edns else b""
    return struct.pack(">6H", number, 0x100, 1, 0, 0, int(edns)) + wire + struct.pack(">HH", kind, 1) + opt
def datagram(message, server="192.0.2.53"):
    family = socket.AF_INET6 if ":" in server else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as one:
        one.settimeout(20)
        one.connect((server, 53))
        one.send(message)
        return one.recv(65535)
def exactly(one, size):
    data = b""
    while len(data) < size:
        more = one.recv(size - len(data))
        if not more: raise EOFError
        data += more
    return data
def read_stream(one):
    return exactly(one, struct.unpack(">H", exactly(one, 2))[0])
def framed(message): return struct.pack(">H", len(message)) + message
def rcode(message): return message[3] & 15
def count(message): return struct.unpack(">H", message[6:8])[0]
def is_cut(message): return bool(message[2] & 2)
def say(value): print(json.dumps(value))
"""


def wait_for(condition, what):
    """Polls what another process does: there is nothing to be told by."""
    end = time.monotonic() + 60
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"never came: {what}")
        time.sleep(0.01)


class Scene:
    """One dnsmasq, and the files of /etc, for all tests."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="resolver-"))
        self.log = self.folder / "dnsmasq.log"
        self.outside = self.file("resolv.outside", "nameserver 127.0.0.1\n")
        self.inside = self.file("resolv.inside", f"nameserver {NAME_SERVER}\n")
        self.hosts = self.file("hosts", "")
        nsswitch = self.file("nsswitch.conf", "hosts: files dns\n")
        for ours, path in ((self.outside, "resolv.conf"), (self.hosts, "hosts"), (nsswitch, "nsswitch.conf")):
            subprocess.run(["mount", "--bind", ours, f"/etc/{path}"], check=True)
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        subprocess.run(["ip", "address", "add", "198.51.100.77/32", "dev", "lo"], check=True)
        for family in ("-4", "-6"):  # an address without a way to it is not given
            subprocess.run(["ip", family, "route", "add", "default", "dev", "lo"], check=True)
        conf = self.file("dnsmasq.conf", RECORDS + MANY)
        self.server = subprocess.Popen(
            ["setpriv", "--pdeathsig", "TERM", "dnsmasq", "--keep-in-foreground", "--no-resolv", "--no-hosts",
             "--bind-interfaces", "--user=", "--group=", "--listen-address=127.0.0.1", "--log-queries",
             "--pid-file=", f"--conf-file={conf}", f"--log-facility={self.log}"])
        wait_for(self.is_listening, "dnsmasq")

    def file(self, name, text):
        path = self.folder / name
        path.write_text(text)
        return path

    def is_listening(self):
        if self.server.poll() is not None:
            raise AssertionError("dnsmasq has ended")
        try:
            socket.create_connection(("127.0.0.1", 53)).close()
            return True
        except ConnectionRefusedError:
            return False

    def asked(self):
        """What dnsmasq was asked, as "A name"."""
        lines = [line.split("query[", 1)[1].split() for line in self.log.read_text().splitlines() if "query[" in line]
        return [f"{kind.rstrip(']')} {name.lower()}" for kind, name, *_ in lines]

    def end(self):
        self.server.terminate()
        self.server.wait()
        shutil.rmtree(self.folder)


FLOOD = """
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
    one.settimeout(20)
    one.connect(("192.0.2.53", 53))
    codes = set()
    for first in range(0, %d, 50):
        for number in range(first, first + 50):
            one.send(question("nowhere.example", number=number))
        for _ in range(50):
            codes.add(rcode(one.recv(512)))
    say(sorted(codes))
"""

LOOKUP = ("name", "type", "rcode", "outcome", "rule", "count", "refused", "ttl", "more", "lost")


class Told:
    """What came of one command: what it said, and what the resolver told."""

    def __init__(self, ended, lines, asked):
        self.status = ended.returncode
        self.error = ended.stderr
        self.said = [json.loads(line) for line in ended.stdout.splitlines()]
        self.openings = [line.split()[1:] for line in lines if line.startswith("opening")]
        words = [line.split()[1:] for line in lines if line.startswith("lookup")]
        self.lookups = [dict(zip(LOOKUP, one), answers=one[len(LOOKUP):]) for one in words]
        self.ended = [line.split()[1] for line in lines if line.startswith("ended")]
        self.asked = asked

    def outcomes(self, name):
        return sorted({one["outcome"] for one in self.lookups if one["name"] == name})


class ResolverTest(unittest.TestCase):
    def setUp(self):
        SCENE_OF_ALL.outside.write_text("nameserver 127.0.0.1\n")
        SCENE_OF_ALL.inside.write_text(f"nameserver {NAME_SERVER}\n")
        SCENE_OF_ALL.hosts.write_text("")

    def run_plugin(self, code, *allow, options=()):
        told = SCENE_OF_ALL.file("told", "")
        before = len(SCENE_OF_ALL.asked())
        words = [word for name in allow for word in ("--allow", name)]
        ended = subprocess.run([SCENE, *words, *options, "--resolv-conf", SCENE_OF_ALL.inside, "--told", told, "--",
                                sys.executable, "-c", PRELUDE + code], capture_output=True, text=True, timeout=120)
        found = Told(ended, told.read_text().splitlines(), SCENE_OF_ALL.asked()[before:])
        self.assertEqual((ended.returncode, ended.stderr), (0, ""))
        return found

    def test_a_permitted_name_has_its_addresses_once_they_are_opened(self):
        told = self.run_plugin("say(ask('api.corp.example'))", "other.example", "api.corp.example")
        self.assertEqual(told.said, [["2001:db8::10", "203.0.113.10"]])
        self.assertEqual(sorted(one[:2] for one in told.openings), [["1", "2001:db8::10"], ["1", "203.0.113.10"]])
        self.assertEqual({one["rule"] for one in told.lookups}, {"1"})
        self.assertIn(["203.0.113.10"], [one["answers"] for one in told.lookups])
        self.assertEqual(told.outcomes("api.corp.example"), ["answered"])

    def test_another_name_is_not_there_and_nobody_hears_of_it(self):
        told = self.run_plugin("say(ask('other.corp.example')); say(ask('api.corp.example', socket.AF_INET))",
                               "api.corp.example")
        self.assertEqual(told.said, ["EAI_NONAME", ["203.0.113.10"]])
        self.assertEqual(told.outcomes("other.corp.example"), ["not-permitted"])
        self.assertEqual(told.asked, ["A api.corp.example"])
        self.assertEqual({one[1] for one in told.openings}, {"203.0.113.10"})

    def test_a_wildcard_has_what_is_below_and_not_the_domain_itself(self):
        told = self.run_plugin("for name in ('other.corp.example', 'corp.example', 'evilcorp.example'):"
                               " say(ask(name, socket.AF_INET))", "*.corp.example")
        self.assertEqual(told.said, [["203.0.113.11"], "EAI_NONAME", "EAI_NONAME"])

    def test_an_alias_is_followed_for_the_permitted_name_only(self):
        told = self.run_plugin("say(ask('www.corp.example', socket.AF_INET)); say(ask('edge.cdn.example'))",
                               "www.corp.example")
        self.assertEqual(told.said, [["203.0.113.20"], "EAI_NONAME"])

    def test_a_name_may_not_lead_to_this_host_or_behind_it(self):
        names = ("loop", "lan", "cloud", "mapped", "host")
        told = self.run_plugin("".join(f"say(ask('{name}.corp.example'));" for name in names), "*.corp.example")
        self.assertEqual(told.said, ["EAI_NODATA", "EAI_NODATA", ["203.0.113.40"], "EAI_NODATA", "EAI_NODATA"])
        self.assertEqual(told.outcomes("loop.corp.example"), ["addresses-refused"])
        self.assertEqual({one[1] for one in told.openings}, {"203.0.113.40"})

    def test_but_where_the_profile_has_the_very_address(self):
        told = self.run_plugin("for name in ('lan', 'host', 'loop'): say(ask(name + '.corp.example'))",
                               "*.corp.example", "10.0.0.0/24", "198.51.100.77")
        self.assertEqual(told.said, [["10.0.0.1"], ["198.51.100.77"], "EAI_NODATA"])

    def test_what_the_relay_refuses_is_not_given(self):
        told = self.run_plugin("say(ask('api.corp.example'))", "api.corp.example", options=("--refuse", "203.0.113.10"))
        self.assertEqual(told.said, [["2001:db8::10"]])
        self.assertEqual(told.outcomes("api.corp.example"), ["addresses-refused", "answered"])

    def test_a_relay_that_is_gone_ends_it_and_nothing_is_given(self):
        SCENE_OF_ALL.inside.write_text(f"nameserver {NAME_SERVER}\noptions timeout:1 attempts:1\n")
        told = self.run_plugin("say(ask('api.corp.example'))", "api.corp.example", options=("--deaf",))
        self.assertEqual((told.said, told.ended), (["EAI_AGAIN"], ["ECONNRESET"]))

    def test_search_lists_work(self):
        SCENE_OF_ALL.inside.write_text(f"nameserver {NAME_SERVER}\nsearch nowhere.example corp.example\n")
        told = self.run_plugin("say(ask('api', socket.AF_INET))", "api.corp.example")
        self.assertEqual(told.said, [["203.0.113.10"]])

    def test_a_name_server_with_an_ipv6_address(self):
        SCENE_OF_ALL.inside.write_text("nameserver 2001:db8::53\n")
        told = self.run_plugin("say(ask('api.corp.example', socket.AF_INET)); "
                               "say(rcode(datagram(question('api.corp.example'), '2001:db8:5::5')))",
                               "api.corp.example")
        self.assertEqual(told.said, [["203.0.113.10"], 0])

    def test_other_types_have_nothing_and_are_not_passed_on(self):
        told = self.run_plugin("for kind in (65, 64, 16, 255):\n"
                               " answer = datagram(question('api.corp.example', kind, edns=True))\n"
                               " say([rcode(answer), count(answer)])", "api.corp.example")
        self.assertEqual(told.said, [[0, 0]] * 4)
        self.assertEqual((told.asked, told.openings), ([], []))
        self.assertEqual([one["type"] for one in told.lookups], ["65", "64", "16", "255"])

    def test_localhost_is_the_jails_own(self):
        told = self.run_plugin("say(ask('localhost')); say(ask('db.localhost', socket.AF_INET))", "api.corp.example")
        self.assertEqual(told.said, [["127.0.0.1", "::1"], ["127.0.0.1"]])
        self.assertEqual((told.asked, told.openings), ([], []))

    def test_many_addresses_come_over_tcp_on_both_sides(self):
        told = self.run_plugin("say(len(ask('many.corp.example', socket.AF_INET6)))\n"
                               "answer = datagram(question('many.corp.example', 28))\n"
                               "say([is_cut(answer), len(answer) <= 512])", "many.corp.example")
        self.assertEqual(told.said, [60, [True, True]])

    def test_several_questions_over_one_connection(self):
        told = self.run_plugin("""
with socket.create_connection(("192.0.2.53", 53)) as one:
    one.sendall(b"".join(framed(question("api.corp.example", number=n)) for n in range(40)))
    one.shutdown(socket.SHUT_WR)
    answers = [read_stream(one) for _ in range(40)]
    say([sorted(a[0] << 8 | a[1] for a in answers) == list(range(40)), {count(a) for a in answers} == {1}])
    say(one.recv(1) == b"")
""", "api.corp.example")
        self.assertEqual(told.said, [[True, True], True])

    def test_a_connection_that_asks_rubbish_is_closed(self):
        told = self.run_plugin("""
for rubbish in (b"\\xff\\xff" + bytes(3000), framed(b""), framed(bytes([0, 1, 0x80]) + bytes(20))):
    with socket.create_connection(("192.0.2.53", 53)) as one:
        one.sendall(rubbish)
        try: say(len(one.recv(1)))
        except ConnectionResetError: say(0)
say(ask("api.corp.example", socket.AF_INET))
""", "api.corp.example")
        self.assertEqual(told.said, [0, 0, 0, ["203.0.113.10"]])

    def test_connections_are_bounded(self):
        told = self.run_plugin("""
held = [socket.create_connection(("192.0.2.53", 53)) for _ in range(32)]
for one in held: one.sendall(framed(question("api.corp.example")))
say({count(read_stream(one)) for one in held} == {1})
with socket.create_connection(("192.0.2.53", 53)) as more:
    say(len(more.recv(1)))
say(ask("api.corp.example", socket.AF_INET))
""", "api.corp.example")
        self.assertEqual(told.said, [True, 0, ["203.0.113.10"]])

    def test_names_of_the_hosts_file(self):
        SCENE_OF_ALL.hosts.write_text("203.0.113.50 Box.intern.example box # a comment\n10.0.0.9 inner.intern.example\n"
                                      "203.0.113.51 secret.other.example\n")
        told = self.run_plugin("say(ask('box.intern.example')); say(ask('inner.intern.example')); "
                               "say(ask('secret.other.example'))", "*.intern.example")
        self.assertEqual(told.said, [["203.0.113.50"], "EAI_NODATA", "EAI_NONAME"])
        self.assertEqual(told.asked, [])
        self.assertEqual({one[1] for one in told.openings}, {"203.0.113.50"})

    def test_a_server_that_is_not_there_leaves_it_to_the_next(self):
        SCENE_OF_ALL.outside.write_text("nameserver 127.0.0.9\nnameserver ::1\nnameserver 127.0.0.1\n")
        told = self.run_plugin("say(ask('api.corp.example', socket.AF_INET))", "api.corp.example")
        self.assertEqual(told.said, [["203.0.113.10"]])

    def test_a_silent_server_leaves_it_to_the_next(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
            silent.bind(("127.0.0.3", 53))
            SCENE_OF_ALL.outside.write_text("nameserver 127.0.0.3\nnameserver 127.0.0.1\n")
            told = self.run_plugin("say(ask('api.corp.example', socket.AF_INET))", "api.corp.example")
        self.assertEqual(told.said, [["203.0.113.10"]])

    def test_more_than_128_questions_at_once_are_too_many(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
            silent.bind(("127.0.0.3", 53))
            SCENE_OF_ALL.outside.write_text("nameserver 127.0.0.3\n")
            told = self.run_plugin("""
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
    one.settimeout(20)
    one.connect(("192.0.2.53", 53))
    for number in range(140): one.send(question("api.corp.example", number=number))
    say([[rcode(answer), answer[1]] for answer in (one.recv(512) for _ in range(12))])
""", "api.corp.example")
        self.assertEqual(told.said, [[[2, number] for number in range(128, 140)]])
        self.assertEqual([one["outcome"] for one in told.lookups].count("busy"), 12)

    def test_no_server_at_all_is_a_failure(self):
        SCENE_OF_ALL.outside.write_text("nameserver 127.0.0.9\n")
        told = self.run_plugin("say(ask('api.corp.example', socket.AF_INET))", "api.corp.example")
        self.assertEqual(told.said, ["EAI_AGAIN"])
        self.assertEqual(told.outcomes("api.corp.example"), ["failed"])

    def test_the_names_below_a_wildcard_are_counted(self):
        told = self.run_plugin("say([rcode(datagram(question(f'n{i}.zone.example'))) for i in range(300)])\n"
                               "say(rcode(datagram(question('n7.zone.example'))))", "*.zone.example")
        self.assertEqual(told.said, [[0] * 256 + [5] * 44, 0])
        self.assertEqual([one["outcome"] for one in told.lookups].count("too-many-names"), 44)
        self.assertEqual(len(told.asked), 257)

    def test_a_name_that_is_too_long_is_not_passed_on(self):
        told = self.run_plugin("for length in (40, 48): say(rcode(datagram(question('.'.join(['x' * length] * 4)"
                               " + '.zone.example'))))", "*.zone.example")
        self.assertEqual(told.said, [0, 5])
        self.assertEqual([one["outcome"] for one in told.lookups], ["answered", "too-long"])
        self.assertEqual(len(told.asked), 1)

    def test_a_flood_is_capped_and_told_as_one(self):
        told = self.run_plugin(FLOOD % 8000, "api.corp.example")
        self.assertEqual(told.said, [[3, 5]])
        fast = [one for one in told.lookups if one["outcome"] == "too-fast"]
        denied = [one for one in told.lookups if one["outcome"] == "not-permitted"]
        untold = sum(int(one["more"]) + int(one["lost"]) for one in told.lookups)
        last = int(fast[-1]["name"] == "-")  # no question of its own
        self.assertEqual(len(denied) + len(fast) - last + untold, 8000)

    def test_what_is_told_waits_for_who_is_late(self):
        told = self.run_plugin(FLOOD % 1000, "api.corp.example", options=("--late",))
        self.assertEqual({one["lost"] for one in told.lookups}, {"0"})
        self.assertEqual([one["outcome"] for one in told.lookups], ["not-permitted"] * 1000)

    def test_rubbish_does_not_harm(self):
        seed = random.randrange(1 << 32)
        told = self.run_plugin(f"""
import random
chance = random.Random({seed})
good = question("api.corp.example", edns=True)
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
    one.connect(("192.0.2.53", 53))
    for _ in range(300):
        bad = bytearray(good)
        for _ in range(chance.randrange(1, 8)): bad[chance.randrange(len(bad))] = chance.randrange(256)
        one.send(bytes(bad[:chance.randrange(len(bad) + 1)]))
say(ask("api.corp.example", socket.AF_INET))
""", "api.corp.example")
        self.assertEqual(told.said, [["203.0.113.10"]], f"seed {seed}")


class ForgeryTest(ResolverTest):
    """A server whose first answers are what somebody else would guess."""

    @staticmethod
    def answer(question, address, number=None, name=None):
        asked = question[12:question.index(b"\0", 12) + 1]
        return ((number if number is not None else question[:2]) + b"\x81\x80\0\x01\0\x01\0\0\0\0" + (name or asked) +
                b"\0\x01\0\x01" + b"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04" + socket.inet_aton(address))

    def serve(self, server, answers):
        question, peer = server.recvfrom(4096)
        self.questions.append(question)
        for answer in answers(question):
            server.sendto(answer, peer)

    def asked_of(self, answers):
        self.questions = []
        SCENE_OF_ALL.outside.write_text("nameserver 127.0.0.4\n")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
            server.bind(("127.0.0.4", 53))
            server.settimeout(60)
            thread = threading.Thread(target=self.serve, args=(server, answers))
            thread.start()
            told = self.run_plugin("say(ask('api.corp.example', socket.AF_INET))", "api.corp.example")
            thread.join()
        return told

    def test_guessed_answers_are_passed_over(self):
        def answers(question):
            other = bytes([question[0] ^ 1, question[1]])
            yield self.answer(question, "203.0.113.66", number=other)
            yield self.answer(question, "203.0.113.67", name=b"\x05other\x04corp\x07example\0")
            yield question[:12]
            yield self.answer(question, "203.0.113.68").replace(b"\x81\x80", b"\x01\x80", 1)
            yield self.answer(question, "203.0.113.10")
        told = self.asked_of(answers)
        self.assertEqual(told.said, [["203.0.113.10"]])

    def test_an_answer_in_another_case_is_asked_for_again_over_tcp(self):
        def serve_stream(listener):
            with listener.accept()[0] as one:
                question = one.recv(4096)[2:]
                answer = self.answer(question, "203.0.113.10")
                one.sendall(len(answer).to_bytes(2, "big") + answer)
        with socket.create_server(("127.0.0.4", 53)) as listener:
            listener.settimeout(60)
            thread = threading.Thread(target=serve_stream, args=(listener,))
            thread.start()
            told = self.asked_of(lambda question: [
                self.answer(question, "203.0.113.66", name=question[12:question.index(b"\0", 12) + 1].swapcase())])
            thread.join()
        self.assertEqual(told.said, [["203.0.113.10"]])

    def test_records_of_other_names_are_passed_over(self):
        def answers(question):
            right = bytearray(self.answer(question, "203.0.113.10"))
            right[7] = 2
            yield bytes(right) + b"\x05other\x00\0\x01\0\x01\0\0\0\x3c\0\x04" + socket.inet_aton("203.0.113.66")
        self.assertEqual(self.asked_of(answers).said, [["203.0.113.10"]])

    def test_the_question_says_nothing_of_the_plugin(self):
        self.asked_of(lambda question: [self.answer(question, "203.0.113.10")])
        wire = self.questions[0][12:]
        self.assertTrue(wire.lower().startswith(b"\x03api\x04corp\x07example\0"))


def load_tests(loader, _tests, _pattern):
    suite = unittest.TestSuite(loader.loadTestsFromTestCase(ResolverTest))
    suite.addTests(ForgeryTest(name) for name in vars(ForgeryTest) if name.startswith("test_"))
    return suite


if __name__ == "__main__":
    if "RESOLVER_TEST_INSIDE" not in os.environ:
        os.environ["RESOLVER_TEST_INSIDE"] = "1"
        os.execvp("unshare", ["unshare", "--user", "--map-root-user", "--net", "--mount", sys.executable, *sys.argv])
    SCENE_OF_ALL = Scene()
    try:
        unittest.main()
    finally:
        SCENE_OF_ALL.end()
