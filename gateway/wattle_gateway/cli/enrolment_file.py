"""The enrolment file of `wattle-tool provision`: a meter's proof, and what its technician set up.

    {"format": 1, "ledger_id": "<32 hex>", "site": "substation-7", "meter": "<16 hex>",
     "mac": "24:0a:c4:00:00:01", "protection": "file", "proof": "<hex>",
     "points": [{"d": 1, "ct": [200, 5], "vt": [1, 1], "orient": 1, "rating_w": 138000}]}

JSON, because it travels by mail and stick and is read by people. Only `proof` is signed; what else
concerns the ledger (`site`, `points`) its operator proposes and other members may have to approve.
`rating_w` may be left out. `meter`, `mac` and `protection` are for people; the gateway reads them
from the proof.
"""

import json
from dataclasses import dataclass

from wattle_gateway.errors import UsageError
from wattle_gateway.ledger import transaction

FORMAT = 1
# 32 points with every number at its longest take 5 kB, the proof in hex 2 kB.
FILE_BYTES_MAX = 16_384
_POINTS_MAX = 32
_NUMBERS = {"d": 32, "rating_w": 10**12, "orient": 1}
_RATIO_MAX = (1 << 32) - 1


@dataclass(frozen=True)
class FilePoint:
    """A point as it was set up; `rating_w` None: the operator says it."""

    device: int
    ct: list[int]
    vt: list[int]
    orient: int
    rating_w: int | None


@dataclass(frozen=True)
class EnrolmentFile:
    """`proof` is COSE_Sign1 (SPEC section 7), not verified here; `site` None for a bare proof."""

    proof: bytes
    site: str | None = None
    points: tuple[FilePoint, ...] = ()


def parse(data: bytes, source: str) -> EnrolmentFile:
    """What an enrolment file says; other bytes are taken for a bare proof.

    Raises UsageError that names `source`, the key and what was expected.
    """
    if not data.startswith(b"{"):
        if len(data) > transaction.PROOF_BYTES_MAX:
            raise UsageError(
                f"{source}: {len(data)} bytes, expected a proof of at most "
                f"{transaction.PROOF_BYTES_MAX}"
            )
        return EnrolmentFile(data)
    if len(data) > FILE_BYTES_MAX:
        raise UsageError(f"{source}: {len(data)} bytes, expected at most {FILE_BYTES_MAX}")
    try:
        row = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{source}: not JSON: {error}") from error
    if row.get("format") != FORMAT:
        raise UsageError(f"{source}: format {row.get('format')!r}, expected {FORMAT}")
    site, points = row.get("site"), row.get("points")
    if not isinstance(site, str):
        raise UsageError(f"{source}: site {site!r}, expected its name")
    if not isinstance(points, list) or not 1 <= len(points) <= _POINTS_MAX:
        raise UsageError(f"{source}: points, expected a list of 1 to {_POINTS_MAX}")
    proof = _octets(row.get("proof"), source)
    return EnrolmentFile(proof, site, tuple(_point(point, source) for point in points))


def _octets(value: object, source: str) -> bytes:
    try:
        proof = bytes.fromhex(value) if isinstance(value, str) else b""
    except ValueError:
        proof = b""
    if not 1 <= len(proof) <= transaction.PROOF_BYTES_MAX:
        raise UsageError(
            f"{source}: proof, expected hex of at most {transaction.PROOF_BYTES_MAX} bytes"
        )
    return proof


def _point(row: object, source: str) -> FilePoint:
    if not isinstance(row, dict):
        raise UsageError(f"{source}: points, expected objects")
    for key, most in _NUMBERS.items():
        value = row.get(key)
        if value is None and key == "rating_w":
            continue
        least = -1 if key == "orient" else 1
        if type(value) is not int or not least <= value <= most or value == 0:
            raise UsageError(f"{source}: points: {key} is {value!r}, expected {least} to {most}")
    for key in ("ct", "vt"):
        ratio = row.get(key)
        if not isinstance(ratio, list) or len(ratio) != 2 or not all(map(_is_ratio, ratio)):
            raise UsageError(f"{source}: points: {key} is {ratio!r}, expected [primary, secondary]")
    return FilePoint(row["d"], row["ct"], row["vt"], row["orient"], row.get("rating_w"))


def _is_ratio(value: object) -> bool:
    return type(value) is int and 1 <= value <= _RATIO_MAX
