"""Which attributes of ours may share a name: those that no object has both.

`box.size` finds the size because whatever `box` is, it has one. If no class of a program gives its
objects both `size` and `topic`, both can be called the same: each look-up still finds the only one
of the two that its object has. A file then needs as many names as the class with the most
attributes, and reaches nearly all of them in one byte.

An attribute is shared only if all that makes it is a method, a constant of a class, or an
assignment to `self` in a method: then the classes around are known to be all that have it.
"""

import ast
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def groups(body: Sequence[ast.stmt], free: Collection[str]) -> dict[str, str]:
    """Attribute of `free` -> the one whose name it shares (or itself), for a resolved program.

    Empty if the program asks by exceptions whether an object has an attribute, or has classes
    other than at the top of a module, derived from such.
    """
    nodes = [node for statement in body for node in ast.walk(statement)]
    if any(isinstance(node, ast.Name) and node.id == "AttributeError" for node in nodes):
        return {}
    classes = {one.name: one for one in body if isinstance(one, ast.ClassDef)}
    bases = {
        base.id for one in classes.values() for base in one.bases if isinstance(base, ast.Name)
    }
    if any(isinstance(node, ast.ClassDef) and node.name not in classes for node in nodes):
        return {}
    if any(":" in base and base not in classes for base in bases):
        return {}
    owners = _owners(body, classes)
    uses = Counter(node.attr for node in nodes if isinstance(node, ast.Attribute))
    together: dict[str, set[str]] = {}  # first of a group -> classes that have one of the group
    found: dict[str, str] = {}
    for name in sorted(owners.keys() & set(free), key=lambda name: (-uses[name], name)):
        first = next((one for one in together if not together[one] & owners[name]), name)
        together.setdefault(first, set()).update(owners[name])
        found[name] = first
    return found


def _owners(body: Sequence[ast.stmt], classes: Mapping[str, ast.ClassDef]) -> dict[str, set[str]]:
    """Attribute -> classes whose objects may have it; without those that others make as well."""
    found: dict[str, set[str]] = {}
    own: set[int] = set()  # assignments to attributes of `self`
    for name, definition in classes.items():
        made = [*_members(definition)]
        for method in definition.body:
            for stored in _stored_in_self(method):
                own.add(id(stored))
                made.append(stored.attr)
        for attribute in made:
            found.setdefault(attribute, set()).update(_derived(name, classes))
    for statement in body:
        for node in ast.walk(statement):
            match node:
                case ast.Attribute(attr=attribute, ctx=ast.Store() | ast.Del()):
                    if id(node) not in own:
                        found.pop(attribute, None)
    return found


def _members(definition: ast.ClassDef) -> Iterator[str]:
    """What the body of a class defines."""
    for member in definition.body:
        if isinstance(member, _FUNCTIONS):
            yield member.name
            continue
        for node in ast.walk(member):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                yield node.id


def _stored_in_self(method: ast.stmt) -> Iterator[ast.Attribute]:
    """Assignments to attributes of the object whose method it is."""
    if not isinstance(method, _FUNCTIONS) or not method.args.args:
        return
    if any(isinstance(one, ast.Name) and one.id == "staticmethod" for one in method.decorator_list):
        return
    itself = method.args.args[0].arg
    nodes = [node for statement in method.body for node in ast.walk(statement)]
    for node in nodes:
        match node:
            case ast.arg(arg=name) if name == itself:
                return
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()) if name == itself:
                return
    for node in nodes:
        match node:
            case ast.Attribute(value=ast.Name(id=name), ctx=ast.Store() | ast.Del()):
                if name == itself:
                    yield node


def _derived(name: str, classes: Mapping[str, ast.ClassDef]) -> set[str]:
    """A class and those derived from it."""
    found = {name}
    while True:
        more = {
            other
            for other, definition in classes.items()
            if any(isinstance(base, ast.Name) and base.id in found for base in definition.bases)
        }
        if more <= found:
            return found
        found |= more
