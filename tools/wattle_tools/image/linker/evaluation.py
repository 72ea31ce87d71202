"""Which calls a statement could as well make first of all: before them it only looks names up that
nothing can have changed meanwhile.

MicroPython evaluates as CPython does, except that in a dictionary a value comes before its key.
"""

import ast
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_INIT = ".__init__"


@dataclass(frozen=True)
class Stable:
    """What keeps its value: `globals`; `methods`, which nothing assigns; `set_once`: attributes
    that only `__init__` assigns; `ours`: all attributes that are not only MicroPython's.
    """

    globals: frozenset[str]
    methods: frozenset[str]
    set_once: frozenset[str]
    ours: frozenset[str]

    def holds(self, node: ast.expr, caller: str, *, called: bool = False) -> bool:
        """Whether to evaluate `node` in the function `caller` has no effect, and gives the same
        later; called: it stands where a function does.
        """
        match node:
            case ast.Constant():
                return True
            case ast.Name(id=name):
                return ":" not in name or name in self.globals
            case ast.Attribute(value=value, attr=name):
                if not self.holds(value, caller):
                    return False
                if name not in self.ours:  # of MicroPython: a method, or a member of a module
                    return called or not name.startswith(".")
                if called and name in self.methods:
                    return True
                return name in self.set_once and caller != _INIT
        return False


def stable(body: Sequence[ast.stmt]) -> Stable:
    """What keeps its value in a resolved program."""
    globals_: Counter[str] = Counter()
    changed: Counter[str] = Counter()
    methods: set[str] = set()
    others: set[str] = set()
    for statement in body:
        match statement:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                globals_[name] += 1
            case ast.ClassDef(name=name, body=members):
                globals_[name] += 1
                for member in members:
                    if isinstance(member, _FUNCTIONS):
                        (others if member.decorator_list else methods).add(member.name)
                    else:
                        others.update(
                            one.id for one in ast.walk(member) if isinstance(one, ast.Name)
                        )
        for node in ast.walk(statement):
            match node:
                case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
                    changed[name] += 1
    made, set_again = _assigned(body)
    fixed = {name for name, count in globals_.items() if count == 1 and not changed[name]}
    return Stable(
        frozenset(fixed),
        frozenset(methods - others - made - set_again),
        frozenset(made - set_again - methods - others),
        frozenset(methods | others | made | set_again),
    )


def _assigned(body: Sequence[ast.stmt]) -> tuple[set[str], set[str]]:
    """Attributes that `__init__` assigns to its object, and those that anything else assigns."""
    made: set[str] = set()
    own: set[int] = set()
    nodes = [node for statement in body for node in ast.walk(statement)]
    for function in nodes:
        if isinstance(function, ast.FunctionDef) and function.name == _INIT:
            itself = function.args.args[0].arg
            for node in ast.walk(function):
                match node:
                    case ast.Attribute(value=ast.Name(id=name), ctx=ast.Store()):
                        if name == itself:
                            made.add(node.attr)
                            own.add(id(node))
    again = {
        node.attr
        for node in nodes
        if isinstance(node, ast.Attribute)
        and not isinstance(node.ctx, ast.Load)
        and id(node) not in own
    }
    return made, again


def head(statement: ast.stmt) -> ast.expr | None:
    """What a statement evaluates once and before all else."""
    match statement:
        case ast.Expr(value=value) | ast.Return(value=value) | ast.Assign(value=value):
            return value
        case ast.AugAssign(target=ast.Name(id=name), value=value) if name.startswith("%"):
            return value
        case ast.If(test=test):
            return test
        case ast.For(iter=iterated):
            return iterated
        case ast.Raise(exc=error):
            return error
    return None


def blocks(statement: ast.stmt) -> Iterator[list[ast.stmt]]:
    """The blocks of a statement."""
    match statement:
        case ast.If(body=body, orelse=orelse):
            yield from (body, orelse)
        case ast.For(body=body, orelse=orelse) | ast.While(body=body, orelse=orelse):
            yield from (body, orelse)
        case ast.With(body=body):
            yield body
        case ast.Try(body=body, handlers=handlers, orelse=orelse, finalbody=finalbody):
            yield from (body, *(handler.body for handler in handlers), orelse, finalbody)


def replace(old: ast.expr, new: ast.expr, holder: ast.AST) -> None:
    """Puts `new` in the place of `old` in a statement or function."""
    _Replace(old, new).visit(holder)


class _Replace(ast.NodeTransformer):
    def __init__(self, old: ast.expr, new: ast.expr) -> None:
        self._old = old
        self._new = new

    def visit(self, node: ast.AST) -> ast.AST:
        if node is self._old:
            return self._new
        found: ast.AST = super().visit(node)
        return found


def first_calls(head: ast.expr, caller: str, kept: Stable) -> Iterator[tuple[ast.Call, ast.expr]]:
    """(call, itself or the `await` of it) for all calls in a head that could be made first."""
    for node, around in _found(head, None, caller, kept):
        if isinstance(node, ast.Call):
            yield node, around if isinstance(around, ast.Await) else node


def first_comprehensions(
    head: ast.expr, caller: str, kept: Stable
) -> Iterator[ast.ListComp | ast.DictComp]:
    """Comprehensions in a head that could be evaluated first."""
    for node, _ in _found(head, None, caller, kept):
        if isinstance(node, ast.ListComp | ast.DictComp):
            yield node


_Found = Generator[tuple[ast.expr, ast.expr | None], None, bool]


def _found(node: ast.expr, around: ast.expr | None, caller: str, kept: Stable) -> _Found:
    """(expression, what stands around it), the outer ones first; gives whether all of it keeps its
    value.
    """
    yield node, around
    match node:
        case ast.Call(func=function, args=arguments):
            if kept.holds(function, caller, called=True):
                yield from _row(arguments, caller, kept)
            elif isinstance(function, ast.Attribute):
                yield from _found(function.value, node, caller, kept)
            return False
        case ast.Tuple(elts=parts) | ast.List(elts=parts):
            return (yield from _row(parts, caller, kept))
        case ast.BinOp(left=left, right=right) | ast.Compare(left=left, comparators=[right, *_]):
            yield from _row([left, right], caller, kept)
            return False
        case ast.Subscript(value=value, slice=ast.Slice(lower=lower, upper=upper)):
            yield from _row([one for one in (value, lower, upper) if one], caller, kept)
            return False
        case ast.Subscript(value=value, slice=index):
            yield from _row([value, index], caller, kept)
            return False
        case ast.Await(value=inner) | ast.UnaryOp(operand=inner) | ast.IfExp(test=inner):
            yield from _found(inner, node, caller, kept)
            return False
        case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
            yield from _found(node.generators[0].iter, node, caller, kept)
            return False
        case ast.BoolOp(values=[inner, *_]):
            yield from _found(inner, node, caller, kept)
            return False
        case ast.Attribute(value=inner):
            yield from _found(inner, node, caller, kept)
    return kept.holds(node, caller)


def _row(nodes: Sequence[ast.expr], caller: str, kept: Stable) -> _Found:
    for node in nodes:
        if isinstance(node, ast.Starred) or not (yield from _found(node, None, caller, kept)):
            return False
    return True
