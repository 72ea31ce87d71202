"""Blocks that wait for parents, and what their authors may make us keep."""

import pytest
from wattle_gateway.consensus import parking as parking_module
from wattle_gateway.consensus.parking import Parking
from wattle_gateway.ledger.block import BlockRef
from wattle_testkit.dag_builder import draw

DRAWING = draw(
    """
    members: 4
    1: *
    2: * B'
    3: A B C D(A2 B2' C2)
    4: A
    """
)


def parked(*names: str) -> Parking:
    """Blocks that wait for all of their parents."""
    parking = Parking(4)
    for name in names:
        made = DRAWING.verified[name]
        parking.park(made, made.block.parents)
    return parking


def names(refs: list[BlockRef]) -> list[str]:
    return [DRAWING.name(ref) for ref in sorted(refs)]


def arrive(parking: Parking, *arrived: str) -> list[str]:
    ready = [made for name in arrived for made in parking.arrived(DRAWING.ref(name))]
    return DRAWING.names(made.block for made in ready)


def test_a_block_is_ready_when_its_last_parent_arrives() -> None:
    parking = parked("A2")
    assert arrive(parking, "A1", "B1", "C1") == []
    assert arrive(parking, "D1") == ["A2"]
    assert len(parking) == 0
    assert parking.missing() == {}


def test_missing_are_the_references_that_are_not_parked_themselves() -> None:
    parking = parked("A2", "A3")
    found = parking.missing()
    assert names(list(found)) == ["A1", "B1", "C1", "D1", "B2", "C2", "D2"]
    assert found[DRAWING.ref("B2")] == {0}


def test_holders_are_those_whose_blocks_name_it() -> None:
    parking = parked("A3", "B3", "D3")
    assert parking.missing()[DRAWING.ref("A2")] == {0, 1, 3}
    assert parking.missing()[DRAWING.ref("B2'")] == {3}


def test_no_author_asks_for_so_much_that_others_have_to_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(parking_module, "MISSING_MAX", 1)
    parking = parked("A4", "A2", "D3")
    # A2, the lower of A's, asks for its parents; A4 has to wait, but D3 of another author not.
    assert names(list(parking.missing())) == ["A1", "B1", "C1", "D1", "B2'", "C2", "D2"]
    arrive(parking, "A1", "B1", "C1", "D1")
    assert DRAWING.ref("A3") in parking.missing()


def test_what_others_wait_for_is_asked_for_before_what_nobody_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(parking_module, "MISSING_MAX", 1)
    drawing = draw("members: 4\n1: *\n2: * A'\n3: A B C D\n4: B")
    parking = Parking(4)
    for name in ("A2'", "A3", "B4"):
        made = drawing.verified[name]
        parking.park(made, made.block.parents)
    # B4 waits for A3. Nobody waits for A2', though its round is lower: a liar has many such.
    asked = [drawing.name(ref) for ref in sorted(parking.missing())]
    assert asked == ["A2", "B2", "C2", "D2", "B3", "C3", "D3"]


def test_find_asks_for_the_whole_name() -> None:
    parking = parked("A2")
    digest = DRAWING.ref("A2").digest
    assert parking.find(BlockRef(2, 0, digest)) is DRAWING.verified["A2"]
    assert parking.find(BlockRef(3, 0, digest)) is None
    assert parking.find(BlockRef(2, 1, digest)) is None
    assert parking.find(BlockRef(2, 99, digest)) is None


def test_slot_and_newest_see_twins_and_rounds() -> None:
    parking = parked("B2", "B2'", "B3")
    assert set(DRAWING.names(parking.slot(2, 1))) == {"B2", "B2'"}
    assert parking.slot(2, 0) == []
    assert parking.newest(1) == DRAWING.block("B3")
    assert parking.newest(0) is None


def test_a_floor_settles_what_is_below_it() -> None:
    parking = parked("A2", "A3", "A4")
    ready = parking.raise_floor(2)
    assert DRAWING.names(made.block for made in ready) == ["A3"]
    assert names(list(parking.missing())) == ["A3", "B3", "C3", "D3"]


def test_a_dropped_block_is_missed_again_by_whoever_names_it() -> None:
    parking = parked("A2", "A3")
    parking.drop(DRAWING.ref("A2"))
    assert DRAWING.ref("A2") in parking.missing()
    assert DRAWING.ref("A1") not in parking.missing()
    parking.drop(DRAWING.ref("A2"))
    assert len(parking) == 1


def test_an_author_has_room_for_so_many_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parking_module, "PARKED_BLOCKS_MAX", 2)
    parking = parked("A4", "A2", "A3", "B3")
    # The highest round of A's is the least urgent one; B has room of its own.
    assert parking.find(DRAWING.ref("A4")) is None
    assert len(parking) == 3


def test_what_others_need_stays_before_what_nobody_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parking_module, "PARKED_BLOCKS_MAX", 1)
    parking = parked("C3", "B2", "B2'")
    assert parking.find(DRAWING.ref("B2")) is not None
    assert parking.find(DRAWING.ref("B2'")) is None


def test_what_is_needed_by_way_of_others_stays_too(monkeypatch: pytest.MonkeyPatch) -> None:
    # A4 needs B3, and B3 needs B2: so B2 is needed, although only B names it.
    drawing = draw("1: * B'\n2-3: *\n4: A", 4)
    monkeypatch.setattr(parking_module, "PARKED_BLOCKS_MAX", 2)
    for order in ("A4 B3 B2 B1'", "B2 B1' A4 B3"):
        parking = Parking(4)
        for made in drawing.pick(order):
            parking.park(made, made.block.parents)
        assert parking.find(drawing.ref("B2")) is not None
        assert parking.find(drawing.ref("B1'")) is None


def test_nothing_is_asked_for_that_would_not_be_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parking_module, "PARKED_BLOCKS_MAX", 1)
    parking = parked("C3", "A3", "D3", "A4", "B2")
    # B has room for one: B2, which others need. B2' and B3 would not displace it.
    assert {name for name in names(list(parking.missing())) if name[0] == "B"} == {"B1"}


def test_an_author_has_room_for_so_many_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    one = len(DRAWING.block("A2").raw)
    monkeypatch.setattr(parking_module, "PARKED_BYTES_MAX", one * 2)
    parking = parked("A2", "A3", "A4")
    assert [parking.find(DRAWING.ref(name)) is not None for name in ("A2", "A3", "A4")] == [
        True,
        len(DRAWING.block("A3").raw) <= one,
        False,
    ]
