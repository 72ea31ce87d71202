"""Hosted users: who brings them, what they may do, who has to agree (SPEC section 12)."""

import pytest
from wattle_gateway.contracts import accounts, classes, parties, registry, waiting
from wattle_gateway.contracts.execute import HELD, RECORDED, REPEAT, VOID
from wattle_gateway.contracts.state import key
from wattle_gateway.ledger import entry, genesis, hosted_word, transaction
from wattle_gateway.ledger.account_bodies import Issue, Open, Register, Transfer
from wattle_gateway.ledger.genesis import Constants
from wattle_gateway.ledger.transaction import APPROVE, ISSUE, OPEN, REGISTER, TRANSFER, Approve
from wattle_testkit.account_ledger import (
    AGGREGATOR,
    FACTORY,
    GRID,
    MEMBERS,
    REGULATOR,
    RETAIL,
    AccountLedger,
    User,
)
from wattle_testkit.alliance import (
    CREATED_MS,
    Board,
    Party,
    change_entry,
    epoch_of,
    following,
    transaction_entry,
)
from wattle_wire import cbor, cose

HOUSE = User("house 7")
ASKING = Constants(enrol_approvals=2)
SERVICE = Party("service", genesis.ENERGY_SERVICE_COMPANY)
SECOND_AGGREGATOR = Party("second aggregator", genesis.AGGREGATOR)


@pytest.fixture
def ledger() -> AccountLedger:
    """A ledger on which nobody has to approve."""
    return AccountLedger()


@pytest.fixture
def asking() -> AccountLedger:
    """A ledger on which somebody of another role has to."""
    return AccountLedger(*MEMBERS, SECOND_AGGREGATOR, constants=ASKING)


def word(ledger: AccountLedger, host: Party = AGGREGATOR, version: int = 1) -> list[object]:
    return Register(HOUSE.word(ledger.epoch, host, version)).row()


def approve(digest: bytes) -> list[object]:
    return transaction.approve_body(Approve(digest))


class TestRegister:
    """Kind 5."""

    def test_the_row_is_that_of_spec(self, ledger: AccountLedger) -> None:
        ledger.host(HOUSE, version=7)
        row = cbor.decode(ledger.state[key("party", HOUSE.kid)])
        assert row == [HOUSE.key, "house 7", AGGREGATOR.kid, 7]
        (user,) = parties.hosted_users(ledger.state)
        assert (user.kid, user.name, user.host) == (HOUSE.kid, "house 7", AGGREGATOR.kid)

    def test_a_user_is_a_party_from_then_on(self, ledger: AccountLedger) -> None:
        ledger.declare()
        raw = ledger.entry(HOUSE, OPEN, Open("CNY").row())
        assert ledger.chain.one(raw).effect == VOID
        ledger.host(HOUSE)
        assert ledger.chain.one(raw).effect == RECORDED
        party = parties.party(ledger.state, ledger.epoch, HOUSE.kid)
        assert party is not None
        assert (party.role, party.host) == (genesis.HOSTED_USER, AGGREGATOR.kid)

    def test_a_users_lanes_count_by_themselves(self, ledger: AccountLedger) -> None:
        ledger.declare()
        ledger.host(HOUSE)

        def opened(lane: int, nonce: int) -> str:
            raw = transaction.build(
                ledger.epoch.ledger_id,
                HOUSE.kid,
                HOUSE.sign,
                lane=lane,
                nonce=nonce,
                until_ms=CREATED_MS * 2,
                kind=OPEN,
                body=["CNY"],
            )
            return ledger.chain.one(entry.encode(entry.TRANSACTION, raw, 60_000)).effect

        assert [opened(15, 0), opened(15, 1), opened(0, 0)] == [RECORDED] * 3
        assert [opened(15, 3), opened(15, 1)] == [HELD, REPEAT]
        assert [registry.next_nonce(ledger.state, HOUSE.kid, lane) for lane in (0, 15)] == [1, 2]

    @pytest.mark.parametrize("host", [RETAIL, AGGREGATOR, SERVICE])
    def test_those_with_customers_host(self, host: Party) -> None:
        ledger = AccountLedger(GRID, host)
        assert ledger.send(host, REGISTER, word(ledger, host)) == classes.ACCEPTED

    @pytest.mark.parametrize("body", [[], [None], [b"x" * 513]])
    def test_1_malformed_body(self, ledger: AccountLedger, body: object) -> None:
        assert ledger.send(AGGREGATOR, REGISTER, body) == classes.MALFORMED_BODY

    @pytest.mark.parametrize("host", [GRID, FACTORY, REGULATOR])
    def test_3_role_not_allowed(self, ledger: AccountLedger, host: Party) -> None:
        assert ledger.send(host, REGISTER, word(ledger, host)) == classes.ROLE_NOT_ALLOWED

    def test_3_a_user_hosts_nobody(self, ledger: AccountLedger) -> None:
        ledger.host(HOUSE)
        assert ledger.send(HOUSE, REGISTER, word(ledger)) == classes.ROLE_NOT_ALLOWED

    def test_5_word_that_is_none(self, ledger: AccountLedger) -> None:
        assert ledger.send(AGGREGATOR, REGISTER, [b"word"]) == classes.PROOF_FAILS

    def test_5_word_for_another_ledger(self, ledger: AccountLedger) -> None:
        elsewhere = HOUSE.word(epoch_of(Party("other")), AGGREGATOR)
        assert ledger.send(AGGREGATOR, REGISTER, [elsewhere]) == classes.PROOF_FAILS

    def test_5_word_with_another_key_than_it_is_signed_by(self, ledger: AccountLedger) -> None:
        payload = cbor.encode([1, HOUSE.key, "house 7", AGGREGATOR.kid])
        thief = User("thief")
        digest = cose.digest("party", ledger.epoch.ledger_id, thief.kid, payload)
        stolen = cose.sign1(thief.kid, payload, thief.sign(digest))
        assert ledger.send(AGGREGATOR, REGISTER, [stolen]) == classes.PROOF_FAILS
        digest = cose.digest("party", ledger.epoch.ledger_id, HOUSE.kid, payload)
        stolen = cose.sign1(HOUSE.kid, payload, thief.sign(digest))
        assert ledger.send(AGGREGATOR, REGISTER, [stolen]) == classes.PROOF_FAILS

    def test_5_word_with_a_key_off_the_curve(self, ledger: AccountLedger) -> None:
        raw = hosted_word.build(
            ledger.epoch.ledger_id,
            b"\x04" + bytes(64),
            HOUSE.sign,
            version=1,
            name="nobody",
            host=AGGREGATOR.kid,
        )
        assert ledger.send(AGGREGATOR, REGISTER, [raw]) == classes.PROOF_FAILS

    def test_18_not_the_host(self, ledger: AccountLedger) -> None:
        assert ledger.send(RETAIL, REGISTER, word(ledger)) == classes.NOT_THE_HOST

    def test_19_party_is_member(self, ledger: AccountLedger) -> None:
        raw = hosted_word.build(
            ledger.epoch.ledger_id,
            FACTORY.member.block_key,
            FACTORY.sign,
            version=1,
            name="factory",
            host=AGGREGATOR.kid,
        )
        assert ledger.send(AGGREGATOR, REGISTER, [raw]) == classes.PARTY_IS_MEMBER

    def test_20_an_older_word_never_counts_again(self, ledger: AccountLedger) -> None:
        ledger.host(HOUSE, version=5)
        ledger.host(HOUSE, RETAIL, version=6)
        assert ledger.send(AGGREGATOR, REGISTER, word(ledger, version=5)) == classes.WORD_STALE
        assert ledger.send(RETAIL, REGISTER, word(ledger, RETAIL, 6)) == classes.WORD_STALE
        (user,) = parties.hosted_users(ledger.state)
        assert user.host == RETAIL.kid


class TestWaiting:
    """What needs a member of another role."""

    def test_a_registration_waits(self, asking: AccountLedger) -> None:
        digest = asking.done(AGGREGATOR, REGISTER, word(asking))
        assert parties.hosted_users(asking.state) == []
        row = cbor.decode(asking.state[key("waiting", digest)])
        assert row == [CREATED_MS * 2, AGGREGATOR.kid, REGISTER, word(asking)]
        (found,) = waiting.everything(asking.state)
        may = [
            party.name
            for party in (*MEMBERS, SECOND_AGGREGATOR)
            if waiting.may_approve(asking.state, found, asking.epoch, party.kid)
        ]
        assert may == ["grid", "retail", "factory"]
        assert asking.send(RETAIL, APPROVE, approve(digest)) == classes.ACCEPTED
        assert [user.kid for user in parties.hosted_users(asking.state)] == [HOUSE.kid]
        assert waiting.everything(asking.state) == []

    def test_a_new_asset_waits_and_more_of_it_does_not(self, asking: AccountLedger) -> None:
        first = Issue("CNY", 2, GRID.kid, 5).row()
        digest = asking.done(GRID, ISSUE, first)
        assert accounts.assets(asking.state) == []
        assert asking.send(FACTORY, APPROVE, approve(digest)) == classes.ACCEPTED
        asking.done(GRID, ISSUE, first)
        (asset,) = accounts.assets(asking.state)
        assert asset.issued == 10

    def test_with_one_role_there_is_nobody_to_ask(self) -> None:
        alone = AccountLedger(AGGREGATOR, SECOND_AGGREGATOR, constants=ASKING)
        alone.host(HOUSE)
        assert [user.kid for user in parties.hosted_users(alone.state)] == [HOUSE.kid]

    def test_1_malformed_bodies_do_not_wait(self, asking: AccountLedger) -> None:
        assert asking.send(AGGREGATOR, REGISTER, [5]) == classes.MALFORMED_BODY
        assert asking.send(GRID, ISSUE, ["CNY", 2, GRID.kid, 0]) == classes.MALFORMED_BODY

    def test_what_would_be_refused_does_not_wait(self, asking: AccountLedger) -> None:
        assert asking.send(RETAIL, REGISTER, word(asking)) == classes.NOT_THE_HOST
        body = Issue("EUR", 2, RETAIL.kid, 1).row()
        assert asking.send(GRID, ISSUE, body) == classes.RECIPIENT_UNKNOWN

    def test_2_expired(self, asking: AccountLedger) -> None:
        raw = asking.entry(AGGREGATOR, REGISTER, word(asking), until_ms=CREATED_MS + 5)
        digest = asking.chain.one(raw).digest
        assert digest is not None
        late = asking.send(GRID, APPROVE, approve(digest), time_ms=CREATED_MS + 6)
        assert late == classes.EXPIRED

    def test_3_a_users_yes_is_not_what_is_asked_for(self, asking: AccountLedger) -> None:
        digest = asking.done(AGGREGATOR, REGISTER, word(asking))
        asking.done(GRID, APPROVE, approve(digest))
        digest = asking.done(GRID, ISSUE, Issue("CNY", 2, GRID.kid, 5).row())
        assert asking.send(HOUSE, APPROVE, approve(digest)) == classes.ROLE_NOT_ALLOWED
        enrol = transaction.enrol_body(Board("board", asking.epoch).enrol(home=GRID.kid))
        digest = asking.done(GRID, transaction.ENROL, enrol)
        assert asking.send(HOUSE, APPROVE, approve(digest)) == classes.ROLE_NOT_ALLOWED

    def test_3_nor_is_an_observers(self, asking: AccountLedger) -> None:
        digest = asking.done(AGGREGATOR, REGISTER, word(asking))
        assert asking.send(REGULATOR, APPROVE, approve(digest)) == classes.ROLE_NOT_ALLOWED

    def test_12_who_sent_it_has_left(self, asking: AccountLedger) -> None:
        digest = asking.done(AGGREGATOR, REGISTER, word(asking))
        rest = (GRID, RETAIL, FACTORY, SECOND_AGGREGATOR)
        change = change_entry(asking.epoch, GRID, following(*rest, constants=ASKING))
        executed = asking.chain.commit(
            change,
            *(
                transaction_entry(
                    asking.epoch, party, APPROVE, approve(change_digest(asking, change))
                )
                for party in rest[1:]
            ),
        )
        assert executed.ended is not None
        raw = transaction_entry(asking.epoch, RETAIL, APPROVE, approve(digest), nonce=1)
        assert asking.chain.one(raw).verdict == classes.MEMBER_UNKNOWN

    def test_15_nothing_waits(self, asking: AccountLedger) -> None:
        assert asking.send(GRID, APPROVE, approve(bytes(32))) == classes.NOTHING_WAITS
        digest = asking.done(AGGREGATOR, REGISTER, word(asking))
        asking.done(GRID, APPROVE, approve(digest))
        assert asking.send(RETAIL, APPROVE, approve(digest)) == classes.NOTHING_WAITS

    @pytest.mark.parametrize("party", [AGGREGATOR, SECOND_AGGREGATOR])
    def test_17_same_role(self, asking: AccountLedger, party: Party) -> None:
        digest = asking.done(AGGREGATOR, REGISTER, word(asking))
        assert asking.send(party, APPROVE, approve(digest)) == classes.SAME_ROLE

    def test_what_has_become_wrong_meanwhile_is_refused_and_waits_on(
        self, asking: AccountLedger
    ) -> None:
        one = asking.done(AGGREGATOR, REGISTER, word(asking, version=1))
        two = asking.done(AGGREGATOR, REGISTER, word(asking, version=2))
        asking.done(GRID, APPROVE, approve(two))
        assert asking.send(GRID, APPROVE, approve(one)) == classes.WORD_STALE
        assert [found.digest for found in waiting.everything(asking.state)] == [one]


def change_digest(ledger: AccountLedger, raw: bytes) -> bytes:
    body = cbor.decode(raw)
    assert isinstance(body, list)
    return transaction.parse(body[1], ledger.epoch.ledger_id).digest


def test_a_member_that_left_keeps_its_account_and_gets_at_it_as_a_hosted_user() -> None:
    ledger = AccountLedger(GRID, AGGREGATOR, FACTORY)
    ledger.declare()
    ledger.open(FACTORY, AGGREGATOR)
    ledger.done(GRID, TRANSFER, Transfer("CNY", FACTORY.kid, 5).row())
    rest = following(GRID, AGGREGATOR)
    change = change_entry(ledger.epoch, GRID, rest, nonce=2)
    digest = change_digest(ledger, change)
    agreed = [
        transaction_entry(ledger.epoch, AGGREGATOR, APPROVE, approve(digest), nonce=1),
        transaction_entry(ledger.epoch, FACTORY, APPROVE, approve(digest), nonce=1),
    ]
    assert ledger.chain.commit(change, *agreed).ended == rest
    body = Transfer("CNY", AGGREGATOR.kid, 5).row()
    raw = transaction_entry(ledger.epoch, FACTORY, TRANSFER, body, nonce=2)
    assert ledger.chain.one(raw).effect == VOID
    raw_word = hosted_word.build(
        ledger.epoch.ledger_id,
        FACTORY.member.block_key,
        FACTORY.sign,
        version=1,
        name="factory",
        host=AGGREGATOR.kid,
    )
    hosting = transaction_entry(
        ledger.epoch, AGGREGATOR, REGISTER, Register(raw_word).row(), nonce=2
    )
    assert ledger.chain.one(hosting).verdict == classes.ACCEPTED
    assert ledger.chain.one(raw).verdict == classes.ACCEPTED
