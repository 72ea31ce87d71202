"""site.json: all that a meter must be given to trust this site, and nothing secret."""

import base64
import json
from hashlib import sha256

from wattle_gateway.config import GatewayConfig
from wattle_gateway.ledger.genesis import Genesis
from wattle_gateway.pki import authority

FORMAT = 1


def render(
    genesis: Genesis, author: int, config: GatewayConfig, site_authority: authority.SiteAuthority
) -> str:
    """The JSON text; keys are hex of uncompressed points, certificates DER in base64 and PEM."""
    member = genesis.members[author]
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
            "name": member.name,
            "link_key": member.link_key.hex(),
            "link_kid": member.link_kid.hex(),
            "block_kid": member.kid.hex(),
        },
        "members": [
            {"name": other.name, "role": other.role, "block_key": other.block_key.hex()}
            for other in genesis.members
        ],
    }
    return json.dumps(content, indent=2) + "\n"
