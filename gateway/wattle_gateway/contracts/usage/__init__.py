"""What adjustable points used, interval by interval, as the state keeps it (DEMAND_RESPONSE.md, D6
to D13; SPEC sections 11 and 12)."""

from wattle_gateway.contracts.usage.energies import Measured, local_days, measured, series
from wattle_gateway.contracts.usage.known_metering import metering
from wattle_gateway.contracts.usage.taking import take

__all__ = ["Measured", "local_days", "measured", "metering", "series", "take"]
