"""The table of exit statuses, the record on --status-fd beside it, and the log's last word on the same run."""
import json
import os
import signal
import unittest

from jail_case import both_launchers


@both_launchers
class ExitStatus:
    def test_plugins_own(self):
        for status in (0, 1, 3, 42, 124, 125, 126, 127, 255):
            with self.subTest(status=status):
                ended = self.run_plugin("exit", status)
                self.assertEqual(ended.code, status, ended)
                self.assertEqual(self.records()[-1]["outcome"], "exited")
                self.assertEqual(self.records()[-1]["exit"], status)

    def test_signal(self):
        for number in (signal.SIGTERM, signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT, signal.SIGHUP):
            with self.subTest(signal=number):
                ended = self.run_plugin("die", int(number))
                self.assertEqual(ended.code, 128 + number, ended)
                # Nobody can tell whose SIGKILL it was.
                self.assertIn(self.records()[-1]["outcome"], ("signaled", "killed") if number == 9 else ("signaled",))

    def test_cannot_execute(self):
        plain = self.dir / "bin" / "plain"
        plain.write_text("no program, no #!\n")
        unmarked = self.dir / "bin" / "unmarked"
        unmarked.write_bytes(open(self.attacker, "rb").read())
        os.chmod(plain, 0o755)
        os.chmod(unmarked, 0o644)
        profile = self.profile(grants=f"  exec: [\"{self.dir}/bin\"]\n  write: [\"{self.dir}/write\"]\n")
        for command in (plain, unmarked, self.dir / "bin", self.dir / "write"):
            with self.subTest(command=command.name):
                ended = self.jail("run", "--audit", self.log, profile, "--", command)
                self.assertEqual(ended.code, 126, ended)
                self.assert_message(ended, command.name)

    def test_not_found(self):
        for command in ("no-such-program", "/no/such/program", self.dir / "bin" / "absent", "./absent"):
            with self.subTest(command=str(command)):
                ended = self.jail("run", "--audit", self.log, self.profile(), "--", command)
                self.assertEqual(ended.code, 127, ended)
                self.assert_message(ended, os.path.basename(command))

    def test_empty_name(self):
        """As the kernel and a shell say it: no folder of the PATH is meant by a name that is not there."""
        ended = self.jail("run", "--audit", self.log, self.profile(), "--", "")
        self.assertEqual(ended.code, 127, ended)
        self.assert_message(ended, "execve ''")

    def test_says_what_is_missing(self):
        script = self.dir / "write" / "run.sh"
        script.write_text("#!/bin/sh\n")
        os.chmod(script, 0o755)
        for command, status, words in ((script, 126, ["hint: ", "filesystem.exec"]),
                                       ("./absent", 127, ["hint: ", f"'{self.dir}/write'", "cwd"]),
                                       ("absent", 127, ["hint: ", "PATH", "filesystem.exec"]),
                                       ("/bin/absent", 127, ["hint: ", "grant"])):
            with self.subTest(command=str(command)):
                ended = self.jail("run", "--audit", self.log, self.profile(), "--", command)
                self.assertEqual(ended.code, status, ended)
                self.assert_message(ended, *words)

    def test_hidden_program_is_not_found(self):
        """It exists outside, and is no part of the view."""
        ended = self.jail("run", "--audit", self.log, self.profile(), "--", "/usr/bin/id")
        self.assertIn(ended.code, (126, 127), ended)
        self.assert_message(ended, "/usr/bin/id")

    def test_could_not_be_built(self):
        ended = self.run_plugin("exit", 0, profile=self.profile("  read: [\"/no/such/grant\"]\n"))
        self.assert_refused(ended, "/no/such/grant")
        self.assertEqual(self.kinds()[-1], "run.refused")
        self.assertNotIn("run.started", self.kinds())

    def test_wall_time(self):
        for plugin in ("hold", "hold-ignoring", "burn"):
            with self.subTest(plugin=plugin):
                ended = self.run_plugin(plugin, profile=self.profile("limits: {time: 1s}\n"))
                self.assertEqual((ended.code, ended.error), (124, "jail: limits.time was reached\n"), ended)
                self.assertEqual(self.records()[-1]["outcome"], "timeout")

    def test_processor_time(self):
        ended = self.run_plugin("burn", profile=self.profile("limits: {cpu_time: 1s}\n"))
        self.assertIn(ended.code, (128 + signal.SIGXCPU, 128 + signal.SIGKILL), ended)
        self.assertEqual(self.records()[-1]["outcome"], "timeout")

    def test_wrong_command_line(self):
        profile = self.profile()
        for words in ([], ["no-such-verb"], ["run"], ["run", profile], ["run", profile, "--"],
                      ["run", "--no-such-option", profile, "--", "true"],
                      ["run", "--status-fd", "x", profile, "--", "true"],
                      ["run", "--set", "novalue", profile, "--", "true"], ["run", "--set", "=x", profile, "--", "true"],
                      ["run", "--set", "a=1", "--set", "a=2", profile, "--", "true"],
                      ["run", "--status-fd", "-1", profile, "--", "true"],
                      ["run", "--audit", "", profile, "--", "true"],
                      ["audit", "tail", "-n", "-1"], ["audit", "tail", "-n", "0"],
                      ["run", "--set"], ["check"], ["check", "--no-such-option", profile], ["show"]):
            with self.subTest(words=[str(word) for word in words]):
                ended = self.jail(*words)
                self.assertEqual(ended.code, 2, ended)
                self.assertTrue(ended.error.strip(), "no word about what is wrong")


@both_launchers
class StatusFd:
    """The record of how a run ended, which no plugin can imitate by its exit status."""

    def status_of(self, *words, **others):
        reader, writer = os.pipe()
        try:
            ended = self.run_plugin(*words, options=("--status-fd", writer), pass_fds=(writer,), **others)
        finally:
            os.close(writer)
        with os.fdopen(reader) as lines:
            return ended, [json.loads(line) for line in lines]

    def test_exited(self):
        ended, records = self.status_of("exit", 125)
        self.assertEqual([record["phase"] for record in records], ["started", "ended"])
        self.assertEqual((records[-1]["outcome"], records[-1]["exit"], ended.code), ("exited", 125, 125))

    def test_signaled(self):
        _, records = self.status_of("die", int(signal.SIGUSR1))
        self.assertEqual(records[-1]["outcome"], "signaled")
        self.assertEqual(records[-1]["signal"], signal.SIGUSR1)

    def test_timeout(self):
        _, records = self.status_of("hold", profile=self.profile("limits: {time: 1s}\n"))
        self.assertEqual(records[-1]["outcome"], "timeout")

    def test_refused(self):
        ended, records = self.status_of("exit", 0, profile=self.profile("  read: [\"/no/such/grant\"]\n"))
        self.assertEqual(ended.code, 125, ended)
        self.assertEqual([record["phase"] for record in records], ["refused"])
        self.assertTrue(records[0]["reason"])

    def test_not_found(self):
        reader, writer = os.pipe()
        ended = self.jail("run", "--audit", self.log, "--status-fd", writer, self.profile(), "--", "no-such-program",
                          pass_fds=(writer,))
        os.close(writer)
        with os.fdopen(reader) as lines:
            records = [json.loads(line) for line in lines]
        self.assertEqual(ended.code, 127, ended)
        self.assertTrue(records, "no record of a run that could not start its program")
        self.assertIn("no-such-program", json.dumps(records))

    def test_plugin_does_not_get_it(self):
        ended, _ = self.status_of("any-fd")
        self.assertIn("VERDICT denied EBADF", ended.out)

    def test_closed_or_wrong_descriptor(self):
        read_only = os.open("/dev/null", os.O_RDONLY)
        for number, passed in ((199, ()), (read_only, (read_only,))):
            with self.subTest(number=number):
                ended = self.run_plugin("exit", 0, options=("--status-fd", number), pass_fds=passed)
                self.assertIn(ended.code, (2, 125), ended)
                self.assert_message(ended, "status-fd")
        os.close(read_only)

    def test_reader_is_gone(self):
        reader, writer = os.pipe()
        os.close(reader)
        ended = self.run_plugin("exit", 6, options=("--status-fd", writer), pass_fds=(writer,))
        os.close(writer)
        self.assertEqual(ended.code, 6, ended)

    def test_reader_does_not_read(self):
        """A full pipe must not hold the run up."""
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        try:
            while True:
                os.write(writer, b"x" * 4096)
        except BlockingIOError:
            pass
        os.set_blocking(writer, True)
        ended = self.run_plugin("exit", 6, options=("--status-fd", writer), pass_fds=(writer,))
        os.close(writer)
        os.close(reader)
        self.assertEqual(ended.code, 6, ended)


@both_launchers
class PassFd:
    def test_passed(self):
        """The control of every test that says an inherited descriptor is gone."""
        (self.dir / "read" / "file").write_text("passed on purpose")
        number = os.open(self.dir / "read" / "file", os.O_RDONLY)
        ended = self.run_plugin("read-fd", number, options=("--pass-fd", number), pass_fds=(number,))
        self.assertIn("passed on purpose", ended.out, ended)
        ended = self.run_plugin("read-fd", number, pass_fds=(number,))
        self.assertIn("VERDICT denied EBADF", ended.out, ended)
        os.close(number)

    def test_directory_is_refused(self):
        number = os.open(self.dir / "read", os.O_RDONLY | os.O_DIRECTORY)
        ended = self.run_plugin("exit", 0, options=("--pass-fd", number), pass_fds=(number,))
        os.close(number)
        self.assert_refused(ended)

    def test_not_open(self):
        for number in (199, -1):
            ended = self.run_plugin("exit", 0, options=("--pass-fd", number))
            self.assertIn(ended.code, (2, 125), ended)


if __name__ == "__main__":
    unittest.main()
