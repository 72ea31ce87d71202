"""Reads what a meter says besides its samples: state, birth, enrolment proof (SPEC section 7).

`uplink_writer`, the half that a board needs, is given on from here.
"""

from wattle_wire import cbor, quantity, sample, structure, topics, update
from wattle_wire.errors import LimitError, MalformedError
from wattle_wire.health import Health
from wattle_wire.uplink_writer import (
    CONNECTION_BYTES,
    encode_birth,
    encode_proof,
    encode_state,
)

__all__ = (
    "BIRTH_BYTES_MAX",
    "CONNECTION_BYTES",
    "KEY_PROTECTIONS",
    "NAME_CHARS_MAX",
    "NONCE_BYTES",
    "PUBLIC_KEY_BYTES",
    "STATE_BYTES_MAX",
    "Health",
    "check_birth",
    "decode_birth",
    "decode_proof",
    "decode_state",
    "encode_birth",
    "encode_proof",
    "encode_state",
)

NONCE_BYTES = 16
BIRTH_BYTES_MAX = 16384
STATE_BYTES_MAX = 1536  # 32 devices that all fail, every number at its largest
PUBLIC_KEY_BYTES = 65
NAME_CHARS_MAX = 64
KEY_PROTECTIONS = ("file", "sealed", "element")
_UINT32_MAX = (1 << 32) - 1

_BIRTH_KEYS = (
    "boot",
    "clk",
    "devices",
    "eui64",
    "fw",
    "interval_ms",
    "platform",
    "protect",
    "seq",
    "site",
    "time_ms",
    "version",
)
_DEVICE_KEYS = ("ct", "d", "digest", "orient", "profile", "q", "unit", "vt")


def decode_state(
    data: bytes,
) -> tuple[bool, bytes, bytes | None, Health | None, tuple[int, int, int] | None]:
    """(online, connection, nonce or None, health or None, news or None) of a state.

    The news of an update are (version, code, offset), SPEC section 17. MalformedError if it is no
    state.
    """
    if len(data) > STATE_BYTES_MAX:
        raise LimitError("state of %d bytes, expected at most %d" % (len(data), STATE_BYTES_MAX))
    row = structure.items(cbor.decode(data), 5, "state")
    online = bool(row) and structure.uint(row[0], "state", 1) == 1
    if not online:
        structure.array(row, 2, "state")
    elif len(row) < 3 or (len(row) > 3 and row[-1] is None):
        raise MalformedError("state of %d items, or with an empty one at its end" % len(row))
    connection = structure.octets(row[1], CONNECTION_BYTES, "connection")
    row = (row + [None, None, None])[:5]
    nonce = None if row[2] is None else structure.octets(row[2], NONCE_BYTES, "nonce")
    health = None if row[3] is None else Health(row[3])
    return online, connection, nonce, health, None if row[4] is None else _news(row[4])


def _news(value: object) -> tuple[int, int, int]:
    version, code, offset = structure.array(value, 3, "news of an update")
    return (
        structure.uint(version, "version", update.VERSION_MAX),
        structure.uint(code, "code", update.LOST),
        structure.uint(offset, "offset", update.FIRMWARE_BYTES_MAX + update.SETTINGS_BYTES_MAX),
    )


def decode_birth(payload: bytes) -> dict[str, object]:
    """The birth in a payload; MalformedError (or its kinds) if it is not one (SPEC section 7)."""
    if len(payload) > BIRTH_BYTES_MAX:
        raise LimitError("birth of %d bytes, expected at most %d" % (len(payload), BIRTH_BYTES_MAX))
    return check_birth(cbor.decode(payload))


def check_birth(birth: object) -> dict[str, object]:
    """`birth` if it is one, else MalformedError."""
    row = _keys(birth, _BIRTH_KEYS, "birth")
    structure.uint(row["boot"], "boot", sample.BOOT_MAX)
    if row["clk"] not in sample.CLOCK_STATES:
        raise MalformedError("clk is %r, expected one of %r" % (row["clk"], sample.CLOCK_STATES))
    structure.octets(row["eui64"], 8, "eui64")
    structure.text(row["fw"], NAME_CHARS_MAX, "fw")
    structure.text(row["platform"], NAME_CHARS_MAX, "platform")
    structure.uint(row["interval_ms"], "interval_ms", _UINT32_MAX)
    _protection(row["protect"])
    structure.uint(row["seq"], "seq", sample.SEQ_MAX)
    topics.check_site(row["site"])
    structure.uint(row["time_ms"], "time_ms", sample.TIME_MS_MAX)
    structure.uint(row["version"], "version", update.VERSION_MAX)
    for device in structure.items(row["devices"], sample.DEVICE_MAX, "devices"):
        _check_device(device)
    return row


def _check_device(device: object) -> None:
    row = _keys(device, _DEVICE_KEYS, "device")
    for ratio in (row["ct"], row["vt"]):
        for part in structure.array(ratio, 2, "transformer ratio"):
            if structure.uint(part, "transformer ratio", _UINT32_MAX) == 0:
                raise MalformedError("transformer ratio with a zero")
    number = structure.uint(row["d"], "d", sample.DEVICE_MAX)
    if number == 0:
        raise MalformedError("d is 0, expected 1 to %d" % sample.DEVICE_MAX)
    structure.octets(row["digest"], 32, "profile digest")
    if row["orient"] not in (1, -1) or row["orient"] is True:
        raise MalformedError("orient is %r, expected 1 or -1" % (row["orient"],))
    structure.text(row["profile"], NAME_CHARS_MAX, "profile")
    for name in structure.items(row["q"], len(quantity.names()), "q"):
        quantity.form(structure.text(name, 4, "quantity"))
    structure.uint(row["unit"], "unit", 247)


def decode_proof(payload: bytes) -> tuple[bytes, bytes, bytes, bytes, int, str]:
    """(eui64, signing key, link key, tls key, first_seq, protection); MalformedError if none.

    That the keys are points of the curve is checked by who uses them.
    """
    row = structure.array(cbor.decode(payload), 6, "enrolment proof")
    first_seq = structure.uint(row[4], "first_seq", sample.SEQ_MAX)
    if first_seq == 0:
        raise MalformedError("first_seq is 0, expected at least 1")
    return (
        structure.octets(row[0], 8, "eui64"),
        structure.octets(row[1], PUBLIC_KEY_BYTES, "signing key"),
        structure.octets(row[2], PUBLIC_KEY_BYTES, "link key"),
        structure.octets(row[3], PUBLIC_KEY_BYTES, "tls key"),
        first_seq,
        _protection(row[5]),
    )


def _protection(value: object) -> str:
    if not isinstance(value, str) or value not in KEY_PROTECTIONS:
        raise MalformedError("key protection %r, expected one of %r" % (value, KEY_PROTECTIONS))
    return value


def _keys(value: object, expected: tuple[str, ...], what: str) -> dict[str, object]:
    if not isinstance(value, dict) or len(value) != len(expected):
        raise MalformedError("%s is not a map with the keys %s" % (what, ", ".join(expected)))
    for key in expected:
        if key not in value:
            raise MalformedError("%s has no key %s" % (what, key))
    return value
