"""Who this gateway is: its ledger, its keys, what it is (or would be) among the members."""

from dataclasses import dataclass

from wattle_wire import cbor
from wattle_wire.errors import WireError

from wattle_gateway.errors import HomeError
from wattle_gateway.home.paths import GatewayHome
from wattle_gateway.ledger import crypto, genesis
from wattle_gateway.ledger.errors import LedgerError
from wattle_gateway.ledger.genesis import Genesis, Member
from wattle_gateway.pki import authority, keys


@dataclass(frozen=True)
class Identity:
    """Genesis and keys of one gateway. `member` is its row; which epochs have it, they say."""

    genesis: Genesis
    member: Member
    block_key: keys.PrivateKey
    link_key: keys.PrivateKey
    checkpoint_key: keys.CheckpointKey
    site_authority: authority.SiteAuthority

    @property
    def kid(self) -> bytes:
        """kid of the block key."""
        return self.member.kid


def load_genesis(home: GatewayHome) -> Genesis:
    """The genesis in the folder; HomeError if it is missing or damaged."""
    home.check()
    try:
        return genesis.decode(home.genesis.read_bytes())
    except OSError as error:
        raise HomeError(f"{home.genesis}: cannot be read: {error.strerror}") from error
    except LedgerError as error:
        raise HomeError(f"{home.genesis}: damaged: {error}") from error


def load_member(home: GatewayHome) -> Member:
    """The own row in the folder; HomeError if it is missing or damaged."""
    try:
        return genesis.parse_member(cbor.decode(home.member.read_bytes()))
    except OSError as error:
        raise HomeError(f"{home.member}: cannot be read: {error.strerror}") from error
    except (WireError, LedgerError) as error:
        raise HomeError(f"{home.member}: damaged: {error}") from error


def load_identity(home: GatewayHome) -> Identity:
    """Genesis and keys in the folder; HomeError if one is missing or they do not fit together."""
    first = load_genesis(home)
    member = load_member(home)
    block_key = keys.load_p256(home.key("block"))
    link_key = keys.load_p256(home.key("link"))
    checkpoint_key = keys.load_ed25519(home.key("checkpoint"))
    site_authority = authority.SiteAuthority(
        keys.load_p256(home.key("authority")),
        authority.load_certificate(home.certificate("authority")),
    )
    for name, found, expected in (
        ("block", crypto.public_of(block_key), member.block_key),
        ("link", crypto.public_of(link_key), member.link_key),
        ("checkpoint", keys.checkpoint_public(checkpoint_key), member.checkpoint_key),
    ):
        if found != expected:
            raise HomeError(f"{home.key(name)}: not the {name} key in {home.member.name}")
    return Identity(first, member, block_key, link_key, checkpoint_key, site_authority)
