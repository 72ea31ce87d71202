"""Enrolments that wait for a member of another role, and who revokes for a home that left."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from wattle_gateway.contracts import alliance, classes, registry
from wattle_gateway.contracts.execute import RECORDED, VOID
from wattle_gateway.contracts.state import key
from wattle_gateway.ledger import genesis, transaction
from wattle_gateway.ledger.epoch import EpochChange
from wattle_gateway.ledger.genesis import Constants
from wattle_gateway.ledger.transaction import ENROL, REVOKE, Enrol
from wattle_testkit.alliance import (
    CREATED_MS,
    Board,
    Party,
    approve_entry,
    change_entry,
    digest_of,
    epoch_of,
    following,
    sample_entry,
    transaction_entry,
)
from wattle_testkit.commit_chain import CommitChain, changes_by_entries
from wattle_wire import cbor

HOME = Party("home")
SECOND = Party("second grid company")
RETAIL = Party("retail", genesis.RETAILER)
USER = Party("user", genesis.LARGE_USER)
OBSERVER = Party("regulator", genesis.OBSERVER)
PARTIES = (HOME, SECOND, RETAIL, USER)
EPOCH = epoch_of(*PARTIES, OBSERVER)
BOARD = Board("board", EPOCH)


class Site:
    """A ledger and the nonces of those who send."""

    def __init__(self, ledger: CommitChain) -> None:
        self.ledger = ledger
        self._nonces = dict.fromkeys([*PARTIES, OBSERVER], 0)

    def sent(self, party: Party, make: Callable[..., bytes], *args: object) -> int:
        """The verdict of what a party sends with its next nonce."""
        raw = make(self.ledger.epoch, party, *args, nonce=self._nonces[party])
        outcome = self.ledger.one(raw)
        assert outcome.effect == RECORDED
        self._nonces[party] += 1
        return outcome.verdict

    def enrol(self, board: Board, party: Party = HOME, **changes: object) -> bytes:
        """The entry that enrols a board, committed and accepted."""
        body = transaction.enrol_body(enrolment(board, **changes))
        raw = transaction_entry(EPOCH, party, ENROL, body, nonce=self._nonces[party])
        self._nonces[party] += 1
        outcome = self.ledger.one(raw)
        assert (outcome.effect, outcome.verdict) == (RECORDED, classes.ACCEPTED)
        return raw

    def change(self, *parties: Party, change: EpochChange | None = None) -> None:
        """End the epoch: the four minus who is not named."""
        proposer, *others = [party for party in PARTIES if party != USER]
        body = change or following(*parties)
        made = change_entry(self.ledger.epoch, proposer, body, nonce=self._nonces[proposer])
        self._nonces[proposer] += 1
        assert self.ledger.one(made).verdict == classes.ACCEPTED
        for other in others:
            assert self.sent(other, approve_entry, made) == classes.ACCEPTED
        assert self.ledger.epoch.number == 1


@pytest.fixture
def site() -> Site:
    """A ledger of four voting members of three roles and an observer."""
    return Site(CommitChain(EPOCH, *PARTIES))


def enrolment(board: Board, **changes: object) -> Enrol:
    points = (replace(board.point(1), owner=HOME.kid),)
    made = replace(board.enrol(home=HOME.kid), points=points)
    return replace(made, **changes)  # type: ignore[arg-type]


def test_it_waits_for_a_member_of_another_role(site: Site) -> None:
    raw = site.enrol(BOARD)
    digest = digest_of(EPOCH, raw)
    assert registry.meter(site.ledger.state, BOARD.kid) is None
    assert site.ledger.one(sample_entry(BOARD.sample(1))).effect == VOID
    (waiting,) = alliance.pending_enrolments(site.ledger.state)
    assert (waiting.digest, waiting.until_ms) == (digest, CREATED_MS * 2)
    assert waiting.meter.kid == BOARD.kid

    approved = site.ledger.one(approve_entry(EPOCH, RETAIL, raw))
    assert (approved.verdict, approved.meter) == (classes.ACCEPTED, BOARD.kid)
    assert registry.meter(site.ledger.state, BOARD.kid) == waiting.meter
    assert registry.holder_of_eui64(site.ledger.state, BOARD.eui64) == BOARD.kid
    assert alliance.pending_enrolments(site.ledger.state) == []
    assert site.ledger.one(sample_entry(BOARD.sample(1))).effect == RECORDED


def test_the_row_is_that_of_spec(site: Site) -> None:
    raw = site.enrol(BOARD)
    digest = digest_of(EPOCH, raw)
    row = cbor.decode(site.ledger.state[key("enrolling", digest)])
    site.ledger.commit(approve_entry(EPOCH, RETAIL, raw))
    meter = cbor.decode(site.ledger.state[key("meter", BOARD.kid)])
    assert row == [CREATED_MS * 2, BOARD.kid, meter]


def test_approved_in_the_commit_that_enrols(site: Site) -> None:
    body = transaction.enrol_body(enrolment(BOARD))
    raw = transaction_entry(EPOCH, HOME, ENROL, body)
    executed = site.ledger.commit(
        raw, approve_entry(EPOCH, USER, raw), sample_entry(BOARD.sample(1))
    )
    assert [outcome.effect for outcome in executed.outcomes] == [RECORDED] * 3
    assert executed.meters == (BOARD.kid,)


@pytest.mark.parametrize(
    ("parties", "approvals"),
    [
        ([HOME], 2),
        ([HOME, SECOND], 2),
        ([HOME, SECOND, OBSERVER], 2),
        ([HOME, RETAIL, USER], 1),
    ],
)
def test_nobody_of_another_role_votes_or_none_is_asked_for(
    parties: list[Party], approvals: int
) -> None:
    epoch = epoch_of(*parties, constants=Constants(enrol_approvals=approvals))
    ledger = CommitChain(epoch, *parties)
    board = Board("board", epoch)
    raw = transaction_entry(epoch, HOME, ENROL, transaction.enrol_body(enrolment(board)))
    outcome = ledger.one(raw)
    assert (outcome.verdict, outcome.meter) == (classes.ACCEPTED, board.kid)


class TestApproval:
    """Refusals of an approve of an enrolment."""

    def test_2_its_time_has_passed(self, site: Site) -> None:
        body = transaction.enrol_body(enrolment(BOARD))
        raw = transaction_entry(EPOCH, HOME, ENROL, body, until_ms=CREATED_MS + 5)
        site.ledger.commit(raw, time_ms=CREATED_MS + 5)
        late = approve_entry(EPOCH, RETAIL, raw)
        assert site.ledger.one(late, CREATED_MS + 6).verdict == classes.EXPIRED
        assert registry.meter(site.ledger.state, BOARD.kid) is None

    def test_until_its_time_it_is_accepted(self, site: Site) -> None:
        body = transaction.enrol_body(enrolment(BOARD))
        raw = transaction_entry(EPOCH, HOME, ENROL, body, until_ms=CREATED_MS + 5)
        site.ledger.commit(raw)
        good = approve_entry(EPOCH, RETAIL, raw)
        assert site.ledger.one(good, CREATED_MS + 5).verdict == classes.ACCEPTED

    def test_3_role_not_allowed(self, site: Site) -> None:
        raw = site.enrol(BOARD)
        assert site.sent(OBSERVER, approve_entry, raw) == classes.ROLE_NOT_ALLOWED

    def test_6_enrolled_meanwhile(self, site: Site) -> None:
        one, other = site.enrol(BOARD), site.enrol(BOARD, carry=60)
        assert site.sent(RETAIL, approve_entry, one) == classes.ACCEPTED
        assert site.sent(RETAIL, approve_entry, other) == classes.ALREADY_ENROLLED

    def test_7_eui64_in_use_meanwhile(self, site: Site) -> None:
        one, other = site.enrol(BOARD), site.enrol(Renewed("renewed", EPOCH))
        assert site.sent(RETAIL, approve_entry, one) == classes.ACCEPTED
        assert site.sent(RETAIL, approve_entry, other) == classes.EUI64_IN_USE

    @pytest.mark.parametrize("place", ["home", "further", "owner"])
    def test_12_somebody_it_names_has_left(self, site: Site, place: str) -> None:
        points = (replace(BOARD.point(1), owner=HOME.kid),)
        changes: dict[str, dict[str, object]] = {
            "home": {"home": USER.kid, "points": points},
            "further": {"further": (USER.kid,), "points": points},
            "owner": {"points": (replace(BOARD.point(1), owner=USER.kid),)},
        }
        raw = site.enrol(BOARD, USER if place == "home" else HOME, **changes[place])
        site.change(HOME, SECOND, RETAIL)
        assert site.sent(RETAIL, approve_entry, raw) == classes.MEMBER_UNKNOWN

    def test_15_it_waits_no_more(self, site: Site) -> None:
        raw = site.enrol(BOARD)
        assert site.sent(RETAIL, approve_entry, raw) == classes.ACCEPTED
        assert site.sent(USER, approve_entry, raw) == classes.NOTHING_WAITS

    @pytest.mark.parametrize("party", [HOME, SECOND])
    def test_17_the_role_of_the_home(self, site: Site, party: Party) -> None:
        raw = site.enrol(BOARD)
        assert site.sent(party, approve_entry, raw) == classes.SAME_ROLE

    def test_a_refused_one_still_waits(self, site: Site) -> None:
        raw = site.enrol(BOARD)
        executed = site.ledger.commit(approve_entry(EPOCH, SECOND, raw))
        rows = [row for row, _ in changes_by_entries(executed)]
        assert rows == [key("nonce", SECOND.kid, 0)]
        assert site.sent(RETAIL, approve_entry, raw) == classes.ACCEPTED

    def test_it_waits_over_the_end_of_an_epoch(self, site: Site) -> None:
        raw = site.enrol(BOARD)
        site.change(HOME, SECOND, RETAIL)
        assert site.sent(RETAIL, approve_entry, raw) == classes.ACCEPTED


class Renewed(Board):
    """BOARD's hardware with keys of another birth."""

    @property
    def eui64(self) -> bytes:
        """The EUI-64 of BOARD."""
        return BOARD.eui64


class TestRevoke:
    """Who may."""

    def enrolled(self, site: Site) -> None:
        """BOARD at the home USER."""
        points = (replace(BOARD.point(1), owner=HOME.kid),)
        raw = site.enrol(BOARD, USER, home=USER.kid, points=points)
        site.sent(HOME, approve_entry, raw)

    def test_11_a_home_that_votes_revokes_alone(self, site: Site) -> None:
        self.enrolled(site)
        assert site.sent(HOME, revoke_entry, 5) == classes.APPROVAL_MISSING
        assert site.sent(USER, revoke_entry, 5) == classes.ACCEPTED

    def test_anybody_for_a_home_that_has_left(self, site: Site) -> None:
        self.enrolled(site)
        site.change(HOME, SECOND, RETAIL)
        assert site.sent(SECOND, revoke_entry, 5) == classes.ACCEPTED

    def test_anybody_for_a_home_that_follows_only(self, site: Site) -> None:
        self.enrolled(site)
        retired = replace(USER.member, role=genesis.OBSERVER)
        rows = [*following(HOME, SECOND, RETAIL).members, retired]
        members = tuple(sorted(rows, key=lambda member: member.kid))
        site.change(change=EpochChange(members, genesis.RULES, Constants()))
        assert site.sent(SECOND, revoke_entry, 5) == classes.ACCEPTED


def revoke_entry(epoch: object, party: Party, last_seq: int, *, nonce: int) -> bytes:
    return transaction_entry(EPOCH, party, REVOKE, [BOARD.kid, last_seq], nonce=nonce)
