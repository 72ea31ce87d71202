"""Leaves out what nothing can call: functions, classes, globals, methods, empty base classes."""

import ast
from collections.abc import Iterable, Sequence

from wattle_tools.image.linker import scopes


def keep_reachable(body: Sequence[ast.stmt], roots: Iterable[str]) -> list[ast.stmt]:
    """The statements that a program needs whose entry points are the globals `roots`."""
    search = _Search(body)
    search.run(roots)
    kept = [pruned for one in body if (pruned := search.pruned(one)) is not None]
    return _without_empty_bases(kept)


class _Search:
    """What is alive: global names that are used, attributes that are read."""

    def __init__(self, body: Sequence[ast.stmt]) -> None:
        self._defined: dict[str, list[ast.stmt]] = {}
        self._always: list[ast.stmt] = []
        for statement in body:
            names = _defines(statement)
            for name in names:
                self._defined.setdefault(name, []).append(statement)
            if not names:
                self._always.append(statement)
        self._names: set[str] = set()
        self._attributes: set[str] = set()
        self._classes: list[ast.ClassDef] = []
        self._waiting: list[ast.AST] = []
        self._scanned: set[ast.AST] = set()

    def run(self, roots: Iterable[str]) -> None:
        """Finds all that can be reached."""
        self._waiting += self._always
        for name in roots:
            self._name(name)
        while True:
            while self._waiting:
                self._scan(self._waiting.pop())
            for found in self._classes:
                self._members(found)
            if not self._waiting:
                return

    def pruned(self, statement: ast.stmt) -> ast.stmt | None:
        """The statement without what is dead in it; None: all of it is."""
        names = _defines(statement)
        if names and not names & self._names:
            return None
        if isinstance(statement, ast.ClassDef):
            statement.body = [one for one in statement.body if self._lives(one)] or [ast.Pass()]
        return statement

    def _name(self, name: str) -> None:
        if name not in self._names:
            self._names.add(name)
            self._waiting += self._defined.get(name, [])

    def _scan(self, node: ast.AST) -> None:
        if isinstance(node, ast.ClassDef):
            if node not in self._classes:
                self._classes.append(node)
                self._waiting += scopes.outer_parts(node)
            return
        for inner in ast.walk(node):
            match inner:
                case ast.Name(id=name):
                    self._name(name)
                case ast.Attribute(attr=name, ctx=ast.Load()):
                    self._attributes.add(name)
                case ast.AugAssign(target=ast.Attribute(attr=name)):
                    self._attributes.add(name)

    def _members(self, found: ast.ClassDef) -> None:
        for one in found.body:
            if one not in self._scanned and self._lives(one):
                self._scanned.add(one)
                self._waiting.append(one)

    def _lives(self, member: ast.stmt) -> bool:
        """Whether a statement in a class is needed."""
        match member:
            case (
                ast.FunctionDef(name=name, body=[ast.Raise() as only])
                | ast.AsyncFunctionDef(name=name, body=[ast.Raise() as only])
            ) if _is_abstract(only):
                return False  # for readers: those that are called are in derived classes
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                return name.startswith(".__") or name in self._attributes
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant()):
                return name in self._attributes
        return not isinstance(member, ast.Pass)


def _is_abstract(statement: ast.Raise) -> bool:
    match statement.exc:
        case ast.Name("NotImplementedError") | ast.Call(func=ast.Name("NotImplementedError")):
            return True
    return False


def _defines(statement: ast.stmt) -> set[str]:
    """The globals that a statement does nothing but define; none: it has an effect of its own."""
    match statement:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            return {name}
        case ast.ClassDef(name=name):
            return {name}
        case ast.Assign(targets=[ast.Name(id=name)]):
            return {name}
        case ast.Assign(targets=[ast.Tuple(elts=targets)]):
            return {target.id for target in targets if isinstance(target, ast.Name)}
    return set()


def _without_empty_bases(body: Sequence[ast.stmt]) -> list[ast.stmt]:
    """Without classes that are empty and only derived from: interfaces that readers need."""
    kept = list(body)
    while True:
        empty = {
            statement.name
            for statement in kept
            if isinstance(statement, ast.ClassDef)
            and not statement.bases
            and all(isinstance(one, ast.Pass) for one in statement.body)
        }
        bases = {base for one in kept if isinstance(one, ast.ClassDef) for base in one.bases}
        for statement in kept:
            for node in ast.walk(statement):
                if isinstance(node, ast.Name) and node not in bases:
                    empty.discard(node.id)
        if not empty:
            return kept
        kept = [one for one in kept if not (isinstance(one, ast.ClassDef) and one.name in empty)]
        for statement in kept:
            if isinstance(statement, ast.ClassDef):
                statement.bases = [
                    base
                    for base in statement.bases
                    if not (isinstance(base, ast.Name) and base.id in empty)
                ]
