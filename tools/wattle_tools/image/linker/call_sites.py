"""Where a call stands in a function, and how the function that it calls can take its place."""

import ast
import copy
import enum
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from wattle_tools.image.linker import evaluation, returns, slots

Definition = ast.FunctionDef | ast.AsyncFunctionDef
Call = ast.Call
# A generator expression runs at once as an argument of these.
_RUN_NOW = ("all", "any", "bytes", "dict", "list", "max", "min", "set", "sorted", "sum", "tuple")
_REFUSED = (
    *(ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef, ast.Nonlocal),
    *(ast.Yield, ast.YieldFrom, ast.Starred),
)


class Shape(enum.Enum):
    """How a function ends."""

    NOTHING = "without return"
    VALUE = "with one return, its last statement"
    BARE = "with returns of nothing"
    ANYWHERE = "with returns of values at several places"


@dataclass(frozen=True)
class Found:
    """A call of `name`: the statement at `index` of `block` evaluates it first of all.

    `awaited`: the call itself or the `await` of it, which stands for its value.
    """

    name: str
    block: list[ast.stmt]
    index: int
    call: ast.Call
    awaited: ast.expr
    is_last: bool  # nothing of the function is done after this statement


def shape_of(function: Definition) -> Shape | None:
    """How a function ends; None: it cannot be put in place."""
    arguments = function.args
    if arguments.vararg or arguments.kwarg or arguments.kwonlyargs or function.decorator_list:
        return None
    if not all(isinstance(one, ast.Constant) for one in arguments.defaults):
        return None
    inside = [node for statement in function.body for node in ast.walk(statement)]
    now = {id(node) for one in inside for node in _run_now(one)}
    for node in inside:
        if isinstance(node, _REFUSED) or (isinstance(node, ast.Name) and node.id == "super"):
            return None
        if isinstance(node, ast.GeneratorExp) and id(node) not in now:
            return None
    returns = [node for node in inside if isinstance(node, ast.Return)]
    if not returns:
        return Shape.NOTHING
    if all(one.value is None for one in returns):
        return Shape.BARE
    if len(returns) == 1 and function.body[-1] is returns[0]:
        return Shape.VALUE
    return Shape.ANYWHERE


def _run_now(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.Call(func=ast.Name(id=name), args=arguments) if name in _RUN_NOW:
            yield from arguments


def with_one_return(function: Definition) -> Definition:
    """The function whose last `if a: return b` and `return c` are one: `return b if a else c`."""
    body = function.body
    while len(body) > 1:
        match body[-2:]:
            case [ast.If(test=test, body=[ast.Return(value=ast.expr() as one)], orelse=[]), last]:
                if not isinstance(last, ast.Return) or last.value is None:
                    break
                body[-2:] = [ast.Return(ast.IfExp(test, one, last.value))]
            case _:
                break
    return function


def put_expression(caller: Definition, name: str, function: Definition) -> bool:
    """Puts a function that only gives the value of an expression in the place of its call, wherever
    that stands; False: an argument is more than a name, or would be evaluated at another time.
    """
    match function.body:
        case [ast.Return(value=ast.expr() as value)]:
            pass
        case _:
            return False
    is_async = isinstance(function, ast.AsyncFunctionDef)
    for node in ast.walk(caller):
        call = node.value if is_async and isinstance(node, ast.Await) else node
        if not isinstance(call, ast.Call) or _called(call) != name:
            continue
        values = _arguments(call, function)
        if values is None:
            return False
        is_plain = not any(isinstance(one, ast.Call | ast.Await) for one in ast.walk(value))
        for parameter, argument in values:
            uses = sum(isinstance(one, ast.Name) and one.id == parameter for one in ast.walk(value))
            if not (_stays(argument) or (_is_path(argument) and (is_plain or uses == 1))):
                return False
        holder = ast.Expr(value)
        for parameter, argument in values:
            _Substitute(parameter, argument).visit(holder)
        assert isinstance(node, ast.expr)
        evaluation.replace(node, holder.value, caller)
        return True
    return False


def _called(call: ast.Call) -> str:
    match call.func:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""


def _is_path(value: ast.expr) -> bool:
    """Whether an expression is an attribute of a local, or one of such."""
    match value:
        case ast.Attribute(value=ast.Name(id=name)):
            return name.startswith("%")
        case ast.Attribute(value=inner):
            return _is_path(inner)
    return False


class Site:
    """The calls in one function, in whose place others are put."""

    def __init__(self, caller: Definition, kept: evaluation.Stable) -> None:
        self._caller = caller
        self._kept = kept

    def next_call(self, names: Collection[str]) -> Found | None:
        """The first call of one of `names` that a statement evaluates first."""
        for found in self._calls(self._caller.body, True):
            if found.name in names:
                return found
        return None

    def _calls(self, block: list[ast.stmt], last_block: bool) -> Iterator[Found]:
        """Calls that the statements of a block, and of those in it, could make first of all."""
        for index, statement in enumerate(block):
            is_last = last_block and index == len(block) - 1
            head = evaluation.head(statement)
            if head is not None:
                for call, value in evaluation.first_calls(head, self._caller.name, self._kept):
                    name = _called(call)
                    yield Found(name, block, index, call, value, is_last)
            ends = is_last and isinstance(statement, ast.If)
            for inner in evaluation.blocks(statement):
                yield from self._calls(inner, ends)


def put(found: Found, function: Definition, shape: Shape, mark: str) -> bool:
    """Puts a function, whose locals are like no others, in the place of its call; `mark`: with what
    their names end.
    """
    if isinstance(function, ast.AsyncFunctionDef) != (found.awaited is not found.call):
        return False
    slots.mark(function.body, mark)
    statement = found.block[found.index]
    returned = isinstance(statement, ast.Return) and statement.value is found.awaited
    alone = isinstance(statement, ast.Expr) and statement.value is found.awaited
    bound = _bound(found.call, function)
    if bound is None:
        return False
    body = function.body
    if shape is Shape.VALUE:
        last = body.pop()
        assert isinstance(last, ast.Return)
        assert last.value is not None
        evaluation.replace(found.awaited, last.value, statement)
        body.append(statement)
    elif returned:
        if not isinstance(body[-1], ast.Return | ast.Raise):
            body.append(ast.Return(None))
    elif not (alone and (shape is Shape.NOTHING or (shape is Shape.BARE and found.is_last))):
        branched = _branched(found, function, mark, alone=alone)
        if branched is None:
            return False
        body = branched
    for one in bound:
        one.__dict__["arrival"] = mark
    found.block[found.index : found.index + 1] = [*bound, *body]
    return True


def _branched(
    found: Found, function: Definition, mark: str, *, alone: bool
) -> list[ast.stmt] | None:
    """What takes the place of a statement if a function ends in several places; None: nothing."""
    statement = found.block[found.index]
    result = None if alone else "%result" + mark
    rest = [] if alone else [statement]
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)], value=value) if name.startswith("%"):
            if value is found.awaited:
                result, rest = name, []
    try:
        body = returns.as_branches(function.body, result)
    except returns.EntangledError:
        return None
    if rest and result:
        wanted = ast.Name(result, ast.Load())
        slots.mark([wanted], mark)
        evaluation.replace(found.awaited, wanted, statement)
    return body + rest


def _arguments(call: ast.Call, function: Definition) -> list[tuple[str, ast.expr]] | None:
    """(parameter, its value) in their order; None: the call is not plain."""
    values: list[ast.expr] = list(call.args)
    if isinstance(call.func, ast.Attribute):
        if not _is_object(call.func.value):
            return None
        values.insert(0, call.func.value)
    parameters = [*function.args.posonlyargs, *function.args.args]
    missing = len(parameters) - len(values)
    defaults = function.args.defaults
    if call.keywords or not 0 <= missing <= len(defaults):
        return None
    if any(isinstance(value, ast.Starred) for value in values):
        return None
    values += defaults[len(defaults) - missing :]
    return [(one.arg, value) for one, value in zip(parameters, values, strict=True)]


def _bound(call: ast.Call, function: Definition) -> list[ast.stmt] | None:
    """Assignments that give the parameters their values; None: the call is not plain.

    A parameter that is never assigned and whose value is a constant or a local is replaced by it.
    """
    arguments = _arguments(call, function)
    if arguments is None:
        return None
    assigned = _assigned(function.body)
    statements: list[ast.stmt] = []
    for parameter, value in arguments:
        if parameter not in assigned and _stays(value):
            for statement in function.body:
                _Substitute(parameter, value).visit(statement)
        else:
            statements.append(ast.Assign([ast.Name(parameter, ast.Store())], value))
    return statements


def _is_object(receiver: ast.expr) -> bool:
    """Whether a method called so gets what stands before the dot as its first argument."""
    match receiver:
        case ast.Name(id=name):
            return ":" not in name  # else it may be a class
        case ast.Call(func=ast.Name(id="super")):
            return False
    return True


def _assigned(body: Sequence[ast.stmt]) -> set[str]:
    return {
        node.id
        for statement in body
        for node in ast.walk(statement)
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)
    }


def _stays(value: ast.expr) -> bool:
    """Whether an expression has the same value all the time that a function takes."""
    match value:
        case ast.Constant(value=int() | None | bool()):
            return True
        case ast.Name(id=name):
            return name.startswith("%")
    return False


class _Substitute(ast.NodeTransformer):
    def __init__(self, name: str, value: ast.expr) -> None:
        self._name = name
        self._value = value

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return copy.deepcopy(self._value) if node.id == self._name else node
