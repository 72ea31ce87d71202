"""Which adapter a line is: by the name that it keeps, whatever is plugged in before it.

udev makes links in /dev/serial/by-id, named after maker, model and serial number of a USB adapter;
the number of a ttyUSB changes with the order of plugging.
"""

from pathlib import Path

BY_ID = Path("/dev/serial/by-id")


def lasting(port: str, by_id: Path | None = None) -> str:
    """The path of a line by its lasting name where it has one, else as it was given; `port`: a
    path, or a name in `by_id` (default: BY_ID) alone.
    """
    by_id = by_id or BY_ID
    path = Path(port)
    if "/" not in port and (by_id / port).exists():
        return str(by_id / port)
    if path.parent == by_id:
        return port
    try:
        target = path.resolve(strict=True)
        links = sorted(link for link in by_id.iterdir() if link.resolve() == target)
    except OSError:  # no such line, or no udev: whoever opens it says so
        return port
    return str(links[0]) if links else port
