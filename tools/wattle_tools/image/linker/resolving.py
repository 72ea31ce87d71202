"""Gives each name one meaning in the whole program.

Afterwards a Name is `module:name` (a global of ours), `=module` or `=module.name` (of MicroPython),
`%name` (local to a function) or a builtin's; an attribute of an object is `.name`, one of a
module of MicroPython just its name. Imports are gone: what is used of MicroPython is imported
at the top of the linked program.
"""

import ast
from dataclasses import dataclass

from wattle_tools.image.linker import scopes
from wattle_tools.image.linker.modules import Foreign, Global, Meaning, Module, Ours, Program

_BY_TEXT = ("globals", "locals", "eval", "exec", "vars", "dir", "setattr", "__import__")
_LOOK_UPS = ("getattr", "hasattr")


@dataclass
class _Scope:
    """A function, a comprehension or the body of a class."""

    bound: set[str]
    meanings: dict[str, Meaning]  # of imports in a function
    global_names: set[str]
    is_class: bool = False


def resolve(program: Program, module: Module) -> list[ast.stmt]:
    """The statements of a module with resolved names. Raises LinkError."""
    resolver = _Resolver(program, module)
    body = [resolver.visit(statement) for statement in module.tree.body]
    return [statement for statement in body if statement is not None]


def _is_foreign(node: ast.expr) -> bool:
    """Whether a resolved expression is something in a module of MicroPython: sys.implementation."""
    match node:
        case ast.Attribute(value=ast.Name(id=name), attr=attribute):
            return name.startswith("=") and not attribute.startswith(".")
    return False


class _Resolver(ast.NodeTransformer):
    def __init__(self, program: Program, module: Module) -> None:
        self._program = program
        self._module = module
        self._scopes: list[_Scope] = []

    # ---- names

    def visit_Name(self, node: ast.Name) -> ast.AST:
        meaning = self._meaning(node.id)
        if isinstance(meaning, Ours):
            raise self._module.error(node, f"module {node.id} used as a value")
        self._refuse_look_ups(node, meaning)
        node.id = meaning if isinstance(meaning, str) else meaning.text
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        if isinstance(node.value, ast.Name):
            meaning = self._meaning(node.value.id)
            if isinstance(meaning, Ours):
                return self._member(node, meaning)
            if isinstance(meaning, Foreign):
                node.value.id = meaning.text
                if meaning.name:  # a class: its attributes are those of an object
                    node.attr = "." + node.attr
                return node
        node.value = self.visit(node.value)
        if not _is_foreign(node.value):
            node.attr = "." + node.attr
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        match node.func:
            case ast.Name(id=name) if name in _LOOK_UPS and self._meaning(name) == name:
                match node.args:
                    case [ast.Name(id=holder), ast.Constant(str()), *_]:
                        if isinstance(self._meaning(holder), Foreign):
                            node.args = [self.visit(argument) for argument in node.args]
                            return node  # a name of MicroPython, which stays as it is
                raise self._module.error(node, f"{name} of a name that the linker may change")
        self.generic_visit(node)
        return node

    def visit_Global(self, node: ast.Global) -> None:
        return None  # done anew when the names are final

    def visit_Nonlocal(self, node: ast.Nonlocal) -> ast.AST:
        node.names = ["%" + name for name in node.names]
        return node

    def visit_NamedExpr(self, node: ast.NamedExpr) -> ast.AST:
        raise self._module.error(node, "an assignment inside an expression")

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> ast.AST:
        if node.name is not None:
            node.name = self._bound(node, node.name)
        self.generic_visit(node)
        return node

    # ---- imports

    def visit_Import(self, node: ast.Import) -> ast.AST | None:
        return self._import(node)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST | None:
        return self._import(node)

    def _import(self, node: ast.Import | ast.ImportFrom) -> ast.AST | None:
        if not self._scopes:
            return None
        found = self._imported(node)
        if not any(isinstance(meaning, Foreign) for meaning in found.values()):
            return ast.Pass()
        for alias in node.names:
            alias.asname = self._bound(node, alias.asname or alias.name)
        return node

    def _imported(self, node: ast.AST) -> dict[str, Meaning]:
        assert isinstance(node, ast.Import | ast.ImportFrom)
        return self._program.imported(self._module, node)

    # ---- scopes

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return self._function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return self._function(node)

    def visit_Lambda(self, node: ast.Lambda) -> ast.AST:
        self._visit_defaults(node.args)
        self._enter([node.body], node.args)
        node.body = self.visit(node.body)
        self._scopes.pop()
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        if node.keywords:
            raise self._module.error(node, "a class with a metaclass")
        node.name = self._bound(node, node.name)
        node.bases = [self.visit(base) for base in node.bases]
        node.decorator_list = [self.visit(one) for one in node.decorator_list]
        self._scopes.append(_Scope(scopes.bound_in(node.body), {}, set(), is_class=True))
        node.body = self._block(node.body)
        self._scopes.pop()
        return node

    def visit_ListComp(self, node: ast.ListComp) -> ast.AST:
        return self._comprehension(node)

    def visit_SetComp(self, node: ast.SetComp) -> ast.AST:
        return self._comprehension(node)

    def visit_DictComp(self, node: ast.DictComp) -> ast.AST:
        return self._comprehension(node)

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> ast.AST:
        return self._comprehension(node)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        node.decorator_list = [self.visit(one) for one in node.decorator_list]
        node.name = self._bound(node, node.name)
        self._visit_defaults(node.args)
        self._enter(node.body, node.args)
        node.body = self._block(node.body)
        self._scopes.pop()
        return node

    def _comprehension(self, node: scopes.Comprehension) -> ast.AST:
        first = node.generators[0]
        first.iter = self.visit(first.iter)
        targets = [one.target for one in node.generators]
        self._scopes.append(_Scope(scopes.bound_in(targets), {}, set()))
        for generator in node.generators:
            if generator is not first:
                generator.iter = self.visit(generator.iter)
            generator.target = self.visit(generator.target)
            generator.ifs = [self.visit(one) for one in generator.ifs]
        if isinstance(node, ast.DictComp):
            node.key, node.value = self.visit(node.key), self.visit(node.value)
        else:
            node.elt = self.visit(node.elt)
        self._scopes.pop()
        return node

    def _enter(self, block: list[ast.stmt] | list[ast.expr], arguments: ast.arguments) -> None:
        meanings: dict[str, Meaning] = {}
        for node in scopes.own_nodes(block):
            if isinstance(node, ast.Import | ast.ImportFrom):
                found = self._imported(node).items()
                meanings |= {name: one for name, one in found if not isinstance(one, Foreign)}
        bound = scopes.bound_in(block) - meanings.keys()
        for parameter in scopes.parameters(arguments):
            bound.add(parameter.arg)
            parameter.arg = "%" + parameter.arg
        self._scopes.append(_Scope(bound, meanings, scopes.globals_declared(block)))

    def _visit_defaults(self, arguments: ast.arguments) -> None:
        arguments.defaults = [self.visit(one) for one in arguments.defaults]
        arguments.kw_defaults = [one and self.visit(one) for one in arguments.kw_defaults]

    def _block(self, block: list[ast.stmt]) -> list[ast.stmt]:
        found = [self.visit(statement) for statement in block]
        return [one for one in found if one is not None] or [ast.Pass()]

    # ---- meanings

    def _bound(self, node: ast.AST, name: str) -> str:
        """A name that a statement binds: of a function, a class, a caught error."""
        if self._scopes and self._scopes[-1].is_class:
            return "." + name
        meaning = self._meaning(name)
        if isinstance(meaning, str):
            return meaning
        if not isinstance(meaning, Global):
            raise self._module.error(node, f"{name} is both imported and defined")
        return meaning.text

    def _meaning(self, name: str) -> Meaning | str:
        """The meaning of a name here; a text for one that is local or a builtin's."""
        for depth, scope in enumerate(reversed(self._scopes)):
            if name in scope.meanings:
                return self._followed(scope.meanings[name])
            if name in scope.global_names:
                break
            if name in scope.bound:
                if not scope.is_class:
                    return "%" + name
                if depth == 0:
                    return "." + name
        meaning = self._module.meanings.get(name)
        return name if meaning is None else self._followed(meaning)

    def _followed(self, meaning: Meaning) -> Meaning:
        if isinstance(meaning, Global):
            return self._program.member(meaning.module, meaning.name) or meaning
        return meaning

    def _member(self, node: ast.Attribute, module: Ours) -> ast.AST:
        meaning = self._program.member(module.module, node.attr)
        if meaning is None:
            raise self._module.error(node, f"{module.module} has no {node.attr}")
        if isinstance(meaning, Ours):
            raise self._module.error(node, f"module {node.attr} used as a value")
        return ast.copy_location(ast.Name(meaning.text, node.ctx), node)

    def _refuse_look_ups(self, node: ast.Name, meaning: Meaning | str) -> None:
        if meaning == node.id and node.id in (*_BY_TEXT, *_LOOK_UPS):
            raise self._module.error(node, f"{node.id}, which looks names up by their text")
