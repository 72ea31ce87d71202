"""Who was away catches up: by blocks when near, by proved commits when far, over epoch changes."""

from wattle_gateway.consensus.engine import Now
from wattle_gateway.ledger import block
from wattle_gateway.ledger.block import BlockRef, CommitVote, VerifiedBlock
from wattle_gateway.ledger.genesis import Constants
from wattle_gateway.sync import messages as m
from wattle_gateway.sync.holdings import HOLDINGS_MS
from wattle_testkit.alliance import CREATED_MS, following
from wattle_testkit.memory_alliance import MemoryAlliance
from wattle_testkit.simulation import cheap_keys

ENTRY = b"\x82\x02an entry that hurries"
CHANGE = b"\x82\x02a change of epoch"


def _work(alliance: MemoryAlliance, name: str, commits: int) -> None:
    """Let the alliance make so many commits more."""
    goal = alliance[name].shelf.head.index + commits
    while alliance[name].shelf.head.index < goal:
        alliance.propose(name, ENTRY)
        alliance.run(500)


def _same_ledger(alliance: MemoryAlliance) -> bool:
    heads = {gateway.shelf.head.digest for gateway in alliance.gateways.values()}
    return len(heads) == 1


def _no_faults(alliance: MemoryAlliance) -> bool:
    return not any(
        gateway.heard.faults or gateway.refused for gateway in alliance.gateways.values()
    )


def test_a_short_absence_is_mended_by_blocks() -> None:
    alliance = MemoryAlliance(*"abcd")
    alliance.link()
    alliance.run(1000)
    alliance.part("abc", "d")
    _work(alliance, "a", 10)
    alliance.link()
    alliance.run_until(lambda: _same_ledger(alliance), 3000)
    assert alliance.messages("d", m.Commits) == []
    assert _no_faults(alliance)
    _work(alliance, "d", 5)


def test_a_long_absence_is_mended_by_proved_commits() -> None:
    alliance = MemoryAlliance(*"abcd")
    alliance.link()
    alliance.run(1000)
    alliance.part("abc", "d")
    _work(alliance, "a", 120)
    alliance.link()
    alliance.run_until(lambda: _same_ledger(alliance), 5000)
    assert len(alliance["d"].heard.history) > 80
    assert len(alliance.messages("d", m.Commits)) <= 3
    assert _no_faults(alliance)
    _work(alliance, "d", 5)
    assert _same_ledger(alliance)


def test_a_member_that_slept_through_two_epochs_comes_after() -> None:
    alliance = MemoryAlliance(*"abcd")
    parties = [alliance.parties[name] for name in "abcd"]
    alliance.changes[CHANGE + b"1"] = following(*parties, constants=Constants(late_ms=1))
    alliance.changes[CHANGE + b"2"] = following(*parties, constants=Constants(late_ms=2))
    alliance.link()
    alliance.run(1000)
    alliance.part("abc", "d")
    _work(alliance, "a", 50)
    alliance.propose("b", CHANGE + b"1")
    alliance.run_until(lambda: alliance.epoch_of("a").number == 1, 5000)
    _work(alliance, "a", 5)
    alliance.propose("b", CHANGE + b"2")
    alliance.run_until(lambda: alliance.epoch_of("a").number == 2, 5000)
    _work(alliance, "a", 50)
    alliance.link()
    alliance.run_until(lambda: _same_ledger(alliance), 20_000)
    assert alliance.epoch_of("d").number == 2
    assert _no_faults(alliance)
    _work(alliance, "d", 5)
    assert _same_ledger(alliance)


def test_twins_of_its_last_blocks_do_not_keep_a_straggler_in_an_epoch_that_is_over() -> None:
    alliance = MemoryAlliance(*"abcd")
    alliance.add_party("e")
    alliance.changes[CHANGE] = following(*(alliance.parties[name] for name in "abcd"))
    alliance.crash("c")
    alliance.link("a", "b", "d")
    alliance.run(1000)
    alliance.propose("b", CHANGE)
    alliance.run_until(lambda: {alliance.epoch_of(name).number for name in "abd"} == {1}, 5000)
    # Every round had its quorum by "d" alone, and nobody names its last blocks. Who follows holds
    # others of these rounds, whose parents do not exist.
    alliance.start("e")
    straggler = alliance["e"]
    rounds = {ref.round for ref in alliance["a"].shelf.stored[0]}
    for number in sorted(rounds):
        twins = [_twin(alliance, number, bytes([at]) * 32) for at in (1, 2)]
        straggler.engine.accept(twins, Now(CREATED_MS, alliance.steady_ms))
        assert all(straggler.engine.has(made.block.ref) for made in twins)
    alliance.crash("d")
    alliance.link_guest("e", "a")
    alliance.run_until(lambda: alliance.epoch_of("e").number == 1, 20_000)
    assert straggler.shelf.head == alliance["a"].shelf.head


def _twin(alliance: MemoryAlliance, number: int, digest: bytes) -> VerifiedBlock:
    """A block of "d" in the first epoch whose parents nobody has."""
    epoch, liar = alliance["e"].shelf.newest, alliance.parties["d"]
    author = epoch.author_of(liar.kid)
    assert author is not None
    authors = [author, *(other for other in range(epoch.size) if other != author)]
    return block.build(
        epoch,
        author,
        cheap_keys.signer(liar.member.block_key),
        round_number=number,
        time_ms=CREATED_MS,
        parents=[BlockRef(number - 1, other, digest) for other in authors[: epoch.quorum]],
        commit_vote=CommitVote(0, epoch.digest),
        entries=(),
    )


def test_the_alliance_goes_on_over_a_change_and_a_joiner_takes_part() -> None:
    alliance = MemoryAlliance("a")
    joiner = alliance.add_party("b")
    alliance.changes[CHANGE] = following(alliance.parties["a"], joiner)
    _work(alliance, "a", 100)
    alliance.start("b")
    alliance.link_guest("b", "a")
    alliance.run_until(lambda: _same_ledger(alliance), 5000)
    assert alliance["b"].heard.history
    alliance.propose("a", CHANGE)
    alliance.run_until(lambda: alliance.epoch_of("b").number == 1, 5000)
    alliance.unlink("a", "b")
    alliance.link("a", "b")
    _work(alliance, "b", 5)
    _work(alliance, "a", 5)
    alliance.run(1000)
    assert _same_ledger(alliance)
    assert _no_faults(alliance)


def test_an_observer_follows_everybody_at_once_and_one_member_within_seconds() -> None:
    alliance = MemoryAlliance(*"abcd")
    for name in "op":
        alliance.add_party(name)
    alliance.link()
    alliance.start("o")
    alliance.start("p")
    for name in "abcd":
        alliance.link(name, "o")
    alliance.link("a", "p")
    _work(alliance, "a", 20)
    alliance.run(200)
    assert alliance["o"].shelf.head == alliance["a"].shelf.head
    # What no block of its one source names yet comes when that tells what it holds.
    alliance.run_until(lambda: _same_ledger(alliance), HOLDINGS_MS + 1000)
    assert alliance["o"].engine.own_round == alliance["p"].engine.own_round == 0
    assert _no_faults(alliance)
