"""A program of many modules as one source."""

import ast
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from wattle_tools.image.linker import (
    attributes,
    comparisons,
    constants,
    inlining,
    loops,
    naming,
    numbering,
    reaching,
    readable,
    resolving,
    sharing,
    stripping,
    writing,
)
from wattle_tools.image.linker.modules import LinkError, Module, Program
from wattle_tools.image.linker.readable import Readable

MAIN = "main"


@dataclass(frozen=True)
class Source:
    """A module by the name under which the others import it."""

    module: str
    path: Path


@dataclass(frozen=True)
class Linked:
    """`source`: one file whose function `main` is the program's; `names`: what its names stand
    for."""

    source: str
    names: Readable


def link(
    sources: Sequence[Source],
    entry: str,
    function: str = MAIN,
    *,
    asserts: bool = False,
    numbered: Sequence[str] = (),
) -> Linked:
    """The program that `function` of the module `entry` is.

    asserts: they stay (for tests). numbered: classes of errors, as `module:Name`, whose texts, and
    those of derived ones, become numbers.

    Raises LinkError for what is not understood, with file and line.
    """
    program = Program({source.module: _parsed(source, asserts) for source in sources})
    body = [
        statement
        for module in program.order(entry)
        for statement in resolving.resolve(program, module)
    ]
    root = f"{entry}:{function}"
    if not any(getattr(statement, "name", None) == root for statement in body):
        raise LinkError(f"{entry} has no function {function}")
    reached = reaching.keep_reachable(attributes.inline(constants.inline(body)), [root])
    texts = numbering.number(reached, numbered)
    shared = sharing.groups(reached, naming.attributes_of_ours(reached))
    comparisons.split(reached)
    places = loops.unroll(reached)
    inlined = inlining.inline(reached, [root], places)
    names = naming.choose(inlined.body, {root: MAIN}, shared)
    table = readable.table(inlined, names, texts)  # before writing changes the tree
    return Linked(writing.write(inlined.body, names), table)


def _parsed(source: Source, asserts: bool) -> Module:
    try:
        tree = ast.parse(source.path.read_bytes(), str(source.path))
    except OSError as error:
        raise LinkError(f"{source.path}: cannot be read: {error.strerror}") from error
    except SyntaxError as error:
        raise LinkError(f"{source.path}:{error.lineno}: {error.msg}") from error
    return Module(source.module, source.path, stripping.strip(tree, asserts=asserts))
