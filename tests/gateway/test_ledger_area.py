"""Areas as ways through a radial grid: names, what lies within, how far it is (SPEC section 10)."""

from collections import deque
from itertools import product

import pytest
from wattle_gateway.ledger import area
from wattle_gateway.ledger.errors import FormatError
from wattle_wire.errors import WireError

# All places of two substations with two feeders each, and two sections on each of these.
TREE = [
    "/".join(names) for depth in (1, 2, 3) for names in product(("a", "b"), repeat=depth)
]  # fmt: skip


def lines_between(start: str, places: set[str]) -> int | None:
    """The fewest lines from a place to any of others, by walking the grid breadth first."""
    neighbours: dict[str, list[str]] = {place: [] for place in TREE}
    for place in TREE:
        upstream, _, _ = place.rpartition("/")
        if upstream:
            neighbours[place].append(upstream)
            neighbours[upstream].append(place)
    waiting, seen = deque([(start, 0)]), {start}
    while waiting:
        here, lines = waiting.popleft()
        if here in places:
            return lines
        new = [one for one in neighbours[here] if one not in seen]
        seen.update(new)
        waiting.extend((one, lines + 1) for one in new)
    return None


@pytest.mark.parametrize("place", TREE)
def test_the_distance_is_that_of_a_walk_through_the_grid(place: str) -> None:
    behind = {one for one in TREE if one == place or one.startswith(place + "/")}
    for start in TREE:
        assert area.distance(start, place) == lines_between(start, behind)
        assert area.within(start, place) == (start in behind)


@pytest.mark.parametrize(
    ("one", "place", "lines"),
    [
        ("north/f7/s2", "north/f7", 0),
        ("north/f7", "north/f7/s2", 1),
        ("north/f7/s1", "north/f7/s2", 2),
        ("north/f9/s1", "north/f7", 3),
        ("north", "north/f7/s2", 2),
        ("north2/f7", "north/f7", None),  # another substation, whatever its name begins with
        ("north/f70", "north/f7", 2),
        ("south", "north", None),
        ("south/f1", area.EVERYWHERE, 0),
    ],
)
def test_lines_to_where_the_need_is(one: str, place: str, lines: int | None) -> None:
    assert area.distance(one, place) == lines


def test_a_name_that_begins_alike_is_another_place() -> None:
    assert area.within("north/f1", "north")
    assert not area.within("north2", "north")
    assert not area.within("north-2/f1", "north")
    assert not area.within("north", "north/f1")
    assert area.within("north", area.EVERYWHERE)


@pytest.mark.parametrize(
    "text", ["north", "a", "0-9", "n" * 32, "north/feeder-7/section-2", "n" * 32 + "/" + "f" * 32]
)
def test_what_is_an_area(text: str) -> None:
    assert area.parse(text) == area.parse_place(text) == text


@pytest.mark.parametrize(
    "value",
    [
        *("North", "/", "north/", "/north", "north//f1", "north/F1", "north f1", "nörd", "n\n"),
        *("n" * 33, "/".join(["n" * 32] * 4), 5, None, b"north"),
    ],
)
def test_what_is_none(value: object) -> None:
    for parse in (area.parse, area.parse_place):
        with pytest.raises((FormatError, WireError), match="area"):
            parse(value)


def test_everywhere_is_a_place_but_no_area() -> None:
    assert area.parse_place("") == area.EVERYWHERE
    with pytest.raises(WireError):
        area.parse("")


def test_the_longest_area_is_one() -> None:
    longest = "/".join(["n" * 32] * 3 + ["n" * 29])
    assert len(longest) == area.CHARS_MAX
    assert area.parse(longest) == longest
    with pytest.raises(WireError, match="1 to 128"):
        area.parse(longest + "n")


def test_only_a_path_is_new_with_rules_3() -> None:
    assert area.is_path("north/f1")
    assert not area.is_path("north")
