"""Several real gateways on this machine that founded one ledger, each in its own process."""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from wattle_gateway.home.create import create_alliance
from wattle_gateway.home.draft import NewGateway
from wattle_gateway.ledger import genesis
from wattle_gateway.ledger.genesis import Constants

from wattle_testkit.alliance import Board
from wattle_testkit.gateway_folders import choice
from wattle_testkit.gateway_process import GatewayProcess, free_port
from wattle_testkit.waiting import until

START_DEADLINE_S = 90.0
HEAD_DEADLINE_S = 60.0


class AllianceProcesses:
    """Gateways with brokers and peer links of their own; `voting` members, then `observers`."""

    def __init__(
        self,
        folder: Path,
        voting: int = 4,
        observers: int = 0,
        *,
        constants: Constants | None = None,
        change: Callable[[int, NewGateway], NewGateway] = lambda _number, choice: choice,
    ) -> None:
        """Found the alliance in sub-folders. `change(number, choice)` alters what a gateway is
        made with. By default a meter's home enrols it alone."""
        ports = [free_port() for _ in range(2 * (voting + observers))]
        chosen = []
        for number in range(voting + observers):
            name = f"gateway-{number + 1}"
            gateway = choice(
                name,
                role=genesis.GRID_COMPANY if number < voting else genesis.OBSERVER,
                port=ports[2 * number],
                peers_port=ports[2 * number + 1],
            )
            chosen.append((folder / name, change(number, gateway)))
        created_ms = time.time_ns() // 1_000_000
        create_alliance("test.wattle", chosen, created_ms, constants)
        self.gateways = [GatewayProcess(path, port=choice.port) for path, choice in chosen]

    def __iter__(self) -> Iterator[GatewayProcess]:
        return iter(self.gateways)

    def __getitem__(self, number: int) -> GatewayProcess:
        return self.gateways[number]

    def start(self, *words: str) -> None:
        """Start all at once and wait until each is up and linked to every other."""
        for gateway in self.gateways:
            gateway.begin(*words)
        for gateway in self.gateways:
            gateway.await_up(START_DEADLINE_S)
        self.await_linked(self.gateways)

    def kill(self) -> None:
        """End all, hard."""
        for gateway in self.gateways:
            gateway.kill()

    def board(self, name: str) -> Board:
        """A meter for this ledger."""
        return self.gateways[0].board(name)

    def await_linked(self, gateways: Sequence[GatewayProcess]) -> None:
        """Wait until each of these has a link to each other one of them."""
        for gateway in gateways:
            others = {other.member.kid.hex() for other in gateways if other is not gateway}
            until(
                lambda at=gateway, kids=others: kids <= linked(at),  # type: ignore[misc]
                START_DEADLINE_S,
                f"links to the others; {gateway.log}",
            )

    def await_same_head(
        self, least: int, gateways: Sequence[GatewayProcess] | None = None
    ) -> dict[int, str]:
        """Wait until all (or these) have executed commit `least`, and agree on what they all have.

        Gives the digests by commit index that were seen on every one.
        """
        asked = self.gateways if gateways is None else gateways
        heads: dict[int, set[str]] = {}

        def agreed() -> bool:
            statuses = [gateway.status() for gateway in asked]
            for status in statuses:
                heads.setdefault(status["commit"], set()).add(status["commit_digest"])
            assert all(len(digests) == 1 for digests in heads.values()), heads
            lowest = min(status["commit"] for status in statuses)
            return lowest >= least and len({status["commit"] for status in statuses}) == 1

        until(agreed, HEAD_DEADLINE_S, f"one head, at least commit {least}")
        return {index: digests.pop() for index, digests in heads.items()}


def linked(gateway: GatewayProcess) -> set[str]:
    """The kids (hex) of the gateways that this one has a link to."""
    peers = gateway.ask("live")["live"]["peers"]
    return {peer["kid"] for peer in peers if peer["up_s"] is not None}
