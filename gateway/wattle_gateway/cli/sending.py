"""Transactions from the command line: of this gateway's member, or signed here with a key file."""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wattle_wire import cbor, cose

from wattle_gateway.admin.channel import ask
from wattle_gateway.cli.folder import home_of
from wattle_gateway.cli.text import shown_time
from wattle_gateway.home.identity import load_genesis, load_member
from wattle_gateway.home.paths import GatewayHome
from wattle_gateway.ledger import crypto, transaction
from wattle_gateway.pki import keys

# Longer than the gateway itself waits for a commit.
DEADLINE_S = 45.0
# As long as what its own gateway would sign for a member.
VALID_MS = 24 * 3_600_000


@dataclass(frozen=True)
class Sent:
    """An accepted transaction; `waits_until_ms` not None: it waits for another party's yes."""

    digest: str
    waits_until_ms: int | None


def own_kid(arguments: argparse.Namespace) -> bytes:
    """The kid of who sends: of `--key`, or of the gateway's member. HomeError."""
    if arguments.key is not None:
        return cose.kid_of(crypto.public_of(keys.load_p256(arguments.key)))
    return load_member(home_of(arguments.folder)).kid


def send(arguments: argparse.Namespace, kind: int, body: list[object]) -> Sent:
    """Have a transaction committed by the running gateway of `arguments.folder`.

    Signed with the key in `arguments.key`, which the gateway never sees, or by the gateway for its
    member. Raises what `ask` does.
    """
    home = home_of(arguments.folder)
    if arguments.key is None:
        raw = cbor.encode(body)
        answer = ask(home.admin_socket, "send", DEADLINE_S, kind=kind, body=raw.hex())
    else:
        answer = _carried(home, arguments.key, kind, body)
    return Sent(answer["digest"], answer["waits_until_ms"])


def _carried(home: GatewayHome, key_file: Path, kind: int, body: list[object]) -> dict[str, Any]:
    key = keys.load_p256(key_file)
    kid = cose.kid_of(crypto.public_of(key))
    turn = ask(home.admin_socket, "turn", DEADLINE_S, party=kid.hex())
    raw = transaction.build(
        load_genesis(home).ledger_id,
        kid,
        crypto.signer(key),
        lane=0,
        nonce=turn["nonce"],
        until_ms=turn["time_ms"] + VALID_MS,
        kind=kind,
        body=body,
    )
    return ask(home.admin_socket, "carry", DEADLINE_S, transaction=raw.hex())


def tell(arguments: argparse.Namespace, sent: Sent, done: str, who_approves: str) -> None:
    """Say what became of a transaction: `done`, or that it waits and for whom."""
    if arguments.format == "json":
        print(json.dumps({"digest": sent.digest, "waits_until_ms": sent.waits_until_ms}))
    elif sent.waits_until_ms is None:
        print(done)
    else:
        print(
            f"waits until {shown_time(sent.waits_until_ms)} UTC for {who_approves}:\n"
            f"    wattle-gateway alliance approve DIR {sent.digest}"
        )
