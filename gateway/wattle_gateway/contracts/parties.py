"""Who signs transactions: members of the epoch in force, and the users that they host (SPEC 12)."""

from collections.abc import Mapping
from dataclasses import dataclass

from wattle_wire import cbor, cose, structure
from wattle_wire.errors import WireError

from wattle_gateway.contracts import classes
from wattle_gateway.contracts.errors import RefusedError, StateError
from wattle_gateway.contracts.registry import Rows
from wattle_gateway.contracts.setting import Setting
from wattle_gateway.contracts.state import State, key, keys_beginning, prefix
from wattle_gateway.ledger import crypto, genesis, hosted_word
from wattle_gateway.ledger.account_bodies import Register
from wattle_gateway.ledger.epoch import Epoch
from wattle_gateway.ledger.errors import LedgerError
from wattle_gateway.ledger.hosted_word import HostedWord

# Who may own points and accounts: everybody but observers, who only look.
OWNING_ROLES = (*genesis.VOTING_ROLES, genesis.HOSTED_USER)


@dataclass(frozen=True)
class Party:
    """Whoever signs transactions. `key` its P-256 point (65 bytes), `kid` that key's; `role` as of
    members; `host` kid of the member that brought it, None for a member."""

    kid: bytes
    key: bytes
    role: int
    name: str
    host: bytes | None = None

    @property
    def owns(self) -> bool:
        """Whether it may own points and accounts."""
        return self.role in OWNING_ROLES


@dataclass(frozen=True)
class HostedUser:
    """The row of a hosted user: what its newest word says."""

    kid: bytes
    key: bytes
    name: str
    host: bytes
    version: int


def party(state: Rows, epoch: Epoch, kid: bytes) -> Party | None:
    """The party that signs under this kid, None if nobody does. Raises StateError."""
    member = epoch.party_of(kid)
    if member is not None:
        return Party(kid, member.block_key, member.role, member.name)
    if epoch.rules < genesis.ACCOUNT_RULES:
        return None
    user = hosted_user(state, kid)
    if user is None:
        return None
    return Party(kid, user.key, genesis.HOSTED_USER, user.name, user.host)


def hosted_user(state: Rows, kid: bytes) -> HostedUser | None:
    """The hosted user with this kid, None if there is none. Raises StateError."""
    value = state.get(key("party", kid))
    return None if value is None else _decode(kid, value)


def hosted_users(state: Mapping[bytes, bytes]) -> list[HostedUser]:
    """All hosted users by rising kid."""
    begin = prefix("party", 1)
    rows = keys_beginning(state, begin)
    return [_decode(row[-cose.KID_BYTES :], state[row]) for row in rows]


def check_register(state: State, body: Register, origin: Party, setting: Setting) -> HostedWord:
    """Every clause of a `register` by `origin`; RefusedError for the first that fails."""
    try:
        word = hosted_word.parse(body.word, setting.epoch.ledger_id, setting.verify)
    except LedgerError as error:
        raise RefusedError(classes.PROOF_FAILS) from error
    if word.host != origin.kid:
        raise RefusedError(classes.NOT_THE_HOST)
    if setting.epoch.party_of(word.kid) is not None:
        raise RefusedError(classes.PARTY_IS_MEMBER)
    known = hosted_user(state, word.kid)
    if known is not None and known.version >= word.version:
        raise RefusedError(classes.WORD_STALE)
    return word


def register(state: State, body: Register, origin: Party, setting: Setting) -> None:
    """Execute a `register`: the user is hosted by `origin` from now on."""
    word = check_register(state, body, origin, setting)
    row = [word.key, word.name, word.host, word.version]
    state.put(key("party", word.kid), cbor.encode(row))


def _decode(kid: bytes, value: bytes) -> HostedUser:
    try:
        row = structure.array(cbor.decode(value), 4, "party")
        return HostedUser(
            kid,
            structure.octets(row[0], crypto.PUBLIC_KEY_BYTES, "public key"),
            structure.text(row[1], hosted_word.NAME_CHARS_MAX, "name"),
            structure.octets(row[2], cose.KID_BYTES, "host"),
            structure.uint(row[3], "version"),
        )
    except WireError as error:
        raise StateError(f"party {kid.hex()}: {error}") from error
