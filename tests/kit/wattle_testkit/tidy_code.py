"""Tidy rules about what Python code says. Each takes a tree and yields what is untidy."""

import ast
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from wattle_testkit.source_tree import Finding, SourceFile, SourceTree

FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 70
# A test may give other tasks a turn, no more: waiting for a time is a race with a slow machine.
_TEST_SLEEP_S_MAX = 0.01

_PURE = (
    "protocol/wattle_wire",
    "gateway/wattle_gateway/ledger",
    "gateway/wattle_gateway/consensus",
    "gateway/wattle_gateway/contracts",
)
_NOT_IN_PURE = {"asyncio", "os", "random", "secrets", "socket", "sqlite3", "threading", "time"}
# All that MicroPython and CPython have in common and the wire needs.
_WIRE_IMPORTS = {"binascii", "hashlib", "struct", "wattle_wire"}
_PRINTING = (
    "gateway/wattle_gateway/__main__.py",
    "gateway/wattle_gateway/cli",
    "gateway/wattle_gateway/cli.py",
    "gateway/wattle_gateway/reports",
)
# A prompt runs what it is given: the board shim is one.
_PROMPTS = ("hil/wattle_hil/serial_board/shim/raw_repl.py",)
# Call -> what to do instead.
_BANNED = {
    "eval": "parse the text",
    "exec": "import the module",
    "os.system": "subprocess.run with a list",
    "tempfile.mktemp": "tempfile.mkstemp, or tmp_path in a test",
}
_SEEDLESS = {
    "choice",
    "randbytes",
    "randint",
    "random",
    "randrange",
    "sample",
    "shuffle",
    "uniform",
}
_CLOCKS = {"datetime.datetime.now", "datetime.datetime.utcnow", "datetime.date.today"}


def no_banned_calls(tree: SourceTree) -> Iterator[Finding]:
    """Calls that a better one replaces, everywhere or in some rooms."""
    for file in tree.python:
        names = _imported_names(file.syntax)
        for node in ast.walk(file.syntax):
            if isinstance(node, ast.Call):
                instead = _instead_of(file, node, _called(node.func, names))
                if instead:
                    yield file.finding(node.lineno, f"{ast.unparse(node.func)}(): {instead}")


def _instead_of(file: SourceFile, call: ast.Call, name: str) -> str | None:
    module, _, function = name.rpartition(".")
    in_tests = file.is_below("tests")
    if in_tests and name == "time.sleep" and file.path.name != "waiting.py":
        return "wattle_testkit.waiting.until a condition holds"
    if in_tests and name == "asyncio.sleep" and _constant(call) > _TEST_SLEEP_S_MAX:
        return "await what the code under test signals"
    if name == "print" and file.is_below("protocol/wattle_wire", "gateway/wattle_gateway"):
        return None if file.is_below(*_PRINTING) else "return the text, or log it"
    if module == "random" and function in _SEEDLESS:
        return "take a seeded random.Random as an argument"
    if file.is_below(*_PURE) and (name in _CLOCKS or name in ("__import__", "open", "input")):
        return "pure packages get clock and I/O as arguments"
    if any(keyword.arg == "shell" and _is_true(keyword.value) for keyword in call.keywords):
        return "no shell: give the program a list of arguments"
    if name == "exec" and file.is_below(*_PROMPTS):
        return None
    return _BANNED.get(name)


def _constant(call: ast.Call) -> float:
    match call.args:
        case [ast.Constant(int() | float() as seconds)]:
            return seconds
    return 0


def _is_true(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is True


def _imported_names(syntax: ast.Module) -> Mapping[str, str]:
    """Local name -> full dotted name, of all imports of a file."""
    names = {}
    for node in ast.walk(syntax):
        if isinstance(node, ast.Import):
            names.update({alias.asname or alias.name: alias.name for alias in node.names})
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                names[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return names


def _called(function: ast.expr, names: Mapping[str, str]) -> str:
    """The full name of what is called; of something that was not imported, only a plain name."""
    rest = ""
    while isinstance(function, ast.Attribute):
        rest = f".{function.attr}{rest}"
        function = function.value
    if not isinstance(function, ast.Name) or (rest and function.id not in names):
        return ""  # a method of some object, whatever the object is called
    return names.get(function.id, function.id) + rest


def named_exceptions(tree: SourceTree) -> Iterator[Finding]:
    """An except clause says what it expects: a bare one hides our own bugs and Ctrl-C."""
    for file in tree.python:
        for node in ast.walk(file.syntax):
            if isinstance(node, ast.ExceptHandler) and node.type is None:
                yield file.finding(node.lineno, "bare except: name the exceptions")


def no_stubs(tree: SourceTree) -> Iterator[Finding]:
    """NotImplementedError only in methods that a derived class is to write, where there is one.

    MicroPython has no abc, so its interfaces say it this way.
    """
    classes = [
        node
        for file in tree.python
        for node in ast.walk(file.syntax)
        if isinstance(node, ast.ClassDef)
    ]
    bases = {ast.unparse(base).rpartition(".")[2] for node in classes for base in node.bases}
    allowed = {
        id(method.body[-1])
        for node in classes
        for method in node.body
        if node.name in bases and isinstance(method, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    for file in tree.python:
        for node in ast.walk(file.syntax):
            if not isinstance(node, ast.Raise) or node.exc is None or id(node) in allowed:
                continue
            if ast.unparse(node.exc).startswith("NotImplementedError"):
                yield file.finding(node.lineno, "a stub: write it, or leave it away")


def pure_packages(tree: SourceTree) -> Iterator[Finding]:
    """Imports of the pure packages, also those inside functions; the wire has a list of its own."""
    for file in tree.python:
        if not file.is_below(*_PURE):
            continue
        in_wire = file.is_below("protocol/wattle_wire")
        for line, name in _imports(file.syntax):
            top = name.partition(".")[0]
            if top in _NOT_IN_PURE:
                yield file.finding(line, f"imports {top}: pure packages get it as an argument")
            elif in_wire and top not in _WIRE_IMPORTS:
                allowed = ", ".join(sorted(_WIRE_IMPORTS))
                yield file.finding(line, f"imports {top}: the wire may import {allowed}")


def _imports(node: ast.AST) -> Iterator[tuple[int, str]]:
    """(line, module) of every import that runs; what only a type checker reads does not."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from ((child.lineno, alias.name) for alias in child.names)
        elif isinstance(child, ast.ImportFrom) and child.module and not child.level:
            yield child.lineno, child.module
        elif isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            for statement in child.orelse:
                yield from _imports(statement)
        else:
            yield from _imports(child)


def file_lengths(tree: SourceTree, known: Mapping[str, int]) -> Iterator[Finding]:
    """Files beyond 400 lines hold two nouns. known: path -> lines, which may only fall."""
    lengths = {str(file.path): (file, 0, len(file.lines)) for file in tree.python}
    yield from _ratchet(lengths, known, FILE_LINES_MAX)


def function_lengths(tree: SourceTree, known: Mapping[str, int]) -> Iterator[Finding]:
    """Functions beyond 70 lines do two things. known: "path:name" -> lines, may only fall."""
    lengths = {}
    for file in tree.python:
        for node in ast.walk(file.syntax):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                lengths[f"{file.path}:{node.name}"] = (file, node.lineno, length)
    yield from _ratchet(lengths, known, FUNCTION_LINES_MAX)


def _ratchet(
    lengths: Mapping[str, tuple[SourceFile, int, int]], known: Mapping[str, int], limit: int
) -> Iterator[Finding]:
    for name, (file, line, length) in lengths.items():
        allowed = known.get(name, limit)
        if length > allowed:
            yield file.finding(line, f"{name} has {length} lines, allowed are {allowed}")
        elif name in known and length < allowed:
            yield file.finding(line, f"{name} has {length} lines: lower its entry from {allowed}")
    for name in known.keys() - lengths.keys():
        yield Finding(PurePosixPath(name.partition(":")[0]), 0, f"{name} is gone: remove its entry")
