"""Own blocks reach everybody, and gaps in what reached them are mended."""

import pytest
from wattle_gateway.sync import messages as m
from wattle_gateway.sync.holdings import HOLDINGS_AGAIN_MS, HOLDINGS_MS
from wattle_gateway.sync.parcels import Parcel
from wattle_testkit.memory_alliance import MemoryAlliance

ENTRY = b"\x82\x02an entry that hurries"


@pytest.mark.parametrize("names", ["a", "ab", "abc", "abcd"])
def test_gateways_that_are_linked_commit_what_one_proposes(names: str) -> None:
    alliance = MemoryAlliance(*names)
    alliance.link()
    alliance.propose("a", ENTRY)
    alliance.run_until(lambda: min(alliance.heads) >= 1, 5000)
    alliance.run(1000)
    digests = {alliance[name].shelf.head.digest for name in names}
    assert len(digests) == 1
    assert not any(alliance[name].heard.faults for name in names)


def test_alone_nothing_is_sent_and_nothing_waited_for() -> None:
    alliance = MemoryAlliance("a")
    alliance.propose("a", ENTRY)
    assert alliance["a"].sync.next_tick_ms is None
    assert alliance.sent == []


def test_in_a_full_mesh_without_losses_blocks_travel_once() -> None:
    alliance = MemoryAlliance(*"abcd")
    alliance.link()
    for _ in range(10):
        alliance.propose("a", ENTRY)
        alliance.run(2000)
    fetched = [message for name in "abcd" for message in alliance.messages(name, m.Blocks)]
    assert fetched == []


def test_a_lost_block_that_all_wait_for_is_told_of_and_fetched() -> None:
    """With one of four down all others are needed: nobody goes on, so nobody names what is lost."""
    alliance = MemoryAlliance(*"abcd")
    alliance.link()
    alliance.run(1000)
    alliance.crash("d")
    lost = []

    def lose_one(parcel: Parcel) -> list[Parcel]:
        if parcel.kind == m.BLOCK and not lost and alliance.name_of(parcel.to) == "b":
            lost.append(parcel)
            return []
        return [parcel]

    alliance.alter["a"] = lose_one
    before = alliance["a"].shelf.head.index
    alliance.propose("a", ENTRY)
    alliance.run_until(lambda: min(alliance.heads) > before, HOLDINGS_MS + 5000)
    assert lost


def test_a_subscription_that_was_lost_is_made_again() -> None:
    alliance = MemoryAlliance(*"abcd")
    lost = []

    def lose_one(parcel: Parcel) -> list[Parcel]:
        if parcel.kind == m.SUBSCRIBE and not lost and alliance.name_of(parcel.to) == "a":
            lost.append(parcel)
            return []
        return [parcel]

    alliance.alter["b"] = lose_one
    alliance.link()
    for _ in range(10):
        alliance.propose("a", ENTRY)
        alliance.run(500)
    assert lost
    assert alliance["b"].shelf.head == alliance["a"].shelf.head
    sent = [parcel for name, parcel in alliance.sent if name == "a" and parcel.kind == m.BLOCK]
    assert alliance.parties["b"].kid in {parcel.to for parcel in sent}


def test_holdings_are_told_when_they_have_changed_and_seldom_otherwise() -> None:
    alliance = MemoryAlliance("a")
    alliance.add_party("o")
    alliance.start("o")
    alliance.link()
    alliance.run(60_000)
    quiet = len(alliance.messages("o", m.Holdings))
    assert 60_000 // HOLDINGS_AGAIN_MS <= quiet <= 60_000 // HOLDINGS_AGAIN_MS + 2
    for _ in range(12):
        alliance.propose("a", ENTRY)
        alliance.run(5000)
    busy = len(alliance.messages("o", m.Holdings)) - quiet
    assert 60_000 // HOLDINGS_MS - 1 <= busy <= 60_000 // HOLDINGS_MS + 1


def test_an_hour_of_quiet_is_quiet() -> None:
    """Rounds once a minute and hints of what is held: the count that the idle cost rests on."""
    alliance = MemoryAlliance(*"abcd")
    alliance.link()
    alliance.run(10_000)
    before = len(alliance.sent)
    alliance.run(3_600_000)
    sent_bytes = sum(len(parcel.raw) for _name, parcel in alliance.sent[before:])
    fetched = [parcel for _name, parcel in alliance.sent[before:] if parcel.kind == m.FETCH]
    assert fetched == []
    assert sent_bytes * 24 // 4 < 8_000_000
