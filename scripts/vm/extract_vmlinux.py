#!/usr/bin/python3
"""extract_vmlinux.py BZIMAGE OUT: writes the ELF kernel that a bzImage carries.

An ELF kernel with a PVH note boots in qemu without the real-mode stub and without unpacking itself in emulated code,
which saves up to a second a boot. Fields and their offsets: Documentation/arch/x86/boot.rst, protocol 2.08 and later.
"""
import struct
import subprocess
import sys

SETUP_SECTS, MAGIC, PAYLOAD = 0x1F1, 0x202, 0x248
SECTOR = 512
# Magic bytes of the payload -> the command that unpacks it from standard input.
UNPACKERS = {
    b"\x28\xb5\x2f\xfd": ["zstd", "-dc"],
    b"\xfd7zX": ["xz", "-dc", "--single-stream"],
    b"\x02\x21\x4c\x18": ["lz4", "-dc"],
}


def main(source, target):
    with open(source, "rb") as file:
        image = file.read()
    if image[MAGIC:MAGIC + 4] != b"HdrS":
        sys.exit(f"{source}: not a bzImage")
    offset, length = struct.unpack_from("<II", image, PAYLOAD)
    start = ((image[SETUP_SECTS] or 4) + 1) * SECTOR + offset
    payload = image[start:start + length]
    command = UNPACKERS.get(payload[:4])
    if command is None:
        sys.exit(f"{source}: payload packed in an unknown way: {payload[:4].hex()}")
    packed, size = payload[:-4], struct.unpack("<I", payload[-4:])[0]
    kernel = subprocess.run(command, input=packed, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
    if kernel[:4] != b"\x7fELF" or len(kernel) != size:
        sys.exit(f"{source}: {command[0]} gave {len(kernel)} bytes, {size} were promised")
    with open(target, "wb") as file:
        file.write(kernel)


if __name__ == "__main__":
    main(*sys.argv[1:])
