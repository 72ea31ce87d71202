"""Numbers instead of texts in errors about bytes from outside.

A board catches and counts them; their texts are read by people who look for the cause, with a log
and the table of names at hand. `raise MalformedError("%d bytes, expected %d" % (a, b))` becomes
`raise MalformedError(7001, a, b)`: nothing that was found is lost, and the text takes no flash.
A class of such errors that nothing catches becomes its base, and its name part of the text.
"""

import ast
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence

FIRST = 7000
_LAST = 7999
_NUMBERED = re.compile(r"\((7\d{3}), ([^()]*)\)|(?<=: )(7\d{3})$")


def number(body: list[ast.stmt], roots: Sequence[str]) -> dict[int, str]:
    """Changes the calls of the classes `roots` and those derived from them that have no
    `__init__`, and leaves out what nothing catches of these; gives the texts by number.
    """
    classes = _classes(body, roots)
    bases = _uncaught(body, classes)
    texts: dict[str, int] = {}
    for statement in body:
        for node in ast.walk(statement):
            match node:
                case ast.Call(func=ast.Name(id=name), args=[text], keywords=[]) if name in classes:
                    template, values = _parts(text)
                    if template is None or FIRST + len(texts) > _LAST:
                        continue
                    if name in bases:
                        template = f"{name.rpartition(':')[2]}: {template}"
                    found = texts.setdefault(template, FIRST + len(texts))
                    node.args = [ast.Constant(found), *values]
    for statement in body:
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and node.id in bases:
                node.id = bases[node.id]
    body[:] = [one for one in body if not (isinstance(one, ast.ClassDef) and one.name in bases)]
    return {found: template for template, found in texts.items()}


def explained(line: str, texts: Mapping[int, str]) -> str:
    """A line of a log with the text of the number in it, if there is one, behind it."""
    found = _NUMBERED.search(line)
    if found is None:
        return line
    template = texts.get(int(found[1] or found[3]))
    if template is None:
        return line
    try:
        values = ast.literal_eval(f"({found[2]},)") if found[2] else ()
        return f"{line} [{template % values if values else template}]"
    except (ValueError, SyntaxError, TypeError):
        return f"{line} [{template}]"


def _classes(body: Sequence[ast.stmt], roots: Sequence[str]) -> set[str]:
    """The roots and what is derived from them, without those that make their own text."""
    known = set(roots)
    own: set[str] = set()
    for statement in body:
        if not isinstance(statement, ast.ClassDef):
            continue
        bases = {base.id for base in statement.bases if isinstance(base, ast.Name)}
        if bases & known:
            known.add(statement.name)
        makes = any(isinstance(one, ast.FunctionDef) for one in statement.body)
        if makes or bases & own:
            own.add(statement.name)
    return known - own


def _uncaught(body: Sequence[ast.stmt], classes: Collection[str]) -> dict[str, str]:
    """Class -> its base, for those that are only called, each time with a text alone."""
    mentions: Counter[str] = Counter()
    calls: Counter[str] = Counter()
    for statement in body:
        for node in ast.walk(statement):
            match node:
                case ast.Name(id=name):
                    mentions[name] += 1
                case ast.Raise(exc=ast.Call(func=ast.Name(id=name), args=[text], keywords=[])):
                    calls[name] += _parts(text)[0] is not None
    found: dict[str, str] = {}
    for statement in body:
        match statement:
            case ast.ClassDef(name=name, bases=[ast.Name(id=base)]) if name in classes:
                if ":" in base and calls[name] == mentions[name]:
                    found[name] = base
    return found


def _parts(text: ast.expr) -> tuple[str | None, list[ast.expr]]:
    """(template in the style of %, values) of a text with values; None: it is none."""
    match text:
        case ast.Constant(value=str() as template):
            return template, []
        case ast.BinOp(left=ast.Constant(value=str() as template), op=ast.Mod(), right=right):
            return template, right.elts if isinstance(right, ast.Tuple) else [right]
        case ast.JoinedStr(values=pieces):
            values = [piece for piece in pieces if isinstance(piece, ast.FormattedValue)]
            if all(value.conversion == -1 and value.format_spec is None for value in values):
                template = "".join(
                    str(piece.value).replace("%", "%%") if isinstance(piece, ast.Constant) else "%s"
                    for piece in pieces
                )
                return template, [value.value for value in values]
    return None, []
