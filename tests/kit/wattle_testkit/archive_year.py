"""`make archive-year`: what a year of one meter at 1 Hz costs a gateway that archives.

A real ledger of one gateway: signed samples (P-256, ten readings each, as a meter at 1 Hz packs
them), blocks, commits, execution. Some days are lived and all but the last archived; what a year
costs follows from what a day costs here and what stays of one that has left, and is printed as the
extrapolation that it is (`ARGS="--days 365 --kept 30"` lives it: some hours).
"""

import argparse
import resource
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from importlib.abc import MetaPathFinder
from pathlib import Path
from types import ModuleType

from wattle_gateway.archive.attachment import whole
from wattle_gateway.archive.target import Folder
from wattle_gateway.archive.verification import verify
from wattle_gateway.audit import ledger_audit
from wattle_gateway.consensus.engine import SAMPLE_ROUND_MS
from wattle_gateway.ledger import merkle
from wattle_gateway.reports import samples as sample_report
from wattle_gateway.reports.samples import Wanted
from wattle_gateway.store import archive_rows, schema, tree_rows
from wattle_gateway.store import connection as database
from wattle_wire.sample import Reading

from wattle_testkit.alliance import genesis_of, reading
from wattle_testkit.archived_ledger import DAY_MS, ArchivedLedger

READINGS_A_SAMPLE = 10
READING_MS = 1000
SAMPLES_A_DAY = DAY_MS // READING_MS // READINGS_A_SAMPLE
YEAR_DAYS, RETENTION_DAYS = 365, 30
MIB = 1 << 20


class MeterAt1Hz(ArchivedLedger):
    """One meter, a sample of ten readings every ten seconds, with what a single-phase meter
    reads. Nothing is synced to the disk: that costs time here and changes no figure."""

    def live_day(self, samples: int) -> None:
        """A day goes by; so many samples of it are there, from its begin on."""
        self.driver.connection.execute("PRAGMA synchronous = OFF")
        self.pass_ms(-self.unix_ms % DAY_MS)
        for _ in range(samples):
            self.pass_ms(READINGS_A_SAMPLE * READING_MS - SAMPLE_ROUND_MS)
            self.add_samples(self.next_sample(self._ten()))
            self.settle()

    def _ten(self) -> list[Reading]:
        found = []
        for before in reversed(range(READINGS_A_SAMPLE)):
            at_ms = self.unix_ms - before * READING_MS
            self.energy_wh += before % 2
            second = at_ms // READING_MS
            found.append(
                reading(
                    at_ms,
                    ei=self.energy_wh,
                    p=18_000 + second % 97,
                    q=1_200 + second % 31,
                    u=2_301 + second % 7,
                    i=7_826 + second % 89,
                    f=4_998 + second % 5,
                )
            )
        return found


@contextmanager
def whole_ledger(ledger: ArchivedLedger) -> Iterator[sqlite3.Connection]:
    """ledger.db with the archive beside it, as `audit` and `samples` open it."""
    reader = database.open_reader(ledger.path, schema.LEDGER, ledger.epoch.ledger_id)
    with closing(reader), whole(ledger.home, reader), database.snapshot(reader):
        yield reader


def used_bytes(ledger: ArchivedLedger) -> int:
    """What of ledger.db is in use: its pages without the free ones."""
    ledger.driver.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with ledger.opened() as reader:
        return ledger.path.stat().st_size - archive_rows.free_bytes(reader)


def prove(ledger: ArchivedLedger) -> tuple[int, int, float]:
    """Prove the first sample, which has left: (its leaf, hashes of its path, seconds)."""
    began = time.monotonic()
    with whole_ledger(ledger) as reader:
        (raw_edge,) = reader.execute("SELECT edge FROM ledger").fetchone()
        edge = merkle.decode_right_edge(raw_edge)
        meter = ledger.board.kid
        first_ms = ledger.samples[0].sample.readings[0].time_ms
        wanted = Wanted(meter, first_ms, first_ms + 1)
        ((place, signed),) = sample_report.committed(reader, ledger.epoch.ledger_id, wanted)
        assert signed.raw == ledger.samples[0].raw
        (raw,) = tree_rows.leaves(reader, place.leaf, place.leaf + 1)
        stretches = merkle.inclusion_stretches(place.leaf, edge.size)
        path = [tree_rows.root(reader, begin, end) for begin, end in stretches]
        merkle.verify_inclusion(merkle.leaf_hash(raw), place.leaf, edge.size, path, edge.root())
    return place.leaf, len(path), time.monotonic() - began


def show(what: str, text: str) -> None:
    """A line of the report."""
    print(f"{what:13} {text}", flush=True)


def run(folder: Path, days: int, kept: int, samples: int) -> None:
    """Live, archive, measure."""
    ledger = MeterAt1Hz(folder)
    ledger.furnish()
    began = time.monotonic()
    ledger.enrol(ledger.board)
    ledger.pass_ms(DAY_MS)
    fixed = used_bytes(ledger)
    for _ in range(days):
        ledger.live_day(samples)
    ledger.pass_ms(-ledger.unix_ms % DAY_MS)
    show(
        "lived",
        f"{days} days, {len(ledger.samples)} samples of {READINGS_A_SAMPLE} readings, "
        f"{ledger.driver.head.index} commits ({time.monotonic() - began:.0f} s)",
    )
    full = used_bytes(ledger)
    _archive(ledger, kept)
    left = used_bytes(ledger)
    with ledger.opened() as reader:
        parts = archive_rows.load(reader)
        gone_days = sum(part.contents.samples for part in parts if part.contents) / samples
        files = [archive_rows.files_of(reader, part.number) for part in parts]
    for dataset in ("log", "blocks", "readings"):
        size = sum(one[dataset].size_bytes for one in files)
        show(dataset, f"{size / gone_days / MIB:.2f} MiB a day in the archive")
    scale = SAMPLES_A_DAY / samples
    hot = (full - fixed) / days * scale
    residue = (left - fixed - (days - gone_days) * (full - fixed) / days) / gone_days * scale
    show("kept", f"{hot / MIB:.2f} MiB of a day that is here, {residue / MIB:.2f} of one that left")
    year = hot * RETENTION_DAYS + residue * (YEAR_DAYS - RETENTION_DAYS)
    show(
        "a year",
        f"{year / MIB:.0f} MiB with {RETENTION_DAYS} days here, {hot * YEAR_DAYS / MIB:.0f} MiB "
        f"without an archive: extrapolated from {days} days of {samples} samples",
    )
    _read(ledger, samples)


def _archive(ledger: ArchivedLedger, kept: int) -> None:
    began, cpu = time.monotonic(), time.process_time()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    steps = ledger.archive(kept)
    more = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory
    show(
        "archived",
        f"{sum(step.done for step in steps)} parts in {time.monotonic() - began:.1f} s, "
        f"{time.process_time() - cpu:.1f} s of CPU, {more >> 10} MiB more memory",
    )


def _read(ledger: ArchivedLedger, samples: int) -> None:
    began = time.process_time()
    with whole_ledger(ledger) as reader:
        report = ledger_audit.audit_ledger(
            reader, genesis_of(constants=ledger.epoch.constants), lambda _done, _all: None
        )
    assert report.ok, report.differences
    seconds = time.process_time() - began
    a_year = seconds / len(ledger.samples) * SAMPLES_A_DAY * YEAR_DAYS
    show(
        "audit",
        f"{seconds:.1f} s of CPU for {report.counts.blocks} blocks and "
        f"{report.counts.samples} samples, every byte accounted for; "
        f"a year: {a_year / 60:.0f} min (extrapolated)",
    )
    began = time.process_time()
    with whole_ledger(ledger) as reader:
        verdicts = list(verify(reader, Folder(ledger.target_folder), ledger.epoch.ledger_id))
    assert not [one for one in verdicts if one.wrong]
    seconds = time.process_time() - began
    show("verify", f"{seconds:.1f} s of CPU for {len(verdicts)} parts, without execution")
    leaf, hashes, seconds = prove(ledger)
    show("proved", f"sample at leaf {leaf} by {hashes} hashes, in {seconds:.2f} s")


class _NoPandas(MetaPathFinder):
    """Arrow loads pandas where it finds it; a gateway has none, and its memory is not counted."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> None:
        """Not to be found."""
        if name == "pandas":
            raise ModuleNotFoundError(name)


def main() -> None:
    """Run as the command line says."""
    parser = argparse.ArgumentParser(prog="wattle_testkit.archive_year", description=__doc__)
    parser.add_argument("--days", type=int, default=3, help="to live (default: %(default)s)")
    parser.add_argument("--kept", type=int, default=1, help="full days that stay")
    parser.add_argument(
        "--samples", type=int, default=SAMPLES_A_DAY, help="of a day (default: all %(default)s)"
    )
    arguments = parser.parse_args()
    sys.meta_path.insert(0, _NoPandas())
    with tempfile.TemporaryDirectory(prefix="wattle-archive-") as folder:
        run(Path(folder), arguments.days, arguments.kept, arguments.samples)


if __name__ == "__main__":
    main()
