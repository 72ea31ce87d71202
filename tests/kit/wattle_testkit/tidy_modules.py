"""The tidy rule against dead modules: what no command and no board reaches is to be removed."""

import ast
import re
import tomllib
from collections.abc import Iterator, Mapping

from wattle_testkit.source_tree import PACKAGES, Finding, SourceFile, SourceTree

_DOTTED = re.compile(r"\bwattle_\w+(?:\.\w+)+")


def no_dead_modules(tree: SourceTree) -> Iterator[Finding]:
    """Every module is imported, directly or not, by something that runs; tests do not count.

    What runs: the commands of pyproject.toml, __main__ modules, the scripts beside the packages
    (firmware/main.py, boards, vectors) and modules that other files name in full
    (`python -m wattle_hil.bench`). As long as a package's own command is missing, nothing of it
    can be reached from there, and each of its modules counts as used.
    """
    modules = {file.module: file for file in tree.python if file.module}
    reached: set[str] = set()
    waiting = sorted(_roots(tree, modules))
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            parents = [name[:end] for end, letter in enumerate(name) if letter == "."]
            waiting += [parent for parent in parents if parent in modules]
            waiting += _imported(modules[name], modules)
    for name, file in modules.items():
        # An empty __init__ is how a folder becomes a package, used or not.
        if name not in reached and file.text.strip():
            yield file.finding(0, f"{name} is used by nothing that runs: remove it")


def _roots(tree: SourceTree, modules: Mapping[str, SourceFile]) -> Iterator[str]:
    commands = _commands(tree)
    unreachable = {name.partition(".")[0] for name in commands if name not in modules}
    if not any(str(file.path) == "firmware/main.py" for file in tree.python):
        unreachable.add(PACKAGES["firmware"])
    for name in modules:
        if name in commands or name.endswith(".__main__") or name.split(".")[0] in unreachable:
            yield name
    for file in tree.files:
        if file.is_below("tests") or file.path.suffix == ".md":
            continue
        if file.path.suffix != ".py":
            yield from (name for name in _DOTTED.findall(file.text) if name in modules)
            continue
        if file.module is None:
            yield from _imported(file, modules)
        for node in ast.walk(file.syntax):
            # Only a whole string is a module to run; in a sentence it is a mention.
            match node:
                case ast.Constant(value=str() as text) if text in modules:
                    yield text


def _commands(tree: SourceTree) -> set[str]:
    for file in tree.files:
        if str(file.path) == "pyproject.toml":
            scripts = tomllib.loads(file.text).get("project", {}).get("scripts", {})
            return {target.partition(":")[0] for target in scripts.values()}
    return set()


def _imported(file: SourceFile, modules: Mapping[str, SourceFile]) -> Iterator[str]:
    """The modules of the tree that a file imports, at its top or inside functions."""
    for node in ast.walk(file.syntax):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(file, node)
            names = [base, *(f"{base}.{alias.name}" for alias in node.names)]
        yield from (name for name in names if name in modules)


def _absolute(file: SourceFile, node: ast.ImportFrom) -> str:
    """The module named after `from`, with leading dots resolved: one is the file's own folder."""
    if not node.level:
        return node.module or ""
    folders = file.path.parts[1:-1]
    kept = folders[: len(folders) - node.level + 1]
    return ".".join([*kept, node.module] if node.module else kept)
