#!/usr/bin/python3
"""binary_test.py JAIL JAILD released|development: what the programs that users get must be, whatever the linker was
told.

Sources: elf(5), gABI; glibc's manual on name services in static programs; xattr(7), capabilities(7) for file
capabilities.
"""
import os
import re
import stat
import subprocess
import sys
import unittest

KIND = sys.argv.pop()
JAILD = sys.argv.pop()
JAIL = sys.argv.pop()
# Functions of the C library that ask name services, which load libraries of the machine into the program, and what they
# stand on. dlopen and iconv_open are in every static C++ program (the unwinder and the locales refer to them).
NAME_SERVICES = re.compile(
    r"^(?:getpw(?:nam|uid|ent)|getgr(?:nam|gid|ent)|getgrouplist|initgroups|getaddrinfo|gethostby\w+|getservby\w+|"
    r"__nss_(?:lookup\w*|next\w*|database\w*|module\w*|disable\w*))(?:_r)?$")


def readelf(option):
    return subprocess.run(["readelf", "--wide", option, JAIL], capture_output=True, text=True, check=True).stdout


@unittest.skipUnless(KIND == "released", "a development build; only a static Release build is released")
class Released(unittest.TestCase):
    def segments(self, kind):
        return [line.split() for line in readelf("--program-headers").splitlines() if line.split()[:1] == [kind]]

    def test_is_position_independent(self):
        self.assertRegex(readelf("--file-header"), r"Type:\s+DYN ")
        self.assertRegex(readelf("--dynamic"), r"\(FLAGS_1\).*\bPIE\b")

    def test_needs_no_loader_and_no_library(self):
        self.assertEqual(self.segments("INTERP"), [])
        self.assertNotIn("(NEEDED)", readelf("--dynamic"))

    def test_has_no_search_path(self):
        self.assertNotRegex(readelf("--dynamic"), r"\((?:RPATH|RUNPATH)\)")

    def test_makes_its_relocations_read_only_before_it_starts(self):
        self.assertEqual(len(self.segments("GNU_RELRO")), 1)
        self.assertRegex(readelf("--dynamic"), r"\bNOW\b")

    def test_has_no_segment_that_is_writable_and_executable(self):
        for line in self.segments("LOAD") + self.segments("GNU_STACK"):
            flags = "".join(line[6:-1])
            self.assertFalse("W" in flags and "E" in flags, line)

    def test_keeps_code_apart_from_data(self):
        self.assertEqual([line for line in self.segments("LOAD") if "E" in "".join(line[6:-1])
                          and "W" in "".join(line[6:-1])], [])
        self.assertGreaterEqual(len(self.segments("LOAD")), 4)

    def test_checks_its_buffers(self):
        symbols = self.symbols()
        self.assertIn("__stack_chk_fail", symbols)
        self.assertTrue(any(name.endswith("_chk") for name in symbols), "no _FORTIFY_SOURCE")

    def symbols(self):
        names = {line.split()[7].split("@")[0] for line in readelf("--symbols").splitlines() if len(line.split()) > 7}
        self.assertIn("main", names, "stripped: the symbols cannot be judged")
        return names

    def test_asks_no_name_service(self):
        self.assertEqual(sorted(name for name in self.symbols() if NAME_SERVICES.match(name)), [])


# By what is in every program that is linked with them.
LARGE_LIBRARIES = {"libyaml": "^yaml_parser_", "SQLite": "^sqlite3_", "CLI11": "N3CLI|^CLI::"}


class Broker(unittest.TestCase):
    """The privileged program holds no parser but its own; the launcher shows that one would be found."""

    def symbols(self, program):
        listed = subprocess.run(["nm", program], capture_output=True, text=True, check=True).stdout
        return [line.split()[-1] for line in listed.splitlines()]

    def linked(self, program):
        symbols = self.symbols(program)
        return {name for name, form in LARGE_LIBRARIES.items() if any(re.search(form, symbol) for symbol in symbols)}

    def test_has_no_large_library(self):
        self.assertIn("main", self.symbols(JAILD))
        self.assertEqual(self.linked(JAILD), set())
        self.assertLessEqual({"libyaml", "CLI11"}, self.linked(JAIL))

    def test_gives_nobody_privilege(self):
        self.assertEqual(os.stat(JAILD).st_mode & (stat.S_ISUID | stat.S_ISGID), 0)
        self.assertNotIn("security.capability", os.listxattr(JAILD))


class Always(unittest.TestCase):
    def test_gives_nobody_privilege(self):
        self.assertEqual(os.stat(JAIL).st_mode & (stat.S_ISUID | stat.S_ISGID), 0)
        self.assertNotIn("security.capability", os.listxattr(JAIL))


if __name__ == "__main__":
    unittest.main()
