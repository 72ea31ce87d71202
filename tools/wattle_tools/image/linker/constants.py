"""Replaces the names of constants by their values.

A constant is a global name that one plain assignment in the whole program gives a number, a text,
bytes, or a tuple of such: as a value it costs no name, no store and no look-up. mpy-cross keeps
equal values once.
"""

import ast
import operator
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

Value = int | str | bytes | None | tuple["Value", ...]

# What MicroPython computes anew from a text of digits; longer numbers stay names.
_NUMBER_BITS_MAX = 64
_OPERATIONS: Mapping[type[ast.operator], Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
    ast.LShift: operator.lshift,
    ast.RShift: operator.rshift,
    ast.BitOr: operator.or_,
    ast.BitAnd: operator.and_,
    ast.BitXor: operator.xor,
}
_SHIFT_MAX = 512


class NotConstantError(Exception):
    """An expression whose value is known only when it runs; never leaves the package."""


def inline(body: Sequence[ast.stmt]) -> list[ast.stmt]:
    """The resolved statements of a program with values for names of constants."""
    split = [one for statement in body for one in _apart(statement)]
    stored = Counter(
        node.id
        for statement in split
        for node in ast.walk(statement)
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)
    )
    values: dict[str, Value] = {}
    folder = _Fold(values)
    kept: list[ast.stmt] = []
    for statement in split:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if (
                ":" in name and stored[name] == 1
            ):
                try:
                    values[name] = _short(evaluate(value, values))
                    continue
                except NotConstantError:
                    pass
        kept.append(statement)
    # Functions may name constants that stand below them.
    return [folder.visit(statement) for statement in kept]


def evaluate(node: ast.expr, values: Mapping[str, Value]) -> Value:
    """The value of an expression; `values`: of names. Raises NotConstantError."""
    match node:
        case ast.Constant(value=int() | str() | bytes() | None as value):
            return value
        case ast.Name(id=name) if name in values:
            return values[name]
        case ast.Tuple(elts=parts):
            return tuple(evaluate(part, values) for part in parts)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_number(evaluate(operand, values))
        case ast.BinOp(left=left, op=kind, right=right):
            return _computed(kind, evaluate(left, values), evaluate(right, values))
        case ast.Call(func=ast.Name(id="len"), args=[argument], keywords=[]):
            measured = evaluate(argument, values)
            if isinstance(measured, str | bytes | tuple):
                return len(measured)
        case ast.Call(func=ast.Name(id="bytes"), args=[ast.Tuple(elts=parts)], keywords=[]):
            numbers = [_number(evaluate(part, values)) for part in parts]
            if all(0 <= number <= 255 for number in numbers):
                return bytes(numbers)
        case ast.Call(
            func=ast.Attribute(value=ast.Name(id="bytes"), attr=".fromhex"),
            args=[ast.Constant(str() as digits)],
        ):
            return bytes.fromhex(digits)
    raise NotConstantError


def _computed(kind: ast.operator, left: Value, right: Value) -> Value:
    match left, right:
        case str(), str() if isinstance(kind, ast.Add):
            return left + right
        case bytes(), bytes() if isinstance(kind, ast.Add):
            return left + right
    first, second = _number(left), _number(right)
    if isinstance(kind, ast.LShift | ast.RShift | ast.Pow) and not 0 <= second <= _SHIFT_MAX:
        raise NotConstantError
    if type(kind) not in _OPERATIONS or (second == 0 and isinstance(kind, ast.FloorDiv | ast.Mod)):
        raise NotConstantError
    return _OPERATIONS[type(kind)](first, second)


def _number(value: Value) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise NotConstantError
    return value


def _short(value: Value) -> Value:
    """The value itself if it may stand at each place that names it."""
    if isinstance(value, int) and value.bit_length() > _NUMBER_BITS_MAX:
        raise NotConstantError
    return value


def _apart(statement: ast.stmt) -> list[ast.stmt]:
    """`a, b = 1, 2` as two assignments, if no value needs what is assigned before it."""
    match statement:
        case ast.Assign(targets=[ast.Tuple(elts=targets)], value=ast.Tuple(elts=parts)):
            values = parts
        case ast.Assign(
            targets=[ast.Tuple(elts=targets)],
            value=ast.Call(func=ast.Name(id="range"), args=[ast.Constant(int() as count)]),
        ):
            values = [ast.Constant(number) for number in range(count)]
        case _:
            return [statement]
    names = [target.id for target in targets if isinstance(target, ast.Name)]
    used = {node.id for part in values for node in ast.walk(part) if isinstance(node, ast.Name)}
    if len(names) != len(targets) or len(values) != len(targets) or used & set(names):
        return [statement]
    return [
        ast.copy_location(ast.Assign([target], value), statement)
        for target, value in zip(targets, values, strict=True)
    ]


class _Fold(ast.NodeTransformer):
    """Puts values in place, and computes what is then made of values only."""

    def __init__(self, values: Mapping[str, Value]) -> None:
        self._values = values

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if isinstance(node.ctx, ast.Load) and node.id in self._values:
            return ast.copy_location(_literal(self._values[node.id]), node)
        return node

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        return self._computed(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        return self._computed(node)

    def _computed(self, node: ast.BinOp | ast.Call) -> ast.AST:
        try:
            value = _short(evaluate(node, self._values))
        except NotConstantError:
            self.generic_visit(node)
            return node
        return ast.copy_location(_literal(value), node)


def _literal(value: Value) -> ast.expr:
    if isinstance(value, tuple):
        return ast.Tuple([_literal(part) for part in value], ast.Load())
    if isinstance(value, int) and value < 0:  # as a parser would have it
        return ast.UnaryOp(ast.USub(), ast.Constant(-value))
    return ast.Constant(value)
