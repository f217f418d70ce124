"""What a hostile plugin goes for, put up for the time of one test: a home with fake keys, secrets in the environment,
listeners on the loopback, a process to attack. All of it belongs to one user.
"""
import ctypes
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import threading

SECRETS = {"ACME_TOKEN": "token-9f86d081", "AWS_SECRET_ACCESS_KEY": "aws-884c7d65"}
SSH_KEY, AWS_KEY, KEYRING = "ssh-key-9a2feaa0", "aws-key-c55ad015", "keyring-a3bf4f1b"
KEY_SECONDS = 120
CLONE_NEWNS, MS_BIND, MS_REC, MS_PRIVATE = 0x20000, 0x1000, 0x4000, 0x40000
PR_SET_PTRACER, PR_SET_DUMPABLE = 0x59616D61, 4
VICTIM = f"""
import ctypes, signal
ctypes.CDLL(None).prctl({PR_SET_PTRACER}, ctypes.c_ulong(-1))  # where Yama asks for it
print("there", flush=True)
signal.pause()
"""


class Listener:
    """Answers every connection, or datagram, on a port of 127.0.0.1 and remembers what came."""

    def __init__(self, kind):
        self.socket, self.got = socket.socket(socket.AF_INET, kind), []
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        if kind == socket.SOCK_STREAM:
            self.socket.listen()
        threading.Thread(target=self.serve_tcp if kind == socket.SOCK_STREAM else self.serve_udp, daemon=True).start()

    def serve_tcp(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            with connection:
                self.got.append(connection.recv(64))
                connection.sendall(b"thanks")

    def serve_udp(self):
        while True:
            try:
                said, sender = self.socket.recvfrom(64)
            except OSError:
                return
            self.got.append(said)
            self.socket.sendto(b"thanks", sender)

    def close(self):
        if self.socket.type == socket.SOCK_STREAM:
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


def become(uid):
    """What a child of root does to be an ordinary user; nothing where the tests run as one."""
    def in_child():
        libc = ctypes.CDLL(None)
        if os.geteuid() == 0 and uid != 0:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            libc.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)
        libc.syscall(250, 1, b"plughost")  # x86-64 keyctl(KEYCTL_JOIN_SESSION_KEYRING): keys of this test only
        key = libc.syscall(248, b"user", b"plughost", KEYRING.encode(), len(KEYRING), -4)  # add_key: the user's keyring
        libc.syscall(250, 15, key, KEY_SECONDS)  # keyctl(KEYCTL_SET_TIMEOUT)
    return in_child


def own_var_lib(folder):
    """Root's state has one place on a machine, so tests as root see another folder there."""
    libc = ctypes.CDLL(None, use_errno=True)
    for result in (libc.unshare(CLONE_NEWNS), libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None),
                   libc.mount(os.fsencode(folder), b"/var/lib", None, MS_BIND, None)):
        if result != 0:
            raise OSError(ctypes.get_errno(), "a mount namespace for the test")


class Scene:
    def __init__(self, uid):
        self.uid = uid
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="jail-host-", dir="/var/tmp"))
        self.folder.chmod(0o755)
        self.home, self.outside, self.host = (self.folder / name for name in ("home", "outside", "host"))
        here = pathlib.Path(__file__).parent
        shutil.copytree(here, self.host, ignore=shutil.ignore_patterns("__pycache__", "*_test.py"))
        self.state = (self.folder / "lib/jail/state") if uid == 0 else (self.home / ".local/share/jail/state")
        (self.folder / "lib").mkdir()
        (self.home / ".ssh").mkdir(parents=True)
        (self.home / ".aws").mkdir()
        self.outside.mkdir()
        (self.home / ".ssh/id_ed25519").write_text(SSH_KEY)
        (self.home / ".aws/credentials").write_text(AWS_KEY)
        (self.home / ".bashrc").write_text("")
        self.own()
        self.environment = {"PATH": "/usr/bin:/bin", "HOME": str(self.home), "LANG": "C.UTF-8", **SECRETS}
        self.tcp, self.udp = Listener(socket.SOCK_STREAM), Listener(socket.SOCK_DGRAM)
        self.victim = subprocess.Popen(["/usr/bin/python3", "-c", VICTIM], stdout=subprocess.PIPE, env=self.environment,
                                       preexec_fn=become(uid))
        self.victim.stdout.readline()

    def own(self):
        if os.geteuid() != 0:
            return
        for path in [self.folder, *self.folder.rglob("*")]:
            os.lchown(path, self.uid, self.uid)
            if not path.is_symlink():
                path.chmod(path.stat().st_mode & ~0o022)

    def config(self, **more):
        return {"home": str(self.home), "outside": str(self.outside), "secrets": list(SECRETS),
                "victim": self.victim.pid, "tcp": self.tcp.port, "udp": self.udp.port, **more}

    def start_as_user(self):
        become(self.uid)()
        if self.uid == 0:
            own_var_lib(self.folder / "lib")

    def run(self, command, seconds=120):
        return subprocess.run(list(map(str, command)), env=self.environment, preexec_fn=self.start_as_user,
                              capture_output=True, text=True, cwd="/", timeout=seconds, stdin=subprocess.DEVNULL)

    def close(self):
        self.tcp.close()
        self.udp.close()
        self.victim.send_signal(signal.SIGKILL)
        self.victim.wait()
        self.victim.stdout.close()
        shutil.rmtree(self.folder, ignore_errors=True)
