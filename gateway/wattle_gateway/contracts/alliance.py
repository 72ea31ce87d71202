"""What the state says of the alliance: epochs, changes that wait, and who was caught (SPEC 11).

The rows about members, as `registry` has those about meters: each is read and written here only.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from wattle_wire import cbor, cose, structure
from wattle_wire.errors import WireError

from wattle_gateway.contracts import registry
from wattle_gateway.contracts.errors import StateError
from wattle_gateway.contracts.registry import Meter, Rows
from wattle_gateway.contracts.state import State, key, keys_beginning, prefix
from wattle_gateway.ledger import genesis
from wattle_gateway.ledger.epoch import Epoch, EpochChange, resting_part
from wattle_gateway.ledger.errors import LedgerError

_HASH_BYTES = 32
# In the place of a proposer: a change that no member proposed, but the contracts (from rules 3 on).
CONTRACT = bytes(cose.KID_BYTES)
_Row = TypeVar("_Row")


@dataclass(frozen=True)
class EpochRow:
    """How an epoch from 1 on began: `commit_index` of the commit that ended the one before."""

    number: int
    commit_index: int
    change: EpochChange


@dataclass(frozen=True)
class PendingChange:
    """A change that waits for approvals. `digest` (32 bytes) of its transaction, by which it is
    approved; `approvers` kids of voting members, rising."""

    proposer: bytes
    digest: bytes
    change: EpochChange
    approvers: tuple[bytes, ...]


@dataclass(frozen=True)
class PendingEnrolment:
    """An enrolment that waits until `until_ms` for a member of another role than its home's."""

    digest: bytes
    until_ms: int
    meter: Meter


@dataclass(frozen=True)
class Cheat:
    """A member that signed two blocks of a round, the newest epoch in which that was shown."""

    kid: bytes
    epoch: int
    round: int
    low: bytes
    high: bytes


@dataclass(frozen=True)
class FalseCheckpoints:
    """A member that signed two checkpoints which cannot both be true: (size, root) of each."""

    kid: bytes
    first: tuple[int, bytes]
    second: tuple[int, bytes]


def epoch_row(state: Rows, number: int) -> EpochRow | None:
    """How epoch `number` began, None for epoch 0 and for one that has not begun."""
    return _read(state, key("epoch", number), lambda row: _epoch_row(number, row))


def put_epoch(state: State, number: int, commit_index: int, change: EpochChange) -> None:
    """Write how an epoch begins."""
    row = [commit_index, *_change_row(change), *resting_part(change.resting)]
    state.put(key("epoch", number), cbor.encode(row))


def pending_change(state: Rows, proposer: bytes) -> PendingChange | None:
    """The change that a member has proposed and that waits, or None."""
    return _read(state, key("change", proposer), lambda row: _pending_change(proposer, row))


def pending_changes(state: Rows, epoch: Epoch) -> list[PendingChange]:
    """The changes that wait in the epoch in force, by rising proposer. Only the contracts and
    voting members propose, and the end of an epoch deletes what waits, so these are all."""
    proposers = (CONTRACT, *(member.kid for member in epoch.members))
    found = (pending_change(state, kid) for kid in proposers)
    return [pending for pending in found if pending is not None]


def put_change(state: State, pending: PendingChange) -> None:
    """Write a change that waits, in place of an earlier one of its proposer."""
    row = [pending.digest, *_change_row(pending.change), list(pending.approvers)]
    state.put(key("change", pending.proposer), cbor.encode(row))


def delete_change(state: State, proposer: bytes) -> None:
    """A change waits no more."""
    state.delete(key("change", proposer))


def forget_changes(state: State, epoch: Epoch) -> None:
    """A change was approved: nothing that was proposed beside it waits any more."""
    for pending in pending_changes(state, epoch):
        delete_change(state, pending.proposer)


def pending_enrolment(state: Rows, digest: bytes) -> PendingEnrolment | None:
    """The enrolment that waits under the digest of its transaction, or None."""
    return _read(state, key("enrolling", digest), lambda row: _pending_enrolment(digest, row))


def pending_enrolments(state: Mapping[bytes, bytes]) -> list[PendingEnrolment]:
    """All enrolments that wait, expired ones too, by rising digest."""
    digests = _ids(state, "enrolling", _HASH_BYTES)
    found = (pending_enrolment(state, digest) for digest in digests)
    return [pending for pending in found if pending is not None]


def put_enrolment(state: State, pending: PendingEnrolment) -> None:
    """Write an enrolment that waits."""
    meter = pending.meter
    row = [pending.until_ms, meter.kid, registry.meter_row(meter)]
    state.put(key("enrolling", pending.digest), cbor.encode(row))


def delete_enrolment(state: State, digest: bytes) -> None:
    """An enrolment waits no more."""
    state.delete(key("enrolling", digest))


def cheat(state: Rows, kid: bytes) -> Cheat | None:
    """What evidence has shown of a member's blocks, or None."""
    return _read(state, key("cheat", kid), lambda row: _cheat(kid, row))


def is_unnamed(state: Rows, epoch: Epoch, kid: bytes) -> bool:
    """Whether this epoch has shown that a member signed twice: then nobody names its blocks until
    it ends (rule 12 of CONSENSUS.md)."""
    shown = cheat(state, kid)
    return shown is not None and shown.epoch == epoch.number


def cheats(state: Mapping[bytes, bytes]) -> list[Cheat]:
    """All members that were shown to have signed two blocks of a round, by rising kid. Reads the
    whole mapping."""
    found = (cheat(state, kid) for kid in _ids(state, "cheat", cose.KID_BYTES))
    return [shown for shown in found if shown is not None]


def put_cheat(state: State, shown: Cheat) -> None:
    """Write what evidence has shown of a member's blocks."""
    row = [shown.epoch, shown.round, shown.low, shown.high]
    state.put(key("cheat", shown.kid), cbor.encode(row))


def false_checkpoints(state: Rows, kid: bytes) -> FalseCheckpoints | None:
    """What evidence has shown of a member's checkpoints, or None."""
    return _read(state, key("false", kid), lambda row: _false(kid, row))


def all_false_checkpoints(state: Mapping[bytes, bytes]) -> list[FalseCheckpoints]:
    """All members that were shown to have signed false checkpoints, by rising kid. Reads the
    whole mapping."""
    found = (false_checkpoints(state, kid) for kid in _ids(state, "false", cose.KID_BYTES))
    return [shown for shown in found if shown is not None]


def put_false_checkpoints(state: State, shown: FalseCheckpoints) -> None:
    """Write what evidence has shown of a member's checkpoints."""
    state.put(key("false", shown.kid), cbor.encode([*shown.first, *shown.second]))


def _read(state: Rows, row_key: bytes, parse: Callable[[object], _Row]) -> _Row | None:
    """The parsed value of a row, None if there is none; StateError for a damaged one."""
    value = state.get(row_key)
    if value is None:
        return None
    try:
        return parse(cbor.decode(value))
    except (WireError, LedgerError) as error:
        raise StateError(f"state row {row_key.hex()}: {error}") from error


def _ids(state: Mapping[bytes, bytes], table: str, size: int) -> list[bytes]:
    """The ids, of `size` bytes each, of a table's rows, rising."""
    begin = prefix(table, 1)
    return sorted(row[-size:] for row in keys_beginning(state, begin))


def _change_row(change: EpochChange) -> list[object]:
    return [
        [genesis.member_row(member) for member in change.members],
        change.rules,
        genesis.constants_map(change.constants),
    ]


def _change(members: object, rules: object, constants: object) -> EpochChange:
    number = structure.uint(rules, "rules")
    return EpochChange(
        genesis.parse_members(members), number, genesis.parse_constants(constants, number)
    )


def _epoch_row(number: int, value: object) -> EpochRow:
    resting: tuple[bytes, ...] = ()
    if isinstance(value, list) and len(value) == 5:
        *value, kids = value
        resting = _kids(kids, "resting")
    row = structure.array(value, 4, "epoch")
    change = replace(_change(*row[1:]), resting=resting)
    return EpochRow(number, structure.uint(row[0], "commit index"), change)


def _pending_change(proposer: bytes, value: object) -> PendingChange:
    row = structure.array(value, 5, "change")
    approvers = _kids(row[4], "approvers")
    digest = structure.octets(row[0], _HASH_BYTES, "digest")
    return PendingChange(proposer, digest, _change(*row[1:4]), approvers)


def _kids(value: object, what: str) -> tuple[bytes, ...]:
    items = structure.items(value, genesis.MEMBERS_MAX, what)
    return tuple(structure.octets(kid, cose.KID_BYTES, what) for kid in items)


def _pending_enrolment(digest: bytes, value: object) -> PendingEnrolment:
    row = structure.array(value, 3, "enrolment")
    kid = structure.octets(row[1], cose.KID_BYTES, "meter")
    until_ms = structure.uint(row[0], "until_ms")
    return PendingEnrolment(digest, until_ms, registry.parse_meter(kid, row[2]))


def _cheat(kid: bytes, value: object) -> Cheat:
    row = structure.array(value, 4, "cheat")
    return Cheat(
        kid,
        structure.uint(row[0], "epoch"),
        structure.uint(row[1], "round"),
        structure.octets(row[2], _HASH_BYTES, "digest"),
        structure.octets(row[3], _HASH_BYTES, "digest"),
    )


def _false(kid: bytes, value: object) -> FalseCheckpoints:
    row = structure.array(value, 4, "false checkpoints")
    first = structure.uint(row[0], "size"), structure.octets(row[1], _HASH_BYTES, "root")
    second = structure.uint(row[2], "size"), structure.octets(row[3], _HASH_BYTES, "root")
    return FalseCheckpoints(kid, first, second)
