"""Which names a function binds itself (docs.python.org, "Naming and binding")."""

import ast
from collections.abc import Iterator, Sequence

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_SCOPES = (*FUNCTIONS, ast.Lambda, ast.ClassDef, *COMPREHENSIONS)


def parameters(arguments: ast.arguments) -> list[ast.arg]:
    """All parameters, in their order."""
    stars = [star for star in (arguments.vararg, arguments.kwarg) if star is not None]
    return [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, *stars]


def bound_in(block: Sequence[ast.AST]) -> set[str]:
    """Names that statements bind in their own scope, without those they declare global."""
    bound: set[str] = set()
    elsewhere: set[str] = set()
    for node in own_nodes(block):
        match node:
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
                bound.add(name)
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                bound.add(name)
            case ast.ClassDef(name=name) | ast.ExceptHandler(name=str(name)):
                bound.add(name)
            case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
                bound |= {alias.asname or alias.name.partition(".")[0] for alias in aliases}
            case ast.Global(names=names) | ast.Nonlocal(names=names):
                elsewhere |= set(names)
    return bound - elsewhere


def globals_declared(block: Sequence[ast.AST]) -> set[str]:
    """Names that a function's statements declare global."""
    declared: set[str] = set()
    for node in own_nodes(block):
        if isinstance(node, ast.Global):
            declared |= set(node.names)
    return declared


def own_nodes(block: Sequence[ast.AST]) -> Iterator[ast.AST]:
    """All nodes of the scope; of inner scopes only themselves and what is evaluated outside."""
    waiting = list(reversed(block))
    while waiting:
        node = waiting.pop()
        yield node
        inside = outer_parts(node) if isinstance(node, _SCOPES) else ast.iter_child_nodes(node)
        waiting += reversed(list(inside))


def outer_parts(node: ast.AST) -> list[ast.AST]:
    """What a scope evaluates in the scope around it: defaults, decorators, bases, first iterator.

    Names that `:=` binds in a comprehension count as the comprehension's own: none of our sources
    does that, and the linker refuses it.
    """
    match node:
        case ast.FunctionDef(args=arguments) | ast.AsyncFunctionDef(args=arguments):
            return [*node.decorator_list, *_defaults(arguments)]
        case ast.Lambda(args=arguments):
            return list(_defaults(arguments))
        case ast.ClassDef():
            return [*node.decorator_list, *node.bases, *node.keywords]
        case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
            return [node.generators[0].iter]
    return []


def _defaults(arguments: ast.arguments) -> list[ast.expr]:
    return [*arguments.defaults, *(one for one in arguments.kw_defaults if one is not None)]
