"""Attributes that share a name, because no object has both."""

import ast
from pathlib import Path

import pytest
from wattle_testkit.linked_programs import linked, same, sources
from wattle_tools.image.linker import link


def shares(program: link.Linked, *names: str) -> bool:
    """Whether attributes have the same name in a linked program."""
    short = {name: short for short, row in program.names.attributes.items() for name in row}
    return len({short[name] for name in names}) == 1


BASES = """
    class Root:
        unit = 1
        def __init__(self): self.parts = [1, 2]
        def total(self): return sum(self.parts) + self.unit + self.extra()
        def extra(self): return 0
    class Leaf(Root):
        def __init__(self):
            super().__init__()
            self.weight = 5
        def extra(self): return self.weight + super().extra()
    class Other:
        def __init__(self, colour): self.colour = colour
        @property
        def shade(self): return self.colour * 2
        def darker(self): self.colour += 1
    def main():
        other = Other(3)
        other.darker(), other.darker()
        print(Root().total(), Leaf().total(), Leaf().unit, other.shade, other.colour)
        Leaf.unit, leaf = 7, Leaf()
        print(leaf.unit, leaf.weight, leaf.parts, Root.unit)
"""


def test_attributes_of_classes_apart_share_names(tmp_path: Path) -> None:
    same(tmp_path, start=BASES)
    program = linked(tmp_path, start=BASES)
    family = {"parts", "weight", "total", "unit"}
    for row in program.names.attributes.values():
        assert len(family & set(row)) <= 1, "an object has both"
    assert any(
        family & set(row) and {"colour", "shade", "darker"} & set(row)
        for row in program.names.attributes.values()
    )


def test_an_attribute_that_others_assign_keeps_a_name_of_its_own(tmp_path: Path) -> None:
    start = """
        class Left:
            def __init__(self): self.one = self.two = 1
        class Right:
            def __init__(self): self.three = self.four = 2
        def marked(box):
            box.three = 9
            return box
        def main():
            left, right = marked(Left()), marked(Right())
            print(left.one, left.two, left.three, right.three, right.four, left.one, right.four)
    """
    same(tmp_path, start=start)
    program = linked(tmp_path, start=start)
    assert not any(shares(program, "three", other) for other in ("one", "two", "four"))
    assert shares(program, "one", "four") or shares(program, "two", "four")


@pytest.mark.parametrize(
    "change",
    [
        "self = Other()",
        "for self in [Other()]: pass",
        "others = [setter for setter in (lambda self: None,)]",
    ],
)
def test_a_method_whose_self_may_be_another_object_proves_nothing(
    tmp_path: Path, change: str
) -> None:
    start = f"""
        class Other:
            def __init__(self): self.a = self.b = 1
        class Box:
            def __init__(self): self.fill(), self.fill()
            def fill(self):
                {change}
                self.size = 4
                print(self.size, type(self).__name__ != '')
        def main():
            Box(), Box()
            print(Other().a, Other().b)
    """
    same(tmp_path, start=start)
    program = linked(tmp_path, start=start)
    assert not shares(program, "size", "a")
    assert not shares(program, "size", "b")


SURE = "print(box.a, chest.b)"
UNSURE = (
    "try: box.b\n    except AttributeError: print('none')",
    "class Inner:\n        b = 5\n    print(Inner().b)",
    "print(Derived().b, Derived().a)\nAlias = Chest if len('ab') else Box\nclass Derived(Alias):"
    "\n    def __init__(self):\n        super().__init__()\n        self.a = 3",
)


@pytest.mark.parametrize("end", [SURE, *UNSURE])
def test_nothing_is_shared_where_it_is_not_sure_who_has_what(tmp_path: Path, end: str) -> None:
    start = f"""
class Box:
    def __init__(self): self.a = 1
class Chest:
    def __init__(self): self.b = 2
def main():
    box, chest = Box(), Chest()
    print(box.a, chest.b)
    {end}
"""
    same(tmp_path, start=start)
    assert shares(linked(tmp_path, start=start), "a", "b") is (end == SURE)


def test_sharing_is_the_same_in_every_build(tmp_path: Path) -> None:
    found = sources(tmp_path, {"start": BASES})
    assert len({link.link(found, "start").source for _ in range(3)}) == 1
    ast.parse(link.link(found, "start").source)
