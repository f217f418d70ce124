"""The log of a run: where it may not be written nothing runs, and no plugin can forge or tear a line of it."""
import json
import os
import resource
import time
import subprocess
import unittest

from jail_case import BINARY, IS_ROOT, SECONDS, both_launchers


@both_launchers
class UnwritableLog:
    """Each is 125 before anything of the plugin runs: `evidence` would show."""

    def refused(self, *options, **others):
        evidence = self.dir / "write" / "evidence"
        plugin = (self.attacker, "change-own", "write", evidence)
        ended = self.jail("run", *options, self.profile(), "--", *plugin, **others)
        self.assertEqual(ended.code, 125, ended)
        self.assert_message(ended)
        self.assertFalse(evidence.exists(), "the plugin ran without a log")

    def test_control(self):
        ended = self.run_plugin("change-own", "write", self.dir / "write" / "evidence")
        self.assertEqual(ended.code, 0, ended)
        self.assertTrue((self.dir / "write" / "evidence").exists())

    def test_no_folder(self):
        self.refused("--audit", self.dir / "absent" / "run.jsonl")

    def test_folder_instead(self):
        self.refused("--audit", self.dir / "log")

    def test_no_permission(self):
        if self.uid == 0:
            self.skipTest("root may write everywhere")
        os.chmod(self.dir / "log", 0o500)
        self.refused("--audit", self.log)

    def test_full_device(self):
        number = os.open("/dev/full", os.O_WRONLY)
        self.refused("--audit-fd", number, pass_fds=(number,))
        os.close(number)

    def test_full_disk(self):
        if not IS_ROOT:
            self.skipTest("only root can mount a small file system")

        def mount_full():
            if os.system(f"mount -t tmpfs -o size=8k,mode=777 tmpfs {self.dir}/log && "
                         f"head -c 8192 /dev/zero >{self.dir}/log/rest") != 0:
                os._exit(98)

        self.refused("--audit", self.log, prepare=in_own_mounts(mount_full))

    def test_file_size_limit(self):
        """SIGXFSZ would end the supervisor; the limit is the caller's own, not an accident of the plugin."""
        self.refused("--audit", self.log, prepare=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10)))

    def test_closed_reader(self):
        reader, writer = os.pipe()
        os.close(reader)
        self.refused("--audit-fd", writer, pass_fds=(writer,))
        os.close(writer)

    def test_not_open(self):
        ended = self.jail("run", "--audit-fd", 199, self.profile(), "--", self.attacker, "exit", "0")
        self.assertIn(ended.code, (2, 125), ended)

    def test_read_only(self):
        number = os.open("/dev/null", os.O_RDONLY)
        self.refused("--audit-fd", number, pass_fds=(number,))
        os.close(number)

    def test_fifo_without_reader(self):
        """Opening it for writing would wait for ever."""
        os.mkfifo(self.log)
        self.own(self.dir / "log")
        self.refused("--audit", self.log, seconds=20)


def in_own_mounts(prepare):
    """A `prepare` with its mounts in a namespace of its own."""
    def act():
        import ctypes
        if ctypes.CDLL(None).unshare(0x20000) != 0 or os.system("mount --make-rprivate /") != 0:
            os._exit(98)
        prepare()
    return act


@both_launchers
class Record:
    def test_run_has_a_beginning_and_an_end(self):
        self.run_plugin("exit", 3)
        records = self.records()
        self.assertEqual([record["seq"] for record in records], list(range(1, len(records) + 1)))
        self.assertEqual(len({record["run"] for record in records}), 1)
        for record in records:
            self.assertEqual(record["schema"], "jail/1")
            self.assertRegex(record["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$")
        started = next(record for record in records if record["kind"] == "run.started")
        self.assertTrue(started["policy"])
        for layer in started["policy"]:
            self.assertIn(layer["state"], ("enforced", "partial", "absent"))
            if layer["state"] != "enforced":
                self.assertTrue(layer["reason"])
        self.assertEqual(records[-1]["kind"], "run.ended")

    def test_layers_of_a_full_jail(self):
        """On the machines this is developed and tested on, the walls are all there."""
        self.run_plugin("exit", 0)
        policy = {layer["layer"]: layer["state"] for layer in self.records()[1]["policy"]}
        for layer in ("userns", "mount", "pid", "net", "ipc", "proc", "seccomp", "capabilities", "env", "fds"):
            self.assertEqual(policy.get(layer), "enforced", layer)
        self.assertIn(policy.get("landlock"), ("enforced", "partial"))

    def test_only_the_owner_reads_it(self):
        self.run_plugin("exit", 0)
        self.assertEqual(self.log.stat().st_mode & 0o777, 0o600)

    def test_default_place(self):
        if self.uid == 0:
            self.skipTest("root's own log folder is the machine's")
        ended = self.jail("run", self.profile(), "--", self.attacker, "exit", "0",
                          environment={"XDG_STATE_HOME": str(self.dir / "home" / "state")})
        self.assertEqual(ended.code, 0, ended)
        logs = list((self.dir / "home" / "state" / "jail" / "log").glob("cli-test*.jsonl"))
        self.assertEqual(len(logs), 1)
        self.assertEqual(self.records(logs[0])[-1]["kind"], "run.ended")

    def test_log_by_relative_path(self):
        command = [BINARY, "run", "--audit", "relative.jsonl", self.profile(), "--", self.attacker, "exit", "0"]
        ended = subprocess.run(command, env=self.environment, cwd=self.dir / "log", preexec_fn=self.become(),
                               stdin=subprocess.DEVNULL, timeout=SECONDS, check=False)
        self.assertEqual(ended.returncode, 0)
        self.assertIn("run.ended", (self.dir / "log" / "relative.jsonl").read_text())

    def test_hostile_arguments(self):
        """Newlines, control bytes, quotes, invalid UTF-8 and length in what the plugin is called with."""
        forged = "x\n{\"schema\":\"jail/1\",\"seq\":9,\"kind\":\"run.ended\",\"outcome\":\"exited\"}\n"
        for argument in (forged, "\x1b]0;title\x07", "\"\\\"", b"\xff\xfe\x80 raw", "\u2028\u202e", "long" * 30000):
            with self.subTest(argument=argument[:20]):
                self.log.unlink(missing_ok=True)
                ended = self.run_plugin("exit", "0", argument)
                self.assertEqual(ended.code, 0, ended)
                self.assertEqual(self.kinds().count("run.ended"), 1)
                for line in self.log.read_bytes().splitlines():
                    self.assertLessEqual(len(line), 16384)
                    self.assertFalse(any(byte < 0x20 for byte in line))

    def test_many_runs_on_one_log(self):
        profile = self.profile()
        command = [BINARY, "run", "--audit", self.log, profile, "--", self.attacker, "exit", "0"]
        runs = [subprocess.Popen(command, env=self.environment, cwd=self.dir / "write", preexec_fn=self.become(),
                                 stdin=subprocess.DEVNULL) for _ in range(8)]
        self.assertEqual([run.wait(SECONDS) for run in runs], [0] * 8)
        records = self.records()
        self.assertEqual(len({record["run"] for record in records}), 8)
        self.assertEqual(self.kinds().count("run.ended"), 8)

    def test_log_by_descriptor(self):
        with open(self.dir / "log" / "by-fd", "wb") as file:
            ended = self.jail("run", "--audit-fd", file.fileno(), self.profile(), "--", self.attacker, "any-fd",
                              pass_fds=(file.fileno(),))
        self.assertIn("VERDICT denied EBADF", ended.out, ended)
        self.assertEqual(self.records(self.dir / "log" / "by-fd")[-1]["kind"], "run.ended")

    def test_reader_of_the_log_stops(self):
        """SECURITY B5: a full pipe must not keep the wall clock from ending the run."""
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        try:
            while True:
                os.write(writer, b"\n" * 4096)
        except BlockingIOError:
            pass
        os.read(reader, 65536 // 2)  # room for the records of the start, not for everything
        profile = self.profile("limits: {time: 1s}\n")
        ended = self.jail("run", "--audit-fd", writer, profile, "--", self.attacker, "hold", pass_fds=(writer,))
        self.assertIn(ended.code, (124, 125), ended)
        os.close(reader)
        os.close(writer)

    # Each of these is a denial of its own: nothing is coalesced.
    FLOOD = ("import time\n"
             "for number in range({count}):\n"
             "    try: open(f'/etc/denied-{{number}}', 'w')\n"
             "    except OSError: pass\n")

    def flood(self, count, after=""):
        return ("--", "python3", "-I", "-c", self.FLOOD.format(count=count) + after)

    def flooded(self, more=""):
        return self.document(f"version: 1\nname: cli-test\nextends: [python]\n{more}")

    def test_stalled_reader_stalls_nobody(self):
        """SECURITY B5: a flood of denials into a pipe that nobody reads. The clock ends the run, the file has all."""
        reader, writer = os.pipe()
        began = time.monotonic()
        ended = self.jail("run", "--audit", self.log, "--audit-fd", writer,
                          self.flooded("limits: {time: 4s, grace: 1s}\n"), *self.flood(2000, "time.sleep(600)"),
                          pass_fds=(writer,))
        self.assertEqual(ended.code, 124, ended)
        self.assertLess(time.monotonic() - began, 30)
        os.close(reader)
        os.close(writer)
        records = self.records()
        self.assertEqual(records[-1]["kind"], "run.ended")
        self.assertGreater(records[-1]["lost"].get(f"descriptor {writer}", 0), 0, records[-1])
        denials = [record for record in records if record.get("decision") == "denied"]
        self.assertGreater(len(denials), 1000, "the pipe and what waits for it hold fewer")
        self.assertEqual([record["seq"] for record in records], list(range(1, len(records) + 1)))

    def test_disk_fills_during_the_run(self):
        """The run goes on; what is lost is counted and said; there is room for its end."""
        if not IS_ROOT:
            self.skipTest("only root can mount a small file system")
        copy = self.dir / "write" / "copy"

        def mount_small():
            if os.system(f"mount -t tmpfs -o size=256k,mode=777 tmpfs {self.dir}/log") != 0:
                os._exit(98)

        # The log is on a file system that ends with the jail command: it is copied out by whoever waits for it.
        command = [BINARY, "run", "--audit", str(self.log), self.flooded(), *self.flood(3000, "print('went on')")]
        script = f'"$@"; code=$?; cat {self.log} >{copy}; exit $code'
        ended = subprocess.run(["sh", "-c", script, "sh", *command], cwd=self.dir / "write", env=self.environment,
                               preexec_fn=self.become(in_own_mounts(mount_small)), stdin=subprocess.DEVNULL,
                               capture_output=True, text=True, timeout=SECONDS, check=False)
        self.assertEqual((ended.returncode, ended.stdout), (0, "went on\n"), ended)
        records = self.records(copy)
        self.assertEqual(records[-1]["kind"], "run.ended")
        self.assertGreater(records[-1]["lost"][str(self.log)], 100)
        self.assertIn("lost", ended.stderr)

    def test_supervisor_killed_leaves_whole_lines(self):
        process = subprocess.Popen([BINARY, "run", "--audit", self.log, self.profile(), "--", self.attacker, "hold",
                                    str(self.dir / "write" / "ready")], env=self.environment, cwd=self.dir / "write",
                                   preexec_fn=self.become(), stdin=subprocess.DEVNULL)
        for _ in range(1000):
            if (self.dir / "write" / "ready").exists():
                break
            time.sleep(0.01)
        process.kill()
        process.wait()
        self.assertIn("run.started", [json.loads(line)["kind"] for line in self.log.read_bytes().splitlines()])


if __name__ == "__main__":
    unittest.main()
