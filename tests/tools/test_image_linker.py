"""The linker: a linked program does what its modules did, with nothing left that it does not need.

Every small program runs twice on CPython: as it is and linked. Whole firmware, with all its device
cases, runs linked in test_image_cases.
"""

import ast
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path

import pytest
from wattle_hil import parts
from wattle_tools.image.linker import link, micropython_names, readable
from wattle_tools.image.linker.modules import LinkError


def sources(folder: Path, modules: Mapping[str, str]) -> list[link.Source]:
    found = []
    for name, text in modules.items():
        path = folder / f"{name.replace('.', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
        found.append(link.Source(name, path))
    return found


def linked(folder: Path, **modules: str) -> link.Linked:
    return link.link(sources(folder, modules), "start")


def said(folder: Path, module: str) -> str:
    """What main() of a module in a folder prints, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", f"import {module}; {module}.main()"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def same(folder: Path, **modules: str) -> str:
    """The source of a linked program that says what its modules say."""
    program = linked(folder, **modules)
    (folder / "linked").mkdir()
    (folder / "linked" / "wattle.py").write_text(program.source)
    expected = said(folder, "start")
    assert expected
    assert said(folder / "linked", "wattle") == expected
    return program.source


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


def test_a_traceback_becomes_readable(tmp_path: Path) -> None:
    program = linked(
        tmp_path,
        box="class Box:\n    def open_lid(self): return self.gone.away\n    gone = None\n"
        "class Chest:\n    def __init__(self): self.lid = Lid()\n"
        "class Lid:\n    def __init__(self): self.edge\n",
        start="import box\ndef opened(): return box.Box().open_lid(), box.Chest()\n"
        "def main(): opened(), opened(), box.Box().open_lid()\n",
    )
    table = readable.parse(program.names.json())
    short = {name: short for short, names in table.functions.items() for name in names}
    frames = [short["start:opened"], short["box:Box.open_lid"]]
    made = ["start:opened", "box:Chest.__init__", "box:Lid.__init__"]
    box = next(short for short, names in table.globals.items() if names == ["box:Box"])
    lines = [
        "12:00:01 E sampling failed: AttributeError: no",
        *(f'  File "wattle.py", line 1, in {frame}' for frame in frames),
        f"AttributeError: '{box}' object has no attribute 'away'",
        f"TypeError: {frames[0]}() takes 1 positional arguments but 2 were given",
        *(f'  File "wattle.py", line 1, in {short[name]}' for name in made),
    ]
    assert list(table.lines(lines)) == [
        lines[0],
        '  File "wattle.py", in start:opened',
        '  File "wattle.py", in box:Box.open_lid',
        "AttributeError: 'box:Box' object has no attribute 'away'",
        "TypeError: start:opened() takes 1 positional arguments but 2 were given",
        *(f'  File "wattle.py", in {name}' for name in made),
    ]


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


def test_functions_that_are_called_once_are_put_in_place(tmp_path: Path) -> None:
    program = linked(
        tmp_path,
        start="""
            class Bus:
                def __init__(self): self.sent = []
                def send(self, unit, words=(1, 2)):
                    self._write(self._frame(unit, words))
                    return self._answer(len(words))
                def _frame(self, unit, words):
                    frame = [unit]
                    for word in words: frame.append(word)
                    return frame
                def _write(self, frame): self.sent.append(frame)
                def _answer(self, count):
                    if count > 2: return 'long'
                    for one in self.sent:
                        if one: return 'some'
            def main():
                bus = Bus()
                print(bus.send(5), bus.send(6, (7, 8, 9)), bus.sent)
        """,
    )
    tree = ast.parse(program.source)
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    assert len(functions) == 3  # main, send, __init__
    [(where, inside)] = program.names.inside.items()
    assert where == "start:Bus.send"
    assert sorted(inside) == ["start:Bus._answer", "start:Bus._frame", "start:Bus._write"]


IN_PLACE = """
    import asyncio
    said = []
    def say(text): said.append(text)
    class Thing:
        def __init__(self): self.kept, self.ready = [3], False
        def value(self, x): say('value'); return x + self.kept[0]
        def wanted(self): say('wanted'); return not self.ready
        def settle(self, n):
            for one in range(n):
                if one == 2: return
                say(one)
            say('never')
        def both(self, left, right): return left - right
        def rebinds(self): self.kept = [100]; return 1
        def shifts(self, x): x += 1; return x
        def loops(self, n): return [x * n for x in range(3)] + list(x + n for x in range(2))
        def fails(self, text):
            try: int(text)
            except ValueError as error: return type(error).__name__
            return 'none'
        async def waits(self, n): await asyncio.sleep(0); say('waited'); return n
        async def ends(self):
            if self.ready: return
            await asyncio.sleep(0)
            say('ended')
        def grows(self, count=2): say(count)
        def gives(self): yield 1; yield from (2, 3)
    class Base:
        def told(self): return 'told ' + self.name
    class Derived(Base):
        name = 'derived'
        def says(self): return super().told()
        def named(self): return self.name
    def first(thing): return thing.wanted() and thing.both(say('left') or 7, say('right') or 2)
    async def talk(thing):
        x = 1
        x = await thing.waits(x + 1)
        print(x)
        await thing.ends()
    def guarded(thing):
        try: return thing.fails('x')
        finally: say('finally')
    def main():
        thing = Thing()
        x, error = 10, 'mine'
        y = thing.value(x)
        thing.kept.append(thing.rebinds())
        if thing.kept == [100]: print('rebound')
        n = 5
        z = thing.shifts(n)
        print(x, y, z, n, first(thing), thing.loops(n), error, guarded(thing))
        for x in range(2): w = [x]; thing.grows()
        print(w, list(thing.gives()))
        asyncio.run(talk(thing))
        print(Derived().says(), Derived.named(Derived()))
        thing.settle(4)
        print(said)
"""


def test_what_is_put_in_place_does_the_same(tmp_path: Path) -> None:
    tail = "\ndef after(): print(said)\n"
    source = same(tmp_path, start=textwrap.dedent(IN_PLACE) + tail)
    assert source.count("def ") < IN_PLACE.count("def ") - 5


def test_errors_about_bytes_from_outside_have_numbers(tmp_path: Path) -> None:
    parts_ = sources(
        tmp_path,
        {
            "start": """
                class WireError(Exception): pass
                class LimitError(WireError): pass
                class OwnError(WireError):
                    def __init__(self, text): super().__init__(text)
                class FieldError(Exception): pass
                def raised(kind, value):
                    if kind == 0: raise WireError('%d bytes, expected %d' % (value, 3))
                    if kind == 1: raise LimitError(f'{value} is 100% too much')
                    if kind == 2: raise OwnError('own %d' % value)
                    if kind == 3: raise FieldError('field %d' % value)
                    raise LimitError('plain text')
                def main():
                    for kind in range(5):
                        try: raised(kind, 7)
                        except Exception as error:
                            print('link: (malformed): %s' % error)
            """
        },
    )
    program = link.link(parts_, "start", numbered=["start:WireError"])
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "wattle.py").write_text(program.source)
    lines = said(tmp_path / "linked", "wattle").splitlines()
    table = readable.parse(program.names.json())
    assert list(table.lines(lines)) == [
        "link: (malformed): (7001, 7, 3) [7 bytes, expected 3]",
        "link: (malformed): (7002, 7) [7 is 100% too much]",
        "link: (malformed): own 7",
        "link: (malformed): field 7",
        "link: (malformed): 7000 [plain text]",
    ]
    assert "expected" not in program.source
