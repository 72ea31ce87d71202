"""`low <= x <= high` as `low <= x and x <= high`, where x is a local or a number.

MicroPython keeps the middle of a chain on its stack: 9 bytes, five of which name it again.
"""

import ast
from collections.abc import Sequence


def split(body: Sequence[ast.stmt]) -> None:
    """Changes the chains in a resolved program."""
    for statement in body:
        _Split().visit(statement)


class _Split(ast.NodeTransformer):
    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        self.generic_visit(node)
        middles = node.comparators[:-1]
        if not middles or not all(_is_plain(one) for one in middles):
            return node
        pairs = zip([node.left, *middles], node.ops, node.comparators, strict=True)
        return ast.BoolOp(
            ast.And(), [ast.Compare(left, [op], [right]) for left, op, right in pairs]
        )


def _is_plain(node: ast.expr) -> bool:
    match node:
        case ast.Constant(value=int()):
            return True
        case ast.Name(id=name):
            return name.startswith("%")
    return False
