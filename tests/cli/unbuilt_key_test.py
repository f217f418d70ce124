"""Keys whose mechanism this version lacks: a run that states one is refused, naming the line, and never starts with
less than its profile says; unless the profile, or --best-effort, lets exactly that layer be absent.
"""
import pathlib
import unittest

from jail_case import both_launchers

# What to write at the end of a profile, and the layer it asks for. READ is a folder that is granted for reading.
KEYS = {
    "network.allow": ("network: {allow: [\"tcp://127.0.0.1:*\"]}\n", "net"),
}


@both_launchers
class UnbuiltKey:
    def stating(self, text):
        return self.profile(f"  read: [\"{self.dir}/read\"]\n" + text.replace("READ", f"{self.dir}/read"))

    def test_control(self):
        self.assertEqual(self.run_plugin("exit", 0).code, 0)

    def test_refused_with_the_line(self):
        for key, (text, layer) in KEYS.items():
            with self.subTest(key=key):
                profile = self.stating(text)
                line = len(pathlib.Path(profile).read_text().splitlines())
                ended = self.run_plugin("exit", 0, profile=profile)
                self.assert_refused(ended, f"test.yaml:{line}:", f"error: {layer}: ", f"best_effort: [{layer}]")
                self.assertEqual(self.records()[-1]["kind"], "run.refused")
                self.assertEqual(self.records()[-1]["layer"], layer)

    def test_absent_where_the_profile_lets_it(self):
        for key, (text, layer) in KEYS.items():
            with self.subTest(key=key):
                self.log.unlink(missing_ok=True)
                ended = self.run_plugin("exit", 5, profile=self.stating(f"{text}best_effort: [{layer}]\n"))
                self.assertEqual(ended.code, 5, ended)
                self.assert_absent(layer)

    def test_absent_with_the_option(self):
        for key, (text, layer) in KEYS.items():
            with self.subTest(key=key):
                self.log.unlink(missing_ok=True)
                ended = self.run_plugin("exit", 5, profile=self.stating(text), options=("--best-effort",))
                self.assertEqual(ended.code, 5, ended)
                self.assert_absent(layer)

    def test_another_layer_does_not_count(self):
        for key, (text, layer) in KEYS.items():
            with self.subTest(key=key):
                other = "limits.memory" if layer != "limits.memory" else "net"
                self.assert_refused(self.run_plugin("exit", 0, profile=self.stating(f"{text}best_effort: [{other}]\n")))

    def test_check_says_so(self):
        """Before there was a run: the same words, as a warning, since another version may have it."""
        for key, (text, layer) in KEYS.items():
            with self.subTest(key=key):
                profile = self.stating(text)
                line = len(pathlib.Path(profile).read_text().splitlines())
                ended = self.jail("check", profile)
                self.assertEqual(ended.code, 0, ended)
                self.assertRegex(ended.out, rf"test\.yaml:{line}:\d+: warning: a run is refused: {layer}: ")
                pathlib.Path(profile).write_text(pathlib.Path(profile).read_text() + f"best_effort: [{layer}]\n")
                self.assertNotIn("a run is refused", self.jail("check", profile).out)

    def test_check_of_a_good_profile(self):
        self.assertNotIn("refused", self.jail("check", self.stating("")).out)

    def test_plan_says_so(self):
        for key, (text, layer) in KEYS.items():
            with self.subTest(key=key):
                ended = self.jail("show", "--plan", self.stating(text))
                self.assertEqual(ended.code, 1, ended)
                self.assertIn(f"error: {layer}: ", ended.out)

    def assert_absent(self, layer):
        started = next(record for record in self.records() if record["kind"] == "run.started")
        states = {entry["layer"]: entry for entry in started["policy"]}
        self.assertEqual(states[layer]["state"], "absent")
        self.assertTrue(states[layer]["reason"])


if __name__ == "__main__":
    unittest.main()
