"""`jail digest` and `integrity`: the digest is computed here a second time, from its description alone; a plugin whose
tree is not what the profile says does not start, and what cannot be read has no digest.
"""
import hashlib
import json
import os
import pathlib
import socket
import stat
import unittest

from jail_case import IS_ROOT, both_launchers
from silent_file_system import SilentFileSystem

TYPES = {stat.S_IFREG: b"f", stat.S_IFDIR: b"d", stat.S_IFLNK: b"l", stat.S_IFIFO: b"p", stat.S_IFSOCK: b"s"}


def listing_of(tree):
    """What profiles/README.md says, and nothing of jail's own code."""
    tree = os.fsencode(tree)
    paths = [b""]
    for folder, folders, files in os.walk(tree):
        paths += [os.path.relpath(os.path.join(folder, name), tree) for name in folders + files]
    lines = [b"jail-tree 1\n"]
    for path in sorted(paths, key=lambda path: path.split(b"/") if path else []):
        whole = os.path.join(tree, path) if path else tree
        mode = os.lstat(whole).st_mode
        content = b"-"
        if stat.S_ISREG(mode):
            content = hashlib.sha256(pathlib.Path(os.fsdecode(whole)).read_bytes()).hexdigest().encode()
        elif stat.S_ISLNK(mode):
            content = hashlib.sha256(os.readlink(whole)).hexdigest().encode()
        lines.append(b"%s %04o %s %d:%s\n" % (TYPES[stat.S_IFMT(mode)], stat.S_IMODE(mode), content, len(path), path))
    return b"".join(lines)


def digest_of(tree):
    return hashlib.sha256(listing_of(tree)).hexdigest()


class PluginTree:
    """A tree with something of every sort in it."""

    def plant(self):
        tree = self.dir / "read" / "plugin"
        (tree / "sub" / "empty").mkdir(parents=True)
        (tree / "plugin.py").write_text("print('hello')\n")
        (tree / "sub" / ".hidden").write_bytes(bytes(range(256)) * 1000)
        (tree / "a-b").write_text("")
        (tree / "a").mkdir()
        (tree / "a" / "z").write_text("z")
        os.symlink("/etc/shadow", tree / "shadow")
        os.symlink("../../..", tree / "up")
        os.mkfifo(tree / "fifo")
        server = socket.socket(socket.AF_UNIX)
        server.bind(str(tree / "socket"))
        server.close()
        for name in (b"new\nline", b"no\xffutf8", b"\x1b[2Jclear", b"12:3"):
            pathlib.Path(os.fsdecode(os.fsencode(tree) + b"/" + name)).write_bytes(name)
        os.link(tree / "plugin.py", tree / "sub" / "same.py")
        os.chmod(tree / "plugin.py", 0o755)
        self.own(self.dir / "read")
        return tree

    def stating(self, tree, digest, more=""):
        return self.profile(f"  read: [\"{tree}\"]\nintegrity: {{path: \"{tree}\", sha256: \"{digest}\"}}\n{more}")


@both_launchers
class Digest(PluginTree):
    def test_is_what_the_description_says(self):
        tree = self.plant()
        listed = self.dir / "listing"
        with open(listed, "wb") as file:
            ended = self.jail("digest", "--list", tree, prepare=lambda: os.dup2(file.fileno(), 1))
        self.assertEqual(ended.code, 0, ended)
        self.assertEqual(listed.read_bytes(), listing_of(tree))
        self.assertEqual(json.loads(self.jail("digest", "--json", tree).out),
                         {"path": str(tree), "sha256": digest_of(tree)})

    def test_prints_the_line_of_a_profile(self):
        tree = self.plant()
        line = self.jail("digest", tree).out
        self.assertEqual(line, f"integrity: {{path: {tree}, sha256: {digest_of(tree)}}}\n")
        profile = self.profile(f"  read: [\"{tree}\"]\n{line}")
        self.assertEqual(self.run_plugin("exit", 5, profile=profile).code, 5)

    def test_the_line_holds_odd_paths(self):
        for name in ("a, b", "{x: y}", "${home}", "star*", "back\\slash", "new\nline", "\udcff", "#"):
            with self.subTest(name=name):
                tree = self.dir / "read" / name
                tree.mkdir()
                self.own(self.dir / "read")
                line = self.jail("digest", tree).out
                profile = self.profile(f"  read: [\"{self.dir}/read\"]\n{line}")
                self.assertEqual(self.run_plugin("exit", 5, profile=profile).code, 5, line)

    def test_follows_the_link_that_names_the_tree(self):
        tree = self.plant()
        os.symlink(tree, self.dir / "current")
        self.assertEqual(self.jail("digest", self.dir / "current").out, self.jail("digest", tree).out)

    def test_relative(self):
        ended = self.jail("digest", ".")
        self.assertIn(f"path: {self.dir}/write, ", ended.out)

    def test_none_where_there_is_no_tree(self):
        ended = self.jail("digest", self.dir / "none")
        self.assertNotEqual(ended.code, 0)
        self.assert_message(ended, "No such file")
        self.assertEqual(ended.out, "")

    def test_none_beyond_a_bound(self):
        tree = self.plant()
        with open(tree / "sparse", "wb") as file:
            file.truncate(1 << 40)
        self.assert_none(tree, "'sparse': more than 2 GiB in all")
        os.unlink(tree / "sparse")
        deep = os.open(tree, os.O_RDONLY)
        for _ in range(10_000):
            os.mkdir("d", dir_fd=deep)
            below = os.open("d", os.O_RDONLY, dir_fd=deep)
            os.close(deep)
            deep = below
        os.close(deep)
        self.assert_none(tree, "more than 128 folders deep")
        self.remove_deep(tree)

    def test_none_of_what_may_not_be_read(self):
        if self.uid == 0:
            self.skipTest("root reads everything")
        tree = self.plant()
        os.chmod(tree / "a" / "z", 0)
        self.assert_none(tree, "'a/z': Permission denied")

    def assert_none(self, tree, words):
        ended = self.jail("digest", tree)
        self.assertEqual((ended.code, ended.out), (1, ""), ended)
        self.assert_message(ended, words)
        self.assertIn(words, json.loads(self.jail("digest", "--json", tree).out)["problem"])

    @staticmethod
    def remove_deep(tree):
        """rm -r of 10000 levels, whose path would be too long: each time the second folder becomes the first."""
        while os.listdir(f"{tree}/d"):
            os.rename(f"{tree}/d/d", f"{tree}/next")
            os.rmdir(f"{tree}/d")
            os.rename(f"{tree}/next", f"{tree}/d")


@both_launchers
class Integrity(PluginTree):
    def test_control(self):
        tree = self.plant()
        self.assertEqual(self.run_plugin("exit", 5, profile=self.stating(tree, digest_of(tree))).code, 5)
        [started] = [record for record in self.records() if record["kind"] == "run.started"]
        self.assertIn({"layer": "integrity", "state": "enforced"},
                      [{key: layer[key] for key in ("layer", "state")} for layer in started["policy"]])

    def changes(self, tree):
        """What somebody may do to a plugin between two runs."""
        def plugin(text):
            return lambda: (tree / "plugin.py").write_text(text)

        def replace_link():
            os.unlink(tree / "up")
            os.symlink("/", tree / "up")
        yield "content", plugin("print('hallo')\n")
        yield "mode", lambda: os.chmod(tree / "plugin.py", 0o744)
        yield "empty folder", lambda: (tree / "another").mkdir()
        yield "hidden file", lambda: (tree / ".x").write_text("")
        yield "fifo", lambda: os.mkfifo(tree / "fifo2")
        yield "link", replace_link
        yield "removed", lambda: os.unlink(tree / "a-b")
        yield "renamed", lambda: os.rename(tree / "a", tree / "b")

    def test_a_changed_tree_does_not_start(self):
        tree = self.plant()
        for name, change in self.changes(tree):
            with self.subTest(change=name):
                wanted = digest_of(tree)
                change()
                self.own(self.dir / "read")
                self.log.unlink(missing_ok=True)
                profile = self.stating(tree, wanted)
                line = len(pathlib.Path(profile).read_text().splitlines())
                ended = self.run_plugin("exit", 5, profile=profile)
                self.assert_refused(ended, f"test.yaml:{line}:", "error: integrity: ", wanted, digest_of(tree),
                                    "jail digest --list")
                record = self.records()[-1]
                self.assertEqual((record["kind"], record["layer"]), ("run.refused", "integrity"))
                self.assertIn(digest_of(tree), record["reason"])

    def test_nothing_lets_it_be_absent(self):
        """Whatever layers may be absent: another plugin than the one that was meant is no missing layer."""
        tree = self.plant()
        self.assert_refused(self.run_plugin("exit", 5, profile=self.stating(tree, "0" * 64),
                                            options=("--best-effort",)))
        self.assert_refused(self.run_plugin("exit", 5, profile=self.stating(tree, "0" * 64,
                                                                            "best_effort: [integrity]\n")))

    def test_upper_case_is_no_digest(self):
        tree = self.plant()
        ended = self.run_plugin("exit", 5, profile=self.stating(tree, digest_of(tree).upper()))
        self.assert_refused(ended, "64 lower case hexadecimal digits")

    def test_through_a_link_of_the_operator(self):
        tree = self.plant()
        link = self.dir / "current"
        os.symlink(tree, link)
        if IS_ROOT:
            os.lchown(link, self.uid, self.uid)
        self.assertEqual(self.run_plugin("exit", 5, profile=self.stating(link, digest_of(tree))).code, 5)
        self.assert_refused(self.run_plugin("exit", 5, profile=self.stating(link, "0" * 64)))

    def test_what_the_plugin_may_not_read(self):
        tree = self.plant()
        wanted = digest_of(tree)
        os.chmod(tree / "a" / "z", 0)
        ended = self.run_plugin("exit", 5, profile=self.stating(tree, wanted))
        self.assert_refused(ended, "integrity: ", "'a/z': Permission denied", "must be able to read")

    def test_beyond_a_bound(self):
        tree = self.plant()
        with open(tree / "sparse", "wb") as file:
            file.truncate(1 << 40)
        ended = self.run_plugin("exit", 5, profile=self.stating(tree, "0" * 64))
        self.assert_refused(ended, "'sparse': more than 2 GiB")

    def test_a_write_grant_in_the_tree_is_an_error(self):
        tree = self.plant()
        grants = f"  exec: [\"{self.attacker}\"]\n  write: [\"{tree}/sub\"]\n  read: [\"{tree}\"]\n"
        more = f"integrity: {{path: \"{tree}\", sha256: \"{digest_of(tree)}\"}}\n"
        profile = self.profile(more, grants=grants)
        ended = self.jail("check", profile)
        self.assertEqual(ended.code, 1)
        self.assertRegex(ended.out, r"test\.yaml:5:\d+: error: write of '.*/sub' changes the tree of integrity")
        self.assert_refused(self.run_plugin("exit", 5, profile=profile), "changes the tree of integrity")

    def test_doctor_takes_the_digest(self):
        tree = self.plant()
        good = self.jail("doctor", self.stating(tree, digest_of(tree)))
        self.assertEqual(good.code, 0, good)
        bad = self.jail("doctor", self.stating(tree, "0" * 64))
        self.assertEqual(bad.code, 1)
        self.assertIn(digest_of(tree), bad.out)

    def test_plan_says_it(self):
        tree = self.plant()
        plan = self.jail("show", "--plan", self.stating(tree, "a" * 64)).out
        self.assertRegex(plan, rf"integrity +{tree} with digest {'a' * 64}")

    def test_what_changes_after_the_check_runs(self):
        """The host may change its files while the plugin runs: the digest is of the moment before the start."""
        tree = self.plant()
        profile = self.stating(tree, digest_of(tree))
        self.assertEqual(self.run_plugin("exit", 5, profile=profile).code, 5)
        (tree / "plugin.py").write_text("changed\n")
        self.assert_refused(self.run_plugin("exit", 5, profile=profile))


@both_launchers
class Hanging(PluginTree):
    """A file system that never answers keeps nobody for ever."""

    def setUp(self):
        if not IS_ROOT or not os.path.exists("/dev/fuse"):
            self.skipTest("a file system of the test's own needs root and /dev/fuse")
        if self.uid == 0:
            self.skipTest("thirty seconds of waiting are enough once: the ordinary user's run has them")
        super().setUp()
        self.silent = SilentFileSystem(self.dir / "read")

    def tearDown(self):
        self.silent.end()
        super().tearDown()

    def test_of_integrity(self):
        name = self.dir / "read" / "name"
        profile = self.profile(f"  read: [\"{name}\"]\nintegrity: {{path: \"{name}\", sha256: \"{'0' * 64}\"}}\n")
        ended = self.run_plugin("exit", 5, profile=profile)
        self.assert_refused(ended, "integrity: ", "took longer than 30 s")
        self.assertTrue(self.silent.asked.is_set(), "nobody asked for the file")
        self.assertEqual(self.records()[-1]["kind"], "run.refused")


if __name__ == "__main__":
    unittest.main()
