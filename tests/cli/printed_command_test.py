"""Every command that the README, the reference and the help print does what it says, as an ordinary user: typed as it
stands, in the folder of its profile, but for the plugin's folder, which is one of this test's instead of one in /opt.
"""
import os
import pathlib
import re
import subprocess
import unittest

from jail_case import BINARY, SECONDS, JailTest, IS_ROOT, USER

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]


def commands_of(text):
    """The indented lines that begin with `jail`, without the words that explain them."""
    return [re.split(r"\s{2,}|\s\| ", line.strip())[0] for line in text.splitlines()
            if re.match(r" {2,}jail [a-z]", line) and not line.strip().endswith("[OPTIONS]")]


def profile_of(readme):
    """The first profile that the page prints."""
    block = re.search(r"(?m)^(?: {4})?version: 1\n(?:(?: {4})?[^\s`].*\n|  .*\n)+", readme).group()
    return re.sub(r"(?m)^    (?=\S|  )", "", block) if block.startswith("    ") else block


class PrintedCommandAsUser(JailTest):
    uid = USER if IS_ROOT else os.getuid()

    def setUp(self):
        super().setUp()
        self.opt = self.dir / "opt"
        self.environment["PATH"] = f"{self.dir / 'bin'}:{self.environment['PATH']}"
        os.symlink(BINARY, self.dir / "bin" / "jail")

    def install(self, name, profile):
        """The plugin in its folder, the profile in the working folder and among the installed ones."""
        (self.opt / name).mkdir(parents=True)
        (self.opt / name / "plugin.py").write_text("print('the plugin ran')\n")
        for folder in (self.dir / "profile", self.dir / "home" / ".config" / "jail" / "profiles"):
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{name}.yaml").write_text(profile)
        self.own(self.dir)

    @staticmethod
    def statuses_of(command):
        """What is followed ends when it is interrupted; an answer may be a no, and no jail may live any more."""
        may_say_no = re.search(r" (why|kill|freeze|thaw) ", command)
        return (124,) if " -f " in command else (0, 1) if may_say_no else (0,)

    def type(self, command):
        words = ["sh", "-c", "exec " + command.replace("/opt/", f"{self.opt}/")]  # as a reader's shell takes it
        if " -f " in command:
            words[:0] = ["timeout", "--signal=INT", "1"]
        return subprocess.run(words, cwd=self.dir / "profile", env=self.environment, preexec_fn=self.become(),
                              capture_output=True, text=True, timeout=SECONDS, stdin=subprocess.DEVNULL)

    def work(self, commands):
        """A reader's order: what happened is asked for after something did."""
        self.assertTrue(any(" run " in command for command in commands), commands)
        for command in sorted(commands, key=lambda command: "audit tail" in command):
            with self.subTest(command=command):
                ended = self.type(command)
                self.assertIn(ended.returncode, self.statuses_of(command), ended)
                if command.endswith("plugin.py"):
                    self.assertIn("the plugin ran", ended.stdout, ended)

    def test_readme(self):
        for page in ("README.md", "profiles/README.md"):
            text = (REPOSITORY / page).read_text()
            self.install("acme-crm", profile_of(text))
            self.work(commands_of(text))
            (self.opt / "acme-crm" / "plugin.py").unlink()
            (self.opt / "acme-crm").rmdir()

    def test_help(self):
        readme = (REPOSITORY / "README.md").read_text()
        self.install("crm", profile_of(readme).replace("name: acme-crm", "name: crm"))
        pages = [self.type(" ".join(["jail", *words, "--help"])).stdout
                 for words in ([], ["run"], ["check"], ["show"], ["doctor"], ["audit", "tail"])]
        self.work([command for page in pages for command in commands_of(page)])


if __name__ == "__main__":
    unittest.main()
