"""Machines that are short of something: what is missing must end in 125 with a reason, never in a weaker jail
(SECURITY C3) and never in something left behind.
"""
import ctypes
import itertools
import json
import os
import pathlib
import resource
import unittest

from jail_case import IS_ROOT, both_launchers, low_limit

CLONE_NEWUSER = 0x10000000


def in_user_namespace(limits):
    """A `prepare` that enters a user namespace where every id means what it means outside, so that nothing differs but
    the limits on namespaces. Only root outside may write such a map: a helper does, once it is told to.
    """
    def act():
        reader, writer = os.pipe()
        parent = os.getpid()
        helper = os.fork()
        if helper == 0:
            os.read(reader, 1)
            for name in ("uid_map", "gid_map"):
                pathlib.Path(f"/proc/{parent}/{name}").write_text("0 0 4294967295")
            os._exit(0)
        if ctypes.CDLL(None).unshare(CLONE_NEWUSER) != 0:
            os._exit(98)
        os.write(writer, b"x")
        os.waitpid(helper, 0)
        os.close(reader)
        os.close(writer)
        for name, value in limits.items():
            pathlib.Path(f"/proc/sys/user/{name}").write_text(str(value))
    return act


@both_launchers
class Exhaustion:
    def setUp(self):
        if not IS_ROOT:
            self.skipTest("only root makes a user namespace with all ids")
        super().setUp()

    def test_control(self):
        """In a namespace like those below, but without limits, a jail works."""
        ended = self.run_plugin("exit", 4, prepare=in_user_namespace({}))
        self.assertEqual(ended.code, 4, ended)

    def test_no_namespaces_left(self):
        for kind in ("user", "mnt", "pid", "net", "ipc", "uts"):
            for options in ((), ("--best-effort",)):
                with self.subTest(kind=kind, options=options):
                    ended = self.run_plugin("exit", 0, options=options,
                                            prepare=in_user_namespace({f"max_{kind}_namespaces": 0}))
                    self.assert_refused(ended, "No space left")

    def test_nothing_left_to_watch_with(self):
        """What is hidden is guarded against changes on the host; without that, nothing starts (SECURITY C4)."""
        (self.dir / "write" / "keys").mkdir()
        hiding = f"  hide: [\"{self.dir}/write/keys\"]\n"
        control = self.run_plugin("exit", 4, profile=self.profile(hiding), prepare=in_user_namespace({}))
        self.assertEqual(control.code, 4, control)
        for kind in ("instances", "watches"):
            for options in ((), ("--best-effort",)):
                with self.subTest(kind=kind, options=options):
                    prepare = in_user_namespace({f"max_inotify_{kind}": 0})
                    ended = self.run_plugin("exit", 0, options=options, profile=self.profile(hiding), prepare=prepare)
                    self.assert_refused(ended, f"fs.inotify.max_user_{kind}", "keys")
                    self.assertEqual(self.run_plugin("exit", 5, prepare=prepare).code, 5, "nothing to watch")

    def test_no_processes_left(self):
        """RLIMIT_NPROC counts the user: fork() is EAGAIN. Root is exempt. Set after the change of user, which would
        make execve(2) fail where the new user has processes already."""
        if self.uid == 0:
            self.skipTest("does not bind root")
        for options in ((), ("--best-effort",)):
            ended = self.run_plugin("exit", 0, options=options, finish=low_limit(resource.RLIMIT_NPROC, 0))
            self.assert_refused(ended)

    def test_few_descriptors(self):
        """At each number either it works or it is refused; nothing in between."""
        for count in range(3, 40):
            for options in ((), ("--best-effort",)):
                with self.subTest(descriptors=count, options=options):
                    prepare = low_limit(resource.RLIMIT_NOFILE, count)
                    ended = self.run_plugin("exit", 9, options=options, prepare=prepare)
                    # The dynamic linker itself may fail before main(): then 127 is the loader's, with its message.
                    if ended.code == 127:
                        self.assertIn("shared libraries", ended.error)
                    else:
                        self.assertIn(ended.code, (9, 125), ended)

    def test_little_memory(self):
        for megabytes in (1, 2, 4, 8, 16, 64):
            with self.subTest(megabytes=megabytes):
                ended = self.run_plugin("exit", 9, prepare=low_limit(resource.RLIMIT_DATA, megabytes << 20))
                if ended.code not in (9, 125):
                    self.assertIn(ended.code, (127, 128 + 11, 128 + 6, 128 + 9), ended)
                    started = self.log.exists() and "run.started" in self.kinds()
                    self.assertFalse(started, "it died after it had started")

    def test_best_effort_keeps_the_walls(self):
        """The control: on a whole machine the option weakens nothing."""
        ended = self.run_plugin("unshare", "user", options=("--best-effort",))
        self.assertIn("VERDICT denied", ended.out, ended)
        policy = {layer["layer"]: layer["state"] for layer in self.records()[1]["policy"]}
        self.assertEqual((policy["userns"], policy["mount"], policy["seccomp"]), ("enforced",) * 3)


@both_launchers
class ClosedStreams:
    """A descriptor that is closed is the next one that anything opens: the log, for instance."""

    def test_every_combination(self):
        for closed in itertools.chain.from_iterable(itertools.combinations((0, 1, 2), n) for n in (1, 2, 3)):
            with self.subTest(closed=closed):
                self.log.unlink(missing_ok=True)
                evidence = self.dir / "write" / "evidence"
                evidence.unlink(missing_ok=True)

                def close_some():
                    for number in closed:
                        os.close(number)

                ended = self.run_plugin("change-own", "write", evidence, finish=close_some)
                self.assertEqual(ended.code, 0, ended)
                self.assertEqual(evidence.read_text(), "changed")
                self.assertEqual(self.kinds()[-1], "run.ended")

    def test_flood_to_a_closed_stream(self):
        ended = self.run_plugin("flood", "1", "10", finish=lambda: os.close(1))
        self.assertEqual(ended.code, 0, ended)


@both_launchers
class Umask:
    def test_every_jail_is_whole(self):
        """Nothing of jail's own depends on the caller's umask, and the plugin has it as it was."""
        for mask in (0o000, 0o022, 0o077, 0o377, 0o777):
            with self.subTest(umask=oct(mask)):
                evidence = self.dir / "write" / f"evidence-{mask:o}"
                ended = self.run_plugin("change-own", "write", evidence, finish=lambda: os.umask(mask))
                self.assertEqual(ended.code, 0, ended)
                self.assertEqual(evidence.stat().st_mode & 0o777 & mask, 0, "the plugin's own files")
                self.assertEqual(self.log.stat().st_mode & 0o777, 0o600)
                self.assertEqual(self.jail("doctor", self.profile(), finish=lambda: os.umask(mask)).code,
                                 self.jail("doctor", self.profile()).code)

    def test_state_folder(self):
        if self.uid == 0:
            self.skipTest("root's state is the machine's own /var/lib/jail")
        profile = self.profile(f"  exec: [\"{self.attacker}\"]\n", grants="  write: [\"${state}\"]\n")
        self.environment["XDG_DATA_HOME"] = f"{self.dir}/home/data"
        for _ in range(2):
            ended = self.run_plugin("exit", 0, profile=profile, finish=lambda: os.umask(0o777))
            self.assertEqual(ended.code, 0, ended)
        self.assertEqual((self.dir / "home" / "data").stat().st_mode & 0o777, 0o700)


@both_launchers
class OddPlaces:
    def test_profile_by_relative_path(self):
        ended = self.jail("run", "--audit", self.log, f"./../profile/{os.path.basename(self.profile())}", "--",
                          self.attacker, "exit", "5")
        self.assertEqual(ended.code, 5, ended)

    def test_working_folder_is_gone(self):
        def vanish():
            os.mkdir("gone")
            os.chdir("gone")
            os.rmdir("../gone")
        ended = self.run_plugin("exit", 5, prepare=vanish)
        self.assertEqual(ended.code, 5, ended)

    def test_no_environment(self):
        """No HOME, no PATH: nothing of the caller's is needed when paths are given."""
        self.environment = {}
        ended = self.run_plugin("exit", 5)
        self.assertIn(ended.code, (5, 125), ended)

    def test_hostile_home(self):
        for home in ("relative", "", "/dev/null", "/no/such/home", "/" + "x" * 5000, "/tmp\n/x"):
            with self.subTest(home=home[:20]):
                ended = self.run_plugin("exit", 5, environment={"HOME": home})
                self.assertIn(ended.code, (5, 125), ended)

    def test_grant_below_tmp(self):
        """The jail has a /tmp of its own; a grant below the host's may be mounted there or be refused, not be lost."""
        place = pathlib.Path(f"/tmp/jail-cli-{os.getpid()}")
        place.mkdir()
        self.addCleanup(lambda: place.rmdir())
        if IS_ROOT:
            os.chown(place, self.uid, self.uid)
        os.chmod(place, 0o777 if self.uid == 0 else 0o755)
        grants = f"  exec: [\"{self.attacker}\"]\n  write: [\"{place}\"]\n"
        ended = self.run_plugin("change-own", "write", place / "file", profile=self.profile(grants=grants))
        self.assertIn(ended.code, (0, 125), ended)
        if ended.code == 0:
            self.assertIn("VERDICT allowed", ended.out)
            self.assertEqual((place / "file").read_text(), "changed")
            (place / "file").unlink()

    def test_long_path(self):
        place = self.dir / "write"
        for _ in range(14):
            place = place / ("d" * 200)
        os.makedirs(place)
        self.own(self.dir / "write")
        os.chmod(self.dir / "write", 0o777)
        grants = f"  exec: [\"{self.attacker}\"]\n  read: [\"{place}\"]\n"
        ended = self.run_plugin("exit", 5, profile=self.profile(grants=grants))
        self.assertIn(ended.code, (5, 125), ended)

    def test_many_grants(self):
        folders = [self.dir / "read" / f"grant-{number}" for number in range(300)]
        for folder in folders:
            folder.mkdir()
        self.own(self.dir / "read")
        grants = f"  exec: [\"{self.attacker}\"]\n  read:\n" + "".join(f"    - \"{folder}\"\n" for folder in folders)
        ended = self.run_plugin("read-by", "stat", folders[-1], profile=self.profile(grants=grants))
        self.assertIn("VERDICT allowed", ended.out, ended)

    def test_odd_names(self):
        """A grant's name goes through YAML, mounts and the log."""
        for name in ("with space", "quote\"", "apostrophe'", "comma,colon:", "per%cent", "dollar$x", "hash #", "ümlaut",
                     "back\\slash", "[bracket]", "*", "~", "tab\tbed"):
            with self.subTest(name=name):
                folder = self.dir / "read" / name
                folder.mkdir()
                (folder / "file").write_text("odd but granted")
                self.own(self.dir / "read")
                as_pattern = str(folder).replace("\\", "\\\\").replace("*", "\\*")
                quoted = json.dumps(as_pattern, ensure_ascii=False)
                profile = self.profile(grants=f"  exec: [\"{self.attacker}\"]\n  read: [{quoted}]\n")
                ended = self.run_plugin("read-by", "open", folder / "file", profile=profile)
                self.assertIn("odd but granted", ended.out, ended)


@both_launchers
class PlantedFiles:
    """SECURITY C14: things planted where jail itself reads."""

    def plugin_tree(self):
        tree = self.dir / "read" / "plugin"
        tree.mkdir()
        (tree / "plugin.py").write_text("pass\n")
        return tree

    def test_fifo_in_a_digested_tree(self):
        tree = self.plugin_tree()
        os.mkfifo(tree / "fifo.py")
        self.own(self.dir / "read")
        more = f"  read: [\"{tree}\"]\nintegrity: {{path: \"{tree}\", sha256: \"{'0' * 64}\"}}\n"
        self.assert_refused(self.run_plugin("exit", 0, profile=self.profile(more), seconds=20))

    def test_fifo_among_hashed_files(self):
        tree = self.plugin_tree()
        os.mkfifo(tree / "fifo.py")
        self.own(self.dir / "read")
        more = f"  read: [\"{tree}\"]\nmonitor: {{hash: [\"{tree}/*.py\"]}}\n"
        ended = self.run_plugin("exit", 5, profile=self.profile(more), seconds=20)
        self.assertEqual(ended.code, 5, ended)

    def test_endless_file_in_a_digested_tree(self):
        tree = self.plugin_tree()
        os.symlink("/dev/zero", tree / "zero.py")
        with open(tree / "sparse.py", "wb") as file:
            file.truncate(1 << 40)
        self.own(self.dir / "read")
        more = f"  read: [\"{tree}\"]\nintegrity: {{path: \"{tree}\", sha256: \"{'0' * 64}\"}}\n"
        self.assert_refused(self.run_plugin("exit", 0, profile=self.profile(more), seconds=30))

    def test_program_is_a_fifo(self):
        os.mkfifo(self.dir / "bin" / "fifo", 0o755)
        self.own(self.dir / "bin")
        profile = self.profile(grants=f"  exec: [\"{self.dir}/bin\"]\n  write: [\"{self.dir}/write\"]\n")
        ended = self.jail("run", "--audit", self.log, profile, "--", self.dir / "bin" / "fifo", seconds=20)
        self.assertIn(ended.code, (125, 126), ended)


if __name__ == "__main__":
    unittest.main()
