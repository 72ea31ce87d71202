"""`ready` and peer cards as bytes: what they say, and what is none."""

from dataclasses import replace

import pytest
from wattle_gateway.ledger import crypto, genesis, peer_card, ready
from wattle_gateway.ledger.commit import CommitHead
from wattle_gateway.ledger.errors import FormatError, LedgerError, LimitError, SignatureError
from wattle_testkit.alliance import CREATED_MS, GRID, Party, epoch_of, ready_of
from wattle_wire import cbor, cose

EPOCH = epoch_of()
NEWCOMER = Party("newcomer", genesis.RETAILER)
HEAD = CommitHead(7, CREATED_MS, b"d" * 32, bytes(32))
READY = ready_of(EPOCH, NEWCOMER, HEAD)
CARD = {
    "version": CREATED_MS,
    "certificate": b"DER",
    "host": "gw.example",
    "port": 7443,
    "broker_host": "mq.example",
    "broker_port": 8883,
}


def card(**changes: object) -> bytes:
    made = {**CARD, **changes}
    return peer_card.build(EPOCH.ledger_id, GRID.kid, GRID.sign, **made)  # type: ignore[arg-type]


def signed(kind: str, party: Party, payload: object) -> bytes:
    encoded = cbor.encode(payload)
    digest = cose.digest(kind, EPOCH.ledger_id, party.kid, encoded)
    return bytes(cose.sign1(party.kid, encoded, party.sign(digest)))


def test_ready_says_what_spec_encodes_and_verifies_under_its_own_row() -> None:
    row = genesis.member_row(NEWCOMER.member)
    assert signed("ready", NEWCOMER, [0, 7, HEAD.digest, row]) == READY
    found = ready.parse(READY, EPOCH.ledger_id)
    assert (found.epoch, found.commit_index, found.commit_digest) == (0, 7, HEAD.digest)
    assert (found.member, found.kid, found.raw) == (NEWCOMER.member, NEWCOMER.kid, READY)
    crypto.verify(found.member.block_key, found.digest, found.signature)


def test_ready_of_another_ledger_does_not_verify() -> None:
    found = ready.parse(READY, bytes(16))
    with pytest.raises(SignatureError):
        crypto.verify(found.member.block_key, found.digest, found.signature)


@pytest.mark.parametrize(
    ("at", "value", "reason"),
    [
        (0, -1, "epoch"),
        (1, "7", "commit index"),
        (2, bytes(31), "commit digest"),
        (3, [], "member"),
        (3, genesis.member_row(replace(NEWCOMER.member, role=8)), "role 8"),
        (3, genesis.member_row(GRID.member), "another key"),
    ],
)
def test_ready_of_another_form_is_refused(at: int, value: object, reason: str) -> None:
    payload: list[object] = [0, 7, HEAD.digest, genesis.member_row(NEWCOMER.member)]
    payload[at] = value
    with pytest.raises(FormatError, match=reason):
        ready.parse(signed("ready", NEWCOMER, payload), EPOCH.ledger_id)


def test_ready_with_a_key_off_the_curve_is_refused() -> None:
    row = genesis.member_row(replace(NEWCOMER.member, link_key=b"\x04" + bytes(64)))
    with pytest.raises(LedgerError, match="point"):
        ready.parse(signed("ready", NEWCOMER, [0, 7, HEAD.digest, row]), EPOCH.ledger_id)


def test_ready_of_the_longest_row_fits_its_limit() -> None:
    largest = replace(
        NEWCOMER.member,
        name="\U0001f9f6" * genesis.MEMBER_NAME_CHARS_MAX,
        site_authority=bytes(genesis.CERTIFICATE_BYTES_MAX),
    )
    far = CommitHead(2**53, CREATED_MS, bytes(32), bytes(32))
    raw = ready_of(replace(EPOCH, number=2**53), NEWCOMER, far, largest)
    assert ready.parse(raw, EPOCH.ledger_id).member == largest
    with pytest.raises(LimitError, match="2561 bytes"):
        ready.parse(bytes(2561), EPOCH.ledger_id)


def test_card_says_what_spec_encodes() -> None:
    raw = card()
    assert raw == signed("peer", GRID, list(CARD.values()))
    found = peer_card.parse(raw, EPOCH.ledger_id)
    assert (found.kid, found.version, found.certificate) == (GRID.kid, CREATED_MS, b"DER")
    assert (found.host, found.port, found.raw) == ("gw.example", 7443, raw)
    assert (found.broker_host, found.broker_port) == ("mq.example", 8883)
    crypto.verify(GRID.member.block_key, found.digest, found.signature)


@pytest.mark.parametrize("host", ["a", "192.0.2.7", "2001:db8::7", "Gate-way_1.Example", "x" * 253])
def test_hosts_that_can_be_one(host: str) -> None:
    found = peer_card.parse(card(host=host, broker_host=host), EPOCH.ledger_id)
    assert (found.host, found.broker_host) == (host, host)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"version": -1}, "version"),
        ({"certificate": b""}, "certificate"),
        ({"certificate": bytes(1537)}, "certificate"),
        ({"certificate": "text"}, "certificate"),
        ({"host": ""}, "host"),
        ({"host": "x" * 254}, "host"),
        ({"host": "a b"}, "host"),
        ({"host": "a\n"}, "host"),
        ({"host": "user@host"}, "host"),
        ({"host": "host/path"}, "host"),
        ({"host": "h\u00f6st"}, "host of the gateway"),
        ({"broker_host": "h\u00f6st"}, "host of the broker"),
        ({"port": 0}, "port 0 of the gateway"),
        ({"port": 65536}, "port of the gateway"),
        ({"broker_port": 0}, "port 0 of the broker"),
    ],
)
def test_a_card_of_another_form_is_refused(changes: dict[str, object], reason: str) -> None:
    with pytest.raises(FormatError, match=reason):
        card(**changes)


def test_a_card_too_long_is_refused_unread() -> None:
    assert len(card(certificate=bytes(1536), host="x" * 253)) < peer_card.CARD_BYTES_MAX
    with pytest.raises(LimitError, match="at most 2048"):
        card(certificate=bytes(1536), host="x" * 253, broker_host="x" * 253)
    with pytest.raises(LimitError, match="2049 bytes"):
        peer_card.parse(bytes(2049), EPOCH.ledger_id)
