"""A function's body as statements that go on behind it: branches instead of returns.

    if not rows:                     if not rows:
        return 0                         found = 0
    for row in rows:                 else:
        if row > 3:                      for row in rows:
            return row       ->              if row > 3:
    return 9                                     found = row
                                                 break
                                         else:
                                             found = 9

What follows a branch that returns becomes its `else`, what follows a loop that returns the `else`
of the loop, what follows a `try` whose handlers return the `else` of the `try`. Nothing is said
twice.
"""

import ast
from collections.abc import Iterator, Sequence

_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_LOOPS = (ast.For, ast.While)


class EntangledError(Exception):
    """A return that no branch can replace; never leaves the package."""


def as_branches(body: Sequence[ast.stmt], result: str | None) -> list[ast.stmt]:
    """Statements that do what the body of a function does and leave its value in the local
    `result` (None: nobody wants it). The nodes of `body` are changed.

    Raises EntangledError.
    """
    return _Branches(result).block(list(body), ends_loop=False)


class _Branches:
    def __init__(self, result: str | None) -> None:
        self._result = result

    def block(self, block: list[ast.stmt], *, ends_loop: bool) -> list[ast.stmt]:
        """A block behind which nothing of the function is left; ends_loop: then it leaves a loop
        wherever it returned, and nowhere else.
        """
        for index, statement in enumerate(block):
            if not _has_return(statement):
                continue
            before, rest = block[:index], block[index + 1 :]
            if isinstance(statement, ast.Return):
                return before + self._returned(statement) + ([ast.Break()] if ends_loop else [])
            if isinstance(statement, ast.If) and ends_loop:
                statement.body = self.block(statement.body, ends_loop=True) or [ast.Pass()]
                statement.orelse = self.block(statement.orelse, ends_loop=True)
                return [*before, statement, *self.block(rest, ends_loop=True)]
            if isinstance(statement, ast.If):
                return before + self._branched(statement, rest)
            if isinstance(statement, _LOOPS) and not ends_loop:
                return [*before, self._looped(statement, rest)]
            if isinstance(statement, ast.Try):
                return [*before, self._tried(statement, rest, ends_loop)]
            raise EntangledError
        return block if ends_loop or _leaves(block) else [*block, *self._set(ast.Constant(None))]

    def _returned(self, statement: ast.Return) -> list[ast.stmt]:
        return self._set(statement.value or ast.Constant(None))

    def _set(self, value: ast.expr) -> list[ast.stmt]:
        if self._result is not None:
            return [ast.Assign([ast.Name(self._result, ast.Store())], value)]
        return [] if isinstance(value, ast.Constant | ast.Name) else [ast.Expr(value)]

    def _branched(self, statement: ast.If, rest: list[ast.stmt]) -> list[ast.stmt]:
        body, orelse = statement.body, statement.orelse
        if _leaves(body):
            orelse = orelse + rest
        elif _leaves(orelse) or not rest:
            body = body + rest
        else:
            raise EntangledError  # what follows would be needed twice
        body = self.block(body, ends_loop=False)
        orelse = self.block(orelse, ends_loop=False)
        if orelse and not body:
            statement.test = ast.UnaryOp(ast.Not(), statement.test)
            body, orelse = orelse, []
        statement.body, statement.orelse = body or [ast.Pass()], orelse
        return [statement]

    def _looped(self, statement: ast.For | ast.While, rest: list[ast.stmt]) -> ast.stmt:
        inside = [node for one in statement.body for node in _own(one)]
        if statement.orelse or any(isinstance(node, ast.Break) for node in inside):
            raise EntangledError
        statement.body = self.block(statement.body, ends_loop=True)
        is_endless = isinstance(statement, ast.While) and _is_true(statement.test)
        statement.orelse = [] if is_endless else self.block(rest, ends_loop=False)
        return statement

    def _tried(self, statement: ast.Try, rest: list[ast.stmt], ends_loop: bool) -> ast.stmt:
        if statement.finalbody:
            raise EntangledError
        if any(not _leaves(handler.body) for handler in statement.handlers) and rest:
            raise EntangledError
        if any(_has_return(one) for one in statement.body):
            if statement.orelse or not _leaves(statement.body):
                raise EntangledError
            statement.body = self.block(statement.body, ends_loop=ends_loop) or [ast.Pass()]
        else:
            statement.orelse = self.block(statement.orelse + rest, ends_loop=ends_loop)
        for handler in statement.handlers:
            handler.body = self.block(handler.body, ends_loop=ends_loop) or [ast.Pass()]
        return statement


def _leaves(block: Sequence[ast.stmt]) -> bool:
    """Whether a block never reaches its end."""
    if not block:
        return False
    match block[-1]:
        case ast.Return() | ast.Raise() | ast.Continue() | ast.Break():
            return True
        case ast.If(body=body, orelse=orelse):
            return _leaves(body) and _leaves(orelse)
        case ast.While(test=test) as loop if _is_true(test):
            return not any(isinstance(node, ast.Break) for one in loop.body for node in _own(one))
    return False


def _is_true(test: ast.expr) -> bool:
    return isinstance(test, ast.Constant) and bool(test.value)


def _has_return(statement: ast.stmt) -> bool:
    return any(isinstance(node, ast.Return) for node in _inside(statement))


def _inside(node: ast.AST) -> Iterator[ast.AST]:
    """A node and all in it, without inner functions."""
    yield node
    for inner in ast.iter_child_nodes(node):
        if not isinstance(inner, _SCOPES):
            yield from _inside(inner)


def _own(node: ast.AST) -> Iterator[ast.AST]:
    """A node and all in it, without inner loops: a break there leaves these."""
    yield node
    if not isinstance(node, _LOOPS):
        for inner in ast.iter_child_nodes(node):
            yield from _own(inner)
