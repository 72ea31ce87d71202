"""Puts functions that are called at one place only where they are called.

A function costs a board 20 bytes of flash and 60 of heap besides what it does, and half of ours
are there for readers, called once. One is put in place where that cannot change what happens: its
arguments are evaluated before it as they were, its locals stay its own, and a `return` in it
leaves nothing that would still have been done. What is in doubt stays a function.
"""

import ast
import copy
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from wattle_tools.image.linker import call_sites, evaluation, scopes, slots
from wattle_tools.image.linker.micropython_names import ATTRIBUTES

_ROUNDS_MAX = 12
# MicroPython reaches the first 16 locals of a function in one byte.
_LOCALS_MAX = 20
Definition = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass
class Inlined:
    """`body`: the program; `inside`: function -> those that were put into it; `places`: function
    -> the locals that came so.
    """

    body: list[ast.stmt]
    inside: dict[str, list[str]] = field(default_factory=dict)
    places: dict[str, slots.Places] = field(default_factory=dict)


@dataclass
class _Candidate:
    """A function that is called once: `name` as others call it, `label` for people."""

    name: str
    label: str
    definition: Definition
    shape: call_sites.Shape


def inline(
    body: Sequence[ast.stmt], roots: Sequence[str], places: dict[str, slots.Places]
) -> Inlined:
    """A reachable program with functions put in place; `roots` stay functions. `places`: function
    -> locals that came there before.
    """
    found = Inlined(list(body), places=places)
    for number in range(_ROUNDS_MAX):
        if not _Round(found, roots, number).run():
            break
    return found


class _Round:
    """Those functions at once that contain no other one of them."""

    def __init__(self, program: Inlined, roots: Sequence[str], number: int) -> None:
        self._program = program
        self._number = number
        self._count = 0
        self._done: set[str] = set()
        self._candidates = _candidates(program.body, roots)
        self._kept = evaluation.stable(program.body)

    def run(self) -> bool:
        """Whether there was anything to do."""
        for statement in self._program.body:
            match statement:
                case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                    self._function(statement, name)
                case ast.ClassDef(name=owner, body=members):
                    for member in members:
                        if isinstance(member, Definition):
                            self._function(member, owner + member.name)
        self._program.body = [one for one in map(self._without, self._program.body) if one]
        return bool(self._done)

    def _function(self, caller: Definition, label: str) -> None:
        if any(isinstance(node, ast.Nonlocal) for node in ast.walk(caller)):
            return
        skipped: set[str] = set()
        while True:
            wanted = self._candidates.keys() - self._done - skipped - {caller.name}
            call = call_sites.Site(caller, self._kept).next_call(wanted)
            if call is None:
                break
            candidate = self._candidates[call.name]
            if self._put(caller, label, call.name, candidate):
                self._is_put(candidate, label)
            else:
                skipped.add(call.name)
        self._expressions(caller, label)

    def _put(self, caller: Definition, label: str, name: str, candidate: _Candidate) -> bool:
        """Puts a function in the place of its call, unless there get too many locals."""
        self._count += 1
        mark = f"_{self._number}_{self._count}"
        copied, places = copy.deepcopy((caller, self._program.places.get(label, slots.Places())))
        call = call_sites.Site(copied, self._kept).next_call([name])
        assert call is not None
        function = _renamed(copy.deepcopy(candidate.definition), mark)
        if not call_sites.put(call, function, candidate.shape, mark):
            return False
        own = sorted(one for one in slots.stored(copied) if one.endswith(mark))
        places.share(copied, mark, own)
        if slots.count(copied) > _LOCALS_MAX:
            return False
        caller.body = copied.body
        self._program.places[label] = places
        return True

    def _expressions(self, caller: Definition, label: str) -> None:
        """Puts those in place that only give a value."""
        wanted = self._candidates.keys() - self._done
        named = {
            node.id if isinstance(node, ast.Name) else node.attr
            for node in ast.walk(caller)
            if isinstance(node, ast.Name | ast.Attribute)
        }
        for name in sorted(wanted & named):
            candidate = self._candidates[name]
            if candidate.name == caller.name:
                continue
            self._count += 1
            copied = copy.deepcopy(candidate.definition)
            renamed = _renamed(copied, f"_{self._number}_{self._count}")
            if call_sites.put_expression(caller, name, renamed):
                self._is_put(candidate, label)

    def _is_put(self, candidate: _Candidate, label: str) -> None:
        self._done.add(candidate.name)
        inside = self._program.inside.setdefault(label, [])
        inside += [candidate.label, *self._program.inside.pop(candidate.label, [])]

    def _without(self, statement: ast.stmt) -> ast.stmt | None:
        if isinstance(statement, Definition) and statement.name in self._done:
            return None
        if isinstance(statement, ast.ClassDef):
            statement.body = [
                one
                for one in statement.body
                if not (isinstance(one, Definition) and one.name in self._done)
            ] or [ast.Pass()]
        return statement


def _candidates(body: Sequence[ast.stmt], roots: Sequence[str]) -> dict[str, _Candidate]:
    """Functions that can be put in place and contain no other such function."""
    uses: Counter[str] = Counter()
    defined: Counter[str] = Counter()
    found: dict[str, _Candidate] = {}
    for statement in body:
        for node in ast.walk(statement):
            match node:
                case ast.Name(id=name) | ast.Attribute(attr=name, ctx=ast.Load()):
                    uses[name] += 1
                case ast.Attribute(attr=name):
                    defined[name] += 1
                case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                    defined[name] += 1
    for label, definition in _definitions(body):
        name = definition.name
        once = uses[name] == defined[name] == 1 and name not in roots and not _is_known(name)
        if not once:
            continue
        whole = call_sites.with_one_return(copy.deepcopy(definition))
        shape = call_sites.shape_of(whole)
        if shape is not call_sites.Shape.VALUE:
            whole, shape = definition, call_sites.shape_of(definition)
        if shape is not None:
            found[name] = _Candidate(name, label, whole, shape)
    return {name: one for name, one in found.items() if not _mentions(one, found.keys())}


def _definitions(body: Sequence[ast.stmt]) -> list[tuple[str, Definition]]:
    found: list[tuple[str, Definition]] = []
    for statement in body:
        match statement:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                found.append((name, statement))
            case ast.ClassDef(name=owner, body=members):
                for member in members:
                    if isinstance(member, Definition):
                        found.append((owner + member.name, member))
    return found


def _is_known(name: str) -> bool:
    """Whether MicroPython may call a method of this name, or have one itself."""
    return name.startswith(".__") or name.removeprefix(".") in ATTRIBUTES


def _mentions(candidate: _Candidate, names: Collection[str]) -> bool:
    return any(
        (isinstance(node, ast.Name) and node.id in names)
        or (isinstance(node, ast.Attribute) and node.attr in names)
        for node in ast.walk(candidate.definition)
    )


def _locals(function: Definition) -> set[str]:
    """Its parameters, what it binds, and what its comprehensions do."""
    names = {parameter.arg for parameter in scopes.parameters(function.args)}
    for node in ast.walk(function):
        match node:
            case ast.Name(id=name, ctx=ast.Store()) if name.startswith("%"):
                names.add(name)
            case ast.ExceptHandler(name=str(name)):
                names.add(name)
    return names


def _renamed(function: Definition, mark: str) -> Definition:
    """The function with locals that no other function has."""
    own = _locals(function)
    for node in ast.walk(function):
        match node:
            case ast.Name(id=name) if name in own:
                node.id = name + mark
            case ast.ExceptHandler(name=str(name)):
                node.name = name + mark
            case ast.arg(arg=name):
                node.arg = name + mark
    return function
