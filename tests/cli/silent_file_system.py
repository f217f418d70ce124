"""A file system that never answers a read: what jail and its plugins may meet on a machine."""
import ctypes
import os
import struct
import threading

LIBC = ctypes.CDLL(None, use_errno=True)
MNT_DETACH = 2
ROOT, FILE = 1, 2
LOOKUP, GETATTR, OPEN, READ, INIT = 1, 3, 14, 15, 26


class SilentFileSystem:
    """FUSE with one file, `name`, that is 4096 bytes long and is never read: the request has no answer."""

    def __init__(self, folder):
        self.folder, self.asked = str(folder), threading.Event()
        self.device = os.open("/dev/fuse", os.O_RDWR)
        options = f"fd={self.device},rootmode=40755,user_id=0,group_id=0,allow_other,default_permissions"
        if LIBC.mount(b"silent", self.folder.encode(), b"fuse", 0, options.encode()) != 0:
            raise OSError(ctypes.get_errno(), "mount")
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def end(self):
        LIBC.umount2(self.folder.encode(), MNT_DETACH)
        os.close(self.device)  # what waits is answered by an error

    @staticmethod
    def attributes(node):
        mode = 0o40755 if node == ROOT else 0o100644
        return struct.pack("<QQQQQQIIIIIIIIII", node, 4096, 8, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)

    def answer(self, code, node):
        if code == INIT:
            # With FUSE_ASYNC_READ who waits can be killed; without it not even the plugin could, jail or no jail.
            return struct.pack("<IIIIHHI", 7, 31, 65536, 1, 12, 10, 4096) + bytes(40)
        if code == LOOKUP:
            return struct.pack("<QQQQII", FILE, 0, 3600, 3600, 0, 0) + self.attributes(FILE)
        if code == GETATTR:
            return struct.pack("<QII", 3600, 0, 0) + self.attributes(node)
        if code == OPEN:
            return struct.pack("<QII", 1, 0, 0)
        return b""

    def serve(self):
        try:
            while True:
                request = os.read(self.device, 1 << 20)
                _, code, unique, node = struct.unpack("<IIQQ", request[:24])
                if code == READ:
                    self.asked.set()
                    continue
                if code in (2, 36, 42):  # FORGET, INTERRUPT, BATCH_FORGET want none
                    continue
                known = code in (LOOKUP, GETATTR, OPEN, INIT, 18, 25)  # RELEASE, FLUSH: done
                body = self.answer(code, node) if known else b""
                os.write(self.device, struct.pack("<IiQ", 16 + len(body), 0 if known else -38, unique) + body)
        except OSError:
            pass
