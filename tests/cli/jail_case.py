"""What every test of the command line stands on: a fresh folder, one way to start jail as root or as an ordinary user,
and the check that nothing is left after any run: no process, no mount, no file.
"""
import contextlib
import ctypes
import json
import os
import pathlib
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

BINARY = os.environ["JAIL_BINARY"]
ATTACKER = os.environ["JAIL_ATTACKER"]  # the static program of tests/escape: its sub-commands are handy plugins
# No account has this number: above Debian's ordinary ones, below systemd's.
USER = int(os.environ.get("JAIL_TEST_UID", "60000"))
IS_ROOT = os.geteuid() == 0
SECONDS = 60  # a run that takes longer hangs, on slow machines too
PR_SET_CHILD_SUBREAPER, PR_SET_DUMPABLE = 36, 4
PRCTL = ctypes.CDLL(None, use_errno=True).prctl


class Ended:
    """How a run ended: `code` as a shell says it, the two streams as text."""

    def __init__(self, code, out, error):
        self.code, self.out, self.error = code, out, error

    def __repr__(self):
        return f"status {self.code}\nstdout: {self.out}\nstderr: {self.error}"


class JailTest(unittest.TestCase):
    """One launcher's view. Concrete tests get two subclasses by `both_launchers`."""

    uid = 0
    kept = frozenset()  # children of a whole class of tests, by number

    def setUp(self):
        if self.uid == 0 and not IS_ROOT:
            self.skipTest("launched by root: the tests run as an ordinary user")
        PRCTL(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="jail-cli-", dir=os.environ.get("JAIL_TEST_DIR", "/var/tmp")))
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        os.chmod(self.dir, 0o755)
        for name in ("home", "log", "profile", "write", "read", "bin", "temporary", "runtime"):
            (self.dir / name).mkdir()
        os.chmod(self.dir / "write", 0o777 if self.uid == 0 else 0o755)
        self.attacker = shutil.copy(ATTACKER, self.dir / "bin" / "attacker")
        self.log = self.dir / "log" / "run.jsonl"
        self.own(self.dir)
        self.mounts = pathlib.Path("/proc/self/mountinfo").read_text()
        self.environment = {"PATH": "/usr/bin:/bin", "HOME": str(self.dir / "home"),
                            "TMPDIR": str(self.dir / "temporary"), "XDG_RUNTIME_DIR": str(self.dir / "runtime")}

    def tearDown(self):
        self.assertEqual(self.survivors(), [], "processes are left")
        self.assertEqual(pathlib.Path("/proc/self/mountinfo").read_text(), self.mounts, "mounts are left")
        for folder in ("temporary", "runtime"):
            self.assertEqual(os.listdir(self.dir / folder), [], "files are left")

    def own(self, folder):
        if not IS_ROOT:
            return
        os.chown(folder, self.uid, self.uid)
        for root, folders, files in os.walk(folder):
            for name in folders + files:
                os.lchown(os.path.join(root, name), self.uid, self.uid)

    def survivors(self):
        """Children that are still there after a while, which a subreaper gets from everything it started."""
        children = pathlib.Path(f"/proc/self/task/{os.getpid()}/children")
        left = set()
        limit = time.monotonic() + 5
        while time.monotonic() < limit:
            with contextlib.suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0] != 0:
                    pass
            left = set(children.read_text().split()) - self.kept
            if not left:
                break
            time.sleep(0.001)
        for pid in left:
            os.kill(int(pid), signal.SIGKILL)
        return sorted(left)

    def profile(self, more="", grants=None, name="test"):
        """Writes a profile and gives its path. `more` is YAML; what is indented continues `filesystem`."""
        if grants is None:
            grants = f"  exec: [\"{self.attacker}\"]\n  write: [\"{self.dir}/write\"]\n"
        return self.document(f"version: 1\nname: cli-test\nfilesystem:\n{grants}{more}", name)

    def document(self, content, name="test"):
        path = self.dir / "profile" / f"{name}.yaml"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        os.chmod(path, 0o644)
        if IS_ROOT:
            os.chown(path, self.uid, self.uid)
        return str(path)

    def become(self, prepare=None, finish=None):
        def in_child():
            if prepare:
                prepare()
            if IS_ROOT:
                os.setgroups([])
                os.setresgid(self.uid, self.uid, self.uid)
                os.setresuid(self.uid, self.uid, self.uid)
                PRCTL(PR_SET_DUMPABLE, 1, 0, 0, 0)  # the change took it away; an ordinary user's process has it
            if finish:
                finish()
        return in_child

    def jail(self, *arguments, prepare=None, finish=None, seconds=SECONDS, environment=None, through=(), **options):
        """Runs jail to its end. `prepare` acts in the child, before it gives up the tests' identity; `finish` after.
        `through`: a command in front, which gives it up in their place."""
        options.setdefault("stdin", subprocess.DEVNULL)
        words = [word if isinstance(word, bytes) else os.fsencode(str(word)) for word in (*through, BINARY, *arguments)]
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=self.dir / "write",
                                   preexec_fn=None if through else self.become(prepare, finish),
                                   env={**self.environment, **(environment or {})}, **options)
        try:
            out, error = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            out, error = process.communicate()
            self.fail(f"jail hangs: {arguments}\n{out}\n{error}")
        code = process.returncode if process.returncode >= 0 else 128 - process.returncode
        return Ended(code, out.decode(errors="replace"), error.decode(errors="replace"))

    def run_plugin(self, *words, profile=None, options=(), **others):
        """`jail run` of the attacker with these words."""
        return self.jail("run", "--audit", self.log, *options, profile or self.profile(), "--", self.attacker, *words,
                         **others)

    def records(self, path=None):
        """The log, each line parsed: a forged or torn line fails here."""
        return [json.loads(line) for line in (path or self.log).read_bytes().splitlines()]

    def kinds(self):
        return [record["kind"] for record in self.records()]

    def assert_refused(self, ended, *words):
        """125 with a reason that names each word, and nothing of the plugin ran."""
        self.assertEqual(ended.code, 125, ended)
        self.assertEqual(ended.out, "", ended)
        self.assert_message(ended, *words)

    def assert_message(self, ended, *words):
        for word in words:
            self.assertIn(word, ended.error, ended)
        for line in ended.error.splitlines():
            self.assertNotIn("terminate called", line)
            self.assertNotIn("Assertion", line)
        self.assertTrue(ended.error.strip(), "no reason was given")


def both_launchers(case):
    """Two tests of one: `...AsRoot` and `...AsUser`."""
    module = sys.modules[case.__module__]
    user = USER if IS_ROOT else os.getuid()
    for suffix, uid in (("AsRoot", 0), ("AsUser", user)):
        name = case.__name__ + suffix
        setattr(module, name, type(name, (case, JailTest), {"uid": uid, "__module__": case.__module__}))
    return case


def low_limit(which, soft, hard=None):
    """A `prepare` that lowers a resource limit of the launcher."""
    return lambda: resource.setrlimit(which, (soft, soft if hard is None else hard))
