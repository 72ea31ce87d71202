"""What the scenarios of an alliance of processes ask again and again."""

import json
import sqlite3
from contextlib import closing

from wattle_gateway.contracts import alliance as alliance_rows
from wattle_gateway.contracts.alliance import Cheat
from wattle_gateway.store import connection, ledger_rows, schema

from wattle_testkit.alliance import Board
from wattle_testkit.gateway_process import GatewayProcess, command
from wattle_testkit.paper_meter import PaperMeter
from wattle_testkit.waiting import until

DEADLINE_S = 60.0


def visitor(board: Board, home: GatewayProcess, gateway: GatewayProcess) -> PaperMeter:
    """A meter, with the certificate that its home issued, at any gateway; waits until that one
    knows it."""
    until(
        lambda: board.kid.hex() in (gateway.home.broker / "nats.conf").read_text(),
        DEADLINE_S,
        f"{gateway.folder.name} admits {board.name}",
    )
    certificate = home.home.meter_certificates / f"{board.kid.hex()}.pem"
    return PaperMeter(board, gateway, certificate=certificate)


def newest_round(author: GatewayProcess, seen_by: GatewayProcess) -> int:
    """The highest round of a gateway's blocks in another's ledger (epoch 0)."""
    index = author.epoch.author_of(author.member.kid)
    with closing(sqlite3.connect(f"file:{seen_by.home.database}?mode=ro", uri=True)) as reader:
        row = reader.execute("SELECT max(round) FROM blocks WHERE author = ?", (index,)).fetchone()
    return int(row[0] or 0)


def rounds_move(author: GatewayProcess, seen_by: GatewayProcess, above: int) -> None:
    """Wait until a gateway has a block above a round."""
    until(lambda: newest_round(author, seen_by) > above, DEADLINE_S, "it takes part again")


def cheats(gateway: GatewayProcess) -> list[Cheat]:
    """The members that a gateway's ledger shows to have signed two blocks of a round."""
    home, ledger_id = gateway.home, gateway.epoch.ledger_id
    with closing(connection.open_reader(home.database, schema.LEDGER, ledger_id)) as reader:
        return alliance_rows.cheats(ledger_rows.load_state(reader))


def audited(gateway: GatewayProcess) -> tuple[str, str, str]:
    """Commit digest, root and state digest that the audit of a stopped gateway comes to."""
    done = command("audit", gateway.folder, "--format", "json")
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    return found["commit_digest"], found["root"], found["state_digest"]
