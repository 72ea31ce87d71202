"""MQTT topics `wattle/1/<site>/<meter id>/<leaf>` (SPEC section 8) and the names in them."""

import binascii

from wattle_wire.errors import MalformedError

SAMPLE = "sample"
BIRTH = "birth"
STATE = "state"
ACK = "ack"
CMD = "cmd"
LEAVES = (SAMPLE, BIRTH, STATE, ACK, CMD)

SITE_CHARS_MAX = 32
_SITE_CHARS = "abcdefghijklmnopqrstuvwxyz0123456789-"
_HEX_CHARS = "0123456789abcdef"


def check_site(site: object) -> str:
    """The site name itself; MalformedError unless it is `[a-z0-9-]{1,32}`."""
    if not isinstance(site, str) or not 1 <= len(site) <= SITE_CHARS_MAX:
        raise MalformedError("site %r, expected 1 to %d characters" % (site, SITE_CHARS_MAX))
    for char in site:
        if char not in _SITE_CHARS:
            raise MalformedError("site %r, expected only a-z, 0-9 and -" % site)
    return site


def meter_id(kid: bytes) -> str:
    """The meter id (16 lower-case hex digits) of an 8-byte signing kid."""
    return binascii.hexlify(kid).decode()


def kid_of_meter(meter: str) -> bytes:
    """The 8-byte kid of a meter id; MalformedError unless it is 16 lower-case hex digits."""
    if len(meter) != 16:
        raise MalformedError("meter id %r, expected 16 hex digits" % meter)
    for char in meter:
        if char not in _HEX_CHARS:
            raise MalformedError("meter id %r, expected lower-case hex digits" % meter)
    return binascii.unhexlify(meter)


def topic(site: str, meter: str, leaf: str) -> str:
    """The topic of one kind of message of one meter."""
    assert leaf in LEAVES, leaf
    return "wattle/1/" + site + "/" + meter + "/" + leaf


def parse(name: str) -> tuple[str, str, str]:
    """(site, meter id, leaf) of a topic; MalformedError if it is none of ours."""
    parts = name.split("/")
    if len(parts) != 5 or parts[0] != "wattle" or parts[1] != "1" or parts[4] not in LEAVES:
        raise MalformedError("topic %r, expected wattle/1/<site>/<meter>/<leaf>" % name)
    check_site(parts[2])
    kid_of_meter(parts[3])
    return parts[2], parts[3], parts[4]
