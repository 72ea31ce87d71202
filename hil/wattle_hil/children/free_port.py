"""Ports for the servers of a run."""

import contextlib
import secrets
import socket
from pathlib import Path

LOOPBACK = "127.0.0.1"
_LOWEST = 10_000
# Below the ports that the kernel gives to clients: one of them could take a server's port before
# it listens, and a client that tries it until then can even connect to itself.
_CLIENTS_FROM = 32_768
_RANGE_FILE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_TRIES = 1_000


def free_ports(count: int) -> list[int]:
    """TCP ports of this machine that nobody uses now, all different. Raises OSError."""
    with contextlib.ExitStack() as probes:
        return [_held(probes.enter_context(socket.socket())) for _ in range(count)]


def _held(probe: socket.socket) -> int:
    for _ in range(_TRIES):
        port = _LOWEST + secrets.randbelow(_clients_from() - _LOWEST)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            continue
        return port
    raise OSError(f"no free port from {_LOWEST} to {_clients_from()} in {_TRIES} tries")


def _clients_from() -> int:
    try:
        first = int(_RANGE_FILE.read_text(encoding="ascii").split()[0])
    except (OSError, ValueError, IndexError):
        return _CLIENTS_FROM
    return first if first > _LOWEST + _TRIES else _CLIENTS_FROM
