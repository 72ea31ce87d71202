"""The commands of an alliance's operators, as tests give them."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from wattle_testkit.gateway_process import GatewayProcess, command, free_port
from wattle_testkit.waiting import until

LOOPBACK = "127.0.0.1"
ASK_DEADLINE_S = 60.0


def said(*words: str | Path) -> Any:
    """What a command that must succeed says with --format json."""
    done = command(*words, "--format", "json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def show(gateway: GatewayProcess) -> dict[str, Any]:
    """`alliance show`."""
    found: dict[str, Any] = said("alliance", "show", gateway.folder)
    return found


def founder(folder: Path) -> GatewayProcess:
    """A gateway alone that others can join; not started."""
    words = ("--peers-listen", LOOPBACK, "--peers-port", str(free_port()))
    return GatewayProcess(folder, "--name", "founder", *words)


def joined(by: GatewayProcess, name: str, role: str = "grid-company") -> GatewayProcess:
    """A gateway made from an invitation, beside its inviter's folder; not started."""
    folder = by.folder.with_name(name)
    file = folder.with_name(f"{name}.invitation")
    said("alliance", "invite", by.folder, "--name", name, "--role", role, "--output", file)
    port = free_port()
    ports = ("--port", str(port), "--peers-port", str(free_port()))
    said("alliance", "join", folder, file, *ports)
    return GatewayProcess(folder, port=port)


def await_asking(by: GatewayProcess, names: Iterable[str]) -> None:
    """Wait until gateways of these names ask here to become members."""
    expected = sorted(names)
    until(
        lambda: sorted(row["name"] for row in show(by)["asking"] or []) == expected,
        ASK_DEADLINE_S,
        f"{', '.join(expected)} ask; {by.log}",
    )


def approve(by: GatewayProcess, *what: str) -> list[dict[str, Any]]:
    """`alliance approve`: what became of each."""
    found: list[dict[str, Any]] = said("alliance", "approve", by.folder, *what)
    return found


def member_names(gateway: GatewayProcess) -> list[str]:
    """The members of the epoch in force, by name."""
    return sorted(member["name"] for member in show(gateway)["members"])
