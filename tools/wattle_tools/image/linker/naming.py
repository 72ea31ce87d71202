"""Short names for what is ours, the same in every build of the same sources.

The three kinds of names (globals, attributes, parameters) never meet, so one text can be a name of
each kind. An mpy file keeps each text once, refers to the first 128 in one byte, and needs many
anyway: builtins, attributes of MicroPython's objects, keys. So our names are taken from those
first, the most used from the most used, and are new ones of a letter or two when they run out.

Not ours, and kept: attributes that objects of MicroPython have (micropython_names), keywords of
calls, and the names of errors, which people read in messages.
"""

import ast
import builtins
import itertools
import keyword
import string
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from wattle_tools.image.linker.micropython_names import ATTRIBUTES

_FIRST = string.ascii_letters + "_"
_THEN = _FIRST + string.digits
# mpy-cross puts some names of its own in front of a file's table.
ONE_BYTE_NAMES = 122
LOCAL = "v_"  # how names of locals begin, which an mpy file does not keep
_TEXT_CHARS_MAX = 10  # longer texts are objects to MicroPython
_COMPILER_NAMES = ("const", "micropython", "viper", "native")
# What the code of each class mentions and the source does not show.
_OF_CLASSES = ("__name__", "__module__", "__qualname__")


@dataclass(frozen=True)
class Names:
    """`globals` and `attributes`: name in the linked tree -> short one; `parameters`: by position;
    `keywords`: parameters that keep their names.
    """

    globals: Mapping[str, str]
    attributes: Mapping[str, str]
    parameters: Sequence[str]
    keywords: frozenset[str]


def choose(body: Sequence[ast.stmt], fixed: Mapping[str, str], shared: Mapping[str, str]) -> Names:
    """Names for a reachable program; `fixed`: what some globals must be called; `shared`: attribute
    -> the one that has the same name (sharing).
    """
    nodes = [node for statement in body for node in ast.walk(statement)]
    uses = _Uses(nodes)
    keywords = frozenset(uses.keywords)
    kept_globals = dict(fixed) | _errors(body, set(fixed.values()))
    kept = Counter({kept_globals[name]: uses.globals[name] for name in kept_globals})
    kept += uses.plain
    attributes: Counter[str] = Counter()
    for name in uses.attributes.keys() & uses.ours:
        attributes[shared.get(name, name)] += uses.attributes[name]
    members = Counter({name[1:]: n for name, n in uses.attributes.items() if name not in uses.ours})
    members += uses.members
    texts = kept + members + uses.texts + uses.keywords
    fresh = list(
        itertools.islice(_short_names(set(texts)), 2 * len(uses.globals) + len(nodes) // 9)
    )

    count = _parameter_count(body)
    forbidden = set(kept) | keywords
    parameters = _pool(members, forbidden, fresh)[:count]
    # Errors of ours have what MicroPython's errors have besides.
    taken = set(members) | set(fixed.values()) | ATTRIBUTES
    chosen = _assign(list(attributes), attributes, _pool(texts, taken, fresh))
    ours = uses.attributes.keys() & uses.ours
    given = {name: chosen[shared.get(name, name)] for name in sorted(ours)}
    methods = {given.get(name, name[1:]) for name in uses.functions if name.startswith(".")}
    others = [name for name in uses.globals if name not in kept_globals]
    free = _pool(texts - kept, forbidden | set(parameters), fresh)
    # A traceback names functions: a function and a method of one name would look alike there.
    functions = [name for name in others if name in uses.functions]
    named = _assign(functions, uses.globals, [name for name in free if name not in methods])
    rest = [name for name in others if name not in uses.functions]
    left = [name for name in free if name not in set(named.values())]
    named |= _assign(rest, uses.globals, left)
    return Names(kept_globals | named, given, parameters, keywords)


def attributes_of_ours(body: Sequence[ast.stmt]) -> set[str]:
    """Those that may be called otherwise."""
    uses = _Uses([node for statement in body for node in ast.walk(statement)])
    return uses.attributes.keys() & uses.ours


def hottest(tree: ast.Module, most: int = ONE_BYTE_NAMES) -> list[str]:
    """The names that the bytecode of a finished tree mentions most, the first ones most often."""
    uses: Counter[str] = Counter()
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(attr=name) | ast.arg(arg=name) | ast.keyword(arg=str(name)):
                uses[name] += 1
            case ast.Name(id=name) if not name.startswith(LOCAL):
                uses[name] += 1
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                uses[name] += 2
            case ast.Constant(value=str() as text) if _is_name(text):
                uses[text] += 1
            case ast.ClassDef(name=name):
                uses.update((name, name, *_OF_CLASSES))
    ranked = sorted(uses.items(), key=lambda pair: (-pair[1], pair[0]))
    return [name for name, count in ranked[:most] if count > 2 and not keyword.iskeyword(name)]


class _Uses:
    """How often a resolved program mentions what: `globals` and `attributes` (`ours`: which of
    them may be called otherwise), `plain` builtins and imported names, `members` of MicroPython's
    modules, `keywords` of calls, `texts` that an mpy file keeps as names; `functions`: which are.
    """

    def __init__(self, nodes: Sequence[ast.AST]) -> None:
        self.globals: Counter[str] = Counter()
        self.attributes: Counter[str] = Counter()
        self.plain: Counter[str] = Counter()
        self.members: Counter[str] = Counter()
        self.keywords: Counter[str] = Counter()
        self.texts: Counter[str] = Counter()
        self.ours: set[str] = set()
        self.functions: set[str] = set()
        for node in nodes:
            self._count(node)
        self.ours = {name for name in self.ours if _may_change(name)}

    def _count(self, node: ast.AST) -> None:
        match node:
            case ast.Attribute(attr=name, ctx=context):
                self._name(name)
                if not isinstance(context, ast.Load):
                    self.ours.add(name)
            case ast.Name(id=name):
                self._name(name)
                self.ours.add(name)
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                self._name(name, 2)
                self.ours.add(name)
                self.functions.add(name)
            case ast.ClassDef(name=name):
                self._name(name, 2)
            case ast.keyword(arg=str(name)):
                self.keywords[name] += 1
            case ast.Constant(value=str() as text) if _is_name(text):
                self.texts[text] += 1

    def _name(self, name: str, times: int = 1) -> None:
        if name.startswith("."):
            self.attributes[name] += times
        elif ":" in name:
            self.globals[name] += times
        elif name.startswith("="):
            module, _, member = name[1:].partition(".")
            self.plain[member or module] += times
        elif not name.startswith("%"):
            # A builtin, or an attribute of a module: which of both does not matter here.
            self.plain[name] += times


def _may_change(attribute: str) -> bool:
    name = attribute.removeprefix(".")
    return attribute != name and not name.startswith("__") and name not in ATTRIBUTES


def _is_name(text: str) -> bool:
    """Whether an mpy file keeps a text as it keeps names, and it could be one."""
    return text.isidentifier() and len(text) <= _TEXT_CHARS_MAX and not text.startswith("__")


def _pool(known: Mapping[str, int], forbidden: set[str], fresh: Sequence[str]) -> list[str]:
    """Names to give away: those there anyway, the most used first, then new ones."""
    names = [
        name
        for name in sorted(known, key=lambda name: (-known[name], name))
        if name not in forbidden and not _means_something(name)
    ]
    return [*names, *(name for name in fresh if name not in forbidden)]


def _means_something(name: str) -> bool:
    """Whether Python, MicroPython or its compiler give a global of this name a meaning."""
    return (
        keyword.iskeyword(name)
        or hasattr(builtins, name)
        or name in _COMPILER_NAMES
        or name.startswith(("__", LOCAL))
    )


def _assign(names: Sequence[str], used: Mapping[str, int], pool: Sequence[str]) -> dict[str, str]:
    ranked = sorted(names, key=lambda name: (-used[name], name))
    return dict(zip(ranked, pool, strict=False))


def _errors(body: Sequence[ast.stmt], taken: set[str]) -> dict[str, str]:
    """Classes of errors, each with the name that it has in messages."""
    errors: dict[str, str] = {}
    for statement in body:
        if not isinstance(statement, ast.ClassDef):
            continue
        bases = {base.id for base in statement.bases if isinstance(base, ast.Name)}
        if any(base in errors or _is_error(base) for base in bases):
            name = statement.name.rpartition(":")[2]
            if name in taken or hasattr(builtins, name):
                name = statement.name.replace(":", "_").replace(".", "_")
            taken.add(name)
            errors[statement.name] = name
    return errors


def _is_error(base: str) -> bool:
    found = getattr(builtins, base, None)
    return isinstance(found, type) and issubclass(found, BaseException)


def _parameter_count(body: Sequence[ast.AST]) -> int:
    """How many parameters functions have together with those around them, at most."""
    most = 0
    for node in body:
        own = 0
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            own = len(node.args.args) + len(node.args.kwonlyargs)
        most = max(most, own + _parameter_count(list(ast.iter_child_nodes(node))))
    return most


def _short_names(taken: set[str]) -> Iterator[str]:
    pairs = ("".join(pair) for pair in itertools.product(_FIRST, _THEN))
    for name in itertools.chain(_FIRST, pairs):
        if name not in taken and not _means_something(name):
            yield name
