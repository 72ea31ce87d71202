"""Random changes and approvals against a twin that keeps them in plain dictionaries."""

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st
from wattle_gateway.contracts import alliance, classes
from wattle_gateway.contracts.execute import RECORDED, VOID
from wattle_gateway.ledger import genesis
from wattle_gateway.ledger.epoch import Epoch, EpochChange
from wattle_testkit.alliance import (
    Party,
    approve_entry,
    change_entry,
    digest_of,
    epoch_of,
    following,
    ready_of,
)
from wattle_testkit.commit_chain import CommitChain

PARTIES = [Party(f"party {number}") for number in range(5)]
FOUR = epoch_of(*PARTIES[:4])


@dataclass
class Twin:
    """The rules of SPEC section 12 on names: who waits, who approved, which epoch."""

    voters: frozenset[int]
    number: int = 0
    waiting: dict[int, tuple[str, frozenset[int]]] = field(default_factory=dict)
    approved: dict[str, set[int]] = field(default_factory=dict)
    winner: str | None = None

    def quorum(self) -> int:
        return len(self.voters) - (len(self.voters) - 1) // 3

    def propose(self, who: int, name: str, voters: frozenset[int]) -> int | None:
        if who not in self.voters:
            return None
        if self.winner is not None:
            return classes.NOT_THE_EPOCH
        self.waiting[who] = (name, voters)
        return self._approve(who, name)

    def approve(self, who: int, name: str) -> int | None:
        if who not in self.voters:
            return None
        if name not in [found for found, _ in self.waiting.values()]:
            return classes.NOTHING_WAITS
        if self.winner is not None:
            return classes.NOT_THE_EPOCH
        if who in self.approved[name]:
            return classes.APPROVED_ALREADY
        return self._approve(who, name)

    def _approve(self, who: int, name: str) -> int:
        self.approved.setdefault(name, set()).add(who)
        if len(self.approved[name]) >= self.quorum():
            self.winner = name
        return classes.ACCEPTED

    def end_commit(self) -> None:
        if self.winner is not None:
            ((self.voters, name),) = [(v, n) for n, v in self.waiting.values() if n == self.winner]
            assert name == self.winner
            self.number += 1
            self.waiting, self.approved, self.winner = {}, {}, None


# An act: who, and None for a new change with its voters or the place of an earlier proposal.
VOTERS = st.frozensets(st.integers(0, 4), min_size=1)
ACTS = st.tuples(st.integers(0, 4), st.none() | st.integers(0, 5), VOTERS)
COMMITS = st.lists(st.lists(ACTS, max_size=6), min_size=1, max_size=8)


@settings(max_examples=60, deadline=None)
@given(COMMITS)
def test_every_verdict_is_the_twins_and_one_change_wins(
    commits: list[list[tuple[int, int | None, frozenset[int]]]],
) -> None:
    ledger = CommitChain(FOUR, *PARTIES)
    twin = Twin(frozenset(range(4)))
    proposals: list[bytes] = []
    nonces = [0] * 5
    for acts in commits:
        epoch, entries, expected = ledger.epoch, [], []
        for who, earlier, voters in acts:
            if earlier is None or not proposals:
                raw = proposal(ledger, epoch, who, voters, nonces[who])
                proposals.append(raw)
                verdict = twin.propose(who, digest_of(FOUR, raw).hex(), voters)
            else:
                target = proposals[-1 - earlier % len(proposals)]
                raw = approve_entry(epoch, PARTIES[who], target, nonce=nonces[who])
                verdict = twin.approve(who, digest_of(FOUR, target).hex())
            nonces[who] += verdict is not None
            entries.append(raw)
            expected.append((VOID, 0) if verdict is None else (RECORDED, verdict))
        executed = ledger.commit(*entries)
        assert [(found.effect, found.verdict) for found in executed.outcomes] == expected
        ended = twin.winner is not None
        twin.end_commit()
        assert (executed.ended is not None) == ended
        assert ledger.epoch.number == twin.number
        assert {PARTIES.index(party_of(m.name)) for m in ledger.epoch.members} == twin.voters
        check_rows(ledger, twin)


def proposal(
    ledger: CommitChain, epoch: Epoch, who: int, voters: frozenset[int], nonce: int
) -> bytes:
    """A change to these voters, with the word of each; never twice the same."""
    change: EpochChange = following(*(PARTIES[number] for number in sorted(voters)))
    signed = [ready_of(epoch, PARTIES[number], ledger.head) for number in sorted(voters)]
    return change_entry(epoch, PARTIES[who], change, signed, nonce=nonce)


def party_of(name: str) -> Party:
    return next(party for party in PARTIES if party.name == name)


def check_rows(ledger: CommitChain, twin: Twin) -> None:
    """Every row about the alliance decodes and says what the twin holds."""
    found = {
        (pending.digest.hex(), len(pending.approvers))
        for pending in alliance.pending_changes(ledger.state, ledger.epoch)
    }
    assert found == {(name, len(twin.approved[name])) for name, _ in twin.waiting.values()}
    for number in range(1, twin.number + 1):
        row = alliance.epoch_row(ledger.state, number)
        assert row is not None
        assert row.change.rules == genesis.RULES
    assert alliance.epoch_row(ledger.state, twin.number + 1) is None
