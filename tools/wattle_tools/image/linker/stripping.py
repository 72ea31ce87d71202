"""Leaves out what a board never runs: docstrings, annotations, asserts, branches for checkers,
causes of errors.
"""

import ast

_NEVER_TRUE = ("TYPE_CHECKING",)
_NOT_NEEDED = ("__slots__",)  # MicroPython's objects have no use for it


def strip(tree: ast.Module, *, asserts: bool = False) -> ast.Module:
    """The same module without them; `tree` is changed. asserts: they stay."""
    stripped: ast.Module = _Strip(asserts).visit(tree)
    return ast.fix_missing_locations(stripped)


class _Strip(ast.NodeTransformer):
    def __init__(self, asserts: bool) -> None:
        self._asserts = asserts

    def visit_Module(self, node: ast.Module) -> ast.Module:
        node.body = self._block(node.body, may_be_empty=True)
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return self._function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return self._function(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        node.body = self._block(node.body)
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST | None:
        if node.value is None:
            return None
        return ast.copy_location(ast.Assign([node.target], self.visit(node.value)), node)

    def visit_Assign(self, node: ast.Assign) -> ast.AST | None:
        match node.targets:
            case [ast.Name(id=name)] if name in _NOT_NEEDED:
                return None
        self.generic_visit(node)
        return node

    def visit_Assert(self, node: ast.Assert) -> ast.AST | None:
        return self.generic_visit(node) if self._asserts else None

    def visit_If(self, node: ast.If) -> ast.AST | list[ast.stmt] | None:
        if _never_true(node.test):
            return self._block(node.orelse, may_be_empty=True)
        node.body = self._block(node.body)
        node.orelse = self._block(node.orelse, may_be_empty=True)
        return node

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        node.cause = None  # MicroPython has no use for it, and says so each time
        return self.generic_visit(node)

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        if isinstance(node.value, ast.Constant):
            return None  # a docstring, or an ellipsis
        self.generic_visit(node)
        return node

    def generic_visit(self, node: ast.AST) -> ast.AST:
        for field in ("body", "orelse", "finalbody"):
            block = getattr(node, field, None)
            if isinstance(block, list):
                setattr(node, field, self._block(block, may_be_empty=field != "body"))
        return super().generic_visit(node)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        node.returns = None
        arguments = node.args
        for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
            argument.annotation = None
        for star in (arguments.vararg, arguments.kwarg):
            if star is not None:
                star.annotation = None
        node.body = self._block(node.body)
        return node

    def _block(self, block: list[ast.stmt], *, may_be_empty: bool = False) -> list[ast.stmt]:
        kept: list[ast.stmt] = []
        for statement in block:
            found = self.visit(statement)
            if isinstance(found, list):
                kept += found
            elif found is not None and not isinstance(found, ast.Pass):
                kept.append(found)
        return kept or ([] if may_be_empty else [ast.Pass()])


def _never_true(test: ast.expr) -> bool:
    match test:
        case ast.Name(id=name):
            return name in _NEVER_TRUE
        case ast.Compare(left=ast.Name("__name__"), ops=[ast.Eq()], comparators=[ast.Constant()]):
            return True  # a linked program is imported
    return False
