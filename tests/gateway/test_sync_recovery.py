"""Rules 31 and 32: nobody signs before enough others have said what they know of its blocks."""

from dataclasses import replace
from typing import Any

import pytest
from wattle_gateway.ledger import block
from wattle_gateway.sync import messages as m
from wattle_gateway.sync import reader
from wattle_gateway.sync.parcels import Parcel
from wattle_gateway.sync.recovery import ASK_AGAIN_MS, NEWEST_WAIT_MS
from wattle_testkit.alliance import following
from wattle_testkit.memory_alliance import Alter, MemoryAlliance
from wattle_testkit.memory_gateway import MemoryGateway

ENTRY = b"\x82\x02an entry that hurries"
CHANGE = b"\x82\x02a change of epoch"


def _running(names: str, rounds: int = 6) -> MemoryAlliance:
    alliance = MemoryAlliance(*names)
    alliance.link()
    alliance.run_until(lambda: not any(map(_silent, alliance.gateways.values())), 1000)
    _work(alliance, "a", rounds)
    return alliance


def _work(alliance: MemoryAlliance, name: str, times: int) -> None:
    for _ in range(times):
        alliance.propose(name, ENTRY)
        alliance.run(500)


def _silent(gateway: MemoryGateway) -> bool:
    return gateway.engine.silent


def _nobody_signed_twice(alliance: MemoryAlliance) -> bool:
    return not any(gateway.engine.twins for gateway in alliance.gateways.values())


@pytest.mark.parametrize("names", ["ab", "abc", "abcd"])
def test_after_a_power_cut_of_all_everybody_answers_and_all_go_on(names: str) -> None:
    alliance = _running(names)
    shelves = {name: alliance.crash(name) for name in names}
    for name, shelf in shelves.items():
        assert _silent(alliance.start(name, shelf))
    before = alliance.heads
    alliance.link()
    alliance.run_until(lambda: not any(map(_silent, alliance.gateways.values())), 1000)
    _work(alliance, "b", 3)
    assert min(alliance.heads) > max(before)
    assert _nobody_signed_twice(alliance)


def test_an_old_copy_of_the_disk_goes_on_above_what_the_others_know() -> None:
    alliance = _running("abcd")
    old = alliance["d"].shelf.copy()
    _work(alliance, "d", 6)
    alliance.run(50)
    signed = alliance["d"].engine.own_round
    alliance.crash("d")
    _work(alliance, "a", 2)
    alliance.start("d", old)
    alliance.link()
    alliance.run_until(lambda: not _silent(alliance["d"]), 3000)
    assert alliance["d"].sync.resume_above == signed
    _work(alliance, "d", 6)
    assert alliance["d"].engine.own_round > signed
    assert _nobody_signed_twice(alliance)
    first = alliance["d"].shelf.own_blocks(0, signed)
    header = block.parse(next(first)[1].header, alliance.genesis.ledger_id)
    assert header.parents[0].round == signed


def test_less_than_q_less_one_answers_are_not_enough() -> None:
    alliance = _running("abcd")
    shelf = alliance.crash("d")
    alliance.start("d", shelf)
    alliance.link("a", "d")
    alliance.run(60_000)
    assert _silent(alliance["d"])
    alliance.link("b", "d")
    alliance.run_until(lambda: not _silent(alliance["d"]), 1000)


def test_a_lost_answer_is_asked_for_again() -> None:
    alliance = _running("abc")
    shelf = alliance.crash("c")
    alliance.alter["a"] = lambda parcel: [] if parcel.kind == m.LAST else [parcel]
    alliance.start("c", shelf)
    alliance.link()
    alliance.run(1000)
    assert _silent(alliance["c"])
    del alliance.alter["a"]
    alliance.run_until(lambda: not _silent(alliance["c"]), ASK_AGAIN_MS)


def test_with_a_lost_ledger_it_is_silent_until_the_epoch_changes() -> None:
    alliance = _running("abcd")
    alliance.changes[CHANGE] = following(*alliance.parties.values())
    alliance.crash("d")
    _work(alliance, "a", 1)
    alliance.start("d", wiped=True)
    alliance.link()
    _work(alliance, "a", 10)
    alliance.run(20_000)
    assert _silent(alliance["d"])
    assert alliance["d"].sync.silent_through == 0
    assert alliance["d"].shelf.head == alliance["a"].shelf.head
    alliance.propose("b", CHANGE)
    alliance.run_until(lambda: alliance.epoch_of("d").number == 1, 5000)
    alliance.run_until(lambda: not _silent(alliance["d"]), 5000)
    _work(alliance, "d", 3)
    assert alliance["d"].engine.own_round > 0
    assert _nobody_signed_twice(alliance)


def test_a_lost_ledger_is_silent_in_the_epoch_it_finds_not_in_the_one_it_begins_with() -> None:
    alliance = _running("abcd")
    alliance.changes[CHANGE + b"1"] = alliance.changes[CHANGE + b"2"] = following(
        *alliance.parties.values()
    )
    alliance.propose("b", CHANGE + b"1")
    alliance.run_until(lambda: alliance.epoch_of("d").number == 1, 5000)
    _work(alliance, "d", 2)
    alliance.crash("d")
    alliance.start("d", wiped=True)
    alliance.link()
    _work(alliance, "a", 2)
    alliance.run(15_000)
    assert alliance.epoch_of("d").number == 1
    assert _silent(alliance["d"])
    assert alliance["d"].sync.silent_through == 1
    # The next start knows it without asking, and still waits for the change.
    alliance.start("d", alliance.crash("d"), wiped=True, silent_through=1)
    alliance.link()
    alliance.run(5000)
    assert _silent(alliance["d"])
    alliance.propose("b", CHANGE + b"2")
    alliance.run_until(lambda: not _silent(alliance["d"]), 5000)
    assert alliance.epoch_of("d").number == 2
    assert _nobody_signed_twice(alliance)


def test_a_lost_ledger_where_nobody_lies_needs_the_answers_of_all_others() -> None:
    alliance = _running("abc")
    signed = alliance["c"].engine.own_round
    alliance.crash("c")
    alliance.start("c", wiped=True)
    alliance.link("a", "b")
    alliance.link("a", "c")
    alliance.run(20_000)
    assert _silent(alliance["c"])
    alliance.link("b", "c")
    alliance.run_until(lambda: not _silent(alliance["c"]), 3000)
    assert alliance["c"].sync.resume_above == signed
    assert alliance["c"].sync.silent_through == -1
    _work(alliance, "c", 3)
    assert alliance["c"].engine.own_round > signed
    assert _nobody_signed_twice(alliance)


def test_alone_and_without_its_ledger_it_never_signs() -> None:
    alliance = MemoryAlliance("a")
    alliance.start("a", wiped=True)
    alliance.propose("a", ENTRY)
    alliance.run(120_000)
    assert _silent(alliance["a"])


def _answering(**change: Any) -> Alter:
    """Alters the answers about newest blocks."""

    def alter(parcel: Parcel) -> list[Parcel]:
        said = reader.parse(parcel.raw)
        if not isinstance(said, m.Last):
            return [parcel]
        return [Parcel(parcel.to, replace(said, **change).encode(), m.LAST)]

    return alter


@pytest.mark.parametrize(
    "lie",
    ["another round", "another author", "another signature", "no header at all"],
)
def test_a_false_answer_is_a_fault_and_does_not_count(lie: str) -> None:
    alliance = _running("abc")
    own = alliance["a"].shelf.newest_of(0, alliance["c"].author or 0)
    other = alliance["a"].shelf.newest_of(0, alliance["a"].author or 0)
    assert own is not None
    assert other is not None
    change: dict[str, Any] = {
        "another round": {"round": own.round + 1},
        "another author": {"header": other.raw, "round": other.round},
        "another signature": {"header": own.raw[:-1] + bytes([own.raw[-1] ^ 1])},
        "no header at all": {"header": b"", "round": 1 << 40},
    }[lie]
    shelf = alliance.crash("c")
    alliance.alter["a"] = _answering(**change)
    alliance.start("c", shelf)
    alliance.link()
    alliance.run(5000)
    assert _silent(alliance["c"])
    assert alliance["c"].heard.faults


@pytest.mark.parametrize(
    "change",
    [{"nonce": b"replayed"}, {"epoch": 1}],
    ids=["to another question", "from another epoch"],
)
def test_an_answer_that_says_nothing_does_not_count(change: dict[str, Any]) -> None:
    alliance = _running("abc")
    shelf = alliance.crash("c")
    alliance.alter["a"] = _answering(**change)
    alliance.start("c", shelf)
    alliance.link()
    alliance.run(5000)
    assert _silent(alliance["c"])
    assert alliance["c"].heard.faults == ()


def test_liars_about_epochs_do_not_lengthen_the_silence_of_a_lost_ledger() -> None:
    alliance = _running("abcdefg")
    alliance.changes[CHANGE] = following(*alliance.parties.values())
    alliance.crash("g")
    alliance.alter["a"] = _answering(epoch=1 << 40)
    alliance.start("g", wiped=True)
    alliance.link()
    alliance.run(15_000)
    assert alliance["g"].sync.silent_through == 0
    alliance.propose("b", CHANGE)
    alliance.run_until(lambda: not _silent(alliance["g"]), 5000)


def test_a_newest_block_that_nobody_gives_is_waited_for_and_then_left_out() -> None:
    alliance = _running("abcd")
    old = alliance["d"].shelf.copy()
    alliance.part("bc", "d")
    # Only the first other ever sees the last blocks of the fourth, and keeps them to itself.
    alliance.run(1000)
    alliance.propose("d", ENTRY)
    alliance.run(1000)
    signed = alliance["d"].engine.own_round
    newest = alliance["a"].shelf.newest_of(0, alliance["d"].author or 0)
    assert newest is not None
    alliance.crash("d")
    alliance.crash("b")
    alliance.crash("c")
    for name in "bc":
        alliance.start(name)
    alliance.start("d", old)
    alliance.alter["a"] = lambda parcel: [parcel] if parcel.kind in (m.LAST, m.HOLDINGS) else []
    alliance.link("a", "d")
    alliance.link("b", "d")
    alliance.run(NEWEST_WAIT_MS - 5000)
    assert _silent(alliance["d"])
    alliance.run_until(lambda: not _silent(alliance["d"]), 10_000)
    assert alliance["d"].sync.resume_above == newest.round == signed
