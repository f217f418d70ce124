#!/usr/bin/python3
"""Fails when a file of launcher/ includes a module that its own module did not declare.

The declarations are the jail_module(NAME DEPENDS ...) lines of launcher/*/CMakeLists.txt, so the build and this check
read the same truth. Beside it stand two tables that no build file knows: the floors (a module depends on lower floors
only, so there is no cycle) and the one module that may speak to each library.
"""
import pathlib
import re
import sys

FLOORS = [
    {"base"},
    {"sys", "profile", "event"},
    {"confine", "egress", "trace", "audit", "registry", "learn", "ledger", "import"},
    {"broker"},
    {"monitor"},
    {"run", "blindspot"},
    {"cli"},
]
# First words of an include in <> -> the only modules that may have it.
LIBRARIES = {
    "yaml.h": {"profile"},
    "CLI/": {"cli"},
    "rapidjson/": {"base"},
    "sodium": {"base"},
    "sys/capability.h": {"sys"},
    "seccomp.h": {"confine"},
    "bpf/": {"trace"},
    "sqlite3.h": {"ledger"},
}
DECLARATION = re.compile(r"jail_module\(\s*(\w+)((?:\s+DEPENDS((?:\s+(?!LIBRARIES\b)\w+)+))?[^)]*)\)")
INCLUDE = re.compile(r'^\s*#\s*include\s+(["<])([^">]+)[">]', re.M)


def floor_of(module):
    return next((number for number, floor in enumerate(FLOORS) if module in floor), None)


def declared(root):
    modules = {}
    for build_file in sorted(root.glob("*/CMakeLists.txt")):
        for match in DECLARATION.finditer(build_file.read_text()):
            modules[match.group(1)] = set((match.group(3) or "").split())
    return modules


def floor_faults(modules):
    for module, depends in modules.items():
        if floor_of(module) is None:
            yield f"module '{module}' stands on no floor"
            continue
        for other in sorted(depends):
            if floor_of(other) is None or floor_of(other) >= floor_of(module):
                yield f"module '{module}' depends on '{other}', which is not on a lower floor"


def include_fault(module, bracket, included, modules):
    first = included.split("/")[0]
    if bracket == '"' and first in modules and first not in {module} | modules[module]:
        return f"module '{module}' may not include '{first}/'"
    for library, owners in LIBRARIES.items():
        if bracket == "<" and included.startswith(library) and module not in owners:
            return f"<{included}> may be included in {', '.join(sorted(owners))} only"
    return None


def include_faults(root, modules):
    for source in sorted(root.glob("*/*.[ch]*")):
        module = source.parent.name
        if module not in modules:
            yield f"{source}: its folder has no jail_module() line"
            continue
        for match in INCLUDE.finditer(source.read_text()):
            fault = include_fault(module, *match.groups(), modules)
            if fault:
                yield f"{source}: {fault}"


def main(root):
    modules = declared(root)
    faults = [*floor_faults(modules), *include_faults(root, modules)]
    if not modules:
        faults.append(f"{root}: no jail_module() line at all")
    print("\n".join(faults), file=sys.stderr)
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "launcher")))
