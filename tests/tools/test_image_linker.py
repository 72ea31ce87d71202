"""The linker: a linked program does what its modules did, with nothing left that it does not need.

Every small program runs twice on CPython: as it is and linked. Whole firmware, with all its device
cases, runs linked in test_image_cases.
"""

import ast
import subprocess
from pathlib import Path

import pytest
from wattle_hil import parts
from wattle_testkit.linked_programs import linked, same, sources
from wattle_tools.image.linker import link, micropython_names
from wattle_tools.image.linker.modules import LinkError


def test_names_of_modules_become_one_namespace(tmp_path: Path) -> None:
    source = same(
        tmp_path,
        box="""
            LIMIT = 7
            def limit(): return LIMIT
            class Box:
                size = 3
                def limit(self): return self.size
        """,
        other="""
            from box import limit as boxed
            LIMIT = 5
            def limit(): return LIMIT + boxed()
        """,
        start="""
            import box
            from box import Box
            import other as second
            def main():
                box_ = Box()
                print(box.limit(), second.limit(), box_.limit(), box.LIMIT, second.LIMIT)
        """,
    )
    assert "limit" not in source
    assert "LIMIT" not in source


def test_locals_shadow_modules_and_globals(tmp_path: Path) -> None:
    same(
        tmp_path,
        line="def line(): return 'module'",
        start="""
            import line
            from line import line as made
            count = 4
            def outer(line, count=2):
                def inner(count): return [line + count for line in range(count)]
                return inner(count), line, [count for count in (1, 2)], {c: count for c in 'ab'}
            def counts():
                global count
                count += 1
                return count
            def closed():
                seen = []
                def add(x):
                    nonlocal seen
                    seen = seen + [x]
                for x in range(3): add(x)
                return seen
            def main():
                print(line.line(), made(), outer(3), counts(), count, closed())
                print((lambda line, *rest, **named: (line, rest, named))(1, 2, a=3))
                try: raise ValueError(count)
                except ValueError as line_: print(line_)
        """,
    )


def test_keywords_of_calls_still_find_their_parameters(tmp_path: Path) -> None:
    same(
        tmp_path,
        start="""
            class Line:
                def __init__(self, baud, stop_bits=1, *, parity='N'):
                    self.baud, self.stop_bits, self._parity = baud, stop_bits, parity
                @property
                def parity(self): return self._parity
            def make(baud, /, *more, **options): return Line(baud, *more, **options)
            def main():
                made = make(9600, parity='E')
                print(made.baud, made.stop_bits, made.parity, Line(stop_bits=2, baud=1).stop_bits)
        """,
    )


def test_attributes_of_micropython_keep_their_names(tmp_path: Path) -> None:
    source = same(
        tmp_path,
        start="""
            import io, struct, sys
            class File:
                def __init__(self): self.pieces, self.name = [], 'x'
                def write(self, piece): self.pieces.append(piece)
                def pack(self): return b''.join(self.pieces)
            def main():
                ours, foreign = File(), io.BytesIO()
                for file in (ours, foreign): file.write(struct.pack('>H', 3))
                print(sys.implementation.name, ours.name)
                print(ours.pack(), foreign.getvalue(), getattr(struct, 'calcsize', None) is None)
        """,
    )
    assert "pieces" not in source
    assert ".pack(" in source  # of struct; the method of ours has another name


def test_a_derived_class_finds_what_its_base_offers(tmp_path: Path) -> None:
    same(
        tmp_path,
        board="""
            class Board:
                speed = 1
                def read(self): raise NotImplementedError
                def twice(self): return 2 * self.read() * self.speed
            class MeterError(Exception):
                'Root.'
            class CrcError(MeterError):
                def __init__(self, code): super().__init__('code %d' % code); self.code = code
        """,
        start="""
            from board import Board, CrcError, MeterError
            class Mine(Board):
                speed = 5
                def read(self): return 4
            def main():
                print(Mine().twice(), isinstance(Mine(), Board))
                try: raise CrcError(3)
                except MeterError as error: print(type(error).__name__, error, error.code)
        """,
    )


def test_attributes_of_an_error_do_not_become_those_of_micropython(tmp_path: Path) -> None:
    keys = "'args', 'value', 'errno', 'throw', 'close', 'send'"
    source = same(
        tmp_path,
        start=f"""
            class CodeError(Exception):
                def __init__(self, code, unit, line, at):
                    super().__init__('code')
                    self.code, self.unit, self.line, self.at = code, unit, line, at
            def main():
                try: raise CodeError(1, 2, 3, 4)
                except CodeError as error:
                    print(error.code, error.unit, error.line, error.at, error, {keys})
                    print(error.code, error.unit, error.line, error.at, {keys})
        """,
    )
    for name in ("args", "value", "errno"):
        assert f".{name} = " not in source
        assert f".{name}," not in source


def test_constants_stand_where_they_are_used(tmp_path: Path) -> None:
    source = same(
        tmp_path,
        start="""
            A, B = 3, -4
            _HEAD, _TAIL = range(2)
            C = 1 << A | 2 ** 3
            TEXT = 'ab' + 'cd'
            ROW = (A, TEXT, (B, None))
            SIZE = len(TEXT) + len(b'xyz')
            BIG = 1 << 200
            changed = 1
            changed = changed + A
            TABLE = {A: B}
            def main():
                print(A, B, B ** 2, (B).bit_length(), C, ROW, SIZE, BIG)
                print(changed, TABLE, _TAIL)
        """,
    )
    tree = ast.parse(source)
    stored = [node for node in tree.body if isinstance(node, ast.Assign)]
    assert len(stored) == 4  # BIG, changed twice, TABLE


def test_what_nothing_calls_is_left_out(tmp_path: Path) -> None:
    source = same(
        tmp_path,
        start="""
            '''Says nothing.'''
            __slots__ = ('a',)
            TYPE_CHECKING = False
            if TYPE_CHECKING:
                from typing import Any
            class Interface:
                '''For readers.'''
                def step(self) -> int: raise NotImplementedError
            class Unused(Interface): pass
            class Used(Interface):
                __slots__ = ('kept',)
                value: int
                def __init__(self) -> None: self.kept: int = 4711
                def step(self) -> int:
                    assert self.kept, 'never'
                    return self.kept
                def unused(self): return unused()
            def unused(): return 'nobody'
            def main() -> None: print(Used().step())
            if __name__ == '__main__': main()
        """,
    )
    for word in ("Says", "Any", "NotImplemented", "readers", "never", "nobody", "slots", "assert"):
        assert word not in source
    assert source.count("class") == 1


def test_a_function_may_import_a_module_of_ours(tmp_path: Path) -> None:
    same(
        tmp_path,
        probe="def units(text): return text.split('-')",
        start="""
            def main():
                from probe import units as found
                import probe
                import struct as packed
                from json import dumps
                print(found('1-2'), probe.units('3'), packed.pack('>H', 1), dumps([2]))
        """,
    )


def test_the_same_sources_give_the_same_program(tmp_path: Path) -> None:
    modules = {
        "box": "class Box:\n    def one(self): return 1\n    def two(self): return 2\n",
        "start": "import box\ndef main(): print(box.Box().one(), box.Box().two())\n",
    }
    parts_ = sources(tmp_path, modules)
    assert link.link(parts_, "start") == link.link(parts_[::-1], "start")


def test_a_branch_that_a_board_never_takes_is_left_out(tmp_path: Path) -> None:
    source = same(
        tmp_path,
        start="""
            class Board:
                speed = 1
                def __init__(self): self.level = 0
            class Chip(Board):
                watched = False
                radio = True
                level = 5
            class Meter:
                def __init__(self): self.board = Chip()
                def step(self, now):
                    if self.board.watched and now > 3: self.show()
                    elif self.board.radio and now: print('radio', now * self.board.speed)
                    else: print('silent')
                    if self.board.watched or now == 2: print('two')
                    if not self.board.level: print('level')
                def show(self): print('never shown')
            def main():
                for now in range(6): Meter().step(now)
        """,
    )
    assert "never shown" not in source
    assert "watched" not in source


REFUSED = [
    ("import box\ndef main(): return box", "module box used as a value"),
    ("def main(): return getattr(main, 'x')", "getattr of a name"),
    ("def main(): return globals()", "looks names up by their text"),
    ("import box\ndef main(): return box.nothing", "box has no nothing"),
    ("from box import nothing\ndef main(): return nothing", "box has no nothing"),
    ("from box.inner import x\ndef main(): return x", "there is no module box.inner"),
    ("def main(): return (x := 3)", "assignment inside an expression"),
    ("from struct import *\ndef main(): pass", "names no module, or everything"),
    ("import os.path\ndef main(): pass", "without dots"),
    ("def main(:", "start.py:1"),
    ("def other(): pass", "start has no function main"),
]


@pytest.mark.parametrize(("text", "expected"), REFUSED)
def test_what_is_not_understood_is_refused(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(LinkError, match=expected):
        linked(tmp_path, box="BOX = 1\n", start=text + "\n")


_LIST = """
import asyncio, ffi, hashlib, io, select, socket, tls
def generator(): yield 1
async def coroutine(): pass
async def inside(): show(asyncio.current_task())
def show(*objects):
    for one in objects:
        for name in dir(one):
            if not name.startswith("__"):
                print(name)
library = ffi.open("libc.so.6")
waiting = coroutine()
show("", b"", bytearray(), memoryview(b""), [], {}, set(), frozenset(), (), 1, 1.0, range(3))
show(generator(), waiting, generator, OSError(1), StopIteration(1), {}.items(), property, slice)
show(open("/dev/null", "rb"), open("/dev/null"), io.StringIO(), io.BytesIO(), hashlib.sha256())
show(socket.socket(), select.poll(), tls.SSLContext(tls.PROTOCOL_TLS_CLIENT), library)
show(library.func("i", "close", "i"), asyncio.Event(), asyncio.Lock(), asyncio.get_event_loop())
show(asyncio.StreamReader(None))
asyncio.run(inside())
"""


def test_the_real_interpreter_has_no_attribute_that_the_linker_would_change() -> None:
    done = subprocess.run(
        [parts.micropython(64), "-c", _LIST], capture_output=True, text=True, check=True
    )
    found = set(done.stdout.split())
    assert len(found) > 100
    assert found <= micropython_names.INTERPRETER
