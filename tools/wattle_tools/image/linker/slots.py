"""Locals of functions that were put in place share places, where they are not needed together.

MicroPython reaches the first 16 locals of a function in one byte, and each takes four bytes of heap
while it runs. All that came with one call, an *arrival*, is in a range of statements of one block,
and nothing outside it knows its locals: each time these statements run, the locals begin anew. So
locals of two arrivals can be one if no statement belongs to both.
"""

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from wattle_tools.image.linker import evaluation, scopes

_Definition = ast.FunctionDef | ast.AsyncFunctionDef
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


@dataclass(frozen=True)
class _Range:
    """Statements `first` .. `last` of a block; `path`: (block, index of a statement in it) from the
    function to that block, which is the block of the last pair.
    """

    path: tuple[tuple[int, int], ...]
    block: int
    first: int
    last: int

    def is_apart(self, other: "_Range") -> bool:
        """Whether no statement belongs to both."""
        if self.block == other.block:
            return self.last < other.first or other.last < self.first
        for outer, inner in ((self, other), (other, self)):
            index = dict(inner.path).get(outer.block)
            if index is not None and outer.first <= index <= outer.last:
                return False
        return True


def mark(nodes: Sequence[ast.AST], arrival: str) -> None:
    """Notes for all in `nodes` with what they came."""
    for node in nodes:
        for inner in ast.walk(node):
            inner.__dict__["arrival"] = arrival


class Places:
    """The locals of one function that came with others."""

    def __init__(self) -> None:
        self._arrivals: dict[str, list[str]] = {}  # local -> those that it serves

    def share(self, function: _Definition, arrival: str, names: Sequence[str]) -> None:
        """Gives `names`, which came with `arrival`, the places of others where that goes."""
        ranges = dict(_ranges(function.body))
        given: dict[str, str] = {}
        for name in names:
            place = next(
                (
                    one
                    for one, others in self._arrivals.items()
                    if one not in given.values() and _is_free(others, arrival, ranges)
                ),
                name,
            )
            given[name] = place
        for place in given.values():
            self._arrivals.setdefault(place, []).append(arrival)
        rename(function, given)


def _is_free(others: Sequence[str], arrival: str, ranges: Mapping[str, _Range]) -> bool:
    return arrival in ranges and all(
        other in ranges and ranges[arrival].is_apart(ranges[other]) for other in others
    )


def rename(function: _Definition, names: Mapping[str, str]) -> None:
    """Gives locals other names."""
    for node in ast.walk(function):
        match node:
            case ast.Name(id=name) if name in names:
                node.id = names[name]
            case ast.ExceptHandler(name=str(name)) if name in names:
                node.name = names[name]


def count(function: _Definition) -> int:
    """How many locals a function has."""
    names = {one.arg for one in scopes.parameters(function.args)}
    for statement in function.body:
        names |= stored(statement)
    return len(names)


def stored(node: ast.AST) -> set[str]:
    """The locals that a node binds, without what comprehensions do."""
    if isinstance(node, _COMPREHENSIONS):
        return set()
    found = {name for inner in ast.iter_child_nodes(node) for name in stored(inner)}
    match node:
        case ast.Name(id=name, ctx=ast.Store()) if name.startswith("%"):
            found.add(name)
        case ast.ExceptHandler(name=str(name)):
            found.add(name)
    return found


def _ranges(body: list[ast.stmt]) -> Iterator[tuple[str, _Range]]:
    """(arrival, its statements) for all arrivals in a function."""
    everything = set().union(*(_arrivals(statement) for statement in body))
    waiting: list[tuple[tuple[tuple[int, int], ...], list[ast.stmt], set[str]]]
    waiting = [((), body, everything)]
    number = 0
    while waiting:
        path, block, wanted = waiting.pop()
        number += 1
        inside = [_arrivals(statement) & wanted for statement in block]
        for arrival in sorted(wanted):
            at = [index for index, found in enumerate(inside) if arrival in found]
            if at and (len(at) > 1 or not _is_deeper(block[at[0]], arrival)):
                yield arrival, _Range(path, number, at[0], at[-1])
                inside = [found - {arrival} for found in inside]
        for index, statement in enumerate(block):
            for inner in evaluation.blocks(statement):
                if inner and inside[index]:
                    waiting.append(((*path, (number, index)), inner, inside[index]))


def _arrivals(node: ast.AST) -> set[str]:
    return {one.__dict__["arrival"] for one in ast.walk(node) if "arrival" in one.__dict__}


def _is_deeper(statement: ast.stmt, arrival: str) -> bool:
    """Whether all that came so is in a single block of a statement."""
    blocks = [*evaluation.blocks(statement)]
    inner = {id(one) for block in blocks for one in block}
    waiting: list[ast.AST] = [statement]
    while waiting:
        node = waiting.pop()
        if node.__dict__.get("arrival") == arrival:
            return False
        waiting += [one for one in ast.iter_child_nodes(node) if id(one) not in inner]
    return sum(any(arrival in _arrivals(one) for one in block) for block in blocks) == 1
