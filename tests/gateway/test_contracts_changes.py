"""How an epoch ends: `change` and `approve` in commits, each rule and refusal of SPEC 12."""

from dataclasses import replace

import pytest
from wattle_gateway.contracts import alliance, classes
from wattle_gateway.contracts.alliance import EpochRow, PendingChange
from wattle_gateway.contracts.execute import RECORDED, Executed
from wattle_gateway.contracts.state import key, prefix
from wattle_gateway.ledger import genesis, ready, transaction
from wattle_gateway.ledger.commit import CommitHead
from wattle_gateway.ledger.epoch import EpochChange
from wattle_gateway.ledger.genesis import Constants
from wattle_gateway.ledger.transaction import Change
from wattle_testkit.alliance import (
    CREATED_MS,
    GRID,
    Board,
    Party,
    approve_entry,
    change_entry,
    digest_of,
    enrol_entry,
    epoch_of,
    following,
    ready_of,
    sample_entry,
    transaction_entry,
)
from wattle_testkit.commit_chain import CommitChain, changes_by_entries
from wattle_wire import cbor

FOUR = [Party(name) for name in ("one", "two", "three", "four")]
OBSERVER = Party("regulator", genesis.OBSERVER)
NEWCOMER = Party("newcomer", genesis.RETAILER)
EPOCH = epoch_of(*FOUR, OBSERVER)
# What needs nobody's word: one of the four leaves.
SMALLER = following(*FOUR[:3], OBSERVER)


@pytest.fixture
def ledger() -> CommitChain:
    """A ledger of four with an observer and two commits."""
    made = CommitChain(EPOCH, *FOUR, NEWCOMER)
    made.commit()
    made.commit()
    return made


def solo() -> CommitChain:
    return CommitChain(epoch_of(), GRID, NEWCOMER)


def verdicts(executed: Executed) -> list[int]:
    assert all(outcome.effect == RECORDED for outcome in executed.outcomes)
    return [outcome.verdict for outcome in executed.outcomes]


def refused(ledger: CommitChain, raw: bytes) -> int:
    """The refusal of a transaction: recorded, its nonce consumed, nothing else changed."""
    executed = ledger.commit(raw)
    (verdict,) = verdicts(executed)
    assert verdict != classes.ACCEPTED
    assert executed.ended is None
    rows = [row for row, _ in changes_by_entries(executed)]
    assert [row for row in rows if not row.startswith(prefix("nonce", 2))] == []
    return verdict


class TestTheEndOfAnEpoch:
    """With the q-th approval."""

    def test_the_third_of_four_ends_it(self, ledger: CommitChain) -> None:
        proposal = change_entry(EPOCH, FOUR[0], SMALLER)
        first = ledger.commit(proposal)
        second = ledger.commit(approve_entry(EPOCH, FOUR[1], proposal))
        assert (verdicts(first), first.ended) == ([0], None)
        assert (verdicts(second), second.ended) == ([0], None)
        digest = digest_of(EPOCH, proposal)
        approvers = tuple(sorted(party.kid for party in FOUR[:2]))
        waiting = PendingChange(FOUR[0].kid, digest, SMALLER, approvers)
        assert alliance.pending_changes(ledger.state, EPOCH) == [waiting]

        last = ledger.commit(approve_entry(EPOCH, FOUR[3], proposal))
        assert (verdicts(last), last.ended) == ([0], SMALLER)
        assert alliance.pending_changes(ledger.state, EPOCH) == []
        assert alliance.epoch_row(ledger.state, 1) == EpochRow(1, last.head.index, SMALLER)
        assert ledger.epoch.number == 1
        assert ledger.epoch.quorum == 3
        assert ledger.commit().head.index == last.head.index + 1

    def test_alone_a_change_decides_itself_and_a_ledger_of_one_becomes_one_of_two(self) -> None:
        ledger = solo()
        ledger.commit()
        pair = following(GRID, NEWCOMER)
        signed = ready_of(ledger.epoch, NEWCOMER, ledger.head)
        executed = ledger.commit(change_entry(ledger.epoch, GRID, pair, [signed]))
        assert executed.ended == pair
        assert (ledger.epoch.size, ledger.epoch.quorum) == (2, 2)
        assert not any(row.startswith(prefix("change", 1)) for row in ledger.state)

    def test_the_rows_are_those_of_spec(self, ledger: CommitChain) -> None:
        proposal = change_entry(EPOCH, FOUR[0], SMALLER)
        ledger.commit(proposal)
        members = [genesis.member_row(member) for member in SMALLER.members]
        constants = genesis.constants_map(SMALLER.constants)
        waiting = [digest_of(EPOCH, proposal), members, genesis.RULES, constants, [FOUR[0].kid]]
        assert cbor.decode(ledger.state[key("change", FOUR[0].kid)]) == waiting
        executed = ledger.commit(
            *(approve_entry(EPOCH, party, proposal) for party in (FOUR[1], FOUR[2]))
        )
        begun = [executed.head.index, members, genesis.RULES, constants]
        assert cbor.decode(ledger.state[key("epoch", 1)]) == begun

    def test_the_rest_of_the_commit_is_executed_under_the_old_epoch(self) -> None:
        ledger = CommitChain(EPOCH, *FOUR)
        boards = [Board(name, EPOCH) for name in ("first", "second")]
        proposal = change_entry(EPOCH, FOUR[0], following(*FOUR[1:]))
        approvals = [approve_entry(EPOCH, party, proposal) for party in FOUR[1:3]]
        home = next(party for party in FOUR if party.kid == EPOCH.members[0].kid)
        nonce = int(home in FOUR[:3])  # what it sent before in this commit
        late = [enrol_entry(boards[0], home, nonce=nonce), sample_entry(boards[0].sample(1))]
        executed = ledger.commit(proposal, *approvals, *late)
        assert verdicts(executed) == [0, 0, 0, 0, 0]
        assert executed.ended is not None

    def test_what_others_proposed_waits_no_more(self, ledger: CommitChain) -> None:
        mine = change_entry(EPOCH, FOUR[0], SMALLER)
        theirs = change_entry(EPOCH, FOUR[1], following(*FOUR))
        ledger.commit(mine, theirs)
        assert len(alliance.pending_changes(ledger.state, EPOCH)) == 2
        ledger.commit(
            approve_entry(EPOCH, FOUR[1], mine, nonce=1), approve_entry(EPOCH, FOUR[2], mine)
        )
        assert not any(row.startswith(prefix("change", 1)) for row in ledger.state)
        late = approve_entry(ledger.epoch, FOUR[2], theirs, nonce=1)
        assert refused(ledger, late) == classes.NOTHING_WAITS

    def test_rules_and_constants_change_too(self, ledger: CommitChain) -> None:
        other = following(*FOUR, constants=Constants(gc_depth=9))
        proposal = change_entry(EPOCH, FOUR[0], other)
        ledger.commit(proposal, *(approve_entry(EPOCH, party, proposal) for party in FOUR[1:3]))
        assert ledger.epoch.constants.gc_depth == 9


class TestChange:
    """Kind 3."""

    def test_a_second_one_replaces_the_first(self, ledger: CommitChain) -> None:
        first = change_entry(EPOCH, FOUR[0], SMALLER)
        second = change_entry(EPOCH, FOUR[0], following(*FOUR), nonce=1)
        ledger.commit(first, approve_entry(EPOCH, FOUR[1], first), second)
        (waiting,) = alliance.pending_changes(ledger.state, EPOCH)
        assert waiting.digest == digest_of(EPOCH, second)
        assert waiting.approvers == (FOUR[0].kid,)
        late = approve_entry(EPOCH, FOUR[2], first)
        assert refused(ledger, late) == classes.NOTHING_WAITS

    @pytest.mark.parametrize(
        ("at", "value"),
        [
            (0, -1),
            (1, []),
            (1, [genesis.member_row(OBSERVER.member)]),
            (1, [genesis.member_row(member) for member in reversed(SMALLER.members)]),
            (1, [genesis.member_row(replace(GRID.member, link_key=b"\x04" + bytes(64)))]),
            (2, "one"),
            (3, {}),
            (3, {**genesis.constants_map(Constants()), "gc_depth": 3}),
            (4, [b""] * 33),
            (4, ["text"]),
            (4, [bytes(ready.READY_BYTES_MAX + 1)]),
        ],
    )
    def test_1_malformed_body(self, ledger: CommitChain, at: int, value: object) -> None:
        body = transaction.change_body(Change(0, SMALLER, ()))
        body[at] = value
        raw = transaction_entry(EPOCH, FOUR[0], transaction.CHANGE, body)
        assert refused(ledger, raw) == classes.MALFORMED_BODY

    def test_3_role_not_allowed(self, ledger: CommitChain) -> None:
        raw = change_entry(EPOCH, OBSERVER, SMALLER)
        assert refused(ledger, raw) == classes.ROLE_NOT_ALLOWED

    @pytest.mark.parametrize("number", [1, 7])
    def test_13_not_the_epoch_in_force(self, ledger: CommitChain, number: int) -> None:
        raw = change_entry(replace(EPOCH, number=number), FOUR[0], SMALLER)
        assert refused(ledger, raw) == classes.NOT_THE_EPOCH

    def test_13_in_the_commit_that_ended_it(self, ledger: CommitChain) -> None:
        proposal = change_entry(EPOCH, FOUR[0], SMALLER)
        approvals = [approve_entry(EPOCH, party, proposal) for party in FOUR[1:3]]
        late = change_entry(EPOCH, FOUR[3], following(*FOUR))
        executed = ledger.commit(proposal, *approvals, late)
        assert verdicts(executed) == [0, 0, 0, classes.NOT_THE_EPOCH]
        assert executed.ended == SMALLER

    def test_an_old_epoch_cannot_be_ended_again(self) -> None:
        ledger = solo()
        old = ledger.epoch
        ledger.commit(change_entry(old, GRID, following(GRID)))
        assert ledger.epoch.number == 1
        assert refused(ledger, change_entry(old, GRID, following(GRID), nonce=1)) == (
            classes.NOT_THE_EPOCH
        )

    def test_the_first_refusal_in_the_order_of_spec_counts(self, ledger: CommitChain) -> None:
        raw = change_entry(replace(EPOCH, number=1), FOUR[0], following(*FOUR, NEWCOMER))
        assert refused(ledger, raw) == classes.NOT_THE_EPOCH


class TestReady:
    """Refusal 14: who must have said that it is ready, and what counts."""

    GROWN = following(*FOUR, NEWCOMER)

    def judged(self, ledger: CommitChain, *signed: bytes, change: EpochChange = GROWN) -> int:
        (verdict,) = verdicts(ledger.commit(change_entry(EPOCH, FOUR[0], change, signed)))
        return verdict

    def test_a_newcomer_that_is_ready(self, ledger: CommitChain) -> None:
        assert self.judged(ledger, ready_of(EPOCH, NEWCOMER, ledger.head)) == classes.ACCEPTED

    def test_one_that_holds_among_others_is_enough(self, ledger: CommitChain) -> None:
        others = [
            b"no ready",
            ready_of(EPOCH, FOUR[1], ledger.head),
            ready_of(replace(EPOCH, number=1), NEWCOMER, ledger.head),
        ]
        signed = ready_of(EPOCH, NEWCOMER, ledger.head)
        assert self.judged(ledger, *others, signed) == classes.ACCEPTED

    def test_14_nothing_said(self, ledger: CommitChain) -> None:
        assert self.judged(ledger) == classes.NOT_READY

    def test_14_one_of_two_newcomers(self, ledger: CommitChain) -> None:
        change = following(*FOUR, NEWCOMER, Party("second newcomer"))
        signed = ready_of(EPOCH, NEWCOMER, ledger.head)
        assert self.judged(ledger, signed, change=change) == classes.NOT_READY

    def test_14_another_epoch(self, ledger: CommitChain) -> None:
        signed = ready_of(replace(EPOCH, number=1), NEWCOMER, ledger.head)
        assert self.judged(ledger, signed) == classes.NOT_READY

    def test_14_another_ledger(self, ledger: CommitChain) -> None:
        signed = ready_of(replace(EPOCH, ledger_id=bytes(16)), NEWCOMER, ledger.head)
        assert self.judged(ledger, signed) == classes.NOT_READY

    def test_14_another_row(self, ledger: CommitChain) -> None:
        elsewhere = replace(NEWCOMER.member, role=genesis.AGGREGATOR)
        signed = ready_of(EPOCH, NEWCOMER, ledger.head, elsewhere)
        assert self.judged(ledger, signed) == classes.NOT_READY

    def test_14_signed_by_another_key(self, ledger: CommitChain) -> None:
        signed = ready.build(
            EPOCH.ledger_id,
            FOUR[0].sign,
            epoch=0,
            commit_index=ledger.head.index,
            commit_digest=ledger.head.digest,
            member=NEWCOMER.member,
        )
        assert self.judged(ledger, signed) == classes.NOT_READY

    def test_14_a_commit_of_another_history(self, ledger: CommitChain) -> None:
        for index in range(ledger.head.index + 1):
            other = CommitHead(index, CREATED_MS, b"?" * 32, bytes(32))
            raw = change_entry(
                EPOCH, FOUR[0], self.GROWN, [ready_of(EPOCH, NEWCOMER, other)], nonce=index
            )
            assert refused(ledger, raw) == classes.NOT_READY

    def test_14_a_commit_to_come(self, ledger: CommitChain) -> None:
        ahead = CommitHead(ledger.head.index + 1, CREATED_MS, ledger.head.digest, bytes(32))
        assert self.judged(ledger, ready_of(EPOCH, NEWCOMER, ahead)) == classes.NOT_READY

    def test_a_commit_may_be_as_old_as_the_constant_says_and_no_older(self) -> None:
        epoch = epoch_of(constants=Constants(ready_commits_max=2))
        ledger = CommitChain(epoch, GRID, NEWCOMER)
        heads = [ledger.head, *(ledger.commit().head for _ in range(4))]
        stale, good = (
            change_entry(
                epoch, GRID, following(GRID, NEWCOMER), [ready_of(epoch, NEWCOMER, head)], nonce=n
            )
            for n, head in enumerate((heads[1], heads[3]))
        )
        assert refused(ledger, stale) == classes.NOT_READY  # head 4, named 1
        assert verdicts(ledger.commit(good)) == [classes.ACCEPTED]  # head 5, named 3

    def test_a_ledger_without_a_commit_is_followed_by_its_first_epoch(self) -> None:
        ledger = solo()
        signed = ready_of(ledger.epoch, NEWCOMER, ledger.head)
        assert ledger.head.index == 0
        change = following(GRID, NEWCOMER)
        later = solo()
        later.commit()
        for each in (ledger, later):
            each.commit(change_entry(each.epoch, GRID, change, [signed]))
            assert each.epoch.number == 1

    def test_members_that_are_there_already_need_none(self, ledger: CommitChain) -> None:
        assert self.judged(ledger, change=following(*FOUR)) == classes.ACCEPTED

    def test_an_observer_needs_none(self, ledger: CommitChain) -> None:
        change = following(*FOUR, OBSERVER, Party("auditor", genesis.OBSERVER))
        assert self.judged(ledger, change=change) == classes.ACCEPTED

    @pytest.mark.parametrize(
        "altered",
        [
            replace(FOUR[1].member, checkpoint_key=NEWCOMER.member.checkpoint_key),
            replace(FOUR[1].member, role=genesis.LARGE_USER),
            replace(OBSERVER.member, role=genesis.LARGE_USER),
        ],
    )
    def test_an_altered_row_that_votes_needs_one(
        self, ledger: CommitChain, altered: genesis.Member
    ) -> None:
        rows = {member.kid: member for member in (*EPOCH.everyone, altered)}
        change = replace(self.GROWN, members=tuple(rows[kid] for kid in sorted(rows)))
        assert self.judged(ledger, change=change) == classes.NOT_READY
        party = next(party for party in (*FOUR, OBSERVER) if party.kid == altered.kid)
        signed = ready_of(EPOCH, party, ledger.head, altered)
        raw = change_entry(EPOCH, FOUR[0], change, [signed], nonce=1)
        assert verdicts(ledger.commit(raw)) == [classes.ACCEPTED]

    def test_one_that_votes_no_more_needs_none(self, ledger: CommitChain) -> None:
        retired = replace(FOUR[1].member, role=genesis.OBSERVER)
        rows = {member.kid: member for member in (*EPOCH.everyone, retired)}
        change = replace(self.GROWN, members=tuple(rows[kid] for kid in sorted(rows)))
        assert self.judged(ledger, change=change) == classes.ACCEPTED


class TestApprove:
    """Kind 4, of a change."""

    def test_1_malformed_body(self, ledger: CommitChain) -> None:
        for nonce, body in enumerate(([], [bytes(31)], "digest", [bytes(32), 1])):
            raw = transaction_entry(EPOCH, FOUR[0], transaction.APPROVE, body, nonce=nonce)
            assert refused(ledger, raw) == classes.MALFORMED_BODY

    def test_3_role_not_allowed(self, ledger: CommitChain) -> None:
        proposal = change_entry(EPOCH, FOUR[0], SMALLER)
        ledger.commit(proposal)
        assert refused(ledger, approve_entry(EPOCH, OBSERVER, proposal)) == (
            classes.ROLE_NOT_ALLOWED
        )

    def test_13_the_epoch_has_just_ended(self, ledger: CommitChain) -> None:
        proposal = change_entry(EPOCH, FOUR[0], SMALLER)
        approvals = [approve_entry(EPOCH, party, proposal) for party in FOUR[1:]]
        executed = ledger.commit(proposal, *approvals)
        assert verdicts(executed) == [0, 0, 0, classes.NOT_THE_EPOCH]

    def test_15_nothing_waits(self, ledger: CommitChain) -> None:
        never_sent = change_entry(EPOCH, FOUR[0], SMALLER)
        assert refused(ledger, approve_entry(EPOCH, FOUR[1], never_sent)) == classes.NOTHING_WAITS

    def test_16_approved_already(self, ledger: CommitChain) -> None:
        proposal = change_entry(EPOCH, FOUR[0], SMALLER)
        ledger.commit(proposal, approve_entry(EPOCH, FOUR[1], proposal))
        again = approve_entry(EPOCH, FOUR[1], proposal, nonce=1)
        assert refused(ledger, again) == classes.APPROVED_ALREADY
        own = approve_entry(EPOCH, FOUR[0], proposal, nonce=1)
        assert refused(ledger, own) == classes.APPROVED_ALREADY


def test_nonces_go_on_over_epochs() -> None:
    ledger = solo()
    for nonce in range(3):
        ledger.commit(change_entry(ledger.epoch, GRID, following(GRID), nonce=nonce))
    assert ledger.epoch.number == 3
    assert [alliance.epoch_row(ledger.state, number) is None for number in range(5)] == [
        True,
        False,
        False,
        False,
        True,
    ]


def test_a_party_that_left_is_unknown(ledger: CommitChain) -> None:
    proposal = change_entry(EPOCH, FOUR[0], SMALLER)
    ledger.commit(proposal, *(approve_entry(EPOCH, party, proposal) for party in FOUR[1:3]))
    outcome = ledger.one(change_entry(ledger.epoch, FOUR[3], SMALLER))
    assert outcome.leaf is None
