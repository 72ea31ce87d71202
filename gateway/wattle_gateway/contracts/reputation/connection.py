"""How well gateways are connected, a day at a time, from committed blocks alone (D32).

A commit's leader names the blocks of the round below that it had when it was made, so who is not
among them was late or away. Over the hundreds of commits of a day each member leads in turn, and
a single one that leaves out another changes little. Who is in hardly any of them was silent, which
is a fault with a weight of its own.
"""

from dataclasses import dataclass, replace

from wattle_wire import cbor, structure
from wattle_wire.errors import WireError

from wattle_gateway.contracts import alliance
from wattle_gateway.contracts.errors import StateError
from wattle_gateway.contracts.registry import Rows
from wattle_gateway.contracts.reputation import fault_record
from wattle_gateway.contracts.reputation.conduct import charge, rate_connection
from wattle_gateway.contracts.reputation.fault_record import Shown
from wattle_gateway.contracts.setting import Setting
from wattle_gateway.contracts.state import State, key
from wattle_gateway.contracts.weights import GATEWAY_SILENCE
from wattle_gateway.ledger.block import Block
from wattle_gateway.ledger.genesis import MEMBERS_MAX
from wattle_gateway.ledger.market import PERMILLE, Market

DAY_MS = 86_400_000
_KEY = key("connected")


@dataclass(frozen=True)
class Day:
    """Of UTC day `day` in epoch `epoch`: `commits` so far, and by author how many of them had a
    block of it in time."""

    epoch: int
    day: int
    commits: int
    counts: tuple[int, ...]


def take(state: State, market: Market, leader: Block, setting: Setting) -> None:
    """One more commit, made by `leader`. The first of a day rates everybody by the day before."""
    epoch = setting.epoch
    if epoch.size == 1:
        return
    day = setting.time_ms // DAY_MS
    known = day_of(state)
    if known is not None and (known.epoch, known.day) != (epoch.number, day):
        if known.epoch == epoch.number:  # the authors of another epoch are others
            _rate(state, market, known, setting)
        known = None
    if known is None:
        known = Day(epoch.number, day, 0, (0,) * epoch.size)
    counts = list(known.counts)
    for author in in_time(leader):
        counts[author] += 1
    _put(state, replace(known, commits=known.commits + 1, counts=tuple(counts)))


def in_time(leader: Block) -> set[int]:
    """The authors whose blocks of the round below a leader's block names, and its own."""
    below = {parent.author for parent in leader.parents if parent.round == leader.round - 1}
    return below | {leader.author}


def marks(day: Day, leader_permille: int) -> tuple[int, ...]:
    """By author, permille: 1000 from `leader_permille` of the median count on (upper median, as in
    rule 28 of CONSENSUS.md), below it in proportion."""
    median = sorted(day.counts)[len(day.counts) // 2]
    enough = leader_permille * median
    if enough == 0:
        return (PERMILLE,) * len(day.counts)
    return tuple(min(PERMILLE, count * PERMILLE * PERMILLE // enough) for count in day.counts)


def silent(day: Day, silent_permille: int) -> tuple[int, ...]:
    """The authors, rising, that were in time in fewer than `silent_permille` of a day's commits."""
    least = silent_permille * day.commits
    return tuple(author for author, count in enumerate(day.counts) if count * PERMILLE < least)


def day_of(state: Rows) -> Day | None:
    """The day that is being counted, None before the first commit. Raises StateError."""
    value = state.get(_KEY)
    if value is None:
        return None
    try:
        row = structure.array(cbor.decode(value), 4, "connected")
        counts = structure.items(row[3], MEMBERS_MAX, "counts")
        return Day(
            structure.uint(row[0], "epoch"),
            structure.uint(row[1], "day"),
            structure.uint(row[2], "commits"),
            tuple(structure.uint(count, "count") for count in counts),
        )
    except WireError as error:
        raise StateError(f"connected: {error}") from error


def _rate(state: State, market: Market, day: Day, setting: Setting) -> None:
    """A day with fewer commits than the schedule judges by says nothing. The commit before this one
    was its last."""
    epoch = setting.epoch
    if day.commits < epoch.constants.leader_commits:
        return
    found = marks(day, epoch.constants.leader_permille)
    for member, mark in zip(epoch.members, found, strict=True):
        rate_connection(state, market, member.kid, mark, setting.time_ms)
    shown = Shown(fault_record.COMMIT, setting.head.digest, setting.head.index)
    for author in silent(day, market.silent_permille):
        kid = epoch.members[author].kid
        if alliance.is_unnamed(state, epoch, kid):
            continue  # it may have spoken: the others name it no more
        charge(state, market, kid, GATEWAY_SILENCE, shown, setting.time_ms)


def _put(state: State, day: Day) -> None:
    row = [day.epoch, day.day, day.commits, list(day.counts)]
    state.put(_KEY, cbor.encode(row))
