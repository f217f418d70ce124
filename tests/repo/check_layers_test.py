#!/usr/bin/python3
"""check_layers_test.py CHECK: what the check of the layers must let pass and what it must refuse."""
import pathlib
import subprocess
import sys
import tempfile
import unittest

CHECK = sys.argv.pop()
DECLARATIONS = {
    "base": "jail_module(base LIBRARIES sodium)",
    "sys": "jail_module(sys DEPENDS base LIBRARIES cap)",
    "profile": "jail_module(profile\n  DEPENDS base\n  LIBRARIES yaml)",
    "run": "jail_module(run DEPENDS base sys profile)",
}


class Layers(unittest.TestCase):
    def check(self, sources, declarations=None):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            for module, line in (DECLARATIONS | (declarations or {})).items():
                (root / module).mkdir()
                (root / module / "CMakeLists.txt").write_text(line + "\n")
            for name, text in sources.items():
                (root / name).parent.mkdir(exist_ok=True)
                (root / name).write_text(text)
            return subprocess.run([CHECK, root], capture_output=True, text=True)

    def refuses(self, what, sources, declarations=None):
        check = self.check(sources, declarations)
        self.assertEqual(check.returncode, 1, check.stderr)
        self.assertIn(what, check.stderr)

    def test_lets_declared_includes_pass(self):
        check = self.check({
            "run/a.cc": '#include "run/a.h"\n#include "sys/b.h"\n#include <sys/mount.h>\n#include <vector>\n',
            "profile/p.cc": "#include <yaml.h>\n",
        })
        self.assertEqual((check.returncode, check.stderr.strip()), (0, ""))

    def test_refuses_a_module_of_the_same_floor(self):
        self.refuses("module 'profile' may not include 'sys/'", {"profile/p.cc": '#include "sys/file.h"\n'})

    def test_refuses_an_undeclared_module_below(self):
        self.refuses("module 'sys' may not include 'run/'", {"sys/s.h": '  # include "run/plan.h"\n'})

    def test_refuses_a_declaration_that_points_up(self):
        self.refuses("module 'sys' depends on 'run'", {}, {"sys": "jail_module(sys DEPENDS base run)"})

    def test_refuses_a_module_without_a_floor(self):
        self.refuses("module 'utils' stands on no floor", {}, {"utils": "jail_module(utils)"})

    def test_refuses_a_library_outside_its_module(self):
        self.refuses("<yaml.h> may be included in profile only", {"run/r.cc": "#include <yaml.h>\n"})

    def test_refuses_sources_of_no_module(self):
        self.refuses("no jail_module() line", {"stray/s.cc": "int x;\n"})

    def test_refuses_a_tree_without_declarations(self):
        with tempfile.TemporaryDirectory() as folder:
            self.assertEqual(subprocess.run([CHECK, folder], capture_output=True).returncode, 1)


if __name__ == "__main__":
    unittest.main()
