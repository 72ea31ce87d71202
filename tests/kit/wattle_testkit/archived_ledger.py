"""A ledger of one gateway whose old days leave for a folder, with the clock in the test's hand."""

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Self

from wattle_gateway import config
from wattle_gateway.archive.mover import Mover, Place, Step
from wattle_gateway.archive.target import Folder, Target
from wattle_gateway.home.paths import GatewayHome
from wattle_gateway.ledger.genesis import Constants, member_row
from wattle_gateway.ledger.signed_sample import SignedSample
from wattle_gateway.store import connection as database
from wattle_gateway.store import schema
from wattle_wire import cbor
from wattle_wire.sample import Reading

from wattle_testkit import sealed_folder
from wattle_testkit.alliance import GRID, Board, epoch_of, genesis_of, reading
from wattle_testkit.driven_ledger import DrivenLedger

DAY_MS = 86_400_000
_SPACING_MS = 60_000
# So few rounds stay above the floor that a day of few samples is below it.
CONSTANTS = Constants(gc_depth=4)


class ArchivedLedger(DrivenLedger):
    """GRID alone, with a meter on it that is in `board`."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / "ledger.db", epoch_of(constants=CONSTANTS))
        self.home = GatewayHome(folder)
        # What opens a folder that is sealed.
        self.storage_key = ""
        self.target_folder = folder / "archive"
        self.target_folder.mkdir(exist_ok=True)
        self.board = Board("meter", self.epoch)
        self.samples: list[SignedSample] = []
        self.energy_wh = 0

    @classmethod
    def sealed(cls, folder: Path) -> Self:
        """One whose new folder is sealed, under a key file beside it."""
        sealed_folder.make(folder)
        made = cls(folder)
        made.storage_key = f"file:{sealed_folder.key_of(folder)}"
        return made

    def live(self, days: int, samples_a_day: int = 20) -> None:
        """Days go by, each with so many samples of two readings and one commit a sample."""
        if not self.samples:
            self.enrol(self.board)
        for _ in range(days):
            for _ in range(samples_a_day):
                self.pass_ms(_SPACING_MS)
                self.add_samples(self.next_sample(self._readings()))
                self.settle()
            self.pass_ms(DAY_MS - self.unix_ms % DAY_MS)

    def next_sample(self, readings: list[Reading]) -> SignedSample:
        """The meter's next one."""
        prev = self.samples[-1].digest if self.samples else None
        self.samples.append(self.board.sample(len(self.samples) + 1, readings, prev=prev))
        return self.samples[-1]

    def _readings(self) -> list[Reading]:
        found = []
        for before_ms in (1000, 0):
            self.energy_wh += 1
            found.append(reading(self.unix_ms - before_ms, ei=self.energy_wh, p=600))
        return found

    def furnish(self, **archive: str | int) -> None:
        """The files that commands read beside ledger.db; `archive` goes into config.toml."""
        first = genesis_of(constants=CONSTANTS)
        self.home.genesis.write_bytes(first.raw)
        self.home.member.write_bytes(cbor.encode(member_row(GRID.member)))
        names = {"ledger_id": first.ledger_id.hex()}
        names["genesis_sha256"] = sha256(first.raw).hexdigest()
        self.home.bundle.write_text(json.dumps(names))
        self.configure(target="archive", **archive)

    def configure(self, **archive: str | int) -> None:
        """Another config.toml."""
        given: dict[str, dict[str, str | int]] = {
            "gateway": {"site": "home"},
            "broker": {"host": "127.0.0.1"},
            "storage": {"key": self.storage_key},
            "archive": archive,
        }
        self.home.config.write_text(config.render(given))

    def mover(
        self, target: Target | None = None, write: Callable[..., None] | None = None
    ) -> Mover:
        """One that knows nothing, as after a start."""
        place = Place(target or Folder(self.target_folder), self.epoch.ledger_id, GRID.kid)
        return Mover(place, self.epoch, self.opened, write or self.write)

    def archive(self, older_than_days: int, mover: Mover | None = None) -> list[Step]:
        """Move all that is older, and say what was done."""
        mover = mover or self.mover()
        steps = []
        while (step := mover.step(self.unix_ms - older_than_days * DAY_MS)) is not None:
            steps.append(step)
        return steps

    @contextmanager
    def opened(self) -> Iterator[sqlite3.Connection]:
        """ledger.db as it is now."""
        reader = database.open_reader(self.path, schema.LEDGER, self.epoch.ledger_id)
        with closing(reader), database.snapshot(reader):
            yield reader

    def write(self, work: Callable[[sqlite3.Connection], None]) -> None:
        """As the ledger's thread does it."""
        with database.transaction(self.driver.connection) as writer:
            work(writer)
