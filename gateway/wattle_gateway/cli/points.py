"""Points as people write them: METER/D."""

import re

from wattle_wire import topics
from wattle_wire.errors import WireError

from wattle_gateway.errors import UsageError


def parsed_point(text: str) -> tuple[bytes, int]:
    """(meter kid, device) of a point such as dab1a5856b562aeb/1. UsageError for anything else."""
    meter, _, device = text.partition("/")
    expected = f"point {text!r}, expected METER/D such as dab1a5856b562aeb/1"
    if not re.fullmatch("[1-9][0-9]{0,2}", device):
        raise UsageError(expected)
    try:
        return topics.kid_of_meter(meter), int(device)
    except WireError as error:
        raise UsageError(expected) from error
