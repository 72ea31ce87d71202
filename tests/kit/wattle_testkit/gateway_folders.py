"""Folders of gateways that need not run: what their operators chose, and alliances of them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from wattle_gateway.home import create
from wattle_gateway.home.draft import NewGateway
from wattle_gateway.home.paths import GatewayHome
from wattle_gateway.ledger import genesis

LOOPBACK = "127.0.0.1"
FOUNDED_MS = 1_700_000_000_000


def choice(name: str, **changes: Any) -> NewGateway:
    """A grid company's gateway on this machine that other gateways can reach; `changes`: fields of
    NewGateway that are otherwise."""
    made = NewGateway(
        name=name,
        site="home",
        role=genesis.GRID_COMPANY,
        hosts=[LOOPBACK],
        listen=LOOPBACK,
        port=8883,
        peers_listen=LOOPBACK,
    )
    return replace(made, **changes)


def founded(folder: Path, *names: str) -> list[GatewayHome]:
    """An alliance of voting members, founded at FOUNDED_MS, each in the sub-folder of its name."""
    gateways = [(folder / name, choice(name)) for name in names]
    return create.create_alliance("test.wattle", gateways, FOUNDED_MS)
