"""site.json: what a gateway gives to those who set up meters for it."""

import base64
import binascii
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from wattle_wire import cose, topics
from wattle_wire.errors import WireError

from wattle_tools.errors import SiteFileError

FORMAT = 1
_MEMBERS_MAX = 32
# A site file with 32 members and their authorities has about 90 kB.
_FILE_BYTES_MAX = 200_000
_PUBLIC_KEY_BYTES = 65
_ROLE_MAX = 7  # SPEC section 9
_VOTING_ROLES = range(1, 6)


@dataclass(frozen=True)
class SiteGateway:
    """A gateway that serves meters: its broker, `link_public` 65 bytes, and the `authority`
    (certificate, DER) under which the broker's certificate stands."""

    name: str
    host: str
    port: int
    link_public: bytes
    authority: bytes


@dataclass(frozen=True)
class SiteFile:
    """A site of a ledger (`ledger_id` 16 bytes) and the `gateways` of the alliance in the order
    in which its meters should try them, the site's own first. `members`: block keys (65 bytes) of
    those who vote; two of them sign what updates a meter."""

    ledger_id: bytes
    ledger_name: str
    site: str
    gateways: tuple[SiteGateway, ...]
    members: tuple[bytes, ...] = ()


def load(path: Path) -> SiteFile:
    """Read and check site.json; SiteFileError names the file, the key and what was expected."""
    try:
        with path.open("rb") as file:
            data = file.read(_FILE_BYTES_MAX + 1)
    except OSError as error:
        raise SiteFileError(f"{path}: cannot be read: {error.strerror}") from error
    if len(data) > _FILE_BYTES_MAX:
        raise SiteFileError(f"{path}: more than {_FILE_BYTES_MAX} bytes")
    try:
        top = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise SiteFileError(f"{path}: not JSON: {error}") from error
    return _Reader(path, top).site()


class _Reader:
    def __init__(self, path: Path, top: object) -> None:
        self._path = path
        self._top = top

    def site(self) -> SiteFile:
        if self._get("format") != FORMAT:
            raise self._error("format", f"{FORMAT}")
        site = self._text("site")
        try:
            topics.check_site(site)
        except WireError as error:
            raise self._error("site", "a-z, 0-9 and -, at most 32") from error
        return SiteFile(
            ledger_id=self._hex(cose.LEDGER_ID_BYTES, "ledger_id"),
            ledger_name=self._text("ledger_name"),
            site=site,
            gateways=tuple(self._gateway(at) for at in range(self._count("gateways"))),
            members=tuple(self._voting()),
        )

    def _count(self, key: str) -> int:
        rows = self._get(key)
        if not isinstance(rows, list) or not 1 <= len(rows) <= _MEMBERS_MAX:
            raise self._error(key, f"a list of 1 to {_MEMBERS_MAX}")
        return len(rows)

    def _voting(self) -> Iterator[bytes]:
        for at in range(self._count("members")):
            role = self._get("members", at, "role")
            if type(role) is not int or not 1 <= role <= _ROLE_MAX:
                raise self._error(f"members.{at}.role", f"1 to {_ROLE_MAX}")
            if role in _VOTING_ROLES:
                yield self._point("members", at, "block_key")

    def _gateway(self, at: int) -> SiteGateway:
        port = self._get("gateways", at, "port")
        if type(port) is not int or not 1 <= port <= 65535:
            raise self._error(f"gateways.{at}.port", "1 to 65535")
        return SiteGateway(
            name=self._text("gateways", at, "name"),
            host=self._text("gateways", at, "host"),
            port=port,
            link_public=self._point("gateways", at, "link_key"),
            authority=self._certificate("gateways", at, "authority_der_base64"),
        )

    def _get(self, *keys: str | int) -> object:
        value = self._top
        for key in keys:
            if isinstance(value, list) and isinstance(key, int):
                value = value[key]  # within: `_gateways` has counted
            elif isinstance(value, dict) and key in value:
                value = value[key]
            else:
                raise SiteFileError(
                    f"{self._path}: no {_dotted(keys)}; expected what `wattle-gateway init` wrote"
                )
        return value

    def _text(self, *keys: str | int) -> str:
        value = self._get(*keys)
        if not isinstance(value, str) or not 1 <= len(value) <= 253:
            raise self._error(_dotted(keys), "a text of 1 to 253 characters")
        return value

    def _hex(self, size: int, *keys: str | int) -> bytes:
        value = self._get(*keys)
        try:
            if isinstance(value, str) and len(value) == 2 * size:
                return bytes.fromhex(value)
        except ValueError:
            pass
        raise self._error(_dotted(keys), f"{2 * size} hex digits")

    def _point(self, *keys: str | int) -> bytes:
        point = self._hex(_PUBLIC_KEY_BYTES, *keys)
        try:
            ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
        except ValueError as error:
            raise self._error(_dotted(keys), "an uncompressed point of P-256") from error
        return point

    def _certificate(self, *keys: str | int) -> bytes:
        value = self._get(*keys)
        try:
            der = base64.b64decode(value if isinstance(value, str) else "-", validate=True)
            x509.load_der_x509_certificate(der)
        except (binascii.Error, ValueError) as error:
            raise self._error(_dotted(keys), "a certificate (DER, base64)") from error
        return der

    def _error(self, key: str, expected: str) -> SiteFileError:
        steps = [int(step) if step.isdecimal() else step for step in key.split(".")]
        value = self._get(*steps)
        return SiteFileError(f"{self._path}: {key} is {str(value)[:60]!r}, expected {expected}")


def _dotted(keys: tuple[str | int, ...]) -> str:
    return ".".join(map(str, keys))
