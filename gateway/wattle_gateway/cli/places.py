"""Areas of the grid as people name them."""

import argparse
from collections.abc import Callable

from wattle_wire.errors import WireError

from wattle_gateway.ledger import area as areas
from wattle_gateway.ledger.errors import LedgerError


def area(text: str) -> str:
    """An area such as north/feeder-7/section-2. Raises argparse.ArgumentTypeError."""
    return _parsed(areas.parse, text)


def area_or_everywhere(text: str) -> str:
    """An area, or nothing: everywhere. Raises argparse.ArgumentTypeError."""
    return _parsed(areas.parse_place, text)


def _parsed(parse: Callable[[object], str], text: str) -> str:
    try:
        return parse(text)
    except (LedgerError, WireError) as error:
        raise argparse.ArgumentTypeError(str(error)) from error
