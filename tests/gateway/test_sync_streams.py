"""Own blocks reach everybody, and gaps in what reached them are mended."""

import pytest
from wattle_gateway.sync import messages as m
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
