"""A plugin that behaves, and uses what honest plugins use: each step must work in a jail as it does outside."""
import asyncio
import ctypes
import functools
import multiprocessing
import multiprocessing.shared_memory
import os
import socket
import sqlite3
import ssl
import subprocess
import sys
import tempfile
import threading
import zoneinfo
from datetime import datetime

CHILD_SECONDS = 20


def files(folder):
    path = folder / "notes.txt"
    path.write_text("first\n")
    with path.open("a") as notes:
        notes.write("second\n")
    path.rename(folder / "kept.txt")
    assert (folder / "kept.txt").read_text() == "first\nsecond\n"
    (folder / "kept.txt").unlink()


def subprocess_again():
    done = subprocess.run([sys.executable, "-c", "print(6 * 7)"], capture_output=True, text=True, check=True,
                          timeout=CHILD_SECONDS)
    assert done.stdout == "42\n", done


def database(folder):
    path = folder / "plugin.db"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE IF NOT EXISTS visits (place TEXT)")
        connection.execute("INSERT INTO visits VALUES ('here')")
    assert connection.execute("SELECT count(*) FROM visits").fetchone()[0] >= 1
    connection.close()


def threads():
    lock, total = threading.Lock(), [0]

    def add():
        with lock:
            total[0] += 1

    workers = [threading.Thread(target=add) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(CHILD_SECONDS)
    assert total == [8], total


def square(number):
    return number * number


def pool():
    with multiprocessing.Pool(2) as workers:
        assert workers.map_async(square, range(5)).get(CHILD_SECONDS) == [0, 1, 4, 9, 16]


def put(queue):
    queue.put("hello")


def queue():
    channel = multiprocessing.Queue()
    child = multiprocessing.Process(target=put, args=(channel,))
    child.start()
    assert channel.get(timeout=CHILD_SECONDS) == "hello"
    child.join(CHILD_SECONDS)


def fill(name):
    block = multiprocessing.shared_memory.SharedMemory(name)
    block.buf[:5] = b"hello"
    block.close()


def shared_memory():
    block = multiprocessing.shared_memory.SharedMemory(create=True, size=4096)
    child = multiprocessing.Process(target=fill, args=(block.name,))
    child.start()
    child.join(CHILD_SECONDS)
    said = bytes(block.buf[:5])
    block.close()
    block.unlink()
    assert said == b"hello", said


def temporary_files():
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as unnamed:
        unnamed.write(b"x" * 4096)
        first, second = os.path.join(folder, "first"), os.path.join(folder, "second")
        open(first, "w").close()
        os.link(first, second)  # as lock files do
        assert os.stat(first).st_nlink == 2


def time_zones():
    there = datetime(2026, 7, 1, 12, tzinfo=zoneinfo.ZoneInfo("UTC")).astimezone(zoneinfo.ZoneInfo("Europe/Vienna"))
    assert there.hour == 14, there


def tls():
    """The machine may have no certificate authorities; the context must load whatever it has."""
    context = ssl.create_default_context()
    assert context.verify_mode == ssl.CERT_REQUIRED
    return f"{len(context.get_ca_certs())} certificate authorities"


def foreign_functions():
    libc = ctypes.CDLL(None)
    assert libc.getpid() == os.getpid()
    callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)(lambda left, right: 0)
    libc.qsort((ctypes.c_int * 4)(), 4, 4, callback)  # a callback needs memory that can be executed


def socket_pair():
    left, right = socket.socketpair()
    with left, right:
        left.sendall(b"ping")
        assert right.recv(4) == b"ping"


async def talk():
    async def answer(reader, writer):
        writer.write((await reader.readline()).upper())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    writer.write(b"hello\n")
    assert await reader.readline() == b"HELLO\n"
    writer.close()
    server.close()
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", "pass")
    assert await child.wait() == 0


def loop():
    asyncio.run(asyncio.wait_for(talk(), CHILD_SECONDS))


def register(context):
    context.step("files", functools.partial(files, context.data))
    context.step("subprocess", subprocess_again)
    context.step("sqlite3", functools.partial(database, context.data))
    context.step("threads", threads)
    context.step("multiprocessing-pool", pool)
    context.step("multiprocessing-queue", queue)
    context.step("shared-memory", shared_memory)
    context.step("tempfile-links", temporary_files)
    context.step("zoneinfo", time_zones)
    context.step("ssl-context", tls)
    context.step("ctypes", foreign_functions)
    context.step("socketpair", socket_pair)
    context.step("asyncio", loop)
