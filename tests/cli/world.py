"""A world for the tests of the way out: this process's new network namespace is the host, with a real DNS server on its
loopback; another one, joined to it by a pair of interfaces, is the world, with the servers of the test. All of it ends
with this process; nothing outside its namespaces changes. Only root makes one.
"""
import contextlib
import ctypes
import os
import pathlib
import shlex
import shutil
import socket
import subprocess
import tempfile
import time

CLONE_NEWNS, CLONE_NEWNET = 0x20000, 0x40000000
MS_BIND, MS_REC, MS_PRIVATE, MNT_DETACH = 4096, 16384, 1 << 18, 2
LIBC = ctypes.CDLL(None, use_errno=True)
HOST = "192.0.2.1"
# No child of the tests, which look for what a run has left. It ends with its standard input.
SCRIPT = """
unshare -n sleep 3600 & world=$!
while [ "$(readlink /proc/$world/ns/net)" = "$(readlink /proc/self/ns/net)" ]; do sleep 0.01; done
ip link set lo up
ip link add near type veth peer name far netns $world
ip address add {host}/24 dev near
ip address add 2001:db8:1::1/64 dev near nodad
ip link set near up
inside() {{ nsenter -t $world -n "$@"; }}
inside ip address add 192.0.2.2/24 dev far
inside ip address add 2001:db8:1::2/64 dev far nodad
for address in {addresses}; do inside ip address add $address dev lo; done
for device in lo far; do inside ip link set $device up; done
ip route add 203.0.113.0/24 via 192.0.2.2
ip -6 route add 2001:db8:2::/64 via 2001:db8:1::2
ip route add local 198.51.100.0/24 dev lo
all="$world"
start() {{ "$@" & all="$all $!"; }}
start dnsmasq --no-daemon --conf-file=/dev/null --no-resolv --no-hosts --listen-address=127.0.0.1 --bind-interfaces \\
  --user=root --local=/example/ {dns}
{servers}
read -r _
kill $all
"""


def leave_the_hosts(namespaces):
    """Namespaces of this process's own, in which nothing it does shows outside."""
    if LIBC.unshare(namespaces) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    if namespaces & CLONE_NEWNS:
        mount("none", "/", MS_REC | MS_PRIVATE)


def mount(source, target, flags):
    if LIBC.mount(str(source).encode(), str(target).encode(), None, flags, None) != 0:
        raise OSError(ctypes.get_errno(), f"mount {target}")


def wait_until(is_so, what, seconds=60):
    limit = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > limit:
            raise RuntimeError(f"waited in vain: {what}")
        time.sleep(0.05)


def is_served(address, port):
    with contextlib.suppress(OSError), socket.create_connection((address, port), timeout=5):
        return True
    return False


class World:
    """`addresses`: the world's, of 203.0.113.0/24 and 2001:db8:2::/64. `dns`: what the name server says, as options of
    dnsmasq(8). `servers`: argument lists. `awaited`: a name, and an address and port of each server. `search` and
    `hosts`: of the host's /etc/resolv.conf and /etc/hosts."""

    def __init__(self, addresses, dns, servers, awaited, search="", hosts=""):
        leave_the_hosts(CLONE_NEWNS | CLONE_NEWNET)
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="jail-world-"))
        self.bind("/etc/resolv.conf", "nameserver 127.0.0.1\n" + (f"search {search}\n" if search else ""))
        self.bind("/etc/hosts", f"127.0.0.1 localhost\n{hosts}")
        self.control = self.start(addresses, dns, servers)
        name, *places = awaited
        wait_until(lambda: all(is_served(*one) for one in places), f"servers at {places}")
        wait_until(lambda: is_known(name), "the name server")

    def start(self, addresses, dns, servers):
        script = SCRIPT.format(
            host=HOST, addresses=" ".join(f"{one}/128" if ":" in one else f"{one}/32" for one in addresses),
            dns=shlex.join(dns),
            servers="\n".join("start nsenter -t $world -n " + shlex.join(map(str, server)) for server in servers))
        reading, control = os.pipe()
        with open(self.folder / "servers.log", "wb") as log:
            subprocess.run(["setsid", "-f", "sh", "-c", script], stdin=reading, stdout=log, stderr=log, check=True)
        os.close(reading)
        return control

    def bind(self, path, content):
        own = self.folder / path.rsplit("/", 1)[1]
        own.write_text(content)
        os.chmod(own, 0o644)
        mount(own, path, MS_BIND)

    def end(self):
        os.close(self.control)
        for path in ("/etc/resolv.conf", "/etc/hosts"):
            LIBC.umount2(path.encode(), MNT_DETACH)
        shutil.rmtree(self.folder)


def is_known(name):
    with contextlib.suppress(OSError):
        return bool(socket.getaddrinfo(name, 80))
    return False
