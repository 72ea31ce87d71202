"""A member's transactions find their nonce, whatever its gateway has missed, and each is answered.

The signatory over a real driver among four in memory; time passes when nobody has anything to do.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
from wattle_gateway.admin.signatory import Signatory
from wattle_gateway.contracts import registry
from wattle_gateway.contracts.execute import HELD, RECORDED, REPEAT
from wattle_gateway.errors import RefusedError, UsageError
from wattle_gateway.ledger import entry, genesis, transaction
from wattle_gateway.ledger.genesis import Constants
from wattle_gateway.runtime.driver import LedgerDriver
from wattle_testkit.alliance import (
    Board,
    Party,
    digest_of,
    epoch_of,
    genesis_of,
    private_key,
    transaction_entry,
)
from wattle_testkit.driven_alliance import DrivenAlliance

PARTIES = tuple(Party(name) for name in ("ann", "bob", "cid", "dee"))
CONSTANTS = Constants(enrol_approvals=1, leader_commits=4, gc_depth=8)
FOUR = epoch_of(*PARTIES, constants=CONSTANTS)
UNKNOWN_KIND = 99
STEP_MS = 50
STEPS_MAX = 2_000


@pytest.fixture
def four(tmp_path: Path) -> Iterator[DrivenAlliance]:
    made = DrivenAlliance(tmp_path, *PARTIES, epoch=FOUR)
    made.run(1000)
    yield made
    made.close()


class Identity:
    """The parts of a member's identity that sign."""

    def __init__(self, party: Party, *parties: Party) -> None:
        self.party = party
        self.genesis = genesis_of(*parties, constants=CONSTANTS)
        self.block_key = private_key(f"{party.name} block")
        self.kid = party.kid


BOB = Identity(PARTIES[1], *PARTIES)


class PlayedThread:
    """A gateway's ledger as its thread shows it."""

    def __init__(self, alliance: DrivenAlliance, name: str) -> None:
        self._alliance = alliance
        self._name = name

    async def read(self, question: Callable[[LedgerDriver], Any]) -> Any:
        return question(self._alliance[self._name])

    async def step(self, work: Callable[..., Any]) -> Any:
        result, _ = self._alliance.step(self._name, work)
        return result


def played(
    four: DrivenAlliance,
    use: Callable[[Signatory], Coroutine[Any, Any, Any]],
    identity: Identity = BOB,
) -> Any:
    """What `use` of a signatory comes to, while time passes."""
    name = identity.party.name

    async def play() -> Any:
        signatory = Signatory(identity, PlayedThread(four, name))  # type: ignore[arg-type]
        task = asyncio.create_task(use(signatory))
        heard = len(four.members[name].heard)
        for _ in range(STEPS_MAX):
            # As often as it takes to come to where only the ledger can help.
            for _ in range(10):
                await asyncio.sleep(0)
            if task.done():
                return await task
            four.run(STEP_MS)
            for progress in four.members[name].heard[heard:]:
                signatory.follow(progress)
            heard = len(four.members[name].heard)
        task.cancel()
        raise AssertionError("no answer")

    return asyncio.run(play())


def recorded(four: DrivenAlliance, kid: bytes) -> int:
    """How many transactions of a member the ledger has in lane 0."""
    return registry.next_nonce(four["ann"].state, kid, 0)


def revoke(board: Board) -> list[object]:
    return transaction.revoke_body(transaction.Revoke(board.kid, 0))


def test_right_after_a_start_the_nonce_is_that_of_the_ledger(four: DrivenAlliance) -> None:
    """Five of bob's own were committed while it was cut off from what the others made of them."""
    bob = four.members["bob"].kid
    raws = [transaction_entry(FOUR, PARTIES[1], UNKNOWN_KIND, [], nonce=n) for n in range(5)]
    four.add("bob", *raws)
    four.deliver()
    four.kill("bob")
    four.run(20_000)
    assert recorded(four, bob) == 5
    four.start("bob")
    assert four["bob"].next_nonce(0) == 0
    board = Board("meter", FOUR)
    body = transaction.enrol_body(board.enrol(home=bob))
    played(four, lambda signatory: signatory.commit(transaction.ENROL, body))
    assert four["bob"].next_nonce(0) == 6
    assert registry.meter(four["bob"].state, board.kid) is not None
    sent = [
        outcome.effect
        for progress in four.members["bob"].heard
        for outcome in progress.transactions.values()
    ]
    assert sent == [RECORDED] * 6


def test_several_are_committed_together_and_each_is_answered(four: DrivenAlliance) -> None:
    bob = four.members["bob"].kid
    boards = [Board(f"meter {number}", FOUR) for number in range(40)]
    stranger = Board("nobody's", FOUR)
    enrolments = [transaction.enrol_body(board.enrol(home=bob)) for board in boards]
    commits = four["ann"].head.index
    said = played(four, lambda signatory: signatory.commit_each(transaction.ENROL, enrolments))
    assert said == [None] * 40
    assert four["ann"].head.index - commits < 10
    revocations = [revoke(boards[0]), revoke(stranger), revoke(boards[1])]
    said = played(four, lambda signatory: signatory.commit_each(transaction.REVOKE, revocations))
    refused = "the ledger refused it: meter_unknown: the ledger has no such meter"
    assert said == [None, refused, None]
    assert recorded(four, bob) == 43


def test_several_are_not_sent_while_an_earlier_one_waits(four: DrivenAlliance) -> None:
    raw = transaction_entry(FOUR, PARTIES[1], UNKNOWN_KIND, [], nonce=0)
    four.cut("bob")
    four.add("bob", raw)
    with pytest.raises(UsageError, match="not committed yet"):
        played(four, lambda one: one.commit_each(transaction.REVOKE, [revoke(Board("m", FOUR))]))


def test_however_often_its_nonce_was_used_it_is_signed_again(four: DrivenAlliance) -> None:
    """Another copy of bob's key is at work elsewhere, always a little faster."""
    bob = four.members["bob"].kid
    rivals = [transaction_entry(FOUR, PARTIES[1], UNKNOWN_KIND, [], nonce=n) for n in range(5)]
    board = Board("meter", FOUR)
    body = transaction.enrol_body(board.enrol(home=bob))
    plain_run = four.run

    def run(duration_ms: int) -> None:
        if rivals:
            four.add("ann", rivals.pop(0))
        plain_run(duration_ms)

    four.run = run  # type: ignore[method-assign]
    played(four, lambda signatory: signatory.commit(transaction.ENROL, body))
    assert registry.meter(four["bob"].state, board.kid) is not None


def test_what_is_held_back_is_not_signed_a_second_time(four: DrivenAlliance) -> None:
    """Bob's state lies: it is one ahead of the ledger's, so its transaction has to wait."""
    board = Board("meter", FOUR)
    bob = four.members["bob"].kid
    body = transaction.enrol_body(board.enrol(home=bob))
    missing = [transaction_entry(FOUR, PARTIES[1], UNKNOWN_KIND, [])]
    plain_nonce, plain_run = four["bob"].next_nonce, four.run
    four["bob"].next_nonce = lambda lane: plain_nonce(lane) + 1  # type: ignore[method-assign]
    effects: list[str] = []

    def run(duration_ms: int) -> None:
        plain_run(duration_ms)
        for progress in four.members["bob"].heard[-50:]:
            effects.extend(outcome.effect for outcome in progress.transactions.values())
        if HELD in effects and missing:
            four.add("bob", missing.pop())

    four.run = run  # type: ignore[method-assign]
    played(four, lambda signatory: signatory.commit(transaction.ENROL, body))
    assert recorded(four, bob) == 2
    assert REPEAT not in effects
    plain_run(20_000)
    assert recorded(four, bob) == 2
    assert four["bob"].queue.size == 0


def test_the_ledgers_refusal_is_told(four: DrivenAlliance) -> None:
    with pytest.raises(RefusedError, match="meter_unknown"):
        played(
            four,
            lambda signatory: signatory.commit(transaction.REVOKE, revoke(Board("x", FOUR))),
        )


def test_a_transaction_that_was_held_back_goes_on_after_one_about_a_meter(
    four: DrivenAlliance,
) -> None:
    """The one before it in its lane enrols a meter: that is its turn all the same."""
    bob = four.members["bob"].kid
    board = Board("meter", FOUR)
    body = transaction.enrol_body(board.enrol(home=bob))
    four.add("bob", transaction_entry(FOUR, PARTIES[1], UNKNOWN_KIND, [], nonce=1))
    four.run(5_000)
    assert recorded(four, bob) == 0
    four.add("bob", transaction_entry(FOUR, PARTIES[1], transaction.ENROL, body))
    four.run(5_000)
    assert recorded(four, bob) == 2


class TestAlone:
    """A payment is not signed beside one that has no answer yet."""

    def test_an_earlier_one_without_an_answer_is_in_its_way(self, four: DrivenAlliance) -> None:
        stuck = transaction_entry(FOUR, PARTIES[1], UNKNOWN_KIND, [])
        four.cut("bob")
        four.add("bob", stuck)

        async def pay(signatory: Signatory) -> str:
            with pytest.raises(UsageError) as refused:
                await signatory.commit(transaction.OPEN, ["CNY"], alone=True)
            return str(refused.value)

        said = played(four, pay)
        assert f"({digest_of(FOUR, stuck).hex()[:16]}..) is not committed yet" in said
        four.heal()
        four.run(20_000)
        with pytest.raises(RefusedError, match="asset_unknown"):
            played(four, lambda at: at.commit(transaction.OPEN, ["CNY"], alone=True))

    def test_somebody_elses_is_not(self, four: DrivenAlliance) -> None:
        """Ann's waits at bob's gateway, with a nonce that is not due."""
        four.add("bob", transaction_entry(FOUR, PARTIES[0], UNKNOWN_KIND, [], nonce=7))
        with pytest.raises(RefusedError, match="asset_unknown"):
            played(four, lambda at: at.commit(transaction.OPEN, ["CNY"], alone=True))


def test_what_another_party_signed_is_carried_once(four: DrivenAlliance) -> None:
    """Ann hands hers to bob's gateway, twice at the same time: it is recorded once."""
    raw = entry.decode(transaction_entry(FOUR, PARTIES[0], transaction.OPEN, ["CNY"])).body

    async def carry(signatory: Signatory) -> list[object]:
        return await asyncio.gather(
            signatory.carry(raw), signatory.carry(raw), return_exceptions=True
        )

    first, second = played(four, carry)
    assert (type(first), "asset_unknown: there is no" in str(first)) == (RefusedError, True)
    assert (type(second), "expected 1 in lane 0" in str(second)) == (UsageError, True)
    assert recorded(four, PARTIES[0].kid) == 1


class TestWithoutAVote:
    """An observer's transactions stand in the blocks of those who vote."""

    WATCHER = Party("eve", genesis.OBSERVER)
    ALL = (*PARTIES, WATCHER)
    EPOCH = epoch_of(*ALL, constants=CONSTANTS)
    EVE = Identity(WATCHER, *ALL)

    @pytest.fixture
    def five(self, tmp_path: Path) -> Iterator[DrivenAlliance]:
        made = DrivenAlliance(tmp_path, *self.ALL, epoch=self.EPOCH)
        made.run(1000)
        yield made
        made.close()

    def decide(self, five: DrivenAlliance, kind: int = transaction.DECIDE) -> Any:
        body: list[object] = [bytes(32), 0, "so be it"]
        return played(five, lambda one: one.commit(kind, body, alone=True), self.EVE)

    def test_the_ledger_answers_it_once(self, five: DrivenAlliance) -> None:
        for count in (1, 2):
            with pytest.raises(RefusedError, match="dispute_unknown"):
                self.decide(five)
            assert recorded(five, self.WATCHER.kid) == count
        five.run(5_000)
        assert [five[party.name].queue.size for party in PARTIES] == [0] * 4

    def test_one_who_answers_is_enough(self, five: DrivenAlliance) -> None:
        five.cut("dee")
        with pytest.raises(RefusedError, match="dispute_unknown"):
            self.decide(five)

    def test_what_its_role_may_not_send_is_not_sent(self, five: DrivenAlliance) -> None:
        with pytest.raises(UsageError, match="only voting members"):
            self.decide(five, transaction.OPEN)
        assert five["eve"].next_nonce(0) == recorded(five, self.WATCHER.kid) == 0

    def test_without_a_link_it_says_so(self, five: DrivenAlliance) -> None:
        five.cut("eve")
        with pytest.raises(UsageError, match="none that has a vote is linked"):
            self.decide(five)

    def test_one_at_a_time_waits_at_each_member(self, five: DrivenAlliance) -> None:
        """The others are away, so ann can commit nothing; eve may send what she likes."""
        five.cut("bob")
        five.cut("cid")
        raws = [
            entry.decode(transaction_entry(self.EPOCH, self.WATCHER, 23, [bytes(32), n, "x"])).body
            for n in range(5)
        ]
        for raw in raws:
            for parcel in five["eve"].synchronizer.hand_on(raw):
                five["ann"].receive(self.WATCHER.kid, parcel.raw, five.now)
        assert len(five["ann"].queue.unanswered(self.WATCHER.kid)) == 1
