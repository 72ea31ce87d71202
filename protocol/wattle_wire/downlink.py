"""Messages to a meter: acks and commands (SPEC section 8), inside COSE_Mac0."""

from wattle_wire import cbor, structure
from wattle_wire.errors import MalformedError

# One ack must fit a board's receive buffer; the rest follows in the next ack.
MISSING_MAX = 8
REFUSED_MAX = 8

# Refusals at ingest (SPEC section 13)
MALFORMED = 1
BAD_SIGNATURE = 2
NOT_ENROLLED = 3
REVOKED = 4
TOO_LARGE = 5
BUSY = 6
REFUSAL_NAMES = {
    MALFORMED: "malformed",
    BAD_SIGNATURE: "bad_signature",
    NOT_ENROLLED: "not_enrolled",
    REVOKED: "revoked",
    TOO_LARGE: "too_large",
    BUSY: "busy",
}

SETPOINT = 1
RELEASE = 2
RESEND = 3
CONFIG = 4
TIME = 5

NONCE_BYTES = 16
NONCE_VALID_MS = 10000
_MS_MAX = (1 << 53) - 1


class Ack:
    """How far a gateway has a meter's samples.

    `final`, `durable` seqs; `missing` [[from, to]]; `refused` [[seq, code]];
    `commit_index`; `commit_digest` 32 bytes.
    """

    __slots__ = ("commit_digest", "commit_index", "durable", "final", "missing", "refused")

    def __init__(
        self,
        final: int,
        durable: int,
        missing: list[list[int]],
        refused: list[list[int]],
        commit_index: int,
        commit_digest: bytes,
    ) -> None:
        self.final = final
        self.durable = durable
        self.missing = missing
        self.refused = refused
        self.commit_index = commit_index
        self.commit_digest = commit_digest


def encode_ack(ack: Ack) -> bytes:
    """The payload of an ack."""
    return cbor.encode(
        [
            ack.final,
            ack.durable,
            ack.missing,
            ack.refused,
            ack.commit_index,
            ack.commit_digest,
        ]
    )


def decode_ack(payload: bytes) -> Ack:
    """The ack in a payload whose MAC was verified; MalformedError if it is not one."""
    row = structure.array(cbor.decode(payload), 6, "ack")
    final = structure.uint(row[0], "final")
    durable = structure.uint(row[1], "durable")
    if durable < final:
        raise MalformedError("durable %d is below final %d" % (durable, final))
    refused = []
    last = -1
    for item in structure.items(row[3], REFUSED_MAX, "refused"):
        pair = structure.array(item, 2, "refused")
        seq = structure.uint(pair[0], "refused seq")
        code = structure.uint(pair[1], "refusal code")
        if seq <= last:
            raise MalformedError("refused seqs are not rising")
        last = seq
        refused.append([seq, code])
    return Ack(
        final,
        durable,
        structure.ranges(row[2], MISSING_MAX, "missing"),
        refused,
        structure.uint(row[4], "commit index"),
        structure.octets(row[5], 32, "commit digest"),
    )


def encode_command(counter: int, kind: int, body: list[object]) -> bytes:
    """The payload of a command; `body` as the table of SPEC section 8 has it for `kind`.

    Raises MalformedError for a body that a meter would refuse.
    """
    check_command_body(kind, body)
    return cbor.encode([counter, kind, body])


def decode_command(payload: bytes) -> tuple[int, int, list[object]]:
    """(counter, kind, body) of a command whose MAC was verified.

    Raises MalformedError for an unknown kind (config is reserved) or a body of another form.
    """
    row = structure.array(cbor.decode(payload), 3, "command")
    kind = structure.uint(row[1], "command kind")
    return structure.uint(row[0], "counter"), kind, check_command_body(kind, row[2])


def check_command_body(kind: int, body: object) -> list[object]:
    """`body` if it is that of a command of `kind`, else MalformedError."""
    if kind == TIME:
        row = structure.array(body, 2, "time command")
        structure.octets(row[0], NONCE_BYTES, "nonce")
        structure.uint(row[1], "time", _MS_MAX)
    elif kind == RESEND:
        row = structure.array(body, 2, "resend command")
        if structure.uint(row[0], "from") > structure.uint(row[1], "to"):
            raise MalformedError("resend: from is above to")
    elif kind == SETPOINT:
        row = structure.array(body, 4, "setpoint command")
        structure.octets(row[0], 32, "transaction digest")
        structure.uint(row[1], "device", 32)
        structure.integer(row[2], "setpoint W")
        structure.uint(row[3], "valid until", _MS_MAX)
    elif kind == RELEASE:
        row = structure.array(body, 2, "release command")
        structure.octets(row[0], 32, "transaction digest")
        structure.uint(row[1], "device", 32)
    else:
        raise MalformedError("command kind %d is not known" % kind)
    return row
