"""Returns that become branches, comprehensions that become loops, locals that share a place.

Each program runs as it is and linked; whole firmware does in test_image_cases.
"""

import ast
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
from wattle_testkit.linked_programs import linked, same
from wattle_tools.image.linker import returns


def functions(source: str) -> list[str]:
    """Names of the functions in a source, without the one that makes empty classes."""
    found = (ast.FunctionDef, ast.AsyncFunctionDef)
    return [one.name for one in ast.walk(ast.parse(source)) if isinstance(one, found)]


def called_once(use: str) -> str:
    """A program whose function of each body is called at one place only, with -2 .. 5."""
    text = "said = []\ndef say(x):\n    said.append(x)\n    return x\n"
    for number, body in enumerate(BODIES.values()):
        text += f"class Thing{number}:\n    def __init__(self): self.seen = 0\n"
        text += f"    def f{number}(self, n, limit=3):\n"
        text += textwrap.indent(textwrap.dedent(body).strip(), " " * 8)
        text += f"\n    def run{number}(self, n):\n"
        text += textwrap.indent(use.replace("self.f", f"self.f{number}"), " " * 8)
        text += f"\ndef tried{number}():\n    for n in range(-2, 6):\n        said.clear()\n"
        text += f"        try: print(n, Thing{number}().run{number}(n), said)\n"
        text += (
            "        except (ValueError, ZeroDivisionError) as error: print(repr(error), said)\n"
        )
    return text + "def main():\n" + "".join(f"    tried{at}()\n" for at in range(len(BODIES)))


BODIES = {
    "a branch": """
        if n < 0: return 'low'
        say(n)
        return n
    """,
    "both branches": """
        if n < 0: return 'low'
        elif n < 2: say('mid')
        else: return 'high'
        say('on')
        return n
    """,
    "no value at the end": """
        if n > 2: return n
        say('end')
    """,
    "a loop": """
        for x in range(n):
            say(x)
            if x == 2: return x * 10
        say('none')
        return -1
    """,
    "a loop in which a branch goes on": """
        for x in range(n):
            if x == 1: continue
            if x == 3:
                say('three')
                return x
            elif x == 4: return 'never'
            say(x)
    """,
    "a loop for ever": """
        x = n
        while True:
            x += 1
            if x > 3: return x
            say(x)
    """,
    "a while loop": """
        while n < 3:
            n += 1
            if n == 0: return 'zero'
        return n
    """,
    "an error that is caught": """
        try: x = 6 // n
        except ZeroDivisionError: return 'none'
        say(x)
        return x
    """,
    "a value in a try": """
        try: return 6 // n
        except ZeroDivisionError as error: say(str(error) != '')
        say('after')
        return 'none'
    """,
    "values in a try and behind it": """
        try: return 6 // n
        except ZeroDivisionError: return 'none'
    """,
    "an error": """
        if n == 2: raise ValueError(n)
        if n > 3: return say('high')
        return None
    """,
    "a return in a loop in a loop": """
        for x in range(n):
            for y in range(n):
                if x * y == 2: return x, y
        return 0
    """,
    "a loop with a break": """
        for x in range(n):
            if x == 1: break
            if x == 0: return 'first'
        return 'end'
    """,
    "a finally": """
        try:
            if n: return n
        finally: say('finally')
        return 'end'
    """,
    "an else of a loop": """
        for x in range(n):
            if x == 2: return x
        else: say('else')
        return 'end'
    """,
}
# What cannot be said without saying something twice stays a function.
STAY = {
    "a value in a try",
    "a return in a loop in a loop",
    "a loop with a break",
    "a finally",
    "an else of a loop",
}
USES = (
    "x = self.f(n)\nreturn x, 'after'",
    "if self.f(n):\n    return 'true'\nreturn 'false'",
    "self.f(n)\nself.seen += 1\nreturn self.seen",
    "n = self.f(n, 2) or 'nothing'\nreturn n",
    "for x in (1, 2):\n    y = [self.f(n + x)]\nreturn y",
)


@pytest.mark.parametrize("use", USES)
def test_a_function_that_returns_anywhere_is_put_in_place(tmp_path: Path, use: str) -> None:
    start = called_once(use)
    same(tmp_path, start=start)
    put = [name for row in linked(tmp_path, start=start).names.inside.values() for name in row]
    for number, kind in enumerate(BODIES):
        assert (f"start:Thing{number}.f{number}" in put) is (kind not in STAY), kind


ORDER = """
    said = []
    def say(x):
        said.append(x)
        return x
    class Box:
        def __init__(self):
            self.pieces, self.other, self.bus = [], [1], self
            self.count = 0
        def step(self): self.count += 1; say('step'); return self.count
        def fresh(self): self.other = [9]; say('fresh'); return 2
        def row(self): return [x for x in range(3)]
        def kept(self): say('kept'); return 3
        def last(self): say('last'); return 4
        def grown(self): self.pieces.append(7); say('grown'); return 5
        def plain(self, a, b): return a, b
        def run(self, word):
            self.bus.pieces.append(self.kept())
            word += str(self.last())
            word = '%s %s' % (word, self.step())
            print(self.count + self.fresh(), self.other + [self.grown()])
            print(self.plain(word, self.row()), self.plain(1, 2))
    def main():
        box = Box()
        box.run('a'), box.run('b')
        print(box.pieces, said)
"""


def test_what_is_evaluated_before_a_call_stays_before_it(tmp_path: Path) -> None:
    source = same(tmp_path, start=ORDER)
    # `self.other` is read before `grown`, but nothing that `grown` could change
    assert len(functions(source)) < ORDER.count("def ")


LOOPS = """
    class Row:
        def __init__(self, at): self.at, self.kept = at, at % 2
    def first(rows): return [row.at for row in rows if row.kept]
    def nested(n): return [(a, b) for a in range(n) for b in range(a) if a + b != 3]
    def again(rows):
        rows = [row for row in rows if row]
        names = {row: len(rows) for row in rows}
        row = 'kept'
        return rows, names, row, sorted([row for row in names])
    def late(n):
        made = [lambda: x for x in range(n)]
        return [one() for one in made]
    def inner(n):
        def scaled(x): return [x * y for y in range(n)]
        return scaled(2), scaled(3)
    def seen(n):
        rows = ['old']
        def count(): return len(rows)
        rows = [count() + x for x in range(n)]
        return rows
    def caught(text):
        rows = ['old']
        try: rows = [int(x) for x in text]
        except ValueError: pass
        return rows
    def swapped(n):
        x = n
        return [x for x in (x, x + 1)], x
    def once(n): return max([x * x for x in range(n)] or [0]) + sum(x for x in range(n))
    def gives(n):
        for x in [y + 1 for y in range(n)]: yield x
    def main():
        rows = [Row(at) for at in range(5)]
        for _ in range(2):
            print(first(rows), nested(4), again([1, 0, 2]), late(3), inner(3), swapped(4))
            print(seen(3), caught('12x'), caught('12'))
            print(once(4), list(gives(3)), [], {a: b for a, b in zip('ab', 'cd')})
"""


def test_comprehensions_become_loops(tmp_path: Path) -> None:
    source = same(tmp_path, start=LOOPS)
    found = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ListComp)]
    assert len(found) < 5  # those of closures, and those that are not evaluated first, stay


PLACES = """
    class Thing:
        def __init__(self): self.said = []
        def one(self, n):
            total = 0
            for x in range(n): total += x
            return total
        def two(self, n):
            while True:
                if n > 4: return last
                last = n
                n += 1
        def three(self, text):
            try: number = int(text)
            except ValueError as error: number = len(str(error)) * 0
            return number + 1
        def four(self, rows):
            best = None
            for row in rows:
                if best is None or row > best: best = row
            return best
        def run(self, n):
            for again in range(3):
                a = self.one(n + again)
                if a > 3: b = self.two(1)
                else: b = self.three('x' * again)
                c = self.four([a, b, again])
                self.said.append((a, b, c))
            return self.said
    def main():
        for n in range(4): print(Thing().run(n))
"""


def test_locals_share_places_only_where_no_other_is_needed(tmp_path: Path) -> None:
    source = same(tmp_path, start=PLACES)
    assert len(functions(source)) == 3  # main, __init__, run
    [run] = [
        one
        for one in ast.walk(ast.parse(source))
        if isinstance(one, ast.FunctionDef) and "for v_again" in ast.unparse(one)
        if len(one.args.args) == 2
    ]
    stored = {
        node.id
        for node in ast.walk(run)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    assert len(stored) <= 8, stored  # of 4 of its own and 9 that came


def chains() -> Iterator[str]:
    for expression in ("0 <= n < 3", "not 0 < n <= 2", "0 < n < limit < 9", "1 <= len(a) <= n"):
        yield f"print({expression}, n if {expression} else -n, [x for x in a if {expression}])"


def test_chains_of_comparisons(tmp_path: Path) -> None:
    body = "\n".join(f"        {line}" for line in chains())
    start = f"def check(n, limit, a):\n{body.replace('        ', '    ')}\n"
    start += "def main():\n    for n in range(-1, 5):\n        check(n, 4, 'ab')\n"
    start += "        check(n, 2, '')\n"
    source = same(tmp_path, start=start)
    long = [x for x in ast.walk(ast.parse(source)) if isinstance(x, ast.Compare) and x.ops[1:]]
    assert all("len" in ast.unparse(one) for one in long)
    assert long


def test_builtins_that_are_called_often_are_globals(tmp_path: Path) -> None:
    calls = ", ".join(f"len(str({n}))" for n in range(9))
    source = same(tmp_path, start=f"def main(): print({calls}, max(1, 2))\n")
    assert "len = len" in source
    assert "max = max" not in source


def test_rows_of_numbers_are_bytes_when_the_program_starts(tmp_path: Path) -> None:
    start = "LOW = 3\ndef main(): print(bytes((LOW, 255)), bytes((65,)), len(bytes((1, 2))))\n"
    assert "bytes(" not in same(tmp_path, start=start)
    with pytest.raises(AssertionError, match="ValueError"):
        same(tmp_path / "x", start="def main(): print(bytes((256,)))\n")


def test_branches_without_a_value_need_no_local() -> None:
    body = ast.parse("if a:\n    return\nb()\nfor x in c:\n    if x: return\nd()").body
    text = ast.unparse(ast.fix_missing_locations(ast.Module(returns.as_branches(body, None), [])))
    expected = "if not a:\n    b()\n    for x in c:\n        if x:\n            break\n"
    assert text == expected + "    else:\n        d()"


def test_the_program_of_a_board_is_the_same_in_every_build(tmp_path: Path) -> None:
    first = linked(tmp_path, start=PLACES).source
    assert linked(tmp_path, start=PLACES).source == first
