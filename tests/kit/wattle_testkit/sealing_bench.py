"""What sealing costs: `make bench-sealing`. One meter's samples, one gateway, plain and sealed."""

import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from wattle_gateway.ledger.signed_sample import SignedSample
from wattle_gateway.sealing import row_seal
from wattle_gateway.store import ledger_rows

from wattle_testkit import sealed_folder
from wattle_testkit.alliance import CREATED_MS, Board, epoch_of, reading
from wattle_testkit.driven_ledger import DrivenLedger

SAMPLES = 6_000
# A block of a gateway that has some to catch up with.
SAMPLES_A_BLOCK = 100
_RANGE = (
    "SELECT entries.body FROM main.samples AS samples JOIN leaves USING (leaf) "
    "JOIN entries ON entries.id = leaves.entry WHERE samples.meter = ? AND seq BETWEEN 1 AND ?"
)
_INDEX = (
    "SELECT seq, first_ms FROM main.samples AS samples WHERE samples.meter = ? "
    "AND seq BETWEEN 1 AND ?"
)


@dataclass(frozen=True)
class Cost:
    """Of a sample: bytes of ledger.db; microseconds of CPU to bring it into the ledger, to find it,
    and as a row of a range, with its bytes and by the index alone."""

    bytes: float
    write_us: float
    find_us: float
    range_us: float
    index_us: float


def samples(count: int) -> tuple[Board, list[SignedSample]]:
    """A meter and what it signed, one sample a second."""
    board = Board("bench", epoch_of())
    begin_ms = CREATED_MS + 20_000
    return board, [
        board.sample(seq, [reading(begin_ms + 1000 * seq, ei=seq)]) for seq in range(1, count + 1)
    ]


def measure(folder: Path, board: Board, signed: Sequence[SignedSample], *, sealed: bool) -> Cost:
    """In the new folder `folder`."""
    if sealed:
        sealed_folder.make(folder)
    else:
        folder.mkdir()
    ledger = DrivenLedger(folder / "ledger.db")
    with closing(ledger.driver):
        ledger.enrol(board)
        ledger.settle()
        count = len(signed)

        def write() -> None:
            for first in range(0, count, SAMPLES_A_BLOCK):
                ledger.add_samples(*signed[first : first + SAMPLES_A_BLOCK])
                ledger.settle()

        write_us = _cpu_us(write, count)
        connection = ledger.driver.connection
        # Some of a block wait until the block after it.
        last = connection.execute("SELECT last_seq FROM totals").fetchone()[0]
        (used,) = connection.execute("SELECT sum(pgsize) FROM dbstat").fetchone()
        alias = row_seal.of(connection).alias(board.kid)

        def find() -> None:
            for seq in range(1, last + 1):
                assert ledger_rows.find_sample(connection, board.kid, seq) is not None

        def walk(query: str) -> None:
            assert len(connection.execute(query, (alias, last)).fetchall()) == last

        return Cost(
            used / count,
            write_us,
            _cpu_us(find, last),
            _cpu_us(lambda: walk(_RANGE), last),
            _cpu_us(lambda: walk(_INDEX), last),
        )


def _cpu_us(work: Callable[[], None], count: int) -> float:
    began = time.process_time()
    work()
    return (time.process_time() - began) / count * 1e6


def main() -> None:
    """Print both, twice: the first run of each warms up."""
    board, signed = samples(SAMPLES)
    for sealed in (False, True, False, True):
        with tempfile.TemporaryDirectory() as work:
            cost = measure(Path(work) / "gw", board, signed, sealed=sealed)
        sys.stdout.write(f"{'sealed' if sealed else 'plain':<7} {cost}\n")


if __name__ == "__main__":
    main()
