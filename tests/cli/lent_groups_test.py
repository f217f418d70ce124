"""Limits for those who may make no control group: jaild makes it, where what holds its caller holds the jail as well.

Needs root, who starts jaild, and control groups of version 2 that have controllers; elsewhere these are skipped.
"""
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

from jail_case import BINARY, IS_ROOT, SECONDS, USER, JailTest
from limits_test import MIB, NUMBERS, WANTED, Limited, a_disk, controllers_of, enter, own_group, write
from live_test import wait_for

JAILD = os.environ["JAIL_JAILD"]


class LentGroups(Limited, JailTest):
    """The caller is in `session`, a group of root's in `user`, as a login of systemd's is."""
    uid = USER

    @classmethod
    def setUpClass(cls):
        if not IS_ROOT:
            raise unittest.SkipTest("only root starts jaild")
        if not WANTED <= controllers_of(own_group().parent):
            raise unittest.SkipTest("no controllers")
        folder = tempfile.TemporaryDirectory(prefix="jaild-", dir="/var/tmp")
        cls.addClassCleanup(folder.cleanup)
        os.chmod(folder.name, 0o755)
        cls.socket = f"{folder.name}/socket"
        cls.serve()

    @classmethod
    def tearDownClass(cls):
        cls.stop(signal.SIGTERM)
        wait_for(lambda: not list(own_group().parent.glob("jaild-*")), "jaild's group to be taken away")

    @classmethod
    def serve(cls):
        cls.jaild = subprocess.Popen([JAILD, "--socket", cls.socket], stderr=subprocess.PIPE)
        cls.addClassCleanup(cls.jaild.stderr.close)
        cls.kept = {str(cls.jaild.pid)}
        said = cls.jaild.stderr.readline()
        if said != b"jaild: serving\n":
            raise AssertionError(said)

    @classmethod
    def stop(cls, number):
        cls.jaild.send_signal(number)
        cls.jaild.wait(SECONDS)

    def setUp(self):
        super().setUp()
        self.user = self.new_group(own_group().parent, "user")
        write(self.user / "cgroup.subtree_control", " ".join(f"+{name}" for name in WANTED))
        self.session = self.new_group(self.user, "session")

    def tearDown(self):
        wait_for(lambda: not self.lent(), "the groups to be taken away")
        super().tearDown()

    def new_group(self, parent, name):
        group = parent / f"{name}_{os.getpid()}_{next(NUMBERS)}"
        group.mkdir()
        self.addCleanup(group.rmdir)
        return group

    @staticmethod
    def lent():
        """What goes meanwhile is left out."""
        folders = (pathlib.Path(folder) for folder, _, _ in os.walk(own_group().parent))
        return [folder for folder in folders if folder.name.startswith("jail-") and "/jaild-" in str(folder)]

    def copy_of(self, group):
        found, = own_group().parent.glob(f"jaild-*/**/of_*{group.name}")
        return found

    def jail(self, *arguments, **others):
        return super().jail(*arguments, prepare=lambda: enter(self.session), **others)

    def limited(self, limits, *words, **others):
        return super().limited(limits, *words, options=("--broker", self.socket, *others.pop("options", ())), **others)

    def start(self, *words, limits="pids: 20"):
        self.log.unlink(missing_ok=True)
        grants = f"  exec: [\"{self.attacker}\"]\n  write: [\"{self.dir}/write\"]\n"
        profile = self.profile(f"limits: {{{limits}}}\n", grants)
        process = subprocess.Popen(
            [BINARY, "run", "--broker", self.socket, "--audit", str(self.log), profile, "--", self.attacker, *words],
            preexec_fn=self.become(lambda: enter(self.session)), env=self.environment, cwd=self.dir / "write",
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        wait_for(lambda: self.log.exists() and "process.exec" in self.log.read_text(), "the plugin")
        return process

    def test_what_is_stated_holds(self):
        """Memory of many processes together, how many there are, and how much of a processor they have."""
        ended = self.limited("memory: 48M", "memory-of-many", 100)
        self.assertEqual((ended.code, self.last()["outcome"]), (137, "oom"), ended)
        self.assertEqual(self.reached(), [("limits.memory", 48 * MIB, 48 * MIB)])
        self.assertLessEqual(self.last()["memory_peak"], 48 * MIB)
        self.assertIn("EAGAIN", self.limited("pids: 20", "fork-chain", 60).out)
        self.assertEqual(self.reached(), [("limits.pids", 20, 20)])
        self.limited("cpu: 0.2, time: 1s", "burn")
        self.assertEqual(self.reached()[0][0], "limits.cpu")
        self.assertGreater(self.last()["throttled_ms"], 100)
        for name in ("limits.memory", "limits.pids", "limits.cpu"):
            self.assertEqual(self.layer(name)["state"], "enforced")

    def test_disks(self):
        _, number, remove = a_disk()
        try:
            process = self.start("hold", limits="io: 1M")
            group, = self.lent()
            stands = (group / "io.max").read_text().splitlines()
        finally:
            remove()
        self.assertIn(f"{number} rbps={MIB} wbps={MIB} riops=max wiops=max", stands)
        self.assertEqual(self.layer("limits.io")["state"], "enforced")
        process.kill()

    def test_where_it_stands(self):
        self.assertEqual(self.limited("pids: 20", "exit", 0).code, 0)
        self.assertRegex(self.started()["cgroup"],
                         rf"/jaild-[0-9]+/of_+{self.user.name}/of_{self.session.name}/jail-[0-9]+-[0-9]+$")
        profile = self.document("version: 1\nname: shown\nextends: [shell]\n")
        shown = self.jail("run", "--broker", self.socket, profile, "--", "cat", "/proc/self/cgroup")
        self.assertIn("0::/\n", shown.out, "of the host's groups the plugin sees nothing")

    def test_what_holds_the_caller_holds_the_jail(self):
        """Two runs of whom each may have more than both: what the administrator has said holds them together."""
        write(self.user / "pids.max", "26")
        first = self.start("hold", limits="pids: 40")
        self.assertEqual((self.copy_of(self.user) / "pids.max").read_text(), "26\n")
        ended = self.limited("pids: 40", "processes", 30)
        self.assertIn("EAGAIN", ended.out)
        self.assertEqual(self.reached(), [], "it was no limit of its own")
        write(self.user / "pids.max", "max")
        self.assertNotIn("EAGAIN", self.limited("pids: 40", "processes", 30).out, "what is changed holds from then on")
        first.kill()

    def test_a_group_that_root_has_given_away(self):
        """Its limits are still root's (cgroup-v2.rst, "Delegation")."""
        write(self.session / "pids.max", "26")
        os.chown(self.session, self.uid, self.uid)
        self.assertIn("EAGAIN", self.limited("pids: 40", "processes", 30).out)
        self.assertEqual((self.copy_of(self.session) / "pids.max").read_text(), "26\n")

    def test_a_copy_stays_with_what_it_is_of(self):
        """Or what a run leaves in memory would count for nobody."""
        service = self.user / "service"
        service.mkdir()
        session, self.session = self.session, service
        self.limited("pids: 20", "exit", 0)
        copy = self.copy_of(service)
        wait_for(lambda: not self.lent(), "the group to be taken away")
        self.assertTrue(copy.exists())
        service.rmdir()
        self.session = session
        self.limited("pids: 20", "exit", 0)
        wait_for(lambda: not copy.exists(), "the copy to be taken away")

    def test_a_limit_that_it_cannot_copy(self):
        write(own_group().parent / "cgroup.subtree_control", "+cpuset")
        write(self.user / "cpuset.cpus", "0")
        ended = self.limited("cpu: 0.5", "exit", 0)
        self.assert_refused(ended, f"{self.user} has a limit of its own (cpuset.cpus), which would not hold outside it")
        self.assertEqual(self.limited("files: 64", "exit", 0).code, 0)
        self.assertEqual(self.layer("limits.memory")["state"], "absent")

    def test_the_operators_hand(self):
        """By the group, and so at once."""
        process = self.start("hold")
        group, = self.lent()
        self.assertEqual(self.jail("freeze", "cli-test").code, 0)
        self.assertIn("frozen 1", (group / "cgroup.events").read_text())
        self.assertEqual(self.jail("thaw", "cli-test").code, 0)
        self.assertIn("frozen 0", (group / "cgroup.events").read_text())
        self.assertEqual(self.jail("kill", "cli-test").code, 0)
        self.assertEqual(process.wait(SECONDS), 137)

    def test_who_is_killed_leaves_nothing(self):
        process = self.start("hold")
        group, = self.lent()
        process.kill()
        wait_for(lambda: not group.exists(), "its group to be taken away")

    def test_killed_at_any_moment(self):
        """The supervisor, and each other time pid 1 before it: at moments that move through the start of a run."""
        profile = self.profile("limits: {memory: 48M}\n")
        for moment in range(16):
            process = subprocess.Popen(
                [BINARY, "run", "--broker", self.socket, "--audit", self.log, profile, "--", self.attacker, "hold"],
                preexec_fn=self.become(lambda: enter(self.session)), env=self.environment, stderr=subprocess.DEVNULL)
            time.sleep(moment * 0.01)  # no wait for anything: each is another moment
            children = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
            for child in children[:moment % 2]:
                os.kill(int(child), signal.SIGKILL)
            process.kill()
            process.wait()

    def test_it_holds_without_jaild(self):
        """Whom it was lent to is still held, and the next jaild takes away what is left."""
        held = self.start("hold", limits="memory: 48M, pids: 20")
        group, = self.lent()
        self.stop(signal.SIGKILL)
        self.assertEqual((group / "pids.max").read_text(), "21\n")
        self.assertEqual(self.jail("kill", "cli-test").code, 0)
        self.assertEqual(held.wait(SECONDS), 137)
        self.assertEqual(self.last()["processes_peak"], 1)
        self.assertTrue(group.exists())
        self.serve()
        self.assertFalse(group.exists())
        self.assertEqual(self.limited("memory: 48M", "memory", 100).code, 137)

    def test_without_its_maker(self):
        """Who has none any more says so, and goes on."""
        maker, = (int(line) for line in
                  pathlib.Path(f"/proc/{self.jaild.pid}/task/{self.jaild.pid}/children").read_text().split())
        os.kill(maker, signal.SIGKILL)
        ended = self.limited("cpu: 0.5", "exit", 0)
        self.assert_refused(ended, f"jaild at {self.socket} makes none: its maker of groups has ended")
        self.assertEqual(self.limited("files: 64", "exit", 0).code, 0)
        self.stop(signal.SIGTERM)
        self.serve()

    def test_doctor_and_show_know_of_it(self):
        profile = self.profile("limits: {cpu: 0.5, memory: 48M}\n")
        shown = self.jail("doctor", "--broker", self.socket, profile)
        self.assertRegex(shown.out, r"enforced +limits.cpu")
        self.assertIn("a jail was built and taken down again", shown.out)


# The machine's systemd, as far as its groups go: the first process of a pid namespace, at the top of a tree of groups,
# where nobody else is.
SYSTEMD = """
echo 0 > {group}/cgroup.procs
exec unshare --pid --fork --mount --cgroup --mount-proc --kill-child sh -c '
  umount -l /sys/fs/cgroup; mount -t cgroup2 cgroup2 /sys/fs/cgroup; touch stands
  until [ -e alone ]; do sleep 0.01; done
  exec env -i container=test PATH=/usr/bin:/bin /lib/systemd/systemd --system --log-target=null --unit=plugin.service'
"""
UNITS = pathlib.Path("/run/systemd/system")
PLUGIN = """
[Unit]
DefaultDependencies=no
Requires=jaild.socket
After=jaild.socket
[Service]
TasksMax=100
Environment=HOME={home}
ExecStart=/usr/bin/setpriv --reuid={user} --regid={user} --clear-groups {jail} run \\
    --audit {log} {profile} -- {attacker} hold
"""


class UnderSystemd(JailTest):
    """A host that is a service of an ordinary user's has its plugins limited by the jaild of the package."""
    uid = USER

    def setUp(self):
        if not (IS_ROOT and os.environ.get("JAIL_VM") and shutil.which("systemctl")):
            self.skipTest("needs systemd, and a machine of its own to start it on")
        super().setUp()
        self.group = own_group().parent / f"systemd_{os.getpid()}"
        self.group.mkdir()
        self.programs = pathlib.Path(tempfile.mkdtemp(prefix="jail-programs-", dir="/run"))  # the unit hides /tmp
        self.addCleanup(shutil.rmtree, self.programs)
        os.chmod(self.programs, 0o755)
        UNITS.mkdir(parents=True, exist_ok=True)

    def unit(self, name, text):
        (UNITS / name).write_text(text)
        (UNITS / f"{name}.d").mkdir(exist_ok=True)
        (UNITS / f"{name}.d" / "alone.conf").write_text("[Unit]\nDefaultDependencies=no\n")

    def write_units(self, profile):
        jail, jaild = (shutil.copy(program, self.programs) for program in (BINARY, JAILD))
        scripts = pathlib.Path(__file__).parents[2] / "scripts"
        self.unit("jaild.socket", (scripts / "jaild.socket").read_text())
        self.unit("jaild.service", (scripts / "jaild.service.in").read_text().replace("@JAILD@", jaild))
        self.unit("plugin.service", PLUGIN.format(user=self.uid, home=self.dir / "home", jail=jail, log=self.log,
                                                  profile=profile, attacker=self.attacker))

    def test_a_service_has_groups(self):
        self.write_units(self.profile("limits: {memory: 48M, pids: 20, cpu: 0.5}\n"))
        systemd = subprocess.Popen(["sh", "-c", SYSTEMD.format(group=self.group)], cwd=self.programs)
        try:
            wait_for((self.programs / "stands").exists, "the namespaces of systemd")
            write(own_group() / "cgroup.procs", str(systemd.pid))
            (self.programs / "alone").touch()
            wait_for(lambda: self.log.exists() and "process.exec" in self.log.read_text(), "the plugin")
            lent, = self.group.glob("**/of_*plugin.service/jail-*")
            self.assertRegex(str(lent.relative_to(self.group)), r"^system.slice/jails-\d+.scope/jaild-\d+/of__plugin")
            self.assertEqual((lent.parent / "pids.max").read_text(), "100\n", "what holds the service holds its jails")
            self.assertEqual((lent / "memory.max").read_text(), f"{48 * MIB}\n")
            self.assertEqual(len((lent / "cgroup.procs").read_text().split()), 2)
            service = self.group / "system.slice" / "jaild.service"
            for process in (service / "cgroup.procs").read_text().split():
                os.kill(int(process), signal.SIGKILL)
            wait_for(lambda: not service.exists(), "the end of jaild")
            self.assertEqual(len((lent / "cgroup.procs").read_text().split()), 2, "its jails go on")
        finally:
            systemd.kill()
            systemd.wait()
            wait_for(lambda: "populated 0" in (self.group / "cgroup.events").read_text(), "all to end")
            for folder in sorted(self.group.glob("**/"), reverse=True):
                folder.rmdir()


if __name__ == "__main__":
    unittest.main()
