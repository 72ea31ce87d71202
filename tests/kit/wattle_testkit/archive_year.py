"""`make archive-year`: what a year of one meter at 1 Hz costs a gateway that archives.

A real ledger of one gateway: signed samples (P-256, ten readings each, as a meter at 1 Hz packs
them), blocks, commits, execution, and each day's archiving when its time comes. A few days with a
commit for each sample are lived in minutes, and what a year costs is printed as the extrapolation
that it is. A whole year is lived in half an hour if the meter sends a sample a minute and those of
half an hour come in at once, as after its link was down. It may be ended at any time, and the same
command takes it up again:

    make archive-year ARGS="--days 365 --kept 30 --readings-a-sample 60 --samples-a-block 30 \\
        --into FOLDER --no-verify"
"""

import argparse
import resource
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from importlib.abc import MetaPathFinder
from pathlib import Path
from types import ModuleType

from wattle_gateway.archive.attachment import whole
from wattle_gateway.archive.target import Folder
from wattle_gateway.archive.verification import verify
from wattle_gateway.audit import ledger_audit
from wattle_gateway.ledger import merkle
from wattle_gateway.reports import samples as sample_report
from wattle_gateway.reports.samples import Wanted
from wattle_gateway.store import archive_rows, schema, tree_rows
from wattle_gateway.store import connection as database

from wattle_testkit.alliance import genesis_of
from wattle_testkit.meter_year import Cadence, MeterAt1Hz

YEAR_DAYS, RETENTION_DAYS = 365, 30
MIB = 1 << 20
# Days between two lines about a long life.
_TOLD_EVERY = 10


@dataclass(frozen=True)
class Plan:
    """So many `days` are lived, of which the last `kept` stay."""

    days: int
    kept: int


@dataclass(frozen=True)
class Held:
    """What ledger.db had in use: before the first day, and when `days` of them were there."""

    before_bytes: int
    bytes: int
    days: int


@contextmanager
def whole_ledger(ledger: MeterAt1Hz) -> Iterator[sqlite3.Connection]:
    """ledger.db with the archive beside it, as `audit` and `samples` open it."""
    reader = database.open_reader(ledger.path, schema.LEDGER, ledger.epoch.ledger_id)
    with closing(reader), whole(ledger.home, reader), database.snapshot(reader):
        yield reader


def used_bytes(ledger: MeterAt1Hz) -> int:
    """What of ledger.db is in use: its pages without the free ones."""
    ledger.driver.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with ledger.opened() as reader:
        return ledger.path.stat().st_size - archive_rows.free_bytes(reader)


def prove(ledger: MeterAt1Hz) -> tuple[int, int, float]:
    """Prove the first sample, which has left: (its leaf, hashes of its path, seconds)."""
    first = ledger.first_sample()
    first_ms = first.sample.readings[0].time_ms
    began = time.monotonic()
    with whole_ledger(ledger) as reader:
        (raw_edge,) = reader.execute("SELECT edge FROM ledger").fetchone()
        edge = merkle.decode_right_edge(raw_edge)
        wanted = Wanted(ledger.board.kid, first_ms, first_ms + 1)
        ((place, signed),) = sample_report.committed(reader, ledger.epoch.ledger_id, wanted)
        assert signed.raw == first.raw
        (raw,) = tree_rows.leaves(reader, place.leaf, place.leaf + 1)
        stretches = merkle.inclusion_stretches(place.leaf, edge.size)
        path = [tree_rows.root(reader, begin, end) for begin, end in stretches]
        merkle.verify_inclusion(merkle.leaf_hash(raw), place.leaf, edge.size, path, edge.root())
    return place.leaf, len(path), time.monotonic() - began


def show(what: str, text: str) -> None:
    """A line of the report."""
    print(f"{what:13} {text}", flush=True)


class _Clock:
    """Wall and CPU time since it was made."""

    def __init__(self) -> None:
        self._wall_s, self._cpu_s = time.monotonic(), time.process_time()

    @property
    def cpu_s(self) -> float:
        """Seconds of CPU."""
        return time.process_time() - self._cpu_s

    def __str__(self) -> str:
        return f"{self.cpu_s:.1f} s of CPU, {time.monotonic() - self._wall_s:.1f} s in all"


def run(ledger: MeterAt1Hz, plan: Plan, *, verifies: bool = True) -> None:
    """Live, archive, measure."""
    held = _live(ledger, plan)
    _sizes(ledger, plan, held)
    _audit(ledger)
    if verifies:
        _verify(ledger)
    leaf, hashes, seconds = prove(ledger)
    show("proved", f"sample at leaf {leaf} by {hashes} hashes, in {seconds:.2f} s")


def _live(ledger: MeterAt1Hz, plan: Plan) -> Held | None:
    """The days that are still to come, each archived when its time has come. Gives what was held
    while nothing had left yet, None if that was in an earlier run."""
    clock, mover, archiving_s, parts = _Clock(), ledger.mover(), 0.0, 0
    made, fixed = ledger.samples_made, used_bytes(ledger)
    held = None
    first = made // ledger.cadence.day
    for day in range(first, plan.days):
        ledger.live_day(day)
        if made == 0 and parts == 0:
            held = Held(fixed, used_bytes(ledger), day + 1)
        archiving = _Clock()
        parts += sum(step.done for step in ledger.archive(plan.kept, mover))
        archiving_s += archiving.cpu_s
        if (day + 1) % _TOLD_EVERY == 0:
            show("under way", f"{day + 1} days, {parts} parts, {clock}")
    show(
        "lived",
        f"{max(0, plan.days - first)} days, {ledger.samples_made - made} samples of "
        f"{ledger.cadence.readings_a_sample} readings, commit {ledger.driver.head.index}: {clock}",
    )
    show("archived", f"{parts} parts, {archiving_s:.1f} s of CPU among those; {_memory()}")
    return held


def _sizes(ledger: MeterAt1Hz, plan: Plan, held: Held | None) -> None:
    used = used_bytes(ledger)
    with ledger.opened() as reader:
        parts = [part for part in archive_rows.load(reader) if part.contents is not None]
        files = [archive_rows.files_of(reader, part.number) for part in parts]
    samples = sum(part.contents.samples for part in parts if part.contents)
    gone_days = samples / ledger.cadence.day
    for dataset in ("log", "blocks", "readings"):
        size = sum(one[dataset].size_bytes for one in files)
        a_day = size / gone_days / MIB if gone_days else 0
        show(dataset, f"{size / MIB:.1f} MiB in the archive, {a_day:.2f} MiB a day")
    show(
        "kept",
        f"{used / MIB:.1f} MiB in use of a ledger.db of {ledger.path.stat().st_size / MIB:.1f} "
        f"MiB; {gone_days:.1f} of {plan.days} days have left in {len(parts)} parts",
    )
    if held is None or not gone_days or plan.days >= YEAR_DAYS:
        return
    scale = ledger.cadence.whole_day / ledger.cadence.day
    hot = (held.bytes - held.before_bytes) / held.days
    here = hot * (plan.days - gone_days)
    residue = scale * (used - held.before_bytes - here) / gone_days
    hot *= scale
    show("a day", f"{hot / MIB:.2f} MiB while it is here, {residue / MIB:.2f} once it has left")
    year = hot * RETENTION_DAYS + residue * (YEAR_DAYS - RETENTION_DAYS)
    show(
        "a year",
        f"{year / MIB:.0f} MiB with {RETENTION_DAYS} days here, {hot * YEAR_DAYS / MIB:.0f} MiB "
        f"without an archive: extrapolated from {plan.days} days",
    )


def _audit(ledger: MeterAt1Hz) -> None:
    clock, told = _Clock(), 0

    def tell(done: int, blocks: int) -> None:
        nonlocal told
        if done * 10 // blocks > told:
            told = done * 10 // blocks
            show("under way", f"{done} of {blocks} blocks audited, {clock}")

    with whole_ledger(ledger) as reader:
        report = ledger_audit.audit_ledger(
            reader, genesis_of(constants=ledger.epoch.constants), tell
        )
    assert report.ok, report.differences
    assert report.counts.samples == ledger.samples_made
    a_year = clock.cpu_s / ledger.samples_made * ledger.cadence.whole_day * YEAR_DAYS
    show(
        "audit",
        f"{report.counts.blocks} blocks and {report.counts.samples} samples, every byte accounted "
        f"for: {clock}; {_memory()}; this makes {a_year / 60:.0f} min of CPU for a year",
    )


def _verify(ledger: MeterAt1Hz) -> None:
    clock = _Clock()
    with whole_ledger(ledger) as reader:
        verdicts = list(verify(reader, Folder(ledger.target_folder), ledger.epoch.ledger_id))
    assert not [one for one in verdicts if one.wrong]
    show("verify", f"{len(verdicts)} parts, without execution: {clock}")


def _memory() -> str:
    return f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10} MiB of memory at most"


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
    parser = argparse.ArgumentParser(
        prog="wattle_testkit.archive_year",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    whole_number = parser.add_argument_group("how much").add_argument
    whole_number("--days", type=int, default=3, help="to live (default: %(default)s)")
    whole_number("--kept", type=int, default=1, help="full days that stay (%(default)s)")
    whole_number("--readings-a-sample", type=int, default=10, help="(%(default)s)")
    whole_number("--samples-a-block", type=int, default=1, help="that come in at once")
    whole_number("--samples", type=int, default=0, help="of a day (default: all)")
    parser.add_argument("--into", type=Path, help="a folder to keep, and to go on with")
    parser.add_argument("--no-verify", action="store_true", help="leave out `archive verify`")
    given = parser.parse_args()
    sys.meta_path.insert(0, _NoPandas())
    cadence = Cadence(given.readings_a_sample, given.samples_a_block, given.samples)
    plan = Plan(given.days, given.kept)
    with tempfile.TemporaryDirectory(prefix="wattle-archive-") as scratch:
        folder: Path = given.into or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        run(MeterAt1Hz(folder, cadence), plan, verifies=not given.no_verify)


if __name__ == "__main__":
    main()
