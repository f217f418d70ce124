#!/usr/bin/python3
"""Fails where the tree breaks its own rules of form. One function a rule, each giving (path, line, what is wrong).

The function lengths come from a brace counter, not from a compiler: it leaves out comments, strings and preprocessor
lines and takes a brace for a function's when what stands before it ends a parameter list. On code that is formatted as
.clang-format says it is exact; a lambda counts as part of the function around it.
"""
import ast
import io
import pathlib
import re
import shutil
import subprocess
import sys
import tokenize

FILE_LINES_MAX = 600
FUNCTION_LINES_MAX = 70
COLUMNS_MAX = 120

CPP = {".cc", ".h", ".c"}
TEXT = CPP | {".py", ".sh", ".cmake", ".txt", ".yaml", ".json", ".md", ".js"}
FOREIGN = re.compile(r"(^|/)LICENSE[^/]*$")  # texts that are not ours to form
# What the kernel's programs tell is read where they are loaded, and asked for where that is planned.
SPEAKS_WITH_KERNEL = {("launcher", "trace"), ("launcher", "monitor"), ("launcher", "broker")}
SHARED_WITH_KERNEL = {"bpf/events.h", "bpf/task.h"}
FOLDERS = r"(?:launcher|bpf|profiles|tests|bench|scripts|cmake|\.ci)"
# Where an exception may end. Everywhere else it passes through.
CATCHERS = {
    "launcher/cli/cli.cc",       # main(): the message and the exit status
    "launcher/run/stages.cc",    # the plugin's process: stage and errno go to the supervisor
    "launcher/run/way_out.cc",   # a relay: the supervisor hears that it has gone
    "launcher/run/init.cc",      # the jail's process 1: the same
    "launcher/broker/main.cc",   # its main()
    "launcher/broker/server.cc",  # a request: the broker goes on for the others
    "launcher/trace/watch.cc",  # another thread
    "launcher/trace/landlock_watch.cc",  # another thread
    "launcher/monitor/listener.cc",  # a thread has no caller: it says why it ends, and closes the listener
}


def blank(match):
    return re.sub(r"[^\n]", " ", match.group())


def code_only(text):
    """The text with comments, literals and preprocessor lines blanked; line numbers stay."""
    literal = re.compile(
        r'R"([^(\s]*)\(.*?\)\1"|//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|(?<![0-9A-Fa-f])\'(?:\\.|[^\'\\\n])+\'', re.S)
    text = literal.sub(blank, text)
    return re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", blank, text, flags=re.M)


def opens_function(head):
    head = head.strip()
    if not re.search(r"\)\s*(?:const|noexcept|override|final|mutable|try|->[^{]*|:[^{]*|\s)*$", head):
        return False
    return not re.match(r"(?:else\b|do\b|if\b|for\b|while\b|switch\b|catch\b|namespace\b|enum\b|return\b|[,=])", head)


def functions(text):
    """(first line, last line) of every function body, outermost ones only."""
    open_braces, start, head_from = [], None, 0
    for position, character in enumerate(text):
        if character == "{":
            if start is None and opens_function(text[head_from:position]):
                start = (position, len(open_braces))
            open_braces.append(position)
        elif character == "}" and open_braces:
            open_braces.pop()
            if start and len(open_braces) == start[1]:
                yield text.count("\n", 0, start[0]) + 1, text.count("\n", 0, position) + 1
                start = None
        if character in "{};":
            head_from = position + 1


def long_functions(path, text):
    if path.suffix in CPP:
        spans = functions(code_only(text))
    elif path.suffix == ".py":
        spans = ((node.lineno, node.end_lineno) for node in ast.walk(ast.parse(text))
                 if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)))
    else:
        return
    for first, last in spans:
        if last - first + 1 > FUNCTION_LINES_MAX:
            yield first, f"function of {last - first + 1} lines, {FUNCTION_LINES_MAX} at most"


def long_files(path, text):
    if path.suffix != ".md" and text.count("\n") > FILE_LINES_MAX:
        yield 1, f"{text.count(chr(10))} lines, {FILE_LINES_MAX} at most"


def layout(path, text):
    if text and not text.endswith("\n"):
        yield text.count("\n") + 1, "no newline at the end of the file"
    for number, line in enumerate(text.splitlines(), 1):
        if len(line) > COLUMNS_MAX and path.suffix not in {".md", ".json"}:
            yield number, f"{len(line)} columns, {COLUMNS_MAX} at most"
        if line != line.rstrip():
            yield number, "white space at the end of the line"
        if "\t" in line and path.parts[0] != "bpf":
            yield number, "tab"


def unfinished(path, text):
    for number, line in enumerate(text.splitlines(), 1):
        if re.search(r"\b(?:TO" r"DO|FIX" r"ME|XX" r"X)\b", line):
            yield number, "a mark of unfinished work"


def machine_paths(path, text):
    for number, line in enumerate(text.splitlines(), 1):
        if re.search(r"(?<![\w.])/(?:(?:work|farm)/|tmp/build-)", line):
            yield number, "a path of one machine"


def preprocessor(path, text):
    if path.parts[0] != "launcher":
        return
    for number, line in enumerate(text.splitlines(), 1):
        if re.match(r"\s*#\s*(?:if|ifdef|ifndef|elif)\b", line) and str(path) != "launcher/sys/uapi.h":
            yield number, "#if belongs to launcher/sys/uapi.h only"
        if re.match(r"\s*#\s*define\s+\w+\(", line):
            yield number, "function-like macro"


def catches(path, text):
    if path.parts[0] != "launcher" or path.suffix not in CPP or str(path) in CATCHERS:
        return
    code = code_only(text)
    for match in re.finditer(r"\bcatch\s*\(", code):
        yield code.count("\n", 0, match.start()) + 1, "catch outside the places where an exception may end"


def includes(path, text, root):
    if path.suffix not in CPP:
        return
    for number, line in enumerate(text.splitlines(), 1):
        match = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
        if not match or (match.group(1) in SHARED_WITH_KERNEL and path.parts[:2] in SPEAKS_WITH_KERNEL):
            continue
        places = [root / "launcher"] if path.parts[0] == "launcher" else \
            [root / "launcher", root / "tests", root, (root / path).parent]
        if not any((place / match.group(1)).is_file() for place in places):
            yield number, f'"{match.group(1)}" is not there; write "module/file.h"'


def comments(path, text):
    """(line, text) of what is meant for readers: comments of code, whole documents."""
    if path.suffix == ".py":
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.COMMENT:
                yield token.start[0], token.string
        return
    marker = {"//": path.suffix in CPP, "#": path.suffix in {".cmake", ".txt", ".yaml", ".sh", ""}}
    for number, line in enumerate(text.splitlines(), 1):
        if path.suffix == ".md":
            yield number, line
        for start, used in marker.items():
            if used and start in line:
                yield number, line.split(start, 1)[1]


def stale_names(path, text, files):
    """Files named in comments and documents. Python and YAML only with their folder: plugins have such files, too."""
    names = {str(file) for file in files}
    folders = {str(parent) for file in files for parent in file.parents}
    in_folder, by_kind = rf"(?:{FOLDERS}/)[\w./-]*\w", r"[\w-]+(?:/[\w-]+)*\.(?:cc|cmake|bpf\.c|h)"
    pattern = re.compile(rf"(?<![\w./{{}}$*~-])({in_folder}|{by_kind})(?![\w*/{{<])")
    for number, comment in comments(path, text):
        for name in pattern.findall(comment):
            known = name in names or name in folders or any(file.endswith("/" + name) for file in names)
            if not known and not pathlib.Path("/usr/include", name.removeprefix("include/uapi/")).exists():
                yield number, f"'{name}' is named but is not in the tree"


def scripts(path, text, root):
    first = text.split("\n", 1)[0]
    if not first.startswith("#!") and path.suffix != ".sh":
        return
    if first.startswith("#!") and not (root / path).stat().st_mode & 0o100:
        yield 1, "has an interpreter line but is not executable"
    if "python" in first or "node" in first:
        return
    check = subprocess.run(["bash", "-n", root / path], capture_output=True, text=True)
    if check.returncode:
        yield 1, check.stderr.split(": ", 1)[-1].split("\n")[0]
    if shutil.which("shellcheck"):
        dialect = "bash" if "bash" in first or path.suffix == ".sh" else "dash"
        command = ["shellcheck", "-x", "-S", "warning", "-s", dialect, "-f", "gcc", str(path)]
        check = subprocess.run(command, capture_output=True, text=True, cwd=root)
        for line in check.stdout.splitlines():
            yield int(line.split(":")[1]), "shellcheck:" + line.split(":", 3)[3]


def tree(root):
    """Every file that is or may be committed."""
    if (root / ".git").exists() and shutil.which("git"):
        listing = subprocess.run(["git", "-c", "safe.directory=*", "ls-files", "-z", "-co", "--exclude-standard"],
                                 cwd=root, capture_output=True, text=True, check=True).stdout
        paths = [pathlib.Path(name) for name in listing.split("\0") if name]
    else:
        paths = [path.relative_to(root) for path in root.rglob("*")]
        paths = [path for path in paths if not path.parts[0].startswith("build")]
    return sorted(path for path in paths if (root / path).is_file() and not FOREIGN.search(str(path)))


def faults_of(path, text, root, files):
    yield from long_functions(path, text)
    yield from long_files(path, text)
    yield from layout(path, text)
    yield from unfinished(path, text)
    yield from machine_paths(path, text)
    yield from preprocessor(path, text)
    yield from catches(path, text)
    yield from includes(path, text, root)
    yield from stale_names(path, text, files)
    yield from scripts(path, text, root)


def main(root):
    files, count = tree(root), 0
    for path in files:
        raw = (root / path).read_bytes()
        if path.suffix not in TEXT and not raw.startswith(b"#!"):
            continue
        for line, fault in faults_of(path, raw.decode(), root, files):
            print(f"{path}:{line}: {fault}", file=sys.stderr)
            count += 1
    return count > 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()))
