"""Documents that nobody should write: each must be refused with file, line and reason, fast, by every verb."""
import os
import random
import shutil
import unittest

from jail_case import IS_ROOT, both_launchers

HEAD = "version: 1\nname: bad\n"
DOCUMENTS = {
    "empty": "",
    "blank": "\n\n   \n",
    "comment": "# nothing else\n",
    "binary": bytes(random.Random(1).randrange(256) for _ in range(5000)),
    "nul_bytes": HEAD.encode() + b"description: a\0b\n",
    "all_nul": b"\0" * 4096,
    "utf16": (HEAD + "description: x\n").encode("utf-16"),
    "invalid_utf8": HEAD.encode() + b"description: \xff\xfe\n",
    "tabs": HEAD + "filesystem:\n\tread: [/usr]\n",
    "scalar": "just words\n",
    "list": "- version\n- name\n",
    "two_documents": HEAD + "---\n" + HEAD,
    "unclosed": HEAD + "filesystem: {read: [/usr\n",
    "deep_flow": HEAD + "filesystem: " + "[" * 20000 + "]" * 20000 + "\n",
    "deep_maps": HEAD + "filesystem: " + "{a: " * 5000 + "1" + "}" * 5000 + "\n",
    "deep_block": HEAD + "".join(" " * depth + "a:\n" for depth in range(400)),
    "alias_bomb": "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"{chr(98 + i)}: &{chr(98 + i)} [{', '.join(['*' + chr(97 + i)] * 9)}]\n" for i in range(10)) + HEAD,
    "alias_to_itself": HEAD + "filesystem: &f {read: *f}\n",
    "anchor": HEAD + "filesystem: &f {read: [/usr]}\n",
    "tag": HEAD + "description: !!python/object/apply:os.system [id]\n",
    "merge_key": HEAD + "filesystem:\n  <<: {read: [/usr]}\n",
    "no_version": "name: bad\n",
    "no_name": "version: 1\n",
    "version_2": "version: 2\nname: bad\n",
    "version_words": "version: one\nname: bad\n",
    "duplicate_key": HEAD + "name: again\n",
    "duplicate_nested_key": HEAD + "limits: {pids: 3, pids: 4}\n",
    "unknown_key": HEAD + "filesytem: {read: [/usr]}\n",
    "unknown_nested_key": HEAD + "filesystem: {raed: [/usr]}\n",
    "wrong_type": HEAD + "filesystem: {read: /usr}\nlimits: [1]\n",
    "null_list": HEAD + "filesystem: {read: [null]}\n",
    "relative_grant": HEAD + "filesystem: {read: [usr/lib]}\n",
    "dotdot_grant": HEAD + "filesystem: {read: [\"/usr/../etc/shadow/../..\"]}\n",
    "undefined_variable": HEAD + "filesystem: {read: [\"${nobody_set_this}\"]}\n",
    "undefined_environment": HEAD + "filesystem: {read: [\"${env:NOBODY_SET_THIS}\"]}\n",
    "unclosed_variable": HEAD + "filesystem: {read: [\"${plugin\"]}\n",
    "bad_name": "version: 1\nname: \"../../etc\"\n",
    "long_name": "version: 1\nname: " + "a" * 70 + "\n",
    "huge_number": HEAD + "limits: {memory: 99999999999999999999G}\n",
    "overflowing_number": HEAD + "limits: {memory: 18446744073709551615K}\n",
    "zero_limit": HEAD + "limits: {pids: 0}\n",
    "negative_limit": HEAD + "limits: {files: -1}\n",
    "word_limit": HEAD + "limits: {memory: lots}\n",
    "no_memory": HEAD + "limits: {memory: 1K}\n",
    "no_descriptors": HEAD + "limits: {files: 1}\n",
    "half_a_second": HEAD + "limits: {cpu_time: 500ms}\n",
    "unknown_template": HEAD + "extends: [no-such-template]\n",
    "extends_itself": HEAD + "extends: [./test.yaml]\n",
    "extends_missing": HEAD + "extends: [./not-there.yaml]\n",
    "unknown_syscall": HEAD + "syscalls: {allow: [no_such_call]}\n",
    "unknown_group": HEAD + "syscalls: {allow: [\"@no-such-group\"]}\n",
    "unknown_layer": HEAD + "best_effort: [no-such-layer]\n",
    "bad_endpoint": HEAD + "network: {allow: [\"tcp://nowhere\"]}\n",
    "bad_port": HEAD + "network: {allow: [\"tcp://127.0.0.1:99999\"]}\n",
    "userinfo_endpoint": HEAD + "network: {allow: [\"tcp://user:pass@example.org:443\"]}\n",
    "bad_digest": HEAD + "integrity: {path: /usr, sha256: abc}\n",
    "contradiction": HEAD + "filesystem: {write: [/usr/share], libraries: [/usr/share]}\n",
}


@both_launchers
class BadDocument:
    def test_check_and_run(self):
        for name, content in DOCUMENTS.items():
            with self.subTest(document=name):
                profile = self.document(content)
                checked = self.jail("check", profile, seconds=20)
                self.assertEqual(checked.code, 1, checked)
                said = checked.out + checked.error
                self.assertIn("test.yaml", said)
                self.assertLess(len(said), 100_000, "an error message as long as the document")
                ran = self.run_plugin("exit", 0, profile=profile, seconds=20)
                self.assert_refused(ran, "test.yaml")

    def test_place_is_named(self):
        ended = self.jail("check", self.document(HEAD + "filesytem: {}\n"))
        self.assertRegex(ended.out + ended.error, r"test\.yaml:3:1: ")
        self.assertIn("filesystem", ended.out + ended.error, "no hint at the right key")

    def test_all_in_one_go(self):
        content = HEAD + "filesytem: {}\nlimits: {pids: 0, memry: 1G}\nnetwrok: {}\n"
        said = "".join((lambda ended: (ended.out, ended.error))(self.jail("check", self.document(content))))
        for line in (3, 4, 5):
            self.assertIn(f"test.yaml:{line}:", said)

    def test_hundred_megabytes(self):
        profile = self.document("")
        with open(profile, "ab") as file:
            file.write(HEAD.encode())
            for _ in range(100):
                file.write(b"#" * (1 << 20))
        self.assertEqual(self.jail("check", profile, seconds=20).code, 1)
        self.assert_refused(self.run_plugin("exit", 0, profile=profile, seconds=20))

    def test_escapes_stay_in_the_document(self):
        """What a stranger wrote is printed to a terminal: no control bytes of theirs."""
        ended = self.jail("check", self.document(HEAD + "\"\\e]52;c;aGk=\\a\\u202e\": 1\n"))
        for byte in ("\x1b", "\x07", "\u202e"):
            self.assertNotIn(byte, ended.out + ended.error)


@both_launchers
class Name:
    def setUp(self):
        super().setUp()
        if self.uid == 0:
            self.skipTest("root's profiles and logs are the machine's own")
        self.profiles = self.dir / "home" / ".config" / "jail" / "profiles"
        self.profiles.mkdir(parents=True)
        self.logs = self.dir / "home" / ".local" / "state" / "jail" / "log"

    def install(self, name):
        shutil.copy(self.profile(), self.profiles / f"{name}.yaml")
        self.own(self.dir / "home")

    def test_other_than_the_files(self):
        self.install("other")
        for ended in (self.jail("check", "other"), self.jail("run", "other", "--", self.attacker, "exit", 0)):
            self.assertEqual(ended.code, 0, ended)
            self.assertIn("other.yaml:2:7: warning: this profile's name is 'cli-test', not 'other'",
                          ended.out + ended.error)
        self.install("cli-test")
        self.assertNotIn("name is", self.jail("run", "cli-test", "--", self.attacker, "exit", 0).error)

    def test_of_nothing_makes_no_log(self):
        self.assert_refused(self.jail("run", "mistyped", "--", "true"), "mistyped: error: no such profile")
        self.assertFalse(self.logs.exists() and os.listdir(self.logs))
        self.jail("run", "--audit", self.log, "mistyped", "--", "true")
        self.assertEqual(self.records()[-1]["kind"], "run.refused", "a log that was asked for has it")


@both_launchers
class SetVariable:
    def test_unused(self):
        profile = self.profile("variables: {data: /srv}\n")
        for words, hint in ((["--set", "dta=/x"], "did you mean 'data'?"), (["--set", "typo=/x"], "--set")):
            with self.subTest(words=words):
                self.assertEqual(self.jail("check", *words, profile).code, 1)
                self.assert_refused(self.run_plugin("exit", 0, options=words, profile=profile),
                                    "no line of the profile uses", hint)
        for words in (["--set", "data=/x"], ["--set", "plugin=/x"]):
            self.assertEqual(self.jail("check", *words, profile).code, 0, words)


@both_launchers
class BadPlace:
    """The file itself: missing, not a file, or one that others may write (SECURITY C11, C14)."""

    def refused_by_all(self, path, *words):
        self.assertEqual(self.jail("check", path, seconds=20).code, 1)
        self.assert_refused(self.run_plugin("exit", 0, profile=path, seconds=20), *words)

    def test_missing(self):
        self.refused_by_all(f"{self.dir}/profile/absent.yaml", "absent.yaml")

    def test_directory(self):
        self.refused_by_all(f"{self.dir}/profile/", "profile")

    def test_fifo(self):
        os.mkfifo(self.dir / "profile" / "fifo.yaml")
        self.own(self.dir / "profile")
        self.refused_by_all(f"{self.dir}/profile/fifo.yaml", "fifo.yaml")

    def test_devices(self):
        for device in ("/dev/zero", "/dev/null", "/dev/tty"):
            with self.subTest(device=device):
                self.refused_by_all(device, device)

    def test_link_loop(self):
        os.symlink("loop.yaml", self.dir / "profile" / "loop.yaml")
        self.refused_by_all(f"{self.dir}/profile/loop.yaml", "loop.yaml")

    def test_unreadable(self):
        if self.uid == 0:
            self.skipTest("root may read everything")
        os.chmod(self.profile(), 0)
        self.refused_by_all(f"{self.dir}/profile/test.yaml", "test.yaml")

    def test_writable_by_others(self):
        for mode in (0o666, 0o646, 0o664):
            with self.subTest(mode=oct(mode)):
                os.chmod(self.profile(), mode)
                self.refused_by_all(f"{self.dir}/profile/test.yaml", "test.yaml", "can be written by others")

    def test_folder_writable_by_others(self):
        profile = self.profile()
        os.chmod(self.dir / "profile", 0o777)
        self.refused_by_all(profile, f"lies in '{self.dir}/profile', which can be written by others")

    def test_of_another_user(self):
        if not IS_ROOT:
            self.skipTest("only root can give a file away")
        profile = self.profile()
        os.chown(profile, 54321, 54321)
        self.refused_by_all(profile, "test.yaml")

    def test_extended_file_of_another_user(self):
        if not IS_ROOT:
            self.skipTest("only root can give a file away")
        parent = self.document("version: 1\nname: parent\n", "parent")
        os.chown(parent, 54321, 54321)
        self.refused_by_all(self.document(HEAD + "extends: [./parent.yaml]\n"), "parent.yaml")


@both_launchers
class ProfileByName:
    """SECURITY C11: which file a name means."""

    def put(self, folder, mode=0o755):
        place = self.dir / folder / "jail" / "profiles"
        place.mkdir(parents=True)
        (place / "by-name.yaml").write_text(
            f"version: 1\nname: by-name\nfilesystem:\n  exec: [\"{self.attacker}\"]\n  write: [\"{self.dir}/write\"]\n")
        self.own(self.dir)
        os.chmod(place, mode)

    def run_by_name(self, **environment):
        return self.jail("run", "--audit", self.log, "by-name", "--", self.attacker, "exit", 7,
                         environment={key: str(value) for key, value in environment.items()})

    def test_own_configuration(self):
        """An ordinary user's own folder counts; root with somebody's HOME (sudo -E) must not look there."""
        self.put("home/.config")
        self.assertEqual(self.run_by_name().code, 125 if self.uid == 0 else 7)

    def test_xdg(self):
        self.put("config")
        expected = 125 if self.uid == 0 else 7
        self.assertEqual(self.run_by_name(XDG_CONFIG_HOME=self.dir / "config").code, expected)

    def test_relative_xdg(self):
        self.put("write/config")
        self.assertEqual(self.run_by_name(XDG_CONFIG_HOME="config").code, 125)

    def test_folder_for_all(self):
        self.put("config", 0o777)
        self.assertEqual(self.run_by_name(XDG_CONFIG_HOME=self.dir / "config").code, 125)

    def test_working_folder(self):
        (self.dir / "write" / "by-name.yaml").write_text(HEAD)
        self.assertEqual(self.run_by_name().code, 125)

    def test_names_that_are_paths(self):
        for name in ("..", ".", "", "a\nb", "-x", "x" * 300):
            with self.subTest(name=name):
                self.assertIn(self.jail("run", "--audit", self.log, name, "--", "true").code, (2, 125))


if __name__ == "__main__":
    unittest.main()
