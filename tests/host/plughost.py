#!/usr/bin/python3
"""A small plugin host: it loads one plugin in its own process and runs what the plugin registers.

It loads in the two ways that hosts have in practice. `file`: the folder holds plugin.json, whose `entry` names a Python
file; that is executed as a module and its `register(context)` called. `entry-point`: the folder is put on sys.path, and
the distributions in it (*.dist-info/entry_points.txt) name objects to load in the group `plughost.plugins`.

Either way the plugin's code has all that this process has. What it must not have is the business of the jail around it.
"""
import argparse
import errno
import importlib.metadata
import importlib.util
import json
import pathlib
import sys
import tempfile

GROUP = "plughost.plugins"


class Context:
    """What a plugin gets of its host: a folder of its own, its configuration, and a place to register."""

    def __init__(self, data, config):
        self.data, self.config, self.steps = data, config, []

    def step(self, name, function):
        """Registers work: fine unless it raises."""
        self.steps.append(("step", name, function))

    def attack(self, name, function):
        """Registers an attack: it returns what it got, or None, or raises."""
        self.steps.append(("attack", name, function))


def load_file(folder, context):
    """Scans the folder and the folders in it for a manifest, and executes the file that the manifest names."""
    manifests = sorted([*folder.glob("plugin.json"), *folder.glob("*/plugin.json")])
    for path in manifests:
        manifest = json.loads(path.read_text())
        spec = importlib.util.spec_from_file_location(manifest["name"], path.parent / manifest["entry"])
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module  # so that multiprocessing finds the plugin's functions by name
        spec.loader.exec_module(module)
        module.register(context)
    return len(manifests)


def load_entry_points(folder, context):
    sys.path.insert(0, str(folder))
    points = [point for distribution in importlib.metadata.distributions(path=[str(folder)])
              for point in distribution.entry_points if point.group == GROUP]
    for point in points:
        point.load()(context)
    return len(points)


LOADERS = {"file": load_file, "entry-point": load_entry_points}


def error_name(error):
    """EACCES and the like, or the class of what has no errno."""
    return errno.errorcode.get(getattr(error, "errno", None), type(error).__name__)


def run_step(kind, name, function):
    result = {kind: name}
    try:
        got = function()
        failed = None
    except Exception as error:  # whatever a plugin raises is its result and must not end the host
        got, failed = None, error
    if kind == "attack":
        result.update(got=got, errno=error_name(failed) if failed else None)
    else:
        result.update(ok=failed is None, errno=error_name(failed) if failed else None,
                      said=str(failed or got or ""))
    return result


def as_row(result):
    if "attack" in result:
        got = " ".join(str(result["got"]).split())
        words = f"GOT {got}" if result["got"] is not None else f"nothing  {result['errno'] or ''}"
        return f"  {result['attack']:<24} {words}"
    return f"  {result['step']:<24} {'ok     ' if result['ok'] else 'FAILED ' + result['errno']} {result['said']}"


def arguments():
    parser = argparse.ArgumentParser(description="Loads one plugin and runs what it registers.")
    parser.add_argument("--plugin", type=pathlib.Path, required=True, help="the plugin's folder")
    parser.add_argument("--loader", choices=LOADERS, default="file")
    parser.add_argument("--data", type=pathlib.Path, help="the plugin's files; default: a temporary folder")
    parser.add_argument("--config", type=json.loads, default={}, help="JSON for the plugin")
    output = parser.add_mutually_exclusive_group()
    output.add_argument("--json", action="store_true", help="one JSON object a line (the default)")
    output.add_argument("--pretty", action="store_true", help="a table for people")
    return parser.parse_args()


def main():
    options = arguments()
    with tempfile.TemporaryDirectory() as temporary:
        context = Context(options.data or pathlib.Path(temporary), options.config)
        if LOADERS[options.loader](options.plugin, context) == 0:
            sys.exit(f"plughost: no plugin in '{options.plugin}' for the loader '{options.loader}'")
        fine = True
        for kind, name, function in context.steps:
            result = run_step(kind, name, function)
            fine = fine and result.get("ok", True) and result.get("got") is None
            print(as_row(result) if options.pretty else json.dumps(result), flush=True)
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
