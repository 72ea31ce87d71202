"""Numbers as reports show them."""

_THIN_SPACE = "\u202f"


def grouped(value: int | str) -> str:
    """An integer with its thousands apart; a text as it is."""
    return value if isinstance(value, str) else f"{value:,}".replace(",", _THIN_SPACE)


def milliseconds(value: float) -> str:
    """A duration in ms with its unit, in seconds from 10 s on."""
    return f"{value / 1_000:.1f} s" if value >= 10_000 else f"{value:.0f} ms"
