"""The commit rule, its order and its leader schedule once more: slow, plain, by the book.

Written from gateway/CONSENSUS.md alone (the numbers in brackets are its rules), to be compared
with `wattle_gateway.consensus`, of which nothing is used here: blocks are names, sets of authors
are sets, whatever can be asked anew is asked anew.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

Name = tuple[int, int, bytes]
"""(round, author, digest): also the order in which a commit takes its blocks (26)."""


@dataclass(frozen=True)
class PlainBlock:
    """What the rules read of a block; `parents` hold its round-0 parents too."""

    name: Name
    time_ms: int
    parents: tuple[Name, ...]


@dataclass(frozen=True)
class Rules:
    """A committee's size and the constants that the rules read; `repeats_best`: no turn of
    leaders has a multiple of three slots, for the best connected leads once more (28); `resting`
    authors lead none."""

    members: int
    gc_depth: int
    leader_commits: int
    leader_permille: int
    created_ms: int
    repeats_best: bool = False
    resting: tuple[int, ...] = ()

    @property
    def faulty_max(self) -> int:
        """f."""
        return (self.members - 1) // 3

    @property
    def quorum(self) -> int:
        """q."""
        return self.members - self.faulty_max


@dataclass(frozen=True)
class TwinCommit:
    """One commit: `leaders` is the schedule of the slots behind it."""

    leader: Name
    blocks: tuple[Name, ...]
    time_ms: int
    leaders: tuple[int, ...]


class TwoCertifiedError(Exception):
    """More than f members are faulty (23); `names` are the two blocks."""

    def __init__(self, names: tuple[Name, ...]) -> None:
        super().__init__("two certified candidates")
        self.names = names


def commits_of(rules: Rules, blocks: Iterable[PlainBlock]) -> list[TwinCommit]:
    """All commits of an epoch that a whole graph shows. Raises TwoCertifiedError (23)."""
    graph = {block.name: block for block in blocks}
    leaders = _turn(rules, [0] * rules.members)
    done: list[TwinCommit] = []
    cursor = 1
    while True:
        # (21): nothing is kept from one slot, or one schedule, to the next.
        verdict = Verdicts(rules, graph, leaders).of(cursor)
        if verdict == "undecided":
            return done
        if isinstance(verdict, tuple):
            leaders = _leaders_after(rules, graph, done, verdict, leaders)
            done.append(_commit(rules, graph, done, verdict, leaders))
        cursor += 1


class Verdicts:
    """What a graph says about slots under one schedule: a block's name, "skip" or "undecided"."""

    def __init__(
        self, rules: Rules, graph: Mapping[Name, PlainBlock], leaders: tuple[int, ...]
    ) -> None:
        self._rules = rules
        self._graph = graph
        self._leaders = leaders
        self._known: dict[int, Name | str] = {}

    def of(self, slot: int) -> Name | str:
        """The verdict on the slot of a round."""
        if slot not in self._known:
            self._known[slot] = self._judge(slot)
        return self._known[slot]

    def _judge(self, slot: int) -> Name | str:
        leader = self._leaders[slot % len(self._leaders)]  # (13)
        candidates = [name for name in self._round(slot) if name[1] == leader]  # (14)
        certificates = {name: self._certificates(name) for name in candidates}
        certified = tuple(name for name in candidates if certificates[name])
        if len(certified) > 1:
            raise TwoCertifiedError(certified)
        blaming = [
            name
            for name in self._round(slot + 1)
            if all(parent[:2] != (slot, leader) for parent in self._graph[name].parents)  # (16)
        ]
        if self._is_quorum(blaming):
            return "skip"  # (18)
        for name in candidates:
            if self._is_quorum(certificates[name]):
                return name  # (19)
        return self._through_anchor(slot, certified)

    def _through_anchor(self, slot: int, certified: tuple[Name, ...]) -> Name | str:
        """(20)"""
        highest = max((name[0] for name in self._graph), default=0)
        for later in range(slot + 3, highest + 1):
            anchor = self.of(later)
            if anchor == "undecided":
                return "undecided"
            if isinstance(anchor, tuple):
                history = ancestors(self._graph, anchor)
                for name in certified:
                    if any(block in history for block in self._certificates(name)):
                        return name
                return "skip"
        return "undecided"

    def _round(self, number: int) -> list[Name]:
        return sorted(name for name in self._graph if name[0] == number)

    def _certificates(self, candidate: Name) -> list[Name]:
        """The blocks of two rounds up whose own parents hold votes of q authors (15, 17)."""
        found = []
        for name in self._round(candidate[0] + 2):
            votes = [
                parent
                for parent in self._graph[name].parents
                if parent[0] == candidate[0] + 1 and candidate in self._graph[parent].parents
            ]
            if self._is_quorum(votes):
                found.append(name)
        return found

    def _is_quorum(self, names: Iterable[Name]) -> bool:
        """(22)"""
        return len({author for _, author, _ in names}) >= self._rules.quorum


def ancestors(graph: Mapping[Name, PlainBlock], top: Name) -> set[Name]:
    """A block and all below it, without round 0."""
    found: set[Name] = set()
    waiting = [top]
    while waiting:
        name = waiting.pop()
        if name[0] > 0 and name not in found:
            found.add(name)
            waiting.extend(graph[name].parents)
    return found


def _commit(
    rules: Rules,
    graph: Mapping[Name, PlainBlock],
    before: list[TwinCommit],
    leader: Name,
    leaders: tuple[int, ...],
) -> TwinCommit:
    previous_ms = before[-1].time_ms if before else rules.created_ms
    own_and_others = [graph[leader].time_ms]
    for parent in graph[leader].parents:
        if parent[0] == leader[0] - 1 and parent[1] != leader[1]:
            own_and_others.append(graph[parent].time_ms if parent[0] else rules.created_ms)
    own_and_others.sort()
    median_ms = own_and_others[(len(own_and_others) - 1) // 2]
    taken = _taken(rules, graph, before, leader)
    return TwinCommit(leader, taken, max(previous_ms, median_ms), leaders)


def _taken(
    rules: Rules, graph: Mapping[Name, PlainBlock], before: list[TwinCommit], leader: Name
) -> tuple[Name, ...]:
    """(24) to (26)"""
    floor = max(0, before[-1].leader[0] - rules.gc_depth) if before else 0
    gone = {name for commit in before for name in commit.blocks}
    return tuple(
        sorted(name for name in ancestors(graph, leader) if name[0] > floor and name not in gone)
    )


def _leaders_after(
    rules: Rules,
    graph: Mapping[Name, PlainBlock],
    before: list[TwinCommit],
    leader: Name,
    leaders: tuple[int, ...],
) -> tuple[int, ...]:
    """(28): the schedule behind the commit of `leader`, which comes after those in `before`."""
    if (len(before) + 1) % rules.leader_commits:
        return leaders
    window = [commit.blocks for commit in before[len(before) + 1 - rules.leader_commits :]]
    names = {name for blocks in window for name in blocks}
    names.update(_taken(rules, graph, before, leader))
    return _turn(rules, [_score(rules, graph, names, author) for author in range(rules.members)])


def _turn(rules: Rules, scores: list[int]) -> tuple[int, ...]:
    median = sorted(scores)[rules.members // 2]
    lowest_first = sorted(range(rules.members), key=lambda author: (scores[author], -author))
    set_aside = set(rules.resting)
    for author in lowest_first:
        poor = scores[author] * 1000 < rules.leader_permille * median
        if poor and len(set_aside) < rules.faulty_max:
            set_aside.add(author)
    left = tuple(author for author in range(rules.members) if author not in set_aside)
    if rules.repeats_best and set_aside and len(left) % 3 == 0:
        left += tuple([author for author in reversed(lowest_first) if author in left][:1])
    return left


def _score(rules: Rules, graph: Mapping[Name, PlainBlock], names: set[Name], author: int) -> int:
    rounds = set()
    for name in names:
        if name[1] == author:
            naming = {
                above[1]
                for above in names
                if above[0] == name[0] + 1 and name in graph[above].parents
            }
            if len(naming) >= rules.quorum:
                rounds.add(name[0])
    return len(rounds)
