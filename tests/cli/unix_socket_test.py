"""`network.unix` as the server on the other side sees it: who connects, after it was made anew, or never answers."""
import contextlib
import ctypes
import os
import socket
import struct
import threading
import time
import unittest

from jail_case import both_launchers

# landlock_create_ruleset(2) with LANDLOCK_CREATE_RULESET_VERSION
LANDLOCK_ABI = ctypes.CDLL(None).syscall(444, None, 0, 1)


@contextlib.contextmanager
def server(path, backlog=8):
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        os.chmod(path, 0o666)
        listening.listen(backlog)
        listening.settimeout(20)
        yield listening


def peer_of(listening):
    """(pid, uid, gid) of who is next in the queue: unix(7), SO_PEERCRED."""
    with listening.accept()[0] as connection:
        return struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))


@both_launchers
class GrantedSocket:
    def setUp(self):
        super().setUp()
        self.socket = self.dir / "read" / "server"

    def connecting(self, *words, more=""):
        profile = self.profile(f"network: {{unix: [\"{self.socket}\"]}}\n{more}")
        return self.run_plugin(*(words or ("unix-connect", "stream", self.socket)), profile=profile)

    def test_the_peer_has_the_plugins_ids(self):
        with server(self.socket) as listening:
            ended = self.connecting()
            self.assertIn("VERDICT allowed", ended.out, ended)
            _, uid, gid = peer_of(listening)
        inside = self.records()[1]["user"]
        self.assertEqual((uid, gid), (inside["uid"], inside["gid"]))
        self.assertNotEqual(uid, 0)

    def test_a_server_that_starts_anew_is_found(self):
        if LANDLOCK_ABI >= 9:
            self.skipTest("from Landlock ABI 9 on the jail holds the socket that was there when it began")
        with contextlib.ExitStack() as servers:
            servers.enter_context(server(self.socket))

            def start_anew():
                while not (self.dir / "write" / "ready").exists():
                    time.sleep(0.01)
                servers.enter_context(server(self.socket))
                (self.dir / "write" / "go").touch()

            anew = threading.Thread(target=start_anew, daemon=True)
            anew.start()
            write = self.dir / "write"
            ended = self.connecting("unix-again", self.socket, write / "ready", write / "go")
            anew.join(20)
        self.assertIn("VERDICT allowed", ended.out, ended)

    def test_nobody_listens(self):
        with server(self.socket):
            pass
        ended = self.connecting()
        self.assertIn("VERDICT denied ECONNREFUSED", ended.out, ended)

    def test_a_server_that_never_answers_holds_up_neither_the_clock_nor_the_end(self):
        with server(self.socket, backlog=1):
            ended = self.connecting("unix-wait", self.socket, more="limits: {time: 1s, grace: 100ms}\n")
            self.assertEqual(ended.code, 124, ended)
        self.assertEqual(self.records()[-1]["outcome"], "timeout")

    def test_who_waits_and_ends_leaves_room_for_others(self):
        """More than may wait at a time: each is a process that is killed while it waits."""
        if self.uid == 0:
            self.skipTest("it waits for long: the ordinary user's run has it")
        with server(self.socket, backlog=0):
            ended = self.connecting("unix-crowd", self.socket, 80, more="limits: {pids: 200, time: 60s}\n")
            self.assertIn("VERDICT denied EAGAIN", ended.out, "the control: so many at once are too many")
            ended = self.connecting("unix-crowd", self.socket, 20, more="limits: {pids: 200, time: 60s}\n")
            self.assertIn("VERDICT allowed", ended.out, "80 in turn are not")

    def test_what_its_mode_denies_is_told(self):
        with server(self.socket):
            os.chmod(self.socket, 0)
            ended = self.connecting()
        self.assertIn("VERDICT denied EACCES", ended.out, ended)
        denial = next(record for record in self.records() if record["kind"] == "net.connect")
        self.assertEqual((denial["decision"], denial["layer"], denial["errno"]), ("denied", "permission", "EACCES"))
        self.assertNotIn("predicted", denial)

    def test_no_other_socket_is_reached_and_the_log_says_so(self):
        other = self.dir / "read" / "other"
        profile = self.profile(f"  read: [\"{self.dir}/read\"]\nnetwork: {{unix: [\"{self.socket}\"]}}\n")
        with server(self.socket), server(other) as untouched:
            ended = self.run_plugin("unix-connect", "stream", other, profile=profile)
            self.assertIn("VERDICT denied EACCES", ended.out, ended)
            untouched.settimeout(0)
            with self.assertRaises(BlockingIOError):
                untouched.accept()
        denial = next(record for record in self.records() if record["kind"] == "net.connect")
        self.assertEqual((denial["decision"], denial["path"], denial["errno"]), ("denied", str(other), "EACCES"))
        said = self.jail("audit", "tail", "--denied", "--file", self.log)
        self.assertIn(f"unix: [{other}]", said.out, said)


if __name__ == "__main__":
    unittest.main()
