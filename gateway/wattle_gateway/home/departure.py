"""The mark that this gateway wants to leave: it follows, and does not ask to come back."""

from wattle_gateway.home import durable_file
from wattle_gateway.home.paths import GatewayHome

_TEXT = b"`wattle-gateway alliance join` takes this away: then the gateway asks to come back.\n"


def mark(home: GatewayHome) -> None:
    """Its operator takes the gateway out of the alliance. Raises OSError."""
    durable_file.write(home.departed, _TEXT)


def is_marked(home: GatewayHome) -> bool:
    """Whether its operator took it out."""
    return home.departed.exists()


def unmark(home: GatewayHome) -> bool:
    """Its operator wants to come back; whether there was a mark. Raises OSError."""
    if not is_marked(home):
        return False
    home.departed.unlink()
    durable_file.sync_folder(home.folder)
    return True
