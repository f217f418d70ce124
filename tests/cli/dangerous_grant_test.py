"""Grants that give more than they say (SECURITY C1, C9, C10; PROFILE, Rules): errors, and the override has a name."""
import functools
import os
import pathlib
import unittest

import jail_case
from jail_case import both_launchers

# Reading these is reaching the machine's daemons or kernel (C1).
READ = ["/", "/run", "/var/run", "/tmp", "/var/tmp/..", "/proc", "/sys", "/dev", "/proc/self", "/sys/fs"]

# Writing these is running on the host later (C9): who starts what stands there is the operator, or the system.
EXECUTED_IN_HOME = [
    ".bashrc", ".bash_profile", ".profile", ".zshrc", ".zshenv", ".config/fish", ".config/systemd", ".config/autostart",
    ".local/bin", "bin", ".local/lib/python3.11/site-packages", ".gitconfig", ".config/git", ".ssh", ".vimrc",
    ".config/nvim", ".pam_environment", ".xprofile", ".cargo/bin", ".npmrc",
]
EXECUTED_IN_PROJECT = [".git", ".git/hooks", ".git/config", ".envrc", ".venv", ".venv/bin", "node_modules",
                       "__pycache__", ".vscode", ".husky"]
EXECUTED_BY_SYSTEM = ["/etc", "/usr", "/usr/bin", "/usr/local/bin", "/usr/lib", "/etc/cron.d", "/etc/profile.d",
                      "/boot", "/usr/lib/python3", "/etc/systemd/system", "/var/spool/cron"]

# Jail's own (C10): what a plugin can write must never widen its own policy.
OWN = [".config", ".config/jail", ".config/jail/profiles", ".cache", ".cache/jail", ".local/share", ".local/share/jail",
       ".local/state", ".local/state/jail", ".local/state/jail/log"]


def below_home(test):
    """Root's home is the one of the password file, whatever HOME says; the tests leave that one alone."""
    @functools.wraps(test)
    def of_user(self):
        if self.uid == 0:
            self.skipTest("root's own home is not the tests' to fill")
        test(self)
    return of_user


@both_launchers
class DangerousGrant:
    def verdict(self, grants, **environment):
        """Whether `check` accepts them, beside a program to run."""
        text = "".join(f"  {kind}: [{value}]\n" for kind, value in grants)
        profile = self.profile(grants=text)
        return self.jail("check", profile, environment={key: str(value) for key, value in environment.items()})

    def assert_error(self, kind, path, **environment):
        ended = self.verdict([(kind, f"\"{path}\"")], **environment)
        self.assertEqual(ended.code, 1, f"{kind} {path} is accepted: {ended}")
        self.assertIn("test.yaml:", ended.out + ended.error)

    def make(self, path):
        path = pathlib.Path(path)
        path.mkdir(parents=True, exist_ok=True)
        self.own(self.dir)
        return path

    def test_read(self):
        for place in READ:
            with self.subTest(path=place):
                self.assert_error("read", place)

    def test_write_of_the_same(self):
        for place in ("/", "/run", "/tmp", "/proc", "/sys", "/dev"):
            with self.subTest(path=place):
                self.assert_error("write", place)

    @below_home
    def test_home(self):
        for kind in ("read", "write"):
            self.assert_error(kind, self.dir / "home")

    def test_named_override(self):
        """The control: the same grant with its named weakening is accepted, or at least not for this reason."""
        ended = self.verdict([("read", "{path: /sys, dangerous: true}")])
        self.assertEqual(ended.code, 0, ended)

    def test_ordinary_grants(self):
        """The control of all: folders like these are what plugins are granted."""
        for place in ("state", "project/data", ".local/share/some-plugin", ".cache/some-plugin"):
            with self.subTest(path=place):
                ended = self.verdict([("write", f"\"{self.make(self.dir / 'home' / place)}\"")])
                self.assertEqual(ended.code, 0, ended)

    def test_daemon_sockets(self):
        for path in ("/var/run/docker.sock", "/run/docker.sock", "/run/podman/podman.sock",
                     "/run/containerd/containerd.sock", "/run/user/1000/bus", "/run/dbus/system_bus_socket"):
            with self.subTest(path=path):
                self.assert_error("read", f"{path}")
                profile = self.profile(f"network: {{unix: [\"{path}\"]}}\n")
                self.assertEqual(self.jail("check", profile).code, 1, path)

    @below_home
    def test_runtime_folder(self):
        self.assert_error("read", self.dir / "runtime", XDG_RUNTIME_DIR=self.dir / "runtime")

    @below_home
    def test_executed_in_home(self):
        for place in EXECUTED_IN_HOME:
            with self.subTest(path=place):
                path = self.dir / "home" / place
                self.make(path.parent)
                if not path.exists():
                    path.write_text("") if "rc" in path.name or "profile" in path.name else self.make(path)
                self.assert_error("write", path)

    def test_executed_in_project(self):
        for place in EXECUTED_IN_PROJECT:
            with self.subTest(path=place):
                path = self.dir / "home" / "project" / place
                path.write_text("") if place in (".envrc", ".git/config") else self.make(path)
                self.assert_error("write", path)

    def test_executed_by_system(self):
        for place in EXECUTED_BY_SYSTEM:
            if os.path.exists(place):
                with self.subTest(path=place):
                    self.assert_error("write", place)

    def test_folder_on_path(self):
        tools = self.make(self.dir / "home" / "tools")
        self.assert_error("write", tools, PATH=f"/usr/bin:/bin:{tools}")

    def test_write_over_exec(self):
        """Code that the plugin may change is not the code that was granted."""
        place = self.make(self.dir / "read" / "code")
        for kind in ("exec", "libraries"):
            with self.subTest(kind=kind):
                ended = self.verdict([("write", f"\"{place}\""), (kind, f"\"{place}\"")])
                self.assertEqual(ended.code, 1, ended)

    def test_write_over_plugin(self):
        profile = self.profile("", grants="  write: [\"${plugin}\"]\n")
        ended = self.jail("check", "--set", f"plugin={self.make(self.dir / 'home' / 'plugin')}", profile)
        self.assertEqual(ended.code, 1, ended)

    @below_home
    def test_own_folders(self):
        for place in OWN:
            with self.subTest(path=place):
                self.make(self.dir / "home" / place)
                self.assert_error("write", self.dir / "home" / place)

    @below_home
    def test_own_folders_of_xdg(self):
        for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"):
            with self.subTest(variable=name):
                place = self.make(self.dir / "home" / "elsewhere" / name.lower())
                self.assert_error("write", place, **{name: place})

    @below_home
    def test_own_folders_that_do_not_exist_yet(self):
        place = self.make(self.dir / "home" / ".local")
        self.assert_error("write", place)

    def test_folder_of_the_profile(self):
        for path in (self.dir / "profile", self.dir / "profile" / "test.yaml", self.dir):
            with self.subTest(path=str(path)):
                self.assert_error("write", path)

    def test_folder_of_an_extended_file(self):
        place = self.make(self.dir / "home" / "shared")
        (place / "parent.yaml").write_text("version: 1\nname: parent\n")
        self.own(self.dir)
        profile = self.profile("extends: [../home/shared/parent.yaml]\n", grants=f"  write: [\"{place}\"]\n")
        self.assertEqual(self.jail("check", profile).code, 1)

    def test_folder_of_the_program(self):
        self.assert_error("write", os.path.dirname(jail_case.BINARY))

    def test_folder_of_the_log(self):
        """The log of this very run lies in a grant: the plugin could forge it."""
        ended = self.jail("run", "--audit", self.dir / "write" / "log.jsonl", self.profile(), "--", self.attacker,
                          "exit", "0")
        self.assert_refused(ended, "log.jsonl")

    def test_link_to_dangerous(self):
        """By another name it is as dangerous."""
        os.symlink("/run", self.dir / "read" / "innocent")
        os.symlink(self.dir / "profile", self.dir / "read" / "harmless")
        self.own(self.dir / "read")
        self.assert_error("read", self.dir / "read" / "innocent")
        self.assert_error("write", self.dir / "read" / "harmless")

    def test_case_of_dots_and_slashes(self):
        for path in ("//run", "/./run", "/usr/../run", "/run/", "/run/."):
            with self.subTest(path=path):
                self.assert_error("read", path)


if __name__ == "__main__":
    unittest.main()
