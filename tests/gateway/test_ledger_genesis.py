"""Genesis and epochs: one form, every refusal with its reason."""

from dataclasses import asdict, replace
from hashlib import sha256
from typing import Any

import pytest
from wattle_gateway.ledger import genesis
from wattle_gateway.ledger.commit import CommitHead, first_head
from wattle_gateway.ledger.epoch import EpochChange, first_epoch, next_epoch
from wattle_gateway.ledger.errors import FormatError, LedgerError, LimitError, RulesError
from wattle_gateway.ledger.genesis import Constants
from wattle_gateway.ledger.market import Market
from wattle_testkit.alliance import CREATED_MS, GRID, Party, epoch_of, genesis_of
from wattle_wire import cbor

TRIO = [Party("grid"), Party("retail", genesis.RETAILER), Party("user", genesis.LARGE_USER)]


def decoded(**changes: object) -> genesis.Genesis:
    """The genesis of GRID with parts of its CBOR replaced: name, created_ms, rules, constants,
    members, head."""
    head, name, created_ms, rules, constants, members = raw_parts()
    row = {
        "head": head,
        "name": name,
        "created_ms": created_ms,
        "rules": rules,
        "constants": constants,
        "members": members,
    }
    row.update(changes)
    return genesis.decode(cbor.encode(list(row.values())))


def raw_parts() -> list[Any]:
    parts = cbor.decode(genesis_of(GRID).raw)
    assert isinstance(parts, list)
    return parts


def member_row(party: Party = GRID, **changes: object) -> list[object]:
    return list({**asdict(party.member), **changes}.values())


def test_decode_gives_back_what_create_made() -> None:
    made = genesis_of(*TRIO)
    assert genesis.decode(made.raw) == made
    assert genesis.decode(made.raw).raw == made.raw


def test_members_stand_in_the_order_of_their_kids_whatever_was_given() -> None:
    assert genesis_of(*TRIO) == genesis_of(*reversed(TRIO))
    kids = [member.kid for member in genesis_of(*TRIO).members]
    assert kids == sorted(kids)


def test_ledger_id_is_the_beginning_of_the_hash() -> None:
    made = genesis_of(GRID)
    assert made.ledger_id == sha256(made.raw).digest()[:16]


def test_ledger_id_changes_with_a_constant() -> None:
    other = genesis_of(GRID, constants=replace(Constants(), gc_depth=61))
    assert other.ledger_id != genesis_of(GRID).ledger_id


def test_epoch_digest_is_the_hash_that_spec_states() -> None:
    made = genesis_of(*TRIO)
    _, _, _, rules, constants, members = raw_of(made.raw)
    said = ["wattle/1/epoch", made.ledger_id, 0, bytes(32), members, rules, constants]
    assert first_epoch(made).digest == sha256(cbor.encode(said)).digest()


def test_the_next_epoch_stands_on_the_commit_that_ended_the_one_before() -> None:
    epoch = epoch_of(*TRIO)
    change = EpochChange(genesis_of(GRID).members, 1, Constants(gc_depth=9))
    head = CommitHead(7, CREATED_MS + 5, b"c" * 32, b"s" * 32)
    following = next_epoch(epoch, change, head)
    assert (following.number, following.created_ms, following.members) == (
        1,
        CREATED_MS + 5,
        (GRID.member,),
    )
    assert (following.ledger_id, following.name) == (epoch.ledger_id, "test.wattle")
    rows = [list(asdict(GRID.member).values())]
    constants = genesis.constants_map(Constants(gc_depth=9))
    said = ["wattle/1/epoch", epoch.ledger_id, 1, head.digest, rows, 1, constants]
    assert following.digest == sha256(cbor.encode(said)).digest()


def test_rules_that_nobody_knows_stop_the_gateway() -> None:
    change = EpochChange(genesis_of(GRID).members, 4, Constants())
    with pytest.raises(RulesError, match="has rules 4, this gateway knows rules 1, 2 and 3"):
        next_epoch(epoch_of(), change, first_head(epoch_of()))


def raw_of(raw: bytes) -> list[Any]:
    parts = cbor.decode(raw)
    assert isinstance(parts, list)
    return parts


@pytest.mark.parametrize(
    ("members", "faulty_max", "quorum"),
    [(1, 0, 1), (2, 0, 2), (3, 0, 3), (4, 1, 3), (7, 2, 5), (10, 3, 7), (20, 6, 14)],
)
def test_faults_and_quorum_of_a_committee(members: int, faulty_max: int, quorum: int) -> None:
    epoch = epoch_of(*(Party(f"member {number}") for number in range(members)))
    assert (epoch.size, epoch.faulty_max, epoch.quorum) == (members, faulty_max, quorum)


def test_author_of_a_kid() -> None:
    epoch = epoch_of(*TRIO)
    assert [epoch.author_of(member.kid) for member in epoch.members] == [0, 1, 2]
    assert epoch.author_of(bytes(8)) is None


def test_only_members_that_vote_are_of_the_committee() -> None:
    observers = [Party("regulator", genesis.OBSERVER), Party("hosted", genesis.HOSTED_USER)]
    epoch = epoch_of(*TRIO, *observers)
    kids = sorted(party.kid for party in TRIO)
    assert [member.kid for member in epoch.members] == kids
    assert [epoch.author_of(kid) for kid in kids] == [0, 1, 2]
    assert (epoch.size, epoch.quorum) == (3, 3)
    assert {member.kid for member in epoch.others} == {party.kid for party in observers}
    assert [member.kid for member in epoch.everyone] == sorted(
        party.kid for party in TRIO + observers
    )
    for party in observers:
        assert epoch.author_of(party.kid) is None
        assert epoch.party_of(party.kid) == party.member
    assert epoch.party_of(bytes(8)) is None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"head": "wattle/2/genesis"}, "begins with"),
        ({"name": "Grid"}, "ledger name"),
        ({"name": ""}, "name"),
        ({"name": "x" * 65}, "name"),
        ({"name": "a\n"}, "ledger name"),
        ({"created_ms": -1}, "created_ms"),
        ({"created_ms": 2**53}, "created_ms"),
        ({"rules": 4}, "rules 4, this gateway knows rules 1, 2 and 3"),
        ({"constants": []}, "constants"),
        ({"constants": {}}, "constants"),
        ({"constants": {**genesis.constants_map(Constants()), "more": 1}}, "constants"),
        ({"members": []}, "no voting member"),
        ({"members": [member_row(role=genesis.OBSERVER)]}, "no voting member"),
        ({"members": [member_row()] * 2}, "each once"),
        ({"members": [member_row()] * 33}, "at most 32"),
        ({"members": [member_row(role=8)]}, "role 8"),
        ({"members": [member_row(role=0)]}, "role 0"),
        ({"members": [member_row(name="")]}, "member name"),
        ({"members": [member_row(block_key=bytes(64))]}, "block key"),
        ({"members": [member_row(checkpoint_key=bytes(31))]}, "checkpoint key"),
        ({"members": [member_row(site_authority=b"")]}, "site authority"),
        ({"members": [member_row(site_authority=bytes(1537))]}, "site authority"),
        ({"members": [member_row()[:5]]}, "member"),
    ],
)
def test_a_genesis_of_another_form_is_refused(changes: dict[str, object], reason: str) -> None:
    with pytest.raises(FormatError, match=reason):
        decoded(**changes)


@pytest.mark.parametrize("key", ["block_key", "link_key"])
def test_a_key_off_the_curve_is_refused(key: str) -> None:
    with pytest.raises(LedgerError, match="point"):
        decoded(members=[member_row(**{key: b"\x04" + bytes(64)})])


# All encodings of the points of small order: five y, the two that also have a form above the
# field's prime, each with either sign of x.
_P = 2**255 - 19
_Y = [0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826]
SMALL_ORDER = [0, 1, _P - 1, _P, _P + 1, *_Y, _P - _Y[0]]


def doubled(x: int, y: int) -> tuple[int, int]:
    """Twice a point of edwards25519 (RFC 8032 section 5.1.4, affine)."""
    over = (-121665 * pow(121666, -1, _P) * x * x * y * y) % _P
    return (
        2 * x * y * pow(1 + over, -1, _P) % _P,
        (y * y + x * x) * pow(1 - over, -1, _P) % _P,
    )


@pytest.mark.parametrize("y", SMALL_ORDER)
@pytest.mark.parametrize("sign", [0, 1])
def test_a_checkpoint_key_of_small_order_is_refused(y: int, sign: int) -> None:
    value = y % _P
    d = -121665 * pow(121666, -1, _P) % _P
    square = (value * value - 1) * pow(d * value * value + 1, -1, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    if (x * x - square) % _P:
        x = x * pow(2, (_P - 1) // 4, _P) % _P
    point = x, value
    for _ in range(3):
        point = doubled(*point)
    assert point == (0, 1)  # so 8 times it is nothing
    key = (y | sign << 255).to_bytes(32, "little")
    with pytest.raises(LedgerError, match="small order"):
        decoded(members=[member_row(checkpoint_key=key)])


def test_members_out_of_order_are_refused() -> None:
    rows = raw_of(genesis_of(*TRIO).raw)[5]
    with pytest.raises(FormatError, match="sorted"):
        decoded(members=[rows[1], rows[0]])


@pytest.mark.parametrize("name", sorted(genesis.CONSTANT_BOUNDS))
def test_each_constant_has_its_bounds(name: str) -> None:
    low, high = genesis.CONSTANT_BOUNDS[name]
    for good in (low, high):
        constants = replace(Constants(market=Market()), **{name: good})
        assert genesis_of(GRID, constants=constants).constants == constants
    for bad in (low - 1, high + 1):
        with pytest.raises(LimitError, match=name):
            genesis_of(GRID, constants=replace(Constants(), **{name: bad}))


def test_a_constant_of_another_type_is_refused() -> None:
    with pytest.raises(LimitError, match="gc_depth"):
        decoded(constants={**genesis.constants_map(Constants()), "gc_depth": True})


def test_the_largest_alliance_fits_the_limits_of_its_encoding() -> None:
    parties = [Party(f"{number:064}") for number in range(genesis.MEMBERS_MAX)]
    members = tuple(
        replace(party.member, site_authority=bytes(genesis.CERTIFICATE_BYTES_MAX))
        for party in parties
    )
    assert len(genesis.create("x" * 64, CREATED_MS, members).members) == genesis.MEMBERS_MAX


def test_created_ms_begins_the_time_of_the_ledger() -> None:
    assert first_epoch(genesis_of(GRID)).created_ms == CREATED_MS
