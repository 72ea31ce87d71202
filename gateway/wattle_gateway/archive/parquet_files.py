"""Parts as Parquet files, in memory: gateway/ARCHIVE.md has their schemas.

The only module that knows Arrow's tables. It is imported where a file is made or read, so that a
gateway without an archive has nothing of it in memory.
"""

import io
from collections.abc import Iterator, Sequence
from typing import Any

from wattle_gateway.archive.arrow import arrow
from wattle_gateway.archive.rows import (
    BLOCKS,
    DATASETS,
    LOG,
    QUANTITY_COLUMNS,
    READING_COLUMNS,
    READINGS,
    HeaderRow,
    LogRow,
    PartRows,
)
from wattle_gateway.errors import ArchiveError

FORMAT = b"wattle/1/archive"
# Rows that are decompressed at once by who looks for one meter or a few leaves.
_ROWS_A_GROUP = 8192
_COMPRESSION = "zstd"
_WORDS = ("meter", "failed", "status", "clock", "classes")


def encode(rows: PartRows) -> dict[str, bytes]:
    """The files of a part, by dataset."""
    return {dataset: encode_one(dataset, rows) for dataset in DATASETS}


def encode_one(dataset: str, rows: PartRows) -> bytes:
    """One file of a part."""
    return _write(_table(dataset, rows))


def check_same(files: dict[str, bytes], rows: PartRows) -> None:
    """Raises ArchiveError unless the files hold these rows. Compares columns, without a second
    copy of every row."""
    for dataset in DATASETS:
        if not holds(dataset, files[dataset], rows):
            raise ArchiveError(f"the file of {dataset} holds other rows than were put there")


def holds(dataset: str, raw: bytes, rows: PartRows) -> bool:
    """Whether a file of a dataset holds these rows. Raises ArchiveError as `decode`."""
    return bool(_read(dataset, raw).equals(_table(dataset, rows)))


def decode(files: dict[str, bytes]) -> PartRows:
    """The part in these files. Raises ArchiveError for files of another form."""
    return PartRows(
        log=log_rows(files[LOG]),
        blocks=block_rows(files[BLOCKS]),
        readings=_rows(READINGS, files[READINGS]),
    )


def log_rows(raw: bytes) -> list[LogRow]:
    """The rows of a file of `log`. Raises ArchiveError as `decode`."""
    return list(each_log_row(raw))


def each_log_row(raw: bytes) -> Iterator[LogRow]:
    """The same, some thousand of them in memory at a time."""
    for batch in _read(LOG, raw).to_batches(max_chunksize=_ROWS_A_GROUP):
        columns = [column.to_pylist() for column in batch.columns]
        yield from map(LogRow._make, zip(*columns, strict=True))


def block_rows(raw: bytes) -> list[HeaderRow]:
    """The rows of a file of `blocks`. Raises ArchiveError as `decode`."""
    return [HeaderRow(*row) for row in _rows(BLOCKS, raw)]


def _schema(dataset: str) -> Any:
    pa = arrow()
    long, number, byte = pa.int64(), pa.int32(), pa.int8()
    types = {"kind": byte, "author": number, "position": number, "device": number, "epoch": number}
    types |= {"body": pa.binary(), "header": pa.binary()}
    types |= {name: pa.string() for name in _WORDS}
    given = {LOG: LogRow._fields, BLOCKS: HeaderRow._fields, READINGS: READING_COLUMNS}[dataset]
    always = {
        LOG: ("kind", "epoch", "body"),
        BLOCKS: ("block", "epoch", "round", "author", "header"),
        READINGS: tuple(name for name in READING_COLUMNS if name not in QUANTITY_COLUMNS.values()),
    }[dataset]
    fields = [pa.field(name, types.get(name, long), nullable=name not in always) for name in given]
    return pa.schema(fields, metadata={b"format": FORMAT, b"dataset": dataset.encode()})


def _table(dataset: str, rows: PartRows) -> Any:
    pa = arrow()
    schema = _schema(dataset)
    datasets: dict[str, Sequence[tuple[Any, ...]]] = {
        LOG: rows.log,
        BLOCKS: rows.blocks,
        READINGS: rows.readings,
    }
    columns = list(zip(*datasets[dataset], strict=True)) or [()] * len(schema)
    arrays = [
        pa.array(values, type=field.type) for values, field in zip(columns, schema, strict=True)
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def _write(table: Any) -> bytes:
    made = io.BytesIO()
    arrow().parquet.write_table(
        table,
        made,
        compression=_COMPRESSION,
        row_group_size=_ROWS_A_GROUP,
        # Signed bytes never repeat: a dictionary of them would be built and thrown away.
        use_dictionary=[name for name in table.schema.names if name in _WORDS],
    )
    return made.getvalue()


def _read(dataset: str, raw: bytes) -> Any:
    pa = arrow()
    try:
        table = pa.parquet.read_table(pa.BufferReader(raw), use_threads=False)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise ArchiveError(f"not a Parquet file: {error}") from error
    if not table.schema.equals(_schema(dataset)):
        raise ArchiveError(f"a Parquet file of other columns than those of {dataset}")
    return table


def _rows(dataset: str, raw: bytes) -> list[Any]:
    """The rows of a file as tuples."""
    columns = [column.to_pylist() for column in _read(dataset, raw).columns]
    return list(zip(*columns, strict=True))
