"""Home and further gateways of an enrolled meter: who changes them, and who has to agree."""

from dataclasses import replace

import pytest
from wattle_gateway.contracts import classes, registry, transactions, waiting
from wattle_gateway.contracts.execute import RECORDED
from wattle_gateway.contracts.registry import Meter
from wattle_gateway.contracts.state import key
from wattle_gateway.ledger import genesis, transaction
from wattle_gateway.ledger.epoch import EpochChange
from wattle_gateway.ledger.errors import FormatError
from wattle_gateway.ledger.genesis import Constants
from wattle_gateway.ledger.move_body import Move, parse_move
from wattle_gateway.ledger.transaction import APPROVE, ENROL, MOVE, REVOKE, Approve, Change, Revoke
from wattle_testkit.account_ledger import AGGREGATOR, GRID, REGULATOR, RETAIL, AccountLedger, User
from wattle_testkit.alliance import CREATED_MS, Board, Party, digest_of, sample_entry
from wattle_wire import cbor

SECOND = Party("second grid company")
MEMBERS = (GRID, SECOND, RETAIL, AGGREGATOR, REGULATOR)
STRANGER = Party("stranger")
HOUSE = User("house 7")


class Site:
    """A ledger of two grid companies, a retailer, an aggregator and an observer; RETAIL is the home
    of a meter, AGGREGATOR its further gateway."""

    def __init__(self, approvals: int = 2) -> None:
        self.ledger = AccountLedger(*MEMBERS, constants=Constants(enrol_approvals=approvals))
        self.board = Board("board", self.ledger.epoch)
        point = replace(self.board.point(1), owner=GRID.kid)
        made = replace(self.board.enrol(point, home=RETAIL.kid), further=(AGGREGATOR.kid,))
        digest = self.ledger.done(RETAIL, ENROL, transaction.enrol_body(made))
        if approvals > 1:
            self.ledger.done(GRID, APPROVE, [digest])

    @property
    def meter(self) -> Meter:
        """As the registry has it."""
        found = registry.meter(self.ledger.state, self.board.kid)
        assert found is not None
        return found

    def body(self, home: Party, *further: Party) -> list[object]:
        """What moves the meter."""
        return Move(self.board.kid, home.kid, tuple(one.kid for one in further)).row()

    def move(self, who: Party, home: Party, *further: Party) -> int:
        """The verdict on a move by somebody."""
        return self.ledger.send(who, MOVE, self.body(home, *further))

    def asked(self, who: Party, home: Party, *further: Party) -> bytes:
        """The digest of an accepted move."""
        return self.ledger.done(who, MOVE, self.body(home, *further))

    def approve(self, who: Party | User, digest: bytes) -> int:
        """The verdict on somebody's approval."""
        return self.ledger.send(who, APPROVE, transaction.approve_body(Approve(digest)))

    def revoke(self, who: Party) -> int:
        """The verdict on somebody's revocation of the meter."""
        return self.ledger.send(who, REVOKE, transaction.revoke_body(Revoke(self.board.kid, 5)))

    def epoch_without(self, leaver: Party, *, stays_as: int | None = None) -> None:
        """The next epoch: a member is gone, or has another role."""
        epoch = self.ledger.epoch
        members = [member for member in epoch.everyone if member.kid != leaver.kid]
        if stays_as is not None:
            members.append(replace(leaver.member, role=stays_as))
        ordered = tuple(sorted(members, key=lambda member: member.kid))
        following = EpochChange(ordered, epoch.rules, epoch.constants)
        body = transaction.change_body(Change(epoch.number, following, ()))
        proposed = self.ledger.entry(GRID, transaction.CHANGE, body)
        agreed = [
            self.ledger.entry(party, APPROVE, [digest_of(epoch, proposed)])
            for party in (SECOND, AGGREGATOR)
        ]
        executed = self.ledger.chain.commit(proposed, *agreed)
        assert executed.ended is not None
        assert self.ledger.epoch.number == epoch.number + 1


@pytest.fixture
def site() -> Site:
    """RETAIL votes."""
    return Site()


@pytest.fixture
def orphan(site: Site) -> Site:
    """RETAIL has left."""
    site.epoch_without(RETAIL)
    return site


class TestByTheHome:
    """Its home has a vote."""

    def test_the_new_home_has_to_agree(self, site: Site) -> None:
        before = site.meter
        digest = site.asked(RETAIL, GRID, RETAIL, REGULATOR)
        assert site.meter == before
        (found,) = waiting.everything(site.ledger.state)
        assert (found.digest, found.kind, found.origin) == (digest, MOVE, RETAIL.kid)
        body = transaction.approve_body(Approve(digest))
        executed = site.ledger.chain.commit(site.ledger.entry(GRID, APPROVE, body))
        assert executed.meters == (site.board.kid,)
        moved = replace(before, home=GRID.kid, further=(RETAIL.kid, REGULATOR.kid))
        assert site.meter == moved
        assert waiting.everything(site.ledger.state) == []

    def test_a_new_home_of_the_same_role_agrees_as_well(self, site: Site) -> None:
        assert site.approve(GRID, site.asked(RETAIL, GRID)) == classes.ACCEPTED
        assert site.approve(SECOND, site.asked(GRID, SECOND)) == classes.ACCEPTED
        assert site.meter.home == SECOND.kid

    def test_further_gateways_need_nobody_else(self, site: Site) -> None:
        executed = site.ledger.chain.commit(
            site.ledger.entry(RETAIL, MOVE, site.body(RETAIL, SECOND, GRID))
        )
        assert [found.verdict for found in executed.outcomes] == [classes.ACCEPTED]
        assert executed.meters == (site.board.kid,)
        assert (site.meter.home, site.meter.further) == (RETAIL.kid, (SECOND.kid, GRID.kid))
        changed = {row for row, _ in executed.changes} - {key("connected")}
        assert changed == {key("meter", site.board.kid), key("nonce", RETAIL.kid, 0)}

    def test_the_row_is_that_of_spec(self, site: Site) -> None:
        before = cbor.decode(site.ledger.state[key("meter", site.board.kid)])
        assert isinstance(before, list)
        site.approve(GRID, site.asked(RETAIL, GRID, SECOND))
        row = cbor.decode(site.ledger.state[key("meter", site.board.kid)])
        assert row == [*before[:7], GRID.kid, [SECOND.kid], *before[9:]]

    def test_what_follows_in_the_same_commit_meets_the_new_home(self, site: Site) -> None:
        ledger = site.ledger
        moved = ledger.entry(RETAIL, MOVE, site.body(GRID))
        agreed = ledger.entry(GRID, APPROVE, [digest_of(ledger.epoch, moved)])
        revoke = transaction.revoke_body(Revoke(site.board.kid, 5))
        executed = ledger.chain.commit(moved, agreed, ledger.entry(GRID, REVOKE, revoke))
        assert [found.verdict for found in executed.outcomes] == [classes.ACCEPTED] * 3

    def test_samples_go_on_and_the_chain_stays(self, site: Site) -> None:
        chain = site.ledger.chain
        first = site.board.sample(1)
        assert chain.one(sample_entry(first)).effect == RECORDED
        site.approve(GRID, site.asked(RETAIL, GRID))
        second = chain.one(sample_entry(site.board.sample(2, prev=first.digest)))
        assert (second.effect, second.verdict) == (RECORDED, 0)
        assert registry.chain(site.ledger.state, site.board.kid, 1).final == 2

    def test_the_new_home_revokes(self, site: Site) -> None:
        site.approve(GRID, site.asked(RETAIL, GRID))
        assert site.revoke(RETAIL) == classes.APPROVAL_MISSING
        assert site.revoke(GRID) == classes.ACCEPTED
        assert registry.holder_of_eui64(site.ledger.state, site.board.eui64) is None

    def test_the_new_home_moves_it_on_and_back(self, site: Site) -> None:
        site.approve(GRID, site.asked(RETAIL, GRID))
        assert site.move(RETAIL, SECOND) == classes.APPROVAL_MISSING
        site.approve(RETAIL, site.asked(GRID, RETAIL, AGGREGATOR))
        assert (site.meter.home, site.meter.further) == (RETAIL.kid, (AGGREGATOR.kid,))


class TestRefusals:
    """One for each clause."""

    def test_1_malformed(self, site: Site) -> None:
        for body in (
            [site.board.kid, GRID.kid],
            [site.board.kid, GRID.kid, [GRID.kid]],
            [site.board.kid, GRID.kid, [bytes([n]) * 8 for n in range(9)]],
            [site.board.kid[:7], GRID.kid, []],
            "move",
        ):
            with pytest.raises(FormatError):
                parse_move(body)
            assert site.ledger.send(RETAIL, MOVE, body) == classes.MALFORMED_BODY

    def test_3_role_not_allowed(self, site: Site) -> None:
        assert site.move(REGULATOR, GRID) == classes.ROLE_NOT_ALLOWED

    @pytest.mark.parametrize("rules", [1, 2])
    def test_4_unknown_below_rules_3(self, rules: int) -> None:
        ledger = AccountLedger(GRID, RETAIL, rules=rules)
        body = Move(bytes(8), RETAIL.kid, ()).row()
        assert ledger.send(GRID, MOVE, body) == classes.KIND_UNKNOWN
        assert MOVE not in transactions.ROLES[rules]

    def test_8_meter_unknown(self, site: Site) -> None:
        body = Move(bytes(8), GRID.kid, ()).row()
        assert site.ledger.send(RETAIL, MOVE, body) == classes.METER_UNKNOWN

    def test_9_already_revoked(self, site: Site) -> None:
        site.revoke(RETAIL)
        assert site.move(RETAIL, GRID) == classes.ALREADY_REVOKED

    def test_11_somebody_else_than_the_home(self, site: Site) -> None:
        assert site.move(GRID, GRID) == classes.APPROVAL_MISSING
        assert site.move(AGGREGATOR, SECOND) == classes.APPROVAL_MISSING
        assert site.move(GRID, RETAIL, GRID) == classes.APPROVAL_MISSING

    def test_12_no_member(self, site: Site) -> None:
        assert site.move(RETAIL, STRANGER) == classes.MEMBER_UNKNOWN
        assert site.move(RETAIL, RETAIL, STRANGER) == classes.MEMBER_UNKNOWN

    def test_81_the_new_home_has_no_vote(self, site: Site) -> None:
        assert site.move(RETAIL, REGULATOR) == classes.HOME_WITHOUT_VOTE

    def test_82_nothing_moves(self, site: Site) -> None:
        assert site.move(RETAIL, RETAIL, AGGREGATOR) == classes.NOTHING_MOVES


class TestApproval:
    """Refusals of the approve of a move by the home; it goes on waiting."""

    def test_2_its_time_has_passed(self, site: Site) -> None:
        raw = site.ledger.entry(RETAIL, MOVE, site.body(GRID), until_ms=CREATED_MS + 5)
        site.ledger.chain.commit(raw)
        site.ledger.chain.commit(time_ms=CREATED_MS + 6)
        assert site.approve(GRID, digest_of(site.ledger.epoch, raw)) == classes.EXPIRED

    def test_3_users_are_not_asked(self, site: Site) -> None:
        digest = site.asked(RETAIL, GRID)
        brought = site.ledger.done(
            AGGREGATOR, transaction.REGISTER, [HOUSE.word(site.ledger.epoch, AGGREGATOR)]
        )
        site.approve(GRID, brought)
        assert site.approve(HOUSE, digest) == classes.ROLE_NOT_ALLOWED
        assert site.approve(REGULATOR, digest) == classes.ROLE_NOT_ALLOWED

    def test_38_somebody_else_is_asked(self, site: Site) -> None:
        digest = site.asked(RETAIL, GRID)
        for other in (RETAIL, SECOND, AGGREGATOR):
            assert site.approve(other, digest) == classes.NOT_ASKED
        assert site.approve(GRID, digest) == classes.ACCEPTED

    def test_8_to_82_are_asked_again(self, site: Site) -> None:
        to_grid, to_second = site.asked(RETAIL, GRID), site.asked(RETAIL, SECOND)
        again = site.asked(RETAIL, GRID)
        assert site.approve(GRID, to_grid) == classes.ACCEPTED
        # RETAIL has it no more: what it offered to others is void.
        assert site.approve(SECOND, to_second) == classes.APPROVAL_MISSING
        assert site.approve(GRID, again) == classes.APPROVAL_MISSING
        site.revoke(GRID)
        assert site.approve(SECOND, to_second) == classes.ALREADY_REVOKED

    def test_12_who_sent_it_has_left(self, site: Site) -> None:
        digest = site.asked(RETAIL, GRID)
        site.epoch_without(RETAIL)
        assert site.approve(GRID, digest) == classes.MEMBER_UNKNOWN
        assert site.approve(GRID, digest) == classes.MEMBER_UNKNOWN

    def test_11_who_sent_it_has_no_vote_any_more(self, site: Site) -> None:
        digest = site.asked(RETAIL, GRID)
        site.epoch_without(RETAIL, stays_as=genesis.OBSERVER)
        assert site.approve(GRID, digest) == classes.APPROVAL_MISSING

    def test_it_waits_over_the_end_of_an_epoch(self, site: Site) -> None:
        digest = site.asked(RETAIL, AGGREGATOR)
        site.epoch_without(REGULATOR)
        assert site.approve(AGGREGATOR, digest) == classes.ACCEPTED


class TestHomeThatLeft:
    """Whoever takes its meters needs a member of another role, as for a new meter."""

    def test_a_member_of_another_role_agrees(self, orphan: Site) -> None:
        digest = orphan.asked(GRID, GRID, AGGREGATOR)
        assert orphan.meter.home == RETAIL.kid
        assert orphan.approve(AGGREGATOR, digest) == classes.ACCEPTED
        assert (orphan.meter.home, orphan.meter.further) == (GRID.kid, (AGGREGATOR.kid,))
        assert orphan.revoke(SECOND) == classes.APPROVAL_MISSING
        assert orphan.revoke(GRID) == classes.ACCEPTED

    def test_17_the_role_of_the_new_home(self, orphan: Site) -> None:
        digest = orphan.asked(GRID, GRID)
        assert orphan.approve(SECOND, digest) == classes.SAME_ROLE
        assert orphan.approve(GRID, digest) == classes.SAME_ROLE

    def test_11_the_new_home_sends_it(self, orphan: Site) -> None:
        assert orphan.move(GRID, AGGREGATOR) == classes.APPROVAL_MISSING

    def test_12_who_left_cannot_be_home_or_further(self, orphan: Site) -> None:
        assert orphan.move(GRID, RETAIL) == classes.MEMBER_UNKNOWN
        assert orphan.move(GRID, GRID, RETAIL) == classes.MEMBER_UNKNOWN

    def test_a_home_that_follows_only_has_none_either(self, site: Site) -> None:
        site.epoch_without(RETAIL, stays_as=genesis.OBSERVER)
        assert site.move(RETAIL, RETAIL) == classes.ROLE_NOT_ALLOWED
        assert site.move(GRID, RETAIL) == classes.HOME_WITHOUT_VOTE
        digest = site.asked(SECOND, SECOND, RETAIL)
        assert site.approve(AGGREGATOR, digest) == classes.ACCEPTED
        assert (site.meter.home, site.meter.further) == (SECOND.kid, (RETAIL.kid,))

    def test_the_first_of_two_gets_it(self, orphan: Site) -> None:
        by_grid, by_other = orphan.asked(GRID, GRID), orphan.asked(AGGREGATOR, AGGREGATOR)
        assert orphan.approve(GRID, by_other) == classes.ACCEPTED
        assert orphan.approve(AGGREGATOR, by_grid) == classes.APPROVAL_MISSING
        assert orphan.meter.home == AGGREGATOR.kid

    def test_where_one_approval_is_enough_nobody_else_is_asked(self) -> None:
        site = Site(approvals=1)
        site.epoch_without(RETAIL)
        assert site.move(GRID, GRID) == classes.ACCEPTED
        assert site.meter.home == GRID.kid
        assert waiting.everything(site.ledger.state) == []
