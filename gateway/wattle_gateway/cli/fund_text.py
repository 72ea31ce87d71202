"""What a fund pays, in words."""

from wattle_gateway.cli.amounts import shown_amount
from wattle_gateway.cli.text import shown_time
from wattle_gateway.ledger.event_bodies import METHOD_NAMES
from wattle_gateway.ledger.fund_limits import FundLimits
from wattle_gateway.ledger.offer_bodies import DIRECTION_NAMES


def limits_words(limits: FundLimits, decimals: int) -> str:
    """The limits of a fund, or that it has none; amounts by the decimals of its asset."""

    def up_to(what: str, amount: int | None) -> str:
        return "" if amount is None else f"{what} up to {shown_amount(amount, decimals)}"

    words = (
        " or ".join(METHOD_NAMES[method] for method in limits.methods),
        f"in {limits.area}" if limits.area else "",
        DIRECTION_NAMES.get(limits.direction, ""),
        f"from {shown_time(limits.from_ms)}" if limits.from_ms else "",
        "" if limits.to_ms is None else f"to {shown_time(limits.to_ms)}",
        up_to("availability", limits.availability_price),
        up_to("energy", limits.energy_price),
        up_to("an event", limits.event_amount),
    )
    return ", ".join(word for word in words if word) or "every event"
