#!/usr/bin/python3
"""test_summary.py RESULTS LEG...: what scripts/test says at its end, and its status.

Each leg has a folder RESULTS/LEG with the files junit.xml (of ctest), status, seconds and output; or with a file
`skipped` that says why the leg did not run. One test of ctest may be a whole GoogleTest or unittest program: then its
output is counted test by test, so that no skip hides in a program that passed.
"""
import pathlib
import re
import sys
import textwrap
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass

LONGEST_REASON = 400
UNAVAILABLE = 75  # status of vm/fetch: this kernel cannot be had now


@dataclass
class Result:
    name: str
    outcome: str  # passed, failed, skipped
    reason: str = ""


def googletest_results(output):
    """One result for every test a GoogleTest program started."""
    results, running, said = [], None, []
    outcomes = {"OK": "passed", "SKIPPED": "skipped", "FAILED": "failed"}
    for line in output.splitlines():
        match = re.match(r"\[ +(RUN|OK|SKIPPED|FAILED) +\] ([^ ,]+)(.*)", line)
        if match and match.group(1) == "RUN":
            if running:
                results.append(Result(running, "failed", "did not end"))
            running, said = match.group(2), []
        elif match and match.group(2) == running:
            reason = " ".join(text for text in said if not re.search(r": (Skipped|Failure)$", text))
            outcome = outcomes[match.group(1)]
            results.append(Result(running, outcome, "" if outcome == "passed" else shortened(reason)))
            running = None
        elif running and line.strip():
            said.append(line.strip())
    if running:
        results.append(Result(running, "failed", "did not end"))
    brief = re.search(r"^\[  SKIPPED \] (\d+) tests?\.?$", output, re.M)
    if brief and not results:
        results = silent_skips(int(brief.group(1)), "--gtest_brief shows no reason")
    return results


def shortened(reason):
    return textwrap.shorten(reason, LONGEST_REASON, placeholder=" ...")


def unittest_failures(output):
    """Name -> the last line of its traceback that begins one: "AssertionError: ..." and what follows."""
    failures = {}
    blocks = r"^(?:FAIL|ERROR): test\w* \(([\w.]+)\)\n(.*?)(?=^={70}$|^Ran \d|\Z)"
    for name, block in re.findall(blocks, output, re.M | re.S):
        said = re.findall(r"^(\w[\w.]*(?:Error|Exception|Expired)\b.*?)(?=^Traceback|^-{70}$|\Z)", block, re.M | re.S)
        failures[name.removeprefix("__main__.")] = shortened(" ".join(said[-1].split())) if said else ""
    return failures


def silent_skips(number, why):
    return [Result(f"skipped in silence, {index + 1}", "skipped", why) for index in range(number)]


def unittest_results(output):
    """One result for every test that `python3 -m unittest -v` names; its docstring may stand before the dots."""
    results, failures = [], unittest_failures(output)
    for match in re.finditer(r"^(test\w*) \(([\w.]+)\)(?:\n.*?)?? \.\.\. (?:.*\n)*?(.*?)(ok|FAIL|ERROR|skipped (.*))$",
                             output, re.M):
        name = match.group(2) if match.group(2).endswith(match.group(1)) else f"{match.group(2)}.{match.group(1)}"
        outcome = {"ok": "passed", "FAIL": "failed", "ERROR": "failed"}.get(match.group(4), "skipped")
        name = name.removeprefix("__main__.")
        results.append(Result(name, outcome, (match.group(5) or "").strip("'\"") or failures.get(name, "")))
    unnamed = re.search(r"^OK \(.*skipped=(\d+)", output, re.M)
    if unnamed and not results:
        results = silent_skips(int(unnamed.group(1)), "unittest without -v shows no reason")
    return results


def last_line(output):
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return lines[-1] if lines else "no reason given"


def case_results(case):
    name, status = case.get("name").split("  # GetParam")[0], case.get("status")
    output = case.findtext("system-out") or ""
    skipped = case.find("skipped")
    inner = googletest_results(output) or unittest_results(output)
    if status == "disabled":
        return [Result(name, "skipped", "disabled")]
    if status == "notrun" and not skipped.get("message", "").startswith("SKIP_"):
        return [Result(name, "failed", skipped.get("message") or "did not run")]
    if status == "notrun":
        return [Result(name, "skipped", inner[0].reason if inner else last_line(output))]
    outcome = "passed" if status == "run" else "failed"
    if len(inner) == 1 and (outcome == "failed" or inner[0].outcome == "skipped"):
        return [Result(name, outcome if outcome == "failed" else "skipped", inner[0].reason)]
    if len(inner) <= 1:
        return [Result(name, outcome)]
    results = [Result(f"{name}: {result.name}", result.outcome, result.reason) for result in inner]
    if outcome == "failed" and all(result.outcome != "failed" for result in results):
        results.append(Result(name, "failed", "ended badly after its tests"))
    return results


def read(folder, name, default=""):
    file = folder / name
    return file.read_text(errors="replace").strip() if file.exists() else default


def failed_before(folder):
    """Names of tests that ctest says have failed, whatever became of them when they were tried again."""
    return set(re.findall(r"^ *\d+/\d+ Test +#\d+: (\S+).*\*\*\*(?!Skipped|Not Run)", read(folder, "output"), re.M))


def leg_results(folder):
    if (folder / "skipped").exists():
        return [Result("all of it", "skipped", read(folder, "skipped"))]
    status = int(read(folder, "status", "255"))
    if status == UNAVAILABLE:
        return [Result("all of it", "skipped", last_line(read(folder, "output")))]
    try:
        document = ElementTree.parse(folder / "junit.xml")
    except (OSError, ElementTree.ParseError):
        return [Result("all of it", "failed", f"status {status} without results; {last_line(read(folder, 'output'))}")]
    results = [result for case in document.iter("testcase") for result in case_results(case)]
    if status != 0 and all(result.outcome != "failed" for result in results):
        results.append(Result("all of it", "failed", f"status {status} although no test failed"))
    if not results:
        results.append(Result("all of it", "failed", "no test ran"))
    return results


def count(results, outcome):
    return sum(result.outcome == outcome for result in results)


def print_by_reason(legs, outcome):
    """Every name once, below its leg and its reason: one missing feature of a kernel skips many tests."""
    for leg, results in legs.items():
        reasons = {}
        for result in results:
            if result.outcome == outcome:
                reasons.setdefault(result.reason or outcome, []).append(result.name)
        for reason, names in reasons.items():
            print(f"\n{outcome} on {leg}: {reason}")
            print(textwrap.fill(", ".join(names), 118, initial_indent="    ", subsequent_indent="    ",
                                break_long_words=False, break_on_hyphens=False))


def main(folder, names):
    legs = {name: leg_results(folder / name) for name in names}
    print_by_reason(legs, "skipped")
    for name, results in legs.items():
        failed = {result.name.split(": ")[0] for result in results if result.outcome == "failed"}
        if again := failed_before(folder / name) - failed:
            print(f"\npassed on {name} at a further try only ({len(again)}): {', '.join(sorted(again))}")
    print_by_reason(legs, "failed")
    print(f"\n{'leg':<12}{'passed':>8}{'failed':>8}{'skipped':>8}{'seconds':>8}")
    for name, results in legs.items():
        counts = [count(results, outcome) for outcome in ("passed", "failed", "skipped")]
        print(f"{name:<12}{counts[0]:>8}{counts[1]:>8}{counts[2]:>8}{read(folder / name, 'seconds', '-'):>8}")
    everything = [result for results in legs.values() for result in results]
    passed, failed, skipped = (count(everything, outcome) for outcome in ("passed", "failed", "skipped"))
    print(f"\n{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1]), sys.argv[2:]))
