#!/usr/bin/python3
"""check_style_test.py CHECK: one tree that the check of form must let pass, and one fault for each of its rules."""
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

CHECK = sys.argv.pop()
LAST_LINE_OF_70 = "int f() {\n" + "  g();\n" * 68 + "}\n"


class Style(unittest.TestCase):
    def check(self, files):
        with tempfile.TemporaryDirectory() as folder:
            for name, text in files.items():
                path = pathlib.Path(folder) / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
                path.chmod(0o755 if text.startswith("#!") and "not executable" not in text else 0o644)
            return subprocess.run([CHECK, folder], capture_output=True, text=True)

    def refuses(self, where_and_what, files):
        check = self.check(files)
        self.assertEqual(check.returncode, 1, check.stderr)
        self.assertIn(where_and_what, check.stderr)
        faults = [line for line in check.stderr.splitlines() if "shellcheck" not in line or where_and_what in line]
        self.assertEqual(len(faults), 1, check.stderr)

    def passes(self, files):
        check = self.check(files)
        self.assertEqual((check.returncode, check.stderr), (0, ""))

    def test_lets_a_good_tree_pass(self):
        self.passes({
            "launcher/base/fd.h": "#pragma once\n",
            "launcher/base/fd.cc": '// See base/fd.h and fd.h.\n#include "base/fd.h"\n' + LAST_LINE_OF_70,
            "launcher/sys/uapi.h": "#ifndef SYS_x\n#define SYS_x 1\n#endif\n",
            "scripts/go": "#!/bin/bash\nset -e\ntrue\n",
            "README.md": "Run `scripts/go`, read launcher/base/fd.cc.\n",
            "bpf/LICENSE": "\ttext of others  \n",
        })

    def test_measures_functions_not_what_looks_like_them(self):
        table = "constexpr int kTable[] = {\n" + "    int(1),\n" * 100 + "};\n"
        space = "namespace jail {\n" + "int f();\n" * 100 + "}\n"
        lines = 'const char* kText = R"(\nvoid f() {\n' + "x\n" * 100 + '})";\n'
        self.passes({"launcher/base/a.cc": table + space + lines})

    def test_refuses_long_functions(self):
        body = "  if (a) {\n    g(\"}\", '}');  // }\n  }\n" * 23
        self.refuses("a.cc:2: function of 71 lines", {"launcher/base/a.cc": "\nint f() {\n" + body + "}\n"})
        method = "void C::f(int a) const noexcept {\n" + body + "}\n"
        self.refuses("a.cc:1: function of 71 lines", {"tests/a.cc": method})
        self.refuses("a.py:1: function of 71 lines", {"tests/a.py": "def f():\n" + "    g()\n" * 70})

    def test_refuses_long_files(self):
        self.refuses("601 lines", {"launcher/base/a.cc": "int x;\n" * 601})

    def test_refuses_bad_layout(self):
        self.refuses("a.cc:1: 121 columns", {"launcher/base/a.cc": "//" + "x" * 119 + "\n"})
        self.refuses("a.cc:2: no newline at the end", {"launcher/base/a.cc": "int x;\nint y;"})
        self.refuses("a.cc:1: white space at the end", {"launcher/base/a.cc": "int x; \n"})
        self.refuses("a.cc:1: tab", {"launcher/base/a.cc": "\tint x;\n"})

    def test_refuses_marks_of_unfinished_work(self):
        for mark in ("TO" "DO", "FIX" "ME", "XX" "X"):
            self.refuses("a.cc:1: a mark of unfinished work", {"launcher/base/a.cc": f"// {mark}: later\n"})

    def test_refuses_paths_of_one_machine(self):
        self.refuses("a path of one machine", {"scripts/a.sh": "cd /" "work/main\n"})

    def test_refuses_conditional_compilation(self):
        self.refuses("#if belongs to launcher/sys/uapi.h only", {"launcher/base/a.cc": "#ifdef X\nint x;\n"})

    def test_refuses_function_like_macros(self):
        self.refuses("function-like macro", {"launcher/base/a.cc": "#define F(x) x\n"})

    def test_refuses_catch_outside_its_places(self):
        code = "// catch (\nint f() { try { g(); } catch (...) {} }\n"
        self.refuses("a.cc:2: catch outside", {"launcher/base/a.cc": code})

    def test_refuses_includes_without_their_module(self):
        files = {"launcher/base/a.h": "#pragma once\n", "launcher/base/a.cc": '#include "a.h"\n'}
        self.refuses('"a.h" is not there', files)

    def test_refuses_names_of_files_that_are_gone(self):
        self.refuses("'scripts/gone' is named", {"README.md": "Run `scripts/gone`.\n"})
        self.refuses("'gone.cc' is named", {"launcher/base/a.cc": "// as in gone.cc\n"})

    def test_refuses_broken_scripts(self):
        self.refuses("syntax error near", {"scripts/a.sh": "if true; fi\n"})

    def test_refuses_scripts_that_cannot_be_started(self):
        self.refuses("not executable", {"scripts/a.sh": "#!/bin/bash\n# not executable\n"})

    def test_refuses_what_shellcheck_warns_of(self):
        if not shutil.which("shellcheck"):
            self.skipTest("shellcheck is not installed")
        self.refuses("shellcheck", {"scripts/a.sh": "#!/bin/bash\ncd somewhere\n"})


if __name__ == "__main__":
    unittest.main()
