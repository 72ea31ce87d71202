"""Attributes that are constants of a board: one class gives them a value, nothing else does.

`watched = False` in the only board of a program makes `if board.watched:` a branch that never runs,
and what only that branch calls needs no flash.
"""

import ast
from collections import Counter
from collections.abc import Mapping, Sequence

from wattle_tools.image.linker.micropython_names import ATTRIBUTES


def inline(body: Sequence[ast.stmt]) -> list[ast.stmt]:
    """The resolved statements of a program with values for such attributes, without the branches
    that can no longer run.
    """
    folder = _Fold(_constants(body))
    kept: list[ast.stmt] = []
    for statement in body:
        found = folder.visit(statement)
        kept += found if isinstance(found, list) else [found]
    return kept


def _constants(body: Sequence[ast.stmt]) -> dict[str, ast.Constant]:
    defined: Counter[str] = Counter()
    values: dict[str, ast.Constant] = {}
    for statement in body:
        for node in ast.walk(statement):
            match node:
                case ast.Attribute(attr=name, ctx=ast.Store() | ast.Del()):
                    defined[name] += 1
                case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                    defined[name] += 1
                case ast.Name(id=name, ctx=ast.Store()) if name.startswith("."):
                    defined[name] += 1
                case ast.ClassDef(body=members):
                    values |= _given(members)
    return {
        name: value
        for name, value in values.items()
        if defined[name] == 1 and not name.startswith(".__") and name[1:] not in ATTRIBUTES
    }


def _given(members: Sequence[ast.stmt]) -> dict[str, ast.Constant]:
    found: dict[str, ast.Constant] = {}
    for member in members:
        match member:
            case ast.Assign(
                targets=[ast.Name(id=name)], value=ast.Constant(value=int() | None) as value
            ):
                found[name] = value
    return found


class _Fold(ast.NodeTransformer):
    def __init__(self, values: Mapping[str, ast.Constant]) -> None:
        self._values = values

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        value = self._values.get(node.attr)
        if value is not None and isinstance(node.ctx, ast.Load) and _is_path(node.value):
            return ast.copy_location(ast.Constant(value.value), node)
        self.generic_visit(node)
        return node

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.AST:
        self.generic_visit(node)
        first, *rest = node.values
        if not isinstance(first, ast.Constant):
            return node
        if bool(first.value) is isinstance(node.op, ast.Or):
            return first  # decides alone
        return rest[0] if len(rest) == 1 else ast.BoolOp(node.op, rest)

    def visit_If(self, node: ast.If) -> ast.AST | list[ast.stmt]:
        self.generic_visit(node)
        if not isinstance(node.test, ast.Constant):
            return node
        return (node.body if node.test.value else node.orelse) or [ast.Pass()]


def _is_path(node: ast.expr) -> bool:
    """Whether to evaluate an expression does nothing but look names up."""
    match node:
        case ast.Name():
            return True
        case ast.Attribute(value=inner):
            return _is_path(inner)
    return False
