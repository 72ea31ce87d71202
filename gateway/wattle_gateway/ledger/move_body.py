"""The body of `move`: which gateways a meter has from now on (SPEC section 10, rules 3)."""

from dataclasses import dataclass

from wattle_wire import cose, structure

from wattle_gateway.ledger import transaction
from wattle_gateway.ledger.errors import wire_errors_named


@dataclass(frozen=True)
class Move:
    """Body of kind 24: `meter` (kid) has `home` and `further` (kids of members) from now on."""

    meter: bytes
    home: bytes
    further: tuple[bytes, ...]

    def row(self) -> list[object]:
        """As it stands in CBOR."""
        return [self.meter, self.home, list(self.further)]


def parse_move(body: object) -> Move:
    """The move in a transaction's body; FormatError if it is malformed."""
    with wire_errors_named("move"):
        row = structure.array(body, 3, "move")
        home, further = transaction.parse_gateways(row[1], row[2])
        return Move(structure.octets(row[0], cose.KID_BYTES, "meter"), home, further)
