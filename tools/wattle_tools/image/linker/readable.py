"""What the short names of a linked program stand for, and a board's log with readable names.

A traceback of a board names functions only ("in ab"). Methods of several classes share a name, as
in the sources or by the linker's choice: of these, those are told that fit the frames around.
"""

import ast
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from wattle_tools.errors import ImageError
from wattle_tools.image.linker import numbering
from wattle_tools.image.linker.inlining import Inlined
from wattle_tools.image.linker.naming import LOCAL, Names

FORMAT = 1
_ADVICE = "take the .names.json beside the image"
_KINDS = ("functions", "globals", "attributes", "mentions", "inside", "texts")
_FRAME = re.compile(r'^(\s*File "wattle\w*\.py")(?:, line \d+)?, in (\w+)')
_GLOBAL = re.compile(r"(?<=name ')(\w+)(?=' isn't defined)")
_ATTRIBUTE = re.compile(r"(?<=attribute ')(\w+)(?=')")
_CLASS = re.compile(r"(?<=')(\w+)(?=' object)")
_CALLED = re.compile(r"\b(\w+)(?=\(\) takes \d)")


@dataclass(frozen=True)
class Readable:
    """Short name -> names in the sources: `functions` and `globals` as `module:name` or
    `module:Class.name`, `attributes` as they are. `mentions`: function -> globals and `.attribute`s
    that it names. `inside`: function -> others that were put into it. `texts`: number -> text of
    an error.
    """

    functions: Mapping[str, Sequence[str]]
    globals: Mapping[str, Sequence[str]]
    attributes: Mapping[str, Sequence[str]]
    mentions: Mapping[str, Sequence[str]]
    inside: Mapping[str, Sequence[str]]
    texts: Mapping[str, Sequence[str]]

    def json(self) -> dict[str, object]:
        """As it is stored beside an image."""
        return {"format": FORMAT} | {kind: getattr(self, kind) for kind in _KINDS}

    def text(self) -> str:
        """The content of the file that is stored beside an image."""
        return json.dumps(self.json(), indent=1, sort_keys=True) + "\n"

    def lines(self, log: Iterable[str]) -> Iterator[str]:
        """The lines of a board's log with the names of the sources; others are as they were."""
        frames: list[re.Match[str]] = []
        for text in log:
            frame = _FRAME.match(text)
            if frame is not None:
                frames.append(frame)
                continue
            stack = self._stack(frames)
            yield from self._told(frames, stack)
            yield self._line(text, stack[-1] if stack else ())
            frames = []
        yield from self._told(frames, self._stack(frames))

    def _stack(self, frames: Sequence[re.Match[str]]) -> list[list[str]]:
        """For each frame of a traceback, the outermost first, the functions that it may be: those
        that one of the frame above mentions, and that mention one of the frame below.
        """
        stack = [
            list(self.functions.get(frame[2], [frame[2].removeprefix(LOCAL)])) for frame in frames
        ]
        for at in range(1, len(stack)):
            called = [one for one in stack[at] if self._calls(stack[at - 1], [one])]
            stack[at] = called or stack[at]
        for at in reversed(range(len(stack) - 1)):
            calling = [one for one in stack[at] if self._calls([one], stack[at + 1])]
            stack[at] = calling or stack[at]
        return stack

    def _calls(self, callers: Sequence[str], functions: Sequence[str]) -> bool:
        """Whether one of `callers` may call one of `functions`."""
        mentioned = {name for caller in callers for name in self.mentions.get(caller, ())}
        for function in functions:
            owner, _, name = function.rpartition(".")
            ways = {function, "." + name, owner if name == "__init__" else function}
            if ways & mentioned:
                return True
        return False

    def _told(
        self, frames: Sequence[re.Match[str]], stack: Sequence[Sequence[str]]
    ) -> Iterator[str]:
        for frame, functions in zip(frames, stack, strict=True):
            told = " or ".join(self._with_inside(one) for one in functions)
            yield f"{frame[1]}, in {told}{frame.string[frame.end() :]}"

    def _with_inside(self, function: str) -> str:
        inside = [name.rpartition(":")[2] for name in self.inside.get(function, ())]
        return f"{function} (with {', '.join(inside)})" if inside else function

    def _line(self, text: str, raised_in: Sequence[str]) -> str:
        """A line that is no frame; `raised_in`: the functions that the frame above it may be."""
        mentioned = {name for one in raised_in for name in self.mentions.get(one, ())}
        for pattern, names in (
            (_GLOBAL, self.globals),
            (_ATTRIBUTE, self.attributes),
            (_CLASS, self.globals),
            (_CALLED, self.functions),
        ):
            found = pattern.search(text)
            if found is not None:
                known = names.get(found[1], [found[1]])
                if pattern is _ATTRIBUTE:
                    known = [one for one in known if "." + one in mentioned] or known
                text = text[: found.start()] + " or ".join(known) + text[found.end() :]
        return numbering.explained(text, {int(at): row[0] for at, row in self.texts.items()})


def table(program: Inlined, names: Names, texts: Mapping[int, str]) -> Readable:
    """The meaning of the names that `writing` will use for a program; `texts`: see numbering."""
    functions: dict[str, list[str]] = {}
    mentions: dict[str, list[str]] = {}
    for statement in program.body:
        match statement:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                _add(functions, names.globals[name], name)
                mentions[name] = _mentioned(statement)
            case ast.ClassDef(name=owner, body=members):
                for member in members:
                    if isinstance(member, ast.FunctionDef | ast.AsyncFunctionDef):
                        short = names.attributes.get(member.name, member.name[1:])
                        _add(functions, short, owner + member.name)
                        mentions[owner + member.name] = _mentioned(member)
    global_names: dict[str, list[str]] = {}
    for name, short in names.globals.items():
        _add(global_names, short, name)
    attributes: dict[str, list[str]] = {}
    for name, short in names.attributes.items():
        _add(attributes, short, name[1:])
    rows = {str(number): [text] for number, text in texts.items()}
    return Readable(functions, global_names, attributes, mentions, program.inside, rows)


def load(path: Path) -> Readable:
    """The table in a file that was stored beside an image. Raises ImageError."""
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise ImageError(f"{path}: cannot be read: {error.strerror}", _ADVICE) from error
    except ValueError as error:
        raise ImageError(f"{path}: no table of names: {error}", _ADVICE) from error
    return parse(content)


def parse(content: object) -> Readable:
    """The table that `json` gave. Raises ImageError."""
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ImageError(f"no table of names, expected an object with format {FORMAT}", _ADVICE)
    tables: list[dict[str, list[str]]] = []
    for kind in _KINDS:
        rows = content.get(kind)
        if not isinstance(rows, dict) or not all(isinstance(row, list) for row in rows.values()):
            raise ImageError(f"a table of names without {kind}", _ADVICE)
        tables.append({str(name): [str(one) for one in row] for name, row in rows.items()})
    return Readable(*tables)


def _add(found: dict[str, list[str]], short: str, name: str) -> None:
    found.setdefault(short, []).append(name)


def _mentioned(function: ast.stmt) -> list[str]:
    names = {
        node.id if isinstance(node, ast.Name) else node.attr
        for node in ast.walk(function)
        if isinstance(node, ast.Name | ast.Attribute)
    }
    return sorted(name for name in names if ":" in name or name.startswith("."))
