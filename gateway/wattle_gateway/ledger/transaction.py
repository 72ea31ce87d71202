"""Transactions: what parties sign (SPEC section 10). Formats only; rules stand in `contracts`."""

import itertools
from dataclasses import dataclass

from wattle_wire import cbor, cose, structure, topics
from wattle_wire.sample import DEVICE_MAX, SEQ_MAX

from wattle_gateway.ledger import genesis
from wattle_gateway.ledger.crypto import Sign
from wattle_gateway.ledger.epoch import EpochChange
from wattle_gateway.ledger.errors import FormatError, LimitError, SignatureError, wire_errors_named
from wattle_gateway.ledger.ready import READY_BYTES_MAX

LANES = 16

ENROL = 1
REVOKE = 2
CHANGE = 3
APPROVE = 4
# Of rules 2; their bodies stand in `account_bodies` and `offer_bodies`.
REGISTER = 5
OPEN = 6
ISSUE = 7
REDEEM = 8
TRANSFER = 9
LOCK = 10
UNLOCK = 11
ASSIGN = 12
OFFER = 13
RETRACT = 14
# Of rules 3; their bodies stand in `event_bodies`, `settlement_bodies` and `move_body`.
PUBLISH = 15
DECLARE = 16
WITHDRAW = 17
DISPATCH = 18
CONTRACT = 19
FUND = 20
DISPUTE = 21
ANSWER = 22
DECIDE = 23
MOVE = 24
KIND_NAMES = {
    ENROL: "enrol",
    REVOKE: "revoke",
    CHANGE: "change",
    APPROVE: "approve",
    REGISTER: "register",
    OPEN: "open",
    ISSUE: "issue",
    REDEEM: "redeem",
    TRANSFER: "transfer",
    LOCK: "lock",
    UNLOCK: "unlock",
    ASSIGN: "assign",
    OFFER: "offer",
    RETRACT: "retract",
    PUBLISH: "publish",
    DECLARE: "declare",
    WITHDRAW: "withdraw",
    DISPATCH: "dispatch",
    CONTRACT: "contract",
    FUND: "fund",
    DISPUTE: "dispute",
    ANSWER: "answer",
    DECIDE: "decide",
    MOVE: "move",
}

ELECTRICITY = 1
HEAT = 2
GAS = 3
COMMODITY_NAMES = {ELECTRICITY: "electricity", HEAT: "heat", GAS: "gas"}

# A meter visits its gateways in turn; more would never be reached within its daily call.
FURTHER_MAX = 8
DIGEST_BYTES = 32
PROOF_BYTES_MAX = 1024  # an enrolment proof is some 350 bytes
CARRY_SECONDS_MAX = 86400
RATING_W_MAX = 10**12  # keeps every product of execution far inside int64
_UINT32_MAX = (1 << 32) - 1


@dataclass(frozen=True)
class Transaction:
    """A parsed transaction whose signature nobody has verified yet.

    `kid` names the party; `body` is decoded CBOR of the kind's form, checked at execution:
    a wrong body of an authentic transaction is a refusal that consumes its nonce.
    """

    raw: bytes
    kid: bytes
    digest: bytes
    signature: bytes
    lane: int
    nonce: int
    until_ms: int
    kind: int
    body: object


@dataclass(frozen=True)
class Point:
    """A metered point `<meter>/<device>`: rating and ownership.

    `rating_w` largest power (W), `capacity_w` adjustable power (W), `ct` and `vt` transformer
    ratios (primary, secondary), `orient` 1 or -1, `owner` kid of the owning party.
    """

    device: int
    commodity: int
    rating_w: int
    capacity_w: int
    ct: tuple[int, int]
    vt: tuple[int, int]
    orient: int
    owner: bytes


@dataclass(frozen=True)
class Enrol:
    """Body of kind 1. `proof` = COSE_Sign1 of kind `enrol` by the meter; `home` and `further` =
    kids of members; `carry` 0 = all samples in bytes, else the grid in seconds."""

    proof: bytes
    site: str
    home: bytes
    further: tuple[bytes, ...]
    carry: int
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Revoke:
    """Body of kind 2: `last_seq` is the last sample of `meter` that counts."""

    meter: bytes
    last_seq: int


@dataclass(frozen=True)
class Change:
    """Body of kind 3: `epoch` is the one that is to end, `following` what the next one is made
    of, `ready` the COSE_Sign1 bytes of what its new voting members say."""

    epoch: int
    following: EpochChange
    ready: tuple[bytes, ...]


@dataclass(frozen=True)
class Approve:
    """Body of kind 4: `digest` (32 bytes) of the transaction that is approved."""

    digest: bytes


def build(
    ledger_id: bytes,
    kid: bytes,
    sign: Sign,
    *,
    lane: int,
    nonce: int,
    until_ms: int,
    kind: int,
    body: object,
) -> bytes:
    """A signed transaction (COSE_Sign1 bytes). `body` as the `.._body` functions give it."""
    assert 0 <= lane < LANES
    payload = cbor.encode([lane, nonce, until_ms, kind, body])
    return cose.sign1(kid, payload, sign(cose.digest("tx", ledger_id, kid, payload)))


def parse(raw: bytes, ledger_id: bytes) -> Transaction:
    """Take a transaction apart; FormatError if it is none. The signature is NOT verified."""
    with wire_errors_named("transaction"):
        signed = cose.parse_sign1("tx", ledger_id, raw)
        row = structure.array(cbor.decode(signed.payload), 5, "transaction")
        return Transaction(
            raw,
            signed.kid,
            signed.digest,
            signed.signature,
            structure.uint(row[0], "lane", LANES - 1),
            structure.uint(row[1], "nonce"),
            structure.uint(row[2], "until_ms"),
            structure.uint(row[3], "transaction kind"),
            row[4],
        )


def enrol_body(enrol: Enrol) -> list[object]:
    """The body of an enrol transaction; FormatError if `parse_enrol` would refuse it."""
    body: list[object] = [
        enrol.proof,
        enrol.site,
        enrol.home,
        list(enrol.further),
        enrol.carry,
        [point_row(point) for point in enrol.points],
    ]
    parse_enrol(body)
    return body


def parse_enrol(body: object) -> Enrol:
    """The enrol in a transaction's body; FormatError if it is malformed."""
    with wire_errors_named("enrol"):
        row = structure.array(body, 6, "enrol")
        proof = row[0]
        if not isinstance(proof, bytes) or len(proof) > PROOF_BYTES_MAX:
            raise LimitError(f"proof is not a byte string of at most {PROOF_BYTES_MAX}")
        home, further = parse_gateways(row[2], row[3])
        return Enrol(
            proof,
            topics.check_site(row[1]),
            home,
            further,
            structure.uint(row[4], "carry", CARRY_SECONDS_MAX),
            parse_points(row[5]),
        )


def parse_gateways(home: object, further: object) -> tuple[bytes, tuple[bytes, ...]]:
    """Home and further gateways (kids) of a meter; raises WireError or FormatError if malformed,
    or if a gateway is named twice."""
    first = structure.octets(home, cose.KID_BYTES, "home")
    others = tuple(
        structure.octets(kid, cose.KID_BYTES, "further gateway")
        for kid in structure.items(further, FURTHER_MAX, "further gateways")
    )
    if len({first, *others}) != 1 + len(others):
        raise FormatError("a gateway of the meter is named twice")
    return first, others


def point_row(point: Point) -> list[object]:
    """A point as it stands in CBOR."""
    return [
        point.device,
        point.commodity,
        point.rating_w,
        point.capacity_w,
        list(point.ct),
        list(point.vt),
        point.orient,
        point.owner,
    ]


def parse_points(value: object) -> tuple[Point, ...]:
    """1 to 32 points by rising device number; raises WireError or FormatError if malformed."""
    points = tuple(_point(item) for item in structure.items(value, DEVICE_MAX, "points"))
    devices = [point.device for point in points]
    if not devices or any(low >= high for low, high in itertools.pairwise(devices)):
        raise FormatError(f"points {devices} are not at least one, rising")
    return points


def revoke_body(revoke: Revoke) -> list[object]:
    """The body of a revoke transaction; FormatError if `parse_revoke` would refuse it."""
    body: list[object] = [revoke.meter, revoke.last_seq]
    parse_revoke(body)
    return body


def parse_revoke(body: object) -> Revoke:
    """The revoke in a transaction's body; FormatError if it is malformed."""
    with wire_errors_named("revoke"):
        row = structure.array(body, 2, "revoke")
        return Revoke(
            structure.octets(row[0], cose.KID_BYTES, "meter"),
            structure.uint(row[1], "last_seq", SEQ_MAX),
        )


def change_body(change: Change) -> list[object]:
    """The body of a change transaction; FormatError if `parse_change` would refuse it."""
    body: list[object] = [
        change.epoch,
        [genesis.member_row(member) for member in change.following.members],
        change.following.rules,
        genesis.constants_map(change.following.constants),
        list(change.ready),
    ]
    parse_change(body)
    return body


def parse_change(body: object) -> Change:
    """The change in a transaction's body; FormatError if it is malformed. What the `ready`
    bytes say is not read: a bad one is a refusal of its own."""
    with wire_errors_named("change"):
        row = structure.array(body, 5, "change")
        epoch = structure.uint(row[0], "epoch")
        rules = structure.uint(row[2], "rules")
        ready = structure.items(row[4], genesis.MEMBERS_MAX, "ready")
        try:
            following = EpochChange(
                genesis.parse_members(row[1]), rules, genesis.parse_constants(row[3], rules)
            )
        except SignatureError as error:
            raise FormatError(f"change: {error}") from error
    for raw in ready:
        if not isinstance(raw, bytes) or len(raw) > READY_BYTES_MAX:
            raise LimitError(f"ready is not a byte string of at most {READY_BYTES_MAX}")
    return Change(epoch, following, tuple(raw for raw in ready if isinstance(raw, bytes)))


def approve_body(approve: Approve) -> list[object]:
    """The body of an approve transaction; FormatError if `parse_approve` would refuse it."""
    body: list[object] = [approve.digest]
    parse_approve(body)
    return body


def parse_approve(body: object) -> Approve:
    """The approve in a transaction's body; FormatError if it is malformed."""
    with wire_errors_named("approve"):
        row = structure.array(body, 1, "approve")
        return Approve(structure.octets(row[0], DIGEST_BYTES, "digest"))


def _point(value: object) -> Point:
    row = structure.array(value, 8, "point")
    device = structure.uint(row[0], "device", DEVICE_MAX)
    commodity = structure.uint(row[1], "commodity")
    orient = structure.integer(row[6], "orient")
    if device == 0:
        raise FormatError(f"point of device 0, expected 1 to {DEVICE_MAX}")
    if commodity not in COMMODITY_NAMES:
        raise FormatError(f"commodity {commodity}, expected one of {sorted(COMMODITY_NAMES)}")
    if orient not in (1, -1):
        raise FormatError(f"orient {orient}, expected 1 or -1")
    rating_w = structure.uint(row[2], "rating_w", RATING_W_MAX)
    if rating_w == 0:
        raise FormatError("rating_w is 0, expected at least 1")
    return Point(
        device,
        commodity,
        rating_w,
        structure.uint(row[3], "capacity_w", RATING_W_MAX),
        _ratio(row[4], "ct"),
        _ratio(row[5], "vt"),
        orient,
        structure.octets(row[7], cose.KID_BYTES, "owner"),
    )


def _ratio(value: object, what: str) -> tuple[int, int]:
    row = structure.array(value, 2, what)
    primary = structure.uint(row[0], what, _UINT32_MAX)
    secondary = structure.uint(row[1], what, _UINT32_MAX)
    if primary == 0 or secondary == 0:
        raise FormatError(f"{what} ratio {primary}:{secondary} with a zero")
    return primary, secondary
