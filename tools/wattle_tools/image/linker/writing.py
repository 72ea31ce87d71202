"""The linked program as a source: final names, imports, and a table that orders the names."""

import ast
import builtins
from collections import Counter
from collections.abc import Mapping, Sequence

from wattle_tools.image.linker import naming, scopes
from wattle_tools.image.linker.naming import LOCAL, Names

_DERIVE = LOCAL + "class"  # no name of ours begins so
_CALLED_OFTEN = 8  # places in the source
_BUILTINS = frozenset(name for name in vars(builtins) if name.islower()) - {"super", "type"}


def write(body: Sequence[ast.stmt], names: Names) -> str:
    """The source of a reachable program."""
    imports = _imports(body)
    writer = _Writer(names)
    before = [*imports, *_kept_builtins(body), *_derive(body, names)]
    tree = ast.Module([*before, *(writer.visit(statement) for statement in body)], [])
    first = _mention(naming.hottest(tree))
    return (
        first + "\n".join(ast.unparse(ast.fix_missing_locations(one)) for one in tree.body) + "\n"
    )


def _mention(names: Sequence[str]) -> str:
    """Code that never runs and mentions names first: the file refers to them in one byte."""
    if not names:
        return ""
    return f"if not __name__:\n    __name__.{'.'.join(names)}\n"


def _kept_builtins(body: Sequence[ast.stmt]) -> list[ast.stmt]:
    """`len = len` for builtins that are called at many places.

    A board finds a builtin by missing it among the globals first, and a miss takes as long as the
    table of these is full: 40 steps at nine tenths, all of it at the end. A hit takes a few.
    """
    called: Counter[str] = Counter()
    for statement in body:
        for node in ast.walk(statement):
            match node:
                case ast.Call(func=ast.Name(id=name)) if name in _BUILTINS:
                    called[name] += 1
    return [
        ast.Assign([ast.Name(name, ast.Store())], ast.Name(name, ast.Load()))
        for name in sorted(called)
        if called[name] >= _CALLED_OFTEN
    ]


def _imports(body: Sequence[ast.stmt]) -> list[ast.stmt]:
    used = {
        node.id[1:]
        for statement in body
        for node in ast.walk(statement)
        if isinstance(node, ast.Name) and node.id.startswith("=")
    }
    found: list[ast.stmt] = []
    for text in sorted(used):
        module, _, name = text.partition(".")
        if name:
            found.append(ast.ImportFrom(module, [ast.alias(name)], 0))
        else:
            found.append(ast.Import([ast.alias(module)]))
    return found


def _is_called(node: ast.stmt) -> bool:
    """Whether a statement is a class with at most a base, and nothing of its own."""
    return (
        isinstance(node, ast.ClassDef)
        and len(node.bases) <= 1
        and all(isinstance(one, ast.Pass) for one in node.body)
    )


def _derive(body: Sequence[ast.stmt], names: Names) -> list[ast.stmt]:
    """The function that makes such a class: a call takes a third of the bytes of a statement."""
    if not any(_is_called(statement) for statement in body):
        return []
    name, base = (*names.parameters, *"ab")[:2]
    return ast.parse(f"def {_DERIVE}({name}, *{base}): return type({name}, {base}, {{}})").body


def _called(node: ast.ClassDef) -> ast.stmt:
    made = ast.Call(ast.Name(_DERIVE, ast.Load()), [ast.Constant(node.name), *node.bases], [])
    return ast.Assign([ast.Name(node.name, ast.Store())], made)


class _Writer(ast.NodeTransformer):
    def __init__(self, names: Names) -> None:
        self._names = names
        self._frames: list[Mapping[str, str]] = []  # locals of the functions around
        self._given = 0  # short names that parameters of the functions around have

    def visit_Name(self, node: ast.Name) -> ast.AST:
        node.id = self._name(node.id)
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        self.generic_visit(node)
        node.attr = self._name(node.attr)
        return node

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> ast.AST:
        if node.name is not None:
            node.name = self._name(node.name)
        self.generic_visit(node)
        return node

    def visit_alias(self, node: ast.alias) -> ast.AST:
        if node.asname is not None:
            node.asname = self._name(node.asname)
        return node

    def visit_Nonlocal(self, node: ast.Nonlocal) -> ast.AST:
        node.names = [self._name(name) for name in node.names]
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        node.name = self._name(node.name)
        self.generic_visit(node)
        return _called(node) if _is_called(node) else node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return self._function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return self._function(node)

    def visit_Lambda(self, node: ast.Lambda) -> ast.AST:
        self._visit_defaults(node.args)
        given = self._enter(node.args, [node.body])
        node.body = self.visit(node.body)
        self._leave(given)
        return node

    def visit_ListComp(self, node: ast.ListComp) -> ast.AST:
        return self._comprehension(node)

    def visit_SetComp(self, node: ast.SetComp) -> ast.AST:
        return self._comprehension(node)

    def visit_DictComp(self, node: ast.DictComp) -> ast.AST:
        return self._comprehension(node)

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> ast.AST:
        return self._comprehension(node)

    def _comprehension(self, node: scopes.Comprehension) -> ast.AST:
        first = node.generators[0]
        first_iter = self.visit(first.iter)
        targets = scopes.bound_in([one.target for one in node.generators])
        self._frames.append({name: LOCAL + name[1:] for name in targets})
        first.iter = ast.Constant(None)  # visited: it belongs to the scope around
        self.generic_visit(node)
        first.iter = first_iter
        self._frames.pop()
        return node

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        node.name = self._name(node.name)
        node.decorator_list = [self.visit(one) for one in node.decorator_list]
        self._visit_defaults(node.args)
        stored = {
            inner.id
            for inner in scopes.own_nodes(node.body)
            if isinstance(inner, ast.Name) and not isinstance(inner.ctx, ast.Load)
        }
        shared = sorted(self._name(name) for name in stored if ":" in name)
        given = self._enter(node.args, node.body)
        node.body = [self.visit(statement) for statement in node.body]
        self._leave(given)
        if shared:
            node.body.insert(0, ast.Global(shared))
        return node

    def _enter(self, arguments: ast.arguments, block: Sequence[ast.AST]) -> int:
        """Names the parameters; gives what `_leave` needs."""
        given = self._given
        bound = {name for name in scopes.bound_in(block) if name.startswith("%")}
        frame = {name: LOCAL + name[1:] for name in bound}
        stars = (arguments.vararg, arguments.kwarg)
        for parameter in scopes.parameters(arguments):
            name = parameter.arg[1:]
            if any(parameter is star for star in stars):
                final = LOCAL + name
            elif name in self._names.keywords:
                final = name
            else:
                final = self._names.parameters[self._given]
                self._given += 1
            frame[parameter.arg] = final
            parameter.arg = final
        self._frames.append(frame)
        return given

    def _leave(self, given: int) -> None:
        self._frames.pop()
        self._given = given

    def _visit_defaults(self, arguments: ast.arguments) -> None:
        arguments.defaults = [self.visit(one) for one in arguments.defaults]
        arguments.kw_defaults = [one and self.visit(one) for one in arguments.kw_defaults]

    def _name(self, name: str) -> str:
        if name.startswith("%"):
            for frame in reversed(self._frames):
                if name in frame:
                    return frame[name]
            raise AssertionError(f"{name} is local to no function")
        if name.startswith("."):
            return self._names.attributes.get(name, name[1:])
        if name.startswith("="):
            return name.rpartition(".")[2].removeprefix("=")
        return self._names.globals.get(name, name)
