"""Peers that lie about history, blocks and holdings: found out, named, and got around."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from wattle_gateway.ledger import block, leaf
from wattle_gateway.sync import messages as m
from wattle_gateway.sync import reader
from wattle_gateway.sync.messages import History, HistoryCommit
from wattle_gateway.sync.packed import PackedBlock
from wattle_gateway.sync.parcels import Parcel
from wattle_testkit.memory_alliance import MemoryAlliance

ENTRY = b"\x82\x02an entry that hurries"


def _flipped(raw: bytes) -> bytes:
    return raw[:-1] + bytes([raw[-1] ^ 1])


def _one(commit: HistoryCommit, at: int, packed: PackedBlock | None) -> HistoryCommit:
    """A commit with one block altered or left out."""
    kept = (packed,) if packed is not None else ()
    return replace(commit, blocks=commit.blocks[:at] + kept + commit.blocks[at + 1 :])


def _in_second(alter: Callable[[HistoryCommit], HistoryCommit]) -> Callable[[History], History]:
    """Alters the second commit of a history."""

    def altered(said: History) -> History:
        commits = list(said.commits)
        commits[1] = alter(commits[1])
        return replace(said, commits=tuple(commits))

    return altered


def _other_state(commit: HistoryCommit) -> HistoryCommit:
    row = leaf.decode(commit.leaf)
    assert isinstance(row, leaf.CommitLeaf)
    return replace(commit, leaf=replace(row, state_digest=bytes(32)).encode())


def _a_block_too_many(said: History) -> History:
    """A block of the third commit already in the second."""
    first, second, third, *rest = said.commits
    *some, leader = second.blocks
    blocks = (*some, third.blocks[0], leader)
    moved = (first, replace(second, blocks=blocks), _one(third, 0, None), *rest)
    return replace(said, commits=moved)


def _header_without_payload(said: History) -> History:
    commits = list(said.commits)
    number, at = next(
        (number, at)
        for number, commit in enumerate(commits)
        for at, packed in enumerate(commit.blocks)
        if packed.entries
    )
    bare = replace(commits[number].blocks[at], entries=())
    commits[number] = _one(commits[number], at, bare)
    return replace(said, commits=tuple(commits))


def _early_votes(said: History) -> tuple[bytes, ...]:
    """Votes of a quorum, all true, for commits long before the last one."""
    raws = [packed.header for commit in said.commits[5:12] for packed in commit.blocks]
    first = {block.parse(raw, bytes(16)).kid: raw for raw in reversed(raws)}
    assert len(first) == 3
    return tuple(first.values())


def _badly_signed(commit: HistoryCommit) -> HistoryCommit:
    packed = commit.blocks[0]
    return _one(commit, 0, replace(packed, header=_flipped(packed.header)))


LIES: dict[str, Callable[[History], History]] = {
    "a vote less": lambda said: replace(said, votes=said.votes[1:]),
    "no vote at all": lambda said: replace(said, votes=()),
    "one voter twice": lambda said: replace(said, votes=(*said.votes[1:], said.votes[1])),
    "a vote that nobody signed": lambda said: replace(
        said, votes=(_flipped(said.votes[0]), *said.votes[1:])
    ),
    "a vote that is no block": lambda said: replace(said, votes=(b"\x80", *said.votes[1:])),
    "old votes": lambda said: replace(said, votes=_early_votes(said)),
    "votes for what is not shown": lambda said: replace(said, commits=said.commits[:-5]),
    "a commit left out": lambda said: replace(said, commits=(said.commits[0], *said.commits[2:])),
    "another state": _in_second(_other_state),
    "a leaf that is none": _in_second(lambda commit: replace(commit, leaf=b"\x80")),
    "a block left out": _in_second(lambda commit: _one(commit, 0, None)),
    "the leader left out": _in_second(lambda commit: _one(commit, len(commit.blocks) - 1, None)),
    "no blocks": _in_second(lambda commit: replace(commit, blocks=())),
    "blocks in another order": _in_second(
        lambda commit: replace(commit, blocks=commit.blocks[::-1])
    ),
    "a block twice": _in_second(
        lambda commit: replace(commit, blocks=(commit.blocks[0], *commit.blocks))
    ),
    "a block without its payload": _header_without_payload,
    "a block that nobody signed": _in_second(_badly_signed),
    "a block too many": _a_block_too_many,
}


def _slept(alliance: MemoryAlliance) -> None:
    """A long absence of "d"."""
    alliance.link()
    alliance.run(1000)
    alliance.part("abc", "d")
    goal = alliance["a"].shelf.head.index + 60
    while alliance["a"].shelf.head.index < goal:
        alliance.propose("a", ENTRY)
        alliance.run(500)


def _same_ledger(alliance: MemoryAlliance) -> bool:
    return len({gateway.shelf.head.digest for gateway in alliance.gateways.values()}) == 1


# Its kid is the lowest: who has the choice asks it first, and again unless it is distrusted.
FIRST_ASKED = "b"


def _woken(alliance: MemoryAlliance) -> None:
    """Links "d" again, first of all with the one it asks first."""
    assert min("abc", key=lambda name: alliance.parties[name].kid) == FIRST_ASKED
    alliance.link(FIRST_ASKED, "d")
    alliance.link()


@pytest.mark.parametrize("lie", LIES)
def test_a_false_history_is_refused_and_another_peer_asked(lie: str) -> None:
    alliance = MemoryAlliance(*"abcd")
    _slept(alliance)
    told = []

    def alter(parcel: Parcel) -> list[Parcel]:
        said = reader.parse(parcel.raw)
        if not isinstance(said, History) or not said.commits:
            return [parcel]
        told.append(said)
        return [Parcel(parcel.to, LIES[lie](said).encode(), m.HISTORY)]

    alliance.alter[FIRST_ASKED] = alter
    _woken(alliance)
    alliance.run_until(lambda: _same_ledger(alliance), 5000)
    sleeper = alliance["d"]
    assert len(told) == 1
    assert len(sleeper.heard.faults) + len(sleeper.refused) == 1
    assert sleeper.heard.history


def test_votes_for_later_commits_prove_earlier_ones_by_their_leaves() -> None:
    alliance = MemoryAlliance(*"abcd")
    _slept(alliance)
    tails = []

    def alter(parcel: Parcel) -> list[Parcel]:
        said = reader.parse(parcel.raw)
        if not isinstance(said, History) or not said.commits:
            return [parcel]
        tails.append(tuple(commit.leaf for commit in said.commits[-20:]) + said.tail)
        shorter = replace(said, commits=said.commits[:-20], tail=tails[-1])
        return [Parcel(parcel.to, shorter.encode(), m.HISTORY)]

    alliance.alter[FIRST_ASKED] = alter
    _woken(alliance)
    alliance.run_until(lambda: _same_ledger(alliance), 5000)
    assert tails
    assert alliance["d"].heard.faults == ()
    assert len(alliance["d"].heard.history) > 20


def test_a_peer_that_gives_no_history_is_left_for_another() -> None:
    alliance = MemoryAlliance(*"abcd")
    _slept(alliance)
    alliance.alter[FIRST_ASKED] = lambda parcel: [] if parcel.kind == m.HISTORY else [parcel]
    _woken(alliance)
    alliance.run_until(lambda: _same_ledger(alliance), 17_000)
    assert alliance["d"].heard.faults == ()


@pytest.mark.parametrize(
    "claim",
    [
        m.Holdings(0, (1 << 52,) * 4, 1 << 60),
        m.Holdings(1 << 40, (1 << 52,), 1 << 60),
        m.Holdings(0, (0, 0, 0, 0), 0),
    ],
    ids=["all rounds", "a far epoch", "nothing"],
)
def test_false_holdings_of_f_members_hinder_nobody(claim: m.Holdings) -> None:
    alliance = MemoryAlliance(*"abcd")
    alliance.alter[FIRST_ASKED] = lambda parcel: [
        Parcel(parcel.to, claim.encode(), m.HOLDINGS) if parcel.kind == m.HOLDINGS else parcel
    ]
    alliance.link()
    for _ in range(20):
        alliance.propose("d", ENTRY)
        alliance.run(2000)
    honest = [name for name in "abcd" if name != FIRST_ASKED]
    assert min(alliance[name].shelf.head.index for name in honest) >= 40
    asked = [
        message
        for name in honest
        for kind in (m.Fetch, m.Commits)
        for message in alliance.messages(name, kind)
    ]
    assert len(asked) < 60


def _bad_answers(alliance: MemoryAlliance, said: m.Blocks) -> dict[str, m.Blocks]:
    first, *rest = said.blocks
    _round, other = next(alliance["d"].shelf.own_blocks(0, 0))
    return {
        "nobody signed it": replace(
            said, blocks=(replace(first, header=_flipped(first.header)), *rest)
        ),
        "another payload": replace(said, blocks=(replace(first, entries=(b"other",)), *rest)),
        "no block": replace(said, blocks=(PackedBlock(b"\x80", ()), *rest)),
        "one that was not asked for": replace(said, blocks=(other,)),
        "nothing": replace(said, blocks=()),
    }


@pytest.mark.parametrize(
    "lie",
    [
        "nobody signed it",
        "another payload",
        "no block",
        "one that was not asked for",
        "nothing",
    ],
)
def test_a_bad_answer_costs_its_sender_and_not_the_block(lie: str) -> None:
    """The copy that fails says nothing about the digest: the next holder's copy is taken."""
    alliance = MemoryAlliance(*"abcd")
    alliance.link()
    alliance.run(1000)
    alliance.alter["b"] = lambda parcel: (
        [] if parcel.kind == m.BLOCK and alliance.name_of(parcel.to) == "d" else [parcel]
    )
    lies = []

    def alter(parcel: Parcel) -> list[Parcel]:
        said = reader.parse(parcel.raw)
        if not isinstance(said, m.Blocks) or not said.blocks or lies:
            return [parcel]
        lies.append(said)
        return [Parcel(parcel.to, _bad_answers(alliance, said)[lie].encode(), m.BLOCKS)]

    alliance.alter["a"] = alliance.alter["c"] = alter
    for _ in range(5):
        alliance.propose("a", ENTRY)
        alliance.run(1000)
    assert lies
    assert len(alliance["d"].heard.faults) == (lie != "nothing")
    assert alliance["d"].shelf.head == alliance["a"].shelf.head
    assert alliance["d"].sync.next_tick_ms is not None


@pytest.mark.parametrize("lie", ["another's block", "nobody signed it", "another payload"])
def test_a_bad_block_in_a_stream_is_a_fault(lie: str) -> None:
    alliance = MemoryAlliance(*"abcd")
    alliance.link()
    alliance.propose("a", ENTRY)
    alliance.run(2000)
    alliance.unlink("a", "d")
    alliance.link()
    shelf = alliance["a"].shelf
    round_number, own = next(shelf.own_blocks(0, 0))
    assert round_number == 1
    others = (pack for pack in shelf.lacking(0, (0, 0, 0, 0)))
    foreign = next(
        pack
        for pack in others
        if block.parse(pack.header, alliance.genesis.ledger_id).kid != alliance.parties["a"].kid
    )
    raw = {
        "another's block": m.OwnBlock(foreign),
        "nobody signed it": m.OwnBlock(replace(own, header=_flipped(own.header))),
        "another payload": m.OwnBlock(replace(own, entries=(b"other",))),
    }[lie].encode()
    fresh = alliance.start("d")
    fresh.connected(alliance.parties["a"].kid, alliance.steady_ms)
    fresh.receive(alliance.parties["a"].kid, raw, alliance.steady_ms)
    assert len(fresh.heard.faults) == 1
    assert fresh.shelf.stored[0] == {}
    fresh.receive(alliance.parties["a"].kid, m.OwnBlock(own).encode(), alliance.steady_ms)
    assert len(fresh.shelf.stored[0]) == 1
