"""The MAC keys that this gateway shares with each meter (SPEC section 3)."""

from wattle_wire import cose

from wattle_gateway.contracts.registry import Meter
from wattle_gateway.ledger import crypto
from wattle_gateway.pki import keys


class LinkKeys:
    """Derives each key once; `kid` names our link key in every message."""

    def __init__(self, ledger_id: bytes, link_key: keys.PrivateKey) -> None:
        self._ledger_id = ledger_id
        self._link_key = link_key
        self._known: dict[tuple[bytes, bytes], bytes] = {}
        self.kid = cose.kid_of(crypto.public_of(link_key))

    def key_of(self, meter: Meter) -> bytes:
        """The 32-byte key for acks and commands to a meter."""
        name = (meter.kid, meter.link_key)
        if name not in self._known:
            secret = keys.shared_x(self._link_key, meter.link_key)
            self._known[name] = cose.link_key(secret, self._ledger_id, meter.kid, self.kid)
        return self._known[name]
