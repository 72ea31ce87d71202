"""Who may read the alarms at the broker: a certificate each in the gateway's folder."""

from wattle_gateway.home import durable_file
from wattle_gateway.home.paths import GatewayHome

# Each is a user of the broker; a control room has a few.
READERS_MAX = 64
_PREFIX = "alarms-"


def common_name(name: str) -> str:
    """By which brokers know a reader: no meter's id and no gateway's name begins like this."""
    return f"{_PREFIX}{name}"


def names(home: GatewayHome) -> frozenset[str]:
    """The common names of all readers; of a file that is deleted, no longer one."""
    if not home.alarm_readers.is_dir():
        return frozenset()
    return frozenset(common_name(path.stem) for path in home.alarm_readers.glob("*.pem"))


def keep(home: GatewayHome, name: str, pem: bytes) -> None:
    """Let `name` be one from now on. OSError if the folder does not take it."""
    home.alarm_readers.mkdir(exist_ok=True)
    durable_file.write(home.alarm_readers / f"{name}.pem", pem)
