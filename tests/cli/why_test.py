"""`jail why` against a jail: for each path and operation the verdict is what really happens there."""
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

from jail_case import BINARY, both_launchers

# Runs in the jail: for each question "ok" or the name of the errno.
TRIES = r"""
import errno, json, os, sys
FLAGS = {"read": os.O_RDONLY, "write": os.O_WRONLY | os.O_CREAT}
def by_opening(op, path):
    flags = FLAGS[op]
    if op == "write" and os.path.isdir(path):  # a folder is written to by making something in it
        path = os.path.join(path, "made-by-test")
    was_there = os.path.lexists(path)
    os.close(os.open(path, flags | os.O_NOCTTY | os.O_NONBLOCK, 0o600))
    if not was_there:
        os.unlink(path)
def by_starting(path):
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.dup2(os.open("/dev/null", os.O_RDWR), 1)
            os.execv(path, [path, "exit", "0"])
        except OSError as error:
            os.write(writer, str(error.errno).encode())
        os._exit(0)
    os.close(writer)
    said = os.read(reader, 16)
    os.close(reader)
    os.waitpid(child, 0)
    if said:
        raise OSError(int(said), "")
said = []
for op, path in json.load(sys.stdin):
    try:
        by_starting(path) if op == "exec" else by_opening(op, path)
        said.append("ok")
    except OSError as error:
        said.append(errno.errorcode[error.errno])
json.dump(said, sys.stdout)
"""


@both_launchers
class Why:
    def why(self, *words, profile=None, **others):
        ended = self.jail("why", "--json", *words, profile or self.profile(), **others)
        self.assertIn(ended.code, (0, 1), ended)
        return ended.code, json.loads(ended.out)

    def tree(self):
        """Every sort of place, and the questions about it."""
        top = self.dir / "tree"
        for name in ("read/closed", "read/open", "read/deep/er", "write/keep", "write/sub", "lib", "bin", "outside"):
            os.makedirs(top / name)
        for name in ("read/file", "read/secret", "read/closed/file", "read/open/file", "read/deep/er/file",
                     "read/no-mode", "write/file", "write/read-only", "write/keep/file", "outside/file"):
            (top / name).write_text("x")
        os.chmod(top / "read/no-mode", 0)
        os.chmod(top / "write/read-only", 0o444)
        os.chmod(top / "write", 0o777)
        os.chmod(top / "read/open", 0o777)
        for name in ("read/program", "lib/program", "bin/program", "bin/no-mode", "write/program"):
            shutil.copy(self.attacker, top / name)
        os.chmod(top / "bin/no-mode", 0o644)
        for name, target in {"read/to-file": "file", "read/to-write": "../write/file",
                             "read/to-outside": str(top / "outside/file"),
                             "read/to-deep": "deep/er", "read/dangling": "nowhere", "read/loop": "loop",
                             "read/to-secret": "secret", "bin/to-program": "program"}.items():
            os.symlink(target, top / name)
        for name, line in {"bin/script": "#!/usr/bin/python3", "bin/orphan": "#!/no/such/interpreter",
                           "bin/stranger": "#!" + str(top / "read/program")}.items():
            (top / name).write_text(line + "\n")
            os.chmod(top / name, 0o755)
        self.own(top)
        return top

    def documented(self, top):
        return self.document(f"""version: 1
name: why-test
extends: [python]
filesystem:
  read: [{top}/read, {top}/write/keep]
  write: [{top}/write, {top}/read/open]
  libraries: [{top}/lib]
  exec: [{top}/bin]
  hide: [{top}/read/secret, {top}/read/closed]
""")

    def test_verdicts_are_what_happens(self):
        top = self.tree()
        profile = self.documented(top)
        places = [str(top / name) for name in (
            "read", "read/file", "read/no-mode", "read/missing", "read/missing/below", "read/secret", "read/closed",
            "read/closed/file", "read/open/file", "read/open/new", "read/deep/er/file", "read/deep/../file",
            "read/to-file", "read/to-write", "read/to-outside", "read/to-deep/file", "read/to-deep/../er/file",
            "read/dangling", "read/loop", "read/to-secret", "read/program", "read/file/below",
            "write", "write/file", "write/read-only", "write/new", "write/missing/new", "write/sub/new", "write/keep",
            "write/keep/file", "write/keep/new", "write/program", "lib/program", "bin/program", "bin/no-mode",
            "bin/to-program", "bin/script", "bin/orphan", "bin/stranger", "outside/file", "outside", ".", "../x")]
        places += ["/", "/x", "/etc", "/etc/shadow", "/etc/localtime", "/usr/bin/python3", "/usr/bin/env", "/bin/sh",
                   "/dev", "/dev/null", "/dev/full", "/dev/kmsg", "/dev/ptmx", "/dev/pts", "/dev/shm/new", "/dev/x",
                   "/tmp", "/tmp/new", "/proc", "/proc/self/status", "/proc/1/status", "/proc/meminfo",
                   "/proc/sys/kernel/hostname", "/proc/kcore", "/sys", "/sys/kernel", "/run", "/var", "/home"]
        questions = [(op, path) for path in places for op in ("read", "write", "exec")
                     # What is in a new /tmp nobody can know beforehand, but that one may write there.
                     if op == "write" or path not in ("/tmp/new", "/dev/shm/new")]
        answers = [self.why("--path", path, "--op", op, profile=profile) for op, path in questions]
        happened = self.in_jail(profile, questions)
        wrong = []
        for (op, path), (code, said), real in zip(questions, answers, happened):
            self.assertEqual(code, 1 if said["decision"] == "denied" else 0, said)
            foretold = said.get("errno", "ok")
            if foretold != real:
                wrong.append(f"{op} {path}: why says {foretold} ({said['reason']}), it is {real}")
        self.assertEqual(wrong, [], "\n".join(wrong))
        self.assertGreater(happened.count("ok"), 20, "positive controls")
        self.assertGreater(len(questions) - happened.count("ok"), 40, "negative ones")

    def in_jail(self, profile, questions):
        asked = self.dir / "write" / "questions"
        asked.write_text(json.dumps(questions))
        with open(asked, "rb") as stdin:
            ended = self.jail("run", "--audit", self.log, profile, "--", "python3", "-I", "-c", TRIES, stdin=stdin)
        self.assertEqual(ended.code, 0, ended)
        return json.loads(ended.out)

    def test_system_calls(self):
        profile = self.document("version: 1\nname: why-test\nextends: [python]\nsyscalls:\n  deny: [getcwd]\n"
                                "  allow: [ptrace]\n")
        numbers = {"getpid": 39, "getcwd": 79, "ptrace": 101, "mount": 165, "swapon": 167, "sched_yield": 24,
                   "kexec_load": 246}
        ended = self.jail("run", "--audit", self.log, profile, "--", "python3", "-I", "-c",
                          "import ctypes, json, errno\nlibc = ctypes.CDLL(None, use_errno=True)\nsaid = {}\n"
                          f"for name, number in {numbers}.items():\n"
                          "    ctypes.set_errno(0)\n"
                          "    libc.syscall(number, -1, 0, 0, 0, 0)\n"
                          "    said[name] = errno.errorcode.get(ctypes.get_errno(), 'ok')\nprint(json.dumps(said))")
        self.assertEqual(ended.code, 0, ended)
        happened = json.loads(ended.out)
        for name in numbers:
            code, said = self.why("--syscall", name, profile=profile)
            with self.subTest(name=name):
                self.assertEqual(code == 1, happened[name] in ("EPERM", "ENOSYS"), (said, happened[name]))
                self.assertEqual(said.get("errno"), happened[name] if code else None)
        self.assertEqual(self.why("--syscall", "getcwd", profile=profile)[1]["rule"], f"{profile}:5")
        self.assertEqual(self.why("--syscall", "mount", profile=profile)[1]["rule"], "default")

    def test_environment(self):
        profile = self.document("version: 1\nname: why-test\nextends: [python]\nenv:\n  allow: [\"ACME_*\", LD_DEBUG]\n"
                                "  secret: [TOKEN]\n  set: {FIXED: \"1\"}\n")
        given = {"ACME_URL": "x", "TOKEN": "hunter2hunter2", "OTHER": "x", "FIXED": "2", "LD_PRELOAD_X": "x"}
        ended = self.jail("run", "--audit", self.log, profile, "--", "python3", "-I", "-c",
                          "import os, json; print(json.dumps(dict(os.environ)))", environment=given)
        seen = json.loads(ended.out)
        for name in [*given, "HOME", "ACME_ABSENT"]:
            code, said = self.why("--env", name, profile=profile, environment=given)
            with self.subTest(name=name):
                self.assertEqual(name in seen, code == 0 and "not set here" not in said["reason"], said)
        self.assertEqual(self.why("--env", "TOKEN", profile=profile)[1]["rule"], f"{profile}:6")
        self.assertNotIn("hunter2", self.jail("why", "--env", "TOKEN", profile, environment=given).out)

    def test_hint_does_it(self):
        """What it says to add, added, allows."""
        wanted = self.dir / "read" / "a file: with $ and 'quotes'"
        wanted.write_text("x")
        self.own(self.dir / "read")
        _, said = self.why("--path", wanted)
        self.assertEqual(said["decision"], "denied")
        added = said["hint"].split("filesystem: ", 1)[1]
        profile = self.profile(f"  {added}\n")
        code, said = self.why("--path", wanted, profile=profile)
        self.assertEqual((code, said["decision"]), (0, "allowed"))

    def test_people_see_the_line(self):
        profile = self.profile()
        ended = self.jail("why", "--path", "/etc/shadow", profile)
        self.assertEqual(ended.code, 1)
        for word in ("denied", "mount", "default", "hint", "read: [/etc/shadow]"):
            self.assertIn(word, ended.out)
        ended = self.jail("why", "--path", self.dir / "write", "--op", "write", profile)
        self.assertEqual(ended.code, 0)
        self.assertIn(f"{profile}:5", ended.out)

    def test_hostile_bytes(self):
        ended = self.jail("why", "--path", "/x\x1b]52;c;aGk=\x07\n\u202e", self.profile())
        self.assertEqual(ended.code, 1)
        self.assertNotIn("\x1b", ended.out)
        self.assertEqual(ended.out.count("\n"), 3, ended)

    def test_usage(self):
        profile = self.profile()
        for words in ([], ["--syscall", "no_such_call"], ["--path", "/x", "--op", "dance"], ["--op", "read"],
                      ["--path", "/x", "--env", "Y"]):
            with self.subTest(words=words):
                ended = self.jail("why", *words, profile)
                self.assertEqual((ended.code, ended.out), (2, ""), ended)
        self.assertEqual(self.jail("why", "--path", "/x", self.profile("unknown: 1\n")).code, 125)

    def test_questions_that_ask_nothing(self):
        profile = self.profile()
        for asked, said, hint in (("--path=", "--path", "such as /"), ("--syscall=", "--syscall", "such as openat"),
                                  ("--env=", "--env", "such as ACME_TOKEN"), ("--host=", "--host", "such as api."),
                                  ("--host=a.example:0", "no port", "hint: "), ("--host=:80", "no host name", "hint: "),
                                  ("--host=a.example:99999", "no port", "hint: "),
                                  ("--host=a b:80", "a space", "hint: "),
                                  ("--host=10.0.0.0/8:80", "one name", "hint: ")):
            with self.subTest(asked=asked):
                name, _, word = asked.partition("=")
                ended = self.jail("why", name, word, profile)
                self.assertEqual((ended.code, ended.out), (2, ""), ended)
                self.assertIn(said, ended.error)
                self.assertIn(hint, ended.error)


# What the plugin does, and what the line of its denial ends with: a hint, or nothing but the rule.
HINTS = {
    "open('/etc/hosts', 'a')": "filesystem: write: [{path: /etc/hosts, dangerous: true}]",
    "open('/var/tmp/plain', 'w')": "filesystem: write: [/var/tmp/plain]",
    "socket.socket(socket.AF_UNIX)": ", network: unix: [PATH]",
    "socket.socket(socket.AF_PACKET, socket.SOCK_RAW)": "rule default | notify",
    "socket.create_connection(('192.0.2.1', 80))": ", network: allow: [tcp://192.0.2.1:80]",
    "socket.socket().sendto(b'x', socket.MSG_FASTOPEN, ('127.0.0.1', 80))": "rule default | notify",
    "open('{own}/granted/file', 'a')": "filesystem: write: [{own}/granted/file]",
}


@both_launchers
class Hints:
    def hint_of(self, tried):
        """The end of the line of what was denied last."""
        self.log.unlink(missing_ok=True)
        ended = self.jail("run", "--audit", self.log, self.granted, "--", "python3", "-I", "-c",
                          f"import os, socket\ntry: {tried}\nexcept OSError as error: print(error)")
        self.assertEqual(ended.code, 0, ended)
        tail = self.jail("audit", "tail", "--denied", "--file", self.log)
        self.assertTrue(tail.out, f"{tried}: {ended.out}")
        return tail.out.splitlines()[-1]

    def setUp(self):
        super().setUp()
        self.own_folder = tempfile.mkdtemp(prefix="jail-hint-", dir="/tmp")
        self.addCleanup(shutil.rmtree, self.own_folder)
        os.chmod(self.own_folder, 0o755)
        os.mkdir(f"{self.own_folder}/granted")
        pathlib.Path(self.own_folder, "granted", "file").touch()
        self.own(self.own_folder)
        self.granted = self.document("version: 1\nname: cli-test\nextends: [python]\n"
                                     f"filesystem: {{read: [\"{self.own_folder}/granted\"]}}\n")

    def test_each(self):
        for tried, hint in HINTS.items():
            with self.subTest(tried=tried):
                line = self.hint_of(tried.replace("{own}", self.own_folder))
                self.assertTrue(line.endswith(hint.replace("{own}", self.own_folder)), line)

    def test_families_of_sockets_are_not_given_away(self):
        for call in ("socket", "socketpair", "sendmsg"):
            self.assertNotIn("syscalls: allow", self.jail("why", "--syscall", call, self.profile()).out)
        self.assertIn("syscalls: allow: [ptrace]", self.jail("why", "--syscall", "ptrace", self.profile()).out)


@both_launchers
class Follow:
    def start(self, *words):
        process = subprocess.Popen([BINARY, "audit", "tail", "-f", "--file", self.log, *words], env=self.environment,
                                   stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, preexec_fn=self.become(),
                                   text=True)
        self.addCleanup(process.stdout.close)
        return process

    def test_shows_denials_of_runs_to_come(self):
        """Begun before there is a log, over two runs, until it is ended."""
        process = self.start("--denied")
        for _ in range(2):
            self.run_plugin("change-own", "write", "/etc/made-by-test")
        for _ in range(2):
            line = process.stdout.readline()
            for word in ("denied", "default", "write: [{path: /etc/made-by-test, dangerous: true}]"):
                self.assertIn(word, line)
        process.terminate()
        process.wait()

    def test_ends_with_its_reader(self):
        self.run_plugin("exit", 0)
        process = self.start("--json")
        self.assertIn("log.opened", process.stdout.readline())
        process.stdout.close()
        self.assertIsNotNone(process.wait(30))


if __name__ == "__main__":
    unittest.main()
