"""Comprehensions of lists and dictionaries as loops.

    names = [row.name for row in rows if row.kept]      names = []
                                                        for row in rows:
                                                 ->         if row.kept:
                                                                names.append(row.name)

To MicroPython a comprehension is a function of its own, that is made and called: 25 bytes besides
what it does, against 16 of a loop, and locals of the function around it take two bytes more each.
It becomes a loop where the statement evaluates it first of all.
"""

import ast
import copy
import itertools
from collections.abc import Sequence

from wattle_tools.image.linker import evaluation, scopes, slots

_Definition = ast.FunctionDef | ast.AsyncFunctionDef
_Comprehension = ast.ListComp | ast.DictComp
# Their locals stand in cells that inner functions share: a loop would not give each its own.
_INNER = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_REFUSED = (*_INNER, ast.GeneratorExp, ast.Nonlocal)


def unroll(body: Sequence[ast.stmt]) -> dict[str, slots.Places]:
    """Changes the functions of a resolved program; gives, by function, which locals came so."""
    places: dict[str, slots.Places] = {}
    kept = evaluation.stable(body)
    for statement in body:
        owner, members = "", [statement]
        if isinstance(statement, ast.ClassDef):
            owner, members = statement.name, statement.body
        for member in members:
            if not isinstance(member, _Definition):
                continue
            if not any(isinstance(node, ast.Nonlocal) for node in ast.walk(member)):
                places[owner + member.name] = _Function(member, kept).run()
    return places


class _Function:
    def __init__(self, function: _Definition, kept: evaluation.Stable) -> None:
        self._function = function
        self._kept = kept
        self._numbers = itertools.count()
        self._places = slots.Places()
        inside = [node for one in function.body for node in ast.walk(one)]
        self._has_inner = any(isinstance(node, _INNER) for node in inside)

    def run(self) -> slots.Places:
        self._block(self._function.body, is_seen=self._has_inner)
        return self._places

    def _block(self, block: list[ast.stmt], *, is_seen: bool) -> None:
        """is_seen: somebody may see what a comprehension is assigned to before it is complete, who
        handles an error that it raised, or an inner function.
        """
        index = 0
        while index < len(block):
            statement = block[index]
            found = self._first(statement)
            if found is None:
                handles = isinstance(statement, ast.Try | ast.With | ast.AsyncWith)
                for inner in evaluation.blocks(statement):
                    self._block(inner, is_seen=is_seen or handles)
                index += 1
                continue
            mark = f"_c{next(self._numbers)}"
            block[index : index + 1] = self._looped(found, statement, mark, is_seen)
            names = {name for one in block for name in slots.stored(one) if name.endswith(mark)}
            self._places.share(self._function, mark, sorted(names))

    def _first(self, statement: ast.stmt) -> _Comprehension | None:
        """A comprehension that a statement could evaluate first of all."""
        head = evaluation.head(statement)
        if head is None:
            return None
        for node in evaluation.first_comprehensions(head, self._function.name, self._kept):
            inside = [inner for part in ast.iter_child_nodes(node) for inner in ast.walk(part)]
            if not any(isinstance(inner, _REFUSED) for inner in inside):
                return node
        return None

    def _looped(
        self, found: _Comprehension, statement: ast.stmt, mark: str, is_seen: bool
    ) -> list[ast.stmt]:
        """The loop, and the statement with what it made."""
        result = f"%made{mark}"
        mentioned = {node.id for node in ast.walk(found) if isinstance(node, ast.Name)}
        rest = [statement]
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if value is found:
                if name.startswith("%") and name not in mentioned and not is_seen:
                    result, rest = name, []
        comprehension = _renamed(found, mark)
        made = ast.Name(result, ast.Load())
        inner: ast.stmt
        start: ast.expr
        if isinstance(comprehension, ast.ListComp):
            start = ast.List([], ast.Load())
            append = ast.Attribute(made, ".append", ast.Load())
            inner = ast.Expr(ast.Call(append, [comprehension.elt], []))
        else:
            start = ast.Dict([], [])
            place = ast.Subscript(made, comprehension.key, ast.Store())
            inner = ast.Assign([place], comprehension.value)
        for generator in reversed(comprehension.generators):
            for test in reversed(generator.ifs):
                inner = ast.If(test, [inner], [])
            inner = ast.For(generator.target, generator.iter, [inner], [])
        wanted = ast.Name(result, ast.Load())
        loop = [ast.Assign([ast.Name(result, ast.Store())], start), inner]
        slots.mark([wanted, *loop], mark)
        if rest:
            evaluation.replace(found, wanted, statement)
        return [*loop, *rest]


def _renamed(found: _Comprehension, mark: str) -> _Comprehension:
    """A copy whose own locals are like no others of the function."""
    own = scopes.bound_in([one.target for one in found.generators])
    copied = copy.deepcopy(found)
    first = copied.generators[0].iter  # belongs to the scope around
    kept = {id(node) for node in ast.walk(first)}
    for node in ast.walk(copied):
        if isinstance(node, ast.Name) and node.id in own and id(node) not in kept:
            node.id += mark
    return copied
