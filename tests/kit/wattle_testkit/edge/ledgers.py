"""What a gateway acknowledged, held against what the ledgers have."""

from collections.abc import Sequence
from contextlib import closing

from wattle_gateway.ledger import entry
from wattle_gateway.store import connection as database
from wattle_gateway.store import ledger_rows, schema

from wattle_testkit.edge.sender import Sender
from wattle_testkit.gateway_process import GatewayProcess


def missing(gateway: GatewayProcess, senders: Sequence[Sender], *, final: bool = True) -> list[str]:
    """The samples that some gateway told their meter to be final (else: durable) and that this
    ledger does not have, byte for byte; `METER seq`."""
    reader = database.open_reader(gateway.home.database, schema.LEDGER, gateway.epoch.ledger_id)
    lost = []
    with closing(reader):
        for sender in senders:
            kid, raws = sender.meter.board.kid, sender.meter.samples
            told = sender.final if final else sender.durable
            for seq in range(1, told + 1):
                body = ledger_rows.find_sample(reader, kid, seq)
                if body is None or entry.decode(body).body != raws[seq - 1]:
                    lost.append(f"{sender.meter.meter} {seq}")
    return lost


def disk_bytes(gateway: GatewayProcess) -> int:
    """All files of a gateway's folder."""
    return sum(path.stat().st_size for path in gateway.folder.rglob("*") if path.is_file())
