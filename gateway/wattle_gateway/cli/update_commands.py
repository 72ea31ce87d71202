"""update sign, update show, meters update: new versions for meters in the field."""

import argparse
import json
import time
from pathlib import Path
from typing import Any

from wattle_wire import topics, update
from wattle_wire.bundle import BUNDLE_BYTES_MAX, CODE_NAMES, SIGNATURES_NEEDED, Bundle
from wattle_wire.errors import WireError

from wattle_gateway.admin.channel import ask
from wattle_gateway.admin.meter_updates import read_bundle, sign_bundle
from wattle_gateway.cli.folder import home_of, opened_ledger
from wattle_gateway.cli.text import plain_name
from wattle_gateway.errors import (
    DeadlineError,
    NotRunningError,
    UpdateRefusedError,
    UsageError,
)
from wattle_gateway.home import durable_file
from wattle_gateway.home.identity import load_identity
from wattle_gateway.home.paths import GatewayHome
from wattle_gateway.ledger import crypto
from wattle_gateway.ledger.epoch import Epoch, first_epoch
from wattle_gateway.ledger.errors import LedgerError
from wattle_gateway.runtime.executed_ledger import ExecutedLedger

ADMIN_DEADLINE_S = 10.0
LOOK_EVERY_S = 0.5
# Ten minutes of trial, an image over a slow link, and some slack.
WAIT_S = 1_200
_MEANINGS = {
    update.TRIAL: "received; the meter starts it and tries it out",
    update.CONFIRMED: "runs and has proved itself",
    update.ROLLED_BACK: "got no sample acknowledged in time, or did not start; the meter went "
    "back to the version before",
    update.OLDER: "refused: the meter has started this or a higher version before",
    update.MALFORMED: "refused: not an update as the meter knows it",
    update.SIGNATURE: "refused: not signed by two members whose keys the meter was given",
    update.BOARD: "refused: for another kind of board",
    update.ROOM: "refused: the board has no room for it",
    update.ALTERED: "refused: a file read back from flash is not the one that was signed",
    update.FLASH: "refused: the board could not write its flash",
    update.LOST: "dropped: an hour without progress",
}


def sign(arguments: argparse.Namespace) -> None:
    """Add this member's signature to a bundle."""
    identity = load_identity(home_of(arguments.folder))
    made = _load(arguments.bundle)
    if made.ledger_id != identity.genesis.ledger_id:
        raise UsageError(
            f"{arguments.bundle}: for ledger {made.ledger_id.hex()}, "
            f"not {identity.genesis.ledger_id.hex()}"
        )
    if not identity.member.votes:
        raise UsageError(f"{identity.member.name} has no vote; expected the folder of one that has")
    signed = sign_bundle(made, identity.kid, crypto.signer(identity.block_key))
    try:
        durable_file.write(arguments.bundle, signed.encode())
    except OSError as error:
        raise UsageError(f"{arguments.bundle}: cannot be written: {error.strerror}") from error
    _print_content(signed)
    lacking = SIGNATURES_NEEDED - len(signed.signatures)
    print(
        f"signed by {plain_name(identity.member.name)}"
        + (f"; {lacking} more member has to" if lacking > 0 else "; it can be sent")
    )


def show(arguments: argparse.Namespace) -> None:
    """What is in a bundle and who has signed it."""
    epoch = _epoch(home_of(arguments.folder))
    made = _load(arguments.bundle)
    _print_content(made)
    if made.ledger_id != epoch.ledger_id:
        print(f"for another ledger: {made.ledger_id.hex()}")
    for signed in made.signatures:
        member = epoch.party_of(signed.kid)
        if member is None or not member.votes:
            print(f"signature by {signed.kid.hex()}: of no member that votes")
            continue
        try:
            crypto.verify(member.block_key, signed.digest, signed.signature)
        except LedgerError as error:
            print(f"signature by {plain_name(member.name)}: {error}")
        else:
            print(f"signature by {plain_name(member.name)}: verifies")
    print(f"{len(made.signatures)} signatures, {SIGNATURES_NEEDED} are needed")


def send(arguments: argparse.Namespace) -> None:
    """Send a bundle to a meter and follow it to its end."""
    home = home_of(arguments.folder)
    try:
        topics.kid_of_meter(arguments.meter)
    except WireError as error:
        raise UsageError(str(error)) from error
    made = _load(arguments.bundle)
    answer = ask(
        home.admin_socket,
        "update",
        ADMIN_DEADLINE_S,
        meter=arguments.meter,
        bundle=made.encode().hex(),
    )
    print(f"version {answer['version']} ({made.update.name}) is on its way to {arguments.meter}")
    if arguments.wait:
        _follow(home, arguments.meter, answer["version"], answer["size"], arguments.wait)


def news(home: GatewayHome) -> dict[str, list[int]]:
    """What meters said last about updates, by meter id; none while no gateway runs."""
    try:
        found: dict[str, list[int]] = ask(home.admin_socket, "updates", ADMIN_DEADLINE_S)["updates"]
    except NotRunningError:
        return {}
    return found


def shown_news(said: list[int] | None, size: int | None = None) -> str:
    """News of an update for people; `size`: bytes of the whole stream if known."""
    if said is None:
        return ""
    version, code, offset = said
    if code != update.RECEIVING:
        return f"{version} {CODE_NAMES[code]}"
    return f"{version} receiving, {offset}" + ("" if size is None else f" of {size}") + " bytes"


def _follow(home: GatewayHome, meter: str, version: int, size: int, wait_s: int) -> None:
    shown = ""
    deadline = time.monotonic() + wait_s
    while time.monotonic() < deadline:
        said = news(home).get(meter)
        text = shown_news(said, size)
        if text != shown:
            shown = text
            print(text, flush=True)
        if said is not None and said[0] in (0, version):
            code = said[1]
            if code == update.CONFIRMED:
                print(f"version {version} {_MEANINGS[code]}")
                return
            if code not in (update.RECEIVING, update.TRIAL):
                raise UpdateRefusedError(f"version {version} {_MEANINGS[code]}")
        time.sleep(LOOK_EVERY_S)
    raise DeadlineError(
        f"the meter did not say within {wait_s} s how it ended ({shown or 'it said nothing'}); "
        "`meters list` shows what it says later"
    )


def _load(path: Path) -> Bundle:
    try:
        with path.open("rb") as file:
            data = file.read(BUNDLE_BYTES_MAX + 1)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    return read_bundle(data, path)


def _epoch(home: GatewayHome) -> Epoch:
    with opened_ledger(home) as (first, reader):
        return ExecutedLedger(reader, first_epoch(first)).epoch


def _print_content(made: Bundle) -> None:
    what = made.update
    board = f"for {what.board} boards" if what.board else "for all boards"
    print(f"version {what.version} ({plain_name(what.name)}), {board}")
    for name, size, digest in what.files:
        print(f"{name} {size} bytes, SHA-256 {digest.hex()}")
    for name, content in made.contents():
        if name == update.ALLIANCE:
            _print_alliance(content)


def _print_alliance(content: bytes) -> None:
    """Whom the meter will believe: what a signer must look at."""
    try:
        found: dict[str, Any] = json.loads(content)
        for row in found["gateways"]:
            print(f"gateway {row['host']}:{row['port']}, link key {row['link_public']}")
        for public in found["members"]:
            print(f"member's key {public}")
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{update.ALLIANCE} is not what a meter expects: {error}") from error
