"""Where the others are reached and which certificates they show: the newest card of each.

The book is a memory, not an authority: a card counts because its signature holds under the
member's block key, which whoever brings it here has verified (`wattle_gateway.sync`).
"""

import sqlite3
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from wattle_gateway.ledger import peer_card
from wattle_gateway.ledger.crypto import Sign
from wattle_gateway.ledger.peer_card import PeerCard
from wattle_gateway.pki import peer_certificate
from wattle_gateway.store.operation_file import OperationFile

# 32 members of the present epoch and those of earlier ones who may come back; beyond, the card
# that was made first goes.
CARDS_MAX = 128


@dataclass(frozen=True)
class Reach:
    """Where a gateway is for its peers, and its broker for meters."""

    host: str
    port: int
    broker_host: str
    broker_port: int


class AddressBook:
    """The cards in operation.db."""

    def __init__(self, operation: OperationFile, ledger_id: bytes) -> None:
        self._operation = operation
        self._ledger_id = ledger_id
        rows = operation.read(lambda connection: list(connection.execute("SELECT raw FROM cards")))
        cards = (peer_card.parse(raw, ledger_id) for (raw,) in rows)
        self._cards: dict[bytes, PeerCard] = {card.kid: card for card in cards}

    def card(self, kid: bytes) -> PeerCard | None:
        """The newest card of a gateway."""
        return self._cards.get(kid)

    def cards_of(self, kids: Iterable[bytes]) -> list[PeerCard]:
        """The known cards of these gateways, by rising kid."""
        return [self._cards[kid] for kid in sorted(kids) if kid in self._cards]

    def knows_others_than(self, kid: bytes) -> bool:
        """Whether there is a card of another gateway than `kid`."""
        return bool(self._cards.keys() - {kid})

    def take(self, raw: bytes, keep: frozenset[bytes] = frozenset()) -> PeerCard | None:
        """Keep a card if it is newer than the known one; gives it then, None otherwise.

        `raw` was verified. Cards of the gateways in `keep` never make room for others. Raises
        LedgerError or PeerError for a card that cannot be used, StoreError if it is not stored.
        """
        card = peer_card.parse(raw, self._ledger_id)
        known = self._cards.get(card.kid)
        if known is not None and known.version >= card.version:
            return None
        peer_certificate.check(card.certificate, card.kid)
        others = [other for other in self._cards.values() if other.kid not in keep | {card.kid}]
        goes = min(others, key=_age) if len(self._cards) >= CARDS_MAX and others else None

        def write(connection: sqlite3.Connection) -> None:
            if goes is not None:
                connection.execute("DELETE FROM cards WHERE kid = ?", (goes.kid,))
            connection.execute(
                "INSERT OR REPLACE INTO cards VALUES (?, ?, ?)", (card.kid, card.version, raw)
            )

        self._operation.write(write)
        if goes is not None:
            del self._cards[goes.kid]
        self._cards[card.kid] = card
        return card

    def own(
        self, kid: bytes, sign: Sign, certificate: bytes, reach: Reach, now_ms: int
    ) -> PeerCard:
        """Our own card: the stored one while it says what is true, else a new version of it.

        `certificate` DER. Raises as `take`.
        """
        known = self._cards.get(kid)
        if known is not None:
            where = Reach(known.host, known.port, known.broker_host, known.broker_port)
            if (known.certificate, where) == (certificate, reach):
                return known
            now_ms = max(now_ms, known.version + 1)
        raw = peer_card.build(
            self._ledger_id,
            kid,
            sign,
            version=now_ms,
            certificate=certificate,
            **asdict(reach),
        )
        made = self.take(raw)
        assert made is not None
        return made


def _age(card: PeerCard) -> tuple[int, bytes]:
    return card.version, card.kid
