"""A billed story and its voucher: a board that is replaced, a point that changes hands."""

import json
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

from wattle_gateway.ledger import transaction
from wattle_wire.sample import Reading

from wattle_testkit.alliance import CREATED_MS, Board, reading
from wattle_testkit.billed_ledger import DAY_MS, HOUR_MS, BilledLedger
from wattle_testkit.gateway_process import command

BEGIN_MS = (CREATED_MS // DAY_MS + 1) * DAY_MS
HANDOVER_MS = BEGIN_MS + 30 * HOUR_MS
TARIFF = """
zone = "Europe/Berlin"
asset = "CNY"
decimals = 2
[periods.day]
import = "0.3215"
export = "0.08"
[periods.night]
import = "0.2150"
[[when]]
days = "business"
from = "06:00"
to = "22:00"
period = "day"
[[when]]
period = "night"
"""


class BilledStory:
    """Two users, one board with two points that is replaced by another, and a handover."""

    def __init__(self, folder: Path) -> None:
        self.ledger = BilledLedger(folder / "ledger")
        self.first, self.second = self.ledger.host("house 7"), self.ledger.host("house 8")
        self.old, self.new = self.ledger.board("old"), self.ledger.board("new")
        ledger = self.ledger
        ledger.enrol(
            self.old,
            ledger.point(self.first, ct=(100, 5)),
            ledger.point(self.second, 2, commodity=transaction.HEAT),
        )
        ledger.assign(self.old, 1, self.first, self.second, HANDOVER_MS)
        ledger.measure(self.old, self._readings(0, 193))
        ledger.revoke(self.old)
        ledger.enrol(self.new, ledger.point(self.first))
        ledger.measure(self.new, self._readings(194, 200))
        ledger.pass_to(BEGIN_MS + 4 * DAY_MS)
        ledger.host("house 9")  # a commit of another minute, which is signed
        self.home = ledger.copy()
        self.tariff = folder / "tariff.toml"
        self.tariff.write_text(TARIFF)
        self.file = folder / "voucher.json"
        self.document: Any = json.loads(
            self.ask("house 7", "--tariff", self.tariff, "--format", "json").stdout
        )

    @staticmethod
    def _readings(begin: int, end: int) -> list[Reading]:
        return [
            reading(BEGIN_MS + quarter * HOUR_MS // 4, device, ei=7 * device * quarter, ee=quarter)
            for quarter in range(begin, end)
            for device in (1, 2)
        ]

    def ask(self, *words: str | Path) -> CompletedProcess[str]:
        """A voucher of the two days, of whom the words begin with."""
        span = ("--from", "2023-11-15T00:00Z", "--to", "2023-11-17T00:00Z")
        return command("voucher", self.home, *words[:1], *span, *words[1:])

    def point(self, board: Board, device: int = 1) -> str:
        """METER/D."""
        return f"{board.kid.hex()}/{device}"

    def verify(self, document: object, *words: str) -> CompletedProcess[str]:
        """`voucher --verify` of a document."""
        self.file.write_text(json.dumps(document))
        return command("voucher", self.home, "--verify", self.file, *words)
