"""Did the ledger keep what it had acknowledged? For runs in which parts are killed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from wattle_wire import cose, sample_reader
from wattle_wire.errors import WireError

from wattle_hil.errors import RunError
from wattle_hil.runs.ledger_rows import LedgerRow


@dataclass
class Promises:
    """What was seen of the ledger while the run went on.

    durable: highest seq that each meter was told is durable. committed: the readings that were
    seen in the ledger, as (meter, seq, device, time) to counters.
    """

    durable: dict[str, int] = field(default_factory=dict)
    committed: dict[tuple[str, int, int, int], tuple[int | None, int | None]] = field(
        default_factory=dict
    )

    def note_durable(self, meter: str, seq: int) -> None:
        self.durable[meter] = max(seq, self.durable.get(meter, 0))

    def note_committed(self, rows: Iterable[LedgerRow]) -> None:
        self.committed.update({_key(row): (row.import_wh, row.export_wh) for row in rows})


def broken_promises(
    promises: Promises, rows: Iterable[LedgerRow], first_seqs: Mapping[str, int], ledger_id: bytes
) -> list[str]:
    """What the ledger no longer has, or has otherwise, one line each.

    rows: of the final export with raw bytes. A durable seq must be there as a sample, unless a
    sample that is durable too declared that it will not come. Raises RunError for unreadable bytes.
    """
    found = {}
    raws: dict[str, dict[int, bytes]] = {meter: {} for meter in first_seqs}
    for row in rows:
        found[_key(row)] = (row.import_wh, row.export_wh)
        if row.raw is not None:
            raws[row.meter][row.seq] = row.raw
    broken = [
        f"reading of {key[0]}/{key[2]} in seq {key[1]}: was {was}, is {found.get(key)}"
        for key, was in promises.committed.items()
        if found.get(key) != was
    ]
    for meter, durable in sorted(promises.durable.items()):
        have = raws[meter]
        declared = set()
        for seq, raw in have.items():
            if seq <= durable:
                declared |= _declared(raw, ledger_id, durable)
        lost = [
            seq
            for seq in range(first_seqs[meter], durable + 1)
            if seq not in have and seq not in declared
        ]
        if lost:
            broken.append(f"meter {meter}: durable seqs {lost[0]} .. {lost[-1]}, {len(lost)} lost")
    return broken


def _declared(raw: bytes, ledger_id: bytes, most: int) -> set[int]:
    """The seqs up to `most` that a sample declares lost."""
    try:
        signed = cose.parse_sign1("sample", ledger_id, raw)
        gaps = sample_reader.decode(signed.payload).gaps
    except WireError as error:
        raise RunError(f"the export holds bytes that are no sample: {error}") from error
    return {seq for first, to, _ in gaps for seq in range(first, min(to, most) + 1)}


def _key(row: LedgerRow) -> tuple[str, int, int, int]:
    return row.meter, row.seq, row.device, row.time_ms
