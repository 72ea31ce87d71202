"""Invitations: a file by which a new gateway finds an alliance and is let in to follow it.

It holds a token for one gateway and nothing else that is secret; whoever has the file first can
read the ledger, and become a member only if a quorum of members approves.
"""

import base64
import binascii
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wattle_wire import cose

from wattle_gateway import config
from wattle_gateway.errors import HomeError, PeerError, UsageError
from wattle_gateway.home import durable_file
from wattle_gateway.home.identity import load_identity
from wattle_gateway.home.paths import GatewayHome
from wattle_gateway.ledger import genesis, peer_card
from wattle_gateway.ledger.errors import LedgerError
from wattle_gateway.ledger.genesis import Genesis
from wattle_gateway.ledger.peer_card import PeerCard
from wattle_gateway.peers import guests
from wattle_gateway.peers.address_book import AddressBook
from wattle_gateway.peers.guests import GuestList
from wattle_gateway.pki import peer_certificate
from wattle_gateway.store.operation_file import OperationFile

FORMAT = 1
# A genesis of 32 members has 60 kB, their cards as much; base64 adds a third.
FILE_BYTES_MAX = 300_000


@dataclass(frozen=True)
class Invitation:
    """A checked invitation; `raw` the file's bytes, `inviter` the kid whose gateway takes the
    token until `until_ms` (Unix ms); `name` and `role` those that the invited one is to have."""

    raw: bytes
    genesis: Genesis
    inviter: bytes
    token: bytes
    until_ms: int
    cards: tuple[PeerCard, ...]
    name: str
    role: int


def write_invitation(
    home: GatewayHome,
    path: Path,
    kids: Iterable[bytes],
    until_ms: int,
    now_ms: int,
    *,
    name: str,
    role: int,
) -> Invitation:
    """Write an invitation of this gateway, running or not, with the known cards of `kids`, for a
    gateway of this member name and role.

    Raises UsageError if nobody could connect to this gateway or the file cannot be written,
    PeerError if too many invitations are open, ConfigError.
    """
    peers = config.load(home.config).peers
    if not peers.listen:
        raise UsageError(
            f'{home.config}: peers.listen is "", so nobody can connect to this gateway; set '
            "peers.listen and peers.host, and start it again"
        )
    identity = load_identity(home)
    ledger_id = identity.genesis.ledger_id
    token = guests.new_token()
    operation = OperationFile(home.operation, ledger_id)
    try:
        cards = AddressBook(operation, ledger_id).cards_of({*kids, identity.kid})
        own = {(card.host, card.port) for card in cards if card.kid == identity.kid}
        if own != {(peers.host, peers.port)}:
            raise UsageError(
                f"{home.config}: peers.host or peers.port has changed since this gateway was "
                "started; start it again first"
            )
        content = {
            "format": FORMAT,
            "ledger_name": identity.genesis.name,
            "ledger_id": ledger_id.hex(),
            "genesis_base64": base64.b64encode(identity.genesis.raw).decode(),
            "inviter": identity.kid.hex(),
            "token": token.hex(),
            "until_ms": until_ms,
            "member": {"name": name, "role": role},
            "cards_base64": [base64.b64encode(card.raw).decode() for card in cards],
        }
        raw = (json.dumps(content, indent=1) + "\n").encode()
        GuestList(operation).invite(token, until_ms, now_ms)
    finally:
        operation.close()
    try:
        durable_file.write(path, raw, mode=0o600)
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror}") from error
    return parse(raw, str(path))


def load(path: Path) -> Invitation:
    """The invitation in a file; UsageError names the file and what is wrong."""
    try:
        with path.open("rb") as file:
            raw = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    return parse(raw, str(path))


def load_own(home: GatewayHome) -> Invitation | None:
    """The invitation that a joining gateway was made from, None for a founder.

    Raises HomeError if it is damaged.
    """
    if not home.invitation.exists():
        return None
    try:
        return load(home.invitation)
    except UsageError as error:
        raise HomeError(str(error)) from error


def renew(home: GatewayHome, invitation: Invitation) -> None:
    """Let a gateway that was made by an invitation, and is no member yet, go by another one.

    Raises OSError.
    """
    if home.invitation.exists():
        durable_file.write(home.invitation, invitation.raw, mode=0o600)


def learn_cards(home: GatewayHome, invitation: Invitation) -> int:
    """Take the cards of an invitation into the address book of an existing gateway; gives how
    many were news.

    For a gateway that has lost its address book, or whose peers all moved while it was away.
    Raises UsageError for an invitation to another ledger.
    """
    ledger_id = load_identity(home).genesis.ledger_id
    if invitation.genesis.ledger_id != ledger_id:
        found = invitation.genesis.ledger_id.hex()
        raise UsageError(f"the invitation is to ledger {found}, expected {ledger_id.hex()}")
    operation = OperationFile(home.operation, ledger_id)
    try:
        book = AddressBook(operation, ledger_id)
        return sum(1 for card in invitation.cards if book.take(card.raw) is not None)
    finally:
        operation.close()


def parse(raw: bytes, source: str) -> Invitation:
    """The invitation in `raw`; UsageError, naming `source`, unless it is whole and sound."""
    if len(raw) > FILE_BYTES_MAX:
        raise UsageError(f"{source}: more than {FILE_BYTES_MAX} bytes, expected an invitation")
    try:
        top = json.loads(raw)
        if not isinstance(top, dict) or top.get("format") != FORMAT:
            raise UsageError(f"{source}: expected an invitation of format {FORMAT}")
        first = genesis.decode(_base64(top["genesis_base64"]))
        inviter = _hex(top["inviter"], cose.KID_BYTES)
        cards = tuple(_card(item, first.ledger_id) for item in _list(top["cards_base64"]))
        token, until_ms = _hex(top["token"], guests.TOKEN_BYTES), top["until_ms"]
        name, role = top["member"]["name"], top["member"]["role"]
    except (ValueError, KeyError, TypeError, RecursionError, LedgerError, PeerError) as error:
        raise UsageError(f"{source}: not a sound invitation: {error!s:.200}") from error
    if type(until_ms) is not int or inviter not in [card.kid for card in cards]:
        raise UsageError(f"{source}: not a sound invitation: no time, or no card of the inviter")
    if type(role) is not int or role not in genesis.ROLE_NAMES or not isinstance(name, str):
        raise UsageError(f"{source}: not a sound invitation: no name and role of a member")
    return Invitation(raw, first, inviter, token, until_ms, cards, name, role)


def _card(item: object, ledger_id: bytes) -> PeerCard:
    card = peer_card.parse(_base64(item), ledger_id)
    peer_certificate.check(card.certificate, card.kid)
    return card


def _list(value: Any) -> list[object]:
    if not isinstance(value, list) or len(value) > genesis.MEMBERS_MAX + 1:
        raise ValueError("cards are no list of members' cards")
    return value


def _base64(value: object) -> bytes:
    try:
        return base64.b64decode(value if isinstance(value, str) else "-", validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error


def _hex(value: object, size: int) -> bytes:
    found = bytes.fromhex(value) if isinstance(value, str) else b""
    if len(found) != size:
        raise ValueError(f"expected {2 * size} hex digits")
    return found
