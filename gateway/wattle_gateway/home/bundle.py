"""site.json: all that a meter must be given to trust this site, and nothing secret."""

import base64
import json
from collections.abc import Iterable, Sequence
from hashlib import sha256

from wattle_gateway.config import GatewayConfig
from wattle_gateway.ledger.genesis import Genesis, Member
from wattle_gateway.ledger.peer_card import PeerCard
from wattle_gateway.pki import authority

FORMAT = 1


def render(
    genesis: Genesis,
    own: Member,
    config: GatewayConfig,
    site_authority: authority.SiteAuthority,
    members: Sequence[Member],
    cards: Iterable[PeerCard],
) -> str:
    """The JSON text; keys are hex of uncompressed points, certificates DER in base64 and PEM.

    `members` of the epoch in force; `cards` theirs, as far as they are known. `gateways` are those
    that serve meters in the order in which a meter of this site should try them.
    """
    certificate = site_authority.certificate
    content = {
        "format": FORMAT,
        "ledger_name": genesis.name,
        "ledger_id": genesis.ledger_id.hex(),
        "genesis_sha256": sha256(genesis.raw).hexdigest(),
        "site": config.site,
        "broker": {"host": config.broker.host, "port": config.broker.port},
        "authority_pem": authority.pem(certificate).decode(),
        "authority_der_base64": base64.b64encode(authority.der(certificate)).decode(),
        "gateway": {
            "name": own.name,
            "link_key": own.link_key.hex(),
            "link_kid": own.link_kid.hex(),
            "block_kid": own.kid.hex(),
        },
        "gateways": [
            _gateway(own, config.broker.host, config.broker.port),
            *_others(own, members, cards),
        ],
        "members": [
            {"name": other.name, "role": other.role, "block_key": other.block_key.hex()}
            for other in members
        ],
    }
    return json.dumps(content, indent=2) + "\n"


def _others(
    own: Member, members: Sequence[Member], cards: Iterable[PeerCard]
) -> list[dict[str, object]]:
    """By rising kid, beginning behind our own: each gateway's meters go first to another one, so
    that not all sites fall upon the same gateway."""
    where = {card.kid: card for card in cards}
    known = [m for m in members if m.votes and m.kid != own.kid and m.kid in where]
    known.sort(key=lambda member: (member.kid < own.kid, member.kid))
    return [_gateway(m, where[m.kid].broker_host, where[m.kid].broker_port) for m in known]


def _gateway(member: Member, host: str, port: int) -> dict[str, object]:
    return {
        "name": member.name,
        "host": host,
        "port": port,
        "link_key": member.link_key.hex(),
        "authority_der_base64": base64.b64encode(member.site_authority).decode(),
    }
