"""What the caller hands over: nothing that leads further than itself, and never the log."""
import contextlib
import os
import pty
import socket
import subprocess
import threading
import unittest

from jail_case import BINARY, IS_ROOT, SECONDS, both_launchers


@both_launchers
class PassedDescriptors:
    def passing(self, number, *words):
        return self.run_plugin(*(words or ("exit", 0)), options=("--pass-fd", number), pass_fds=(number,))

    def test_connected_stream_is_passed(self):
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ended = self.passing(theirs.fileno())
            self.assertEqual(ended.code, 0, ended)

    def test_sockets_of_the_hosts_network_are_refused(self):
        for kind in ((socket.AF_INET, socket.SOCK_STREAM), (socket.AF_INET6, socket.SOCK_DGRAM),
                     (socket.AF_UNIX, socket.SOCK_DGRAM), (socket.AF_NETLINK, socket.SOCK_RAW)):
            with self.subTest(kind=kind), socket.socket(*kind) as passed:
                self.assert_refused(self.passing(passed.fileno()), "--pass-fd", "network")

    def test_terminals_are_refused(self):
        master, slave = pty.openpty()
        self.assert_refused(self.passing(slave), "--pass-fd", "terminal")
        os.close(master)
        os.close(slave)

    def test_what_is_the_kernels_is_refused(self):
        for path in ("/proc/self/environ", "/proc/self/ns/net", "/sys/kernel/notes"):
            with self.subTest(path=path), open(path, "rb") as passed:
                self.assert_refused(self.passing(passed.fileno()), "--pass-fd")
        event = os.eventfd(0)
        self.assert_refused(self.passing(event), "kernel object")
        os.close(event)


def stream_pair():
    return [end.detach() for end in socket.socketpair()]


@both_launchers
class SharedChannels:
    """A plugin that holds the file of the log writes lines of its own into it."""

    def setUp(self):
        super().setUp()
        self.file = self.make_file(self.dir / "log" / "shared")

    def run_with(self, *options, **others):
        return self.jail("run", *options, self.profile(), "--", self.attacker, "exit", "0", **others)

    def test_log_on_a_stream_of_the_plugins(self):
        with open(self.file, "ab") as file:
            ended = self.run_with("--audit-fd", file.fileno(), pass_fds=(file.fileno(),))
            self.assertEqual(ended.code, 0, ended)
        with open(self.file, "ab") as file, open(self.file, "ab") as again:
            ended = self.run_with("--audit-fd", file.fileno(), "--pass-fd", again.fileno(),
                                  pass_fds=(file.fileno(), again.fileno()))
            self.assert_refused(ended, "--audit-fd", "--pass-fd")
        self.assertNotIn("VERDICT", self.file.read_text())

    def test_log_file_is_standard_error(self):
        with open(self.file, "ab") as file:
            for options in (("--audit-fd", "2"), ("--audit", self.file), ("--status-fd", "2")):
                with self.subTest(options=options):
                    self.assertEqual(self.status_with_stderr(file, *options), 125)

    def test_log_on_a_pipe_or_socket_of_the_plugins(self):
        for name, (reader, writer) in {"pipe": os.pipe(), "socket": stream_pair()}.items():
            for options in (("--audit-fd", "2"), ("--status-fd", "2")):
                with self.subTest(channel=name, options=options):
                    self.assertEqual(self.status_with_stderr(writer, *options), 125)
                    self.assertIn(f"standard error is the same {name}", os.read(reader, 1 << 16).decode())
            with self.subTest(channel=name, what="passed"):
                ended = self.run_with("--audit-fd", writer, "--pass-fd", writer, pass_fds=(writer,))
                self.assert_refused(ended, f"--pass-fd {writer} is the same {name}")
            os.close(reader)
            os.close(writer)

    def test_log_on_standard_error_alone(self):
        """As for a container: 3>&2 2>&1."""
        words = [BINARY, "run", "--audit-fd", "3", self.profile(), "--", self.attacker, "exit", "0"]
        ended = subprocess.run(["sh", "-c", '"$@" 3>&2 2>&1', "sh", *words], env=self.environment,
                               cwd=self.dir / "write", preexec_fn=self.become(), stdin=subprocess.DEVNULL,
                               capture_output=True, timeout=SECONDS, check=False)
        self.assertEqual(ended.returncode, 0, ended)
        self.assertIn(b"run.ended", ended.stderr)

    def test_file_that_a_grant_reaches(self):
        """By whatever name it was opened."""
        os.link(self.make_file(self.dir / "home" / "linked"), self.dir / "write" / "other-name")
        inside = self.make_file(self.dir / "write" / "inside")
        for file, word in ((inside, str(inside)), (self.dir / "home" / "linked", "more than one name")):
            for option in ("--audit-fd", "--status-fd"):
                with self.subTest(file=file, option=option), open(file, "ab") as opened:
                    ended = self.run_with("--audit", self.log, option, opened.fileno(), pass_fds=(opened.fileno(),))
                    self.assert_refused(ended, word)
        with open(self.make_file(self.dir / "log" / "outside"), "ab") as opened:
            self.assertEqual(self.run_with("--audit-fd", opened.fileno(), pass_fds=(opened.fileno(),)).code, 0)

    def make_file(self, path):
        path.touch()
        if IS_ROOT:
            os.chown(path, self.uid, self.uid)
        return path

    def status_with_stderr(self, file, *options):
        audit = () if "--audit" in options or "--audit-fd" in options else ("--audit", self.log)
        command = [BINARY, "run", *audit, *options, self.profile(), "--", self.attacker, "exit", "0"]
        return subprocess.run(command, env=self.environment, cwd=self.dir / "write", preexec_fn=self.become(),
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=file, timeout=SECONDS,
                              check=False).returncode


@both_launchers
class OwnFileAsInput:
    """Whoever owns a file may change its mode by any descriptor: the plugin gets its bytes, not the file."""

    def test_mode_stays(self):
        key = self.dir / "read" / "key"
        key.write_text("the key\n")
        key.chmod(0o600)
        if IS_ROOT:
            os.chown(key, self.uid, self.uid)
        with open(key, "rb") as file:
            ended = self.run_plugin("fchmod-fd", 0, stdin=file)
        self.assertEqual(key.stat().st_mode & 0o777, 0o600, ended)
        with open(key, "rb") as file:
            ended = self.run_plugin("read-fd", 0, stdin=file)
        self.assertIn("the key", ended.out, ended)


@both_launchers
class HostsNetwork:
    """`network: {mode: host}` is a weakening that the profile names; nothing else opens the host's network."""

    def connecting(self, profile, port):
        return self.run_plugin("tcp", port, profile=profile).out

    def test_only_where_named(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            threading.Thread(target=self.greet, args=(server,), daemon=True).start()
            port = server.getsockname()[1]
            self.assertIn("VERDICT allowed", self.connecting(self.profile("network: {mode: host}\n"), port))
            self.assertIn("VERDICT denied", self.connecting(self.profile(), port))
            way_out = self.profile("network: {allow: [\"tcp://127.0.0.1:1\"]}\nbest_effort: [net]\n")  # another port
            self.assertIn("VERDICT denied", self.connecting(way_out, port))

    @staticmethod
    def greet(server):
        with contextlib.suppress(OSError):  # closed
            while True:
                server.accept()[0].sendall(b"hello")


if __name__ == "__main__":
    unittest.main()
