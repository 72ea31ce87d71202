"""Who this gateway is: its ledger, its keys, its place among the members."""

from dataclasses import dataclass

from wattle_gateway.errors import HomeError
from wattle_gateway.home.paths import GatewayHome
from wattle_gateway.ledger import crypto, genesis
from wattle_gateway.ledger.errors import LedgerError
from wattle_gateway.ledger.genesis import Genesis, Member
from wattle_gateway.pki import authority, keys


@dataclass(frozen=True)
class Identity:
    """Genesis and keys of one gateway; `author` is its index among the members of epoch 0."""

    genesis: Genesis
    author: int
    block_key: keys.PrivateKey
    link_key: keys.PrivateKey
    site_authority: authority.SiteAuthority

    @property
    def member(self) -> Member:
        """This gateway's own row in the genesis."""
        return self.genesis.members[self.author]


def load_genesis(home: GatewayHome) -> Genesis:
    """The genesis in the folder; HomeError if it is missing or damaged."""
    home.check()
    try:
        return genesis.decode(home.genesis.read_bytes())
    except OSError as error:
        raise HomeError(f"{home.genesis}: cannot be read: {error.strerror}") from error
    except LedgerError as error:
        raise HomeError(f"{home.genesis}: damaged: {error}") from error


def load_identity(home: GatewayHome) -> Identity:
    """Genesis and keys in the folder; HomeError if one is missing or they do not fit together."""
    first = load_genesis(home)
    block_key = keys.load_p256(home.key("block"))
    link_key = keys.load_p256(home.key("link"))
    points = [member.block_key for member in first.members]
    if crypto.public_of(block_key) not in points:
        raise HomeError(f"{home.key('block')}: not the block key of a member of this ledger")
    author = points.index(crypto.public_of(block_key))
    if crypto.public_of(link_key) != first.members[author].link_key:
        raise HomeError(f"{home.key('link')}: not the link key that the genesis has for us")
    site_authority = authority.SiteAuthority(
        keys.load_p256(home.key("authority")),
        authority.load_certificate(home.certificate("authority")),
    )
    return Identity(first, author, block_key, link_key, site_authority)
