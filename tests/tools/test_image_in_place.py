"""Functions put in place, texts as numbers, and how a board's log becomes readable again."""

import ast
import textwrap
from pathlib import Path

from wattle_testkit.linked_programs import linked, said, same, sources
from wattle_tools.image.linker import link, readable


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


def test_names_that_methods_share_are_told_apart_by_the_frames_around(tmp_path: Path) -> None:
    program = linked(
        tmp_path,
        start="""
            class Pump:
                def __init__(self): self.tank = Tank()
                def pour(self): self.tank.fill(), self.tank.fill()
            class Tank:
                def __init__(self): self.level = 0
                def fill(self): self.level += 1
            class Clock:
                def tick(self): print(1)
                def tock(self): print(2)
                def wind(self): print(3)
                def stop(self): print(4)
            def main():
                for part in (Pump(), Pump()): part.pour(), part.pour()
                for part in (Clock(), Clock()):
                    part.tick(), part.tock(), part.wind(), part.tick(), part.tock(), part.wind()
        """,
    )
    table = readable.parse(program.names.json())
    short = {name: short for short, names in table.functions.items() for name in names}
    pour, fill = short["start:Pump.pour"], short["start:Tank.fill"]
    assert len(table.functions[pour]) == len(table.functions[fill]) == 2
    level = next(short for short, names in table.attributes.items() if "level" in names)
    assert len(table.attributes[level]) > 1
    lines = [
        f'  File "wattle.py", line 1, in {pour}',
        f'  File "wattle.py", line 1, in {fill}',
        f"AttributeError: 'Tank' object has no attribute '{level}'",
    ]
    assert list(table.lines(lines)) == [
        '  File "wattle.py", in start:Pump.pour',
        '  File "wattle.py", in start:Tank.fill',
        "AttributeError: 'Tank' object has no attribute 'level'",
    ]
    assert " or " in next(table.lines(lines[:1]))  # alone it could be either


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
                class CaughtError(WireError): pass
                class OwnError(WireError):
                    def __init__(self, text): super().__init__(text)
                class FieldError(Exception): pass
                def raised(kind, value):
                    if kind == 0: raise WireError('%d bytes, expected %d' % (value, 3))
                    if kind == 1: raise LimitError(f'{value} is 100% too much')
                    if kind == 2: raise OwnError('own %d' % value)
                    if kind == 3: raise FieldError('field %d' % value)
                    if kind == 5: raise CaughtError('caught %d' % value)
                    raise LimitError('plain text')
                def main():
                    for kind in range(6):
                        try: raised(kind, 7)
                        except CaughtError as error: print('E CaughtError: %s' % error)
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
        "link: (malformed): (7002, 7) [LimitError: 7 is 100% too much]",
        "link: (malformed): own 7",
        "link: (malformed): field 7",
        "link: (malformed): 7000 [LimitError: plain text]",
        "E CaughtError: (7003, 7) [caught 7]",
    ]
    for word in ("expected", "LimitError"):
        assert word not in program.source
