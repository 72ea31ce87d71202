"""The wanted columns of a CSV file, as text with line numbers."""

import codecs
import csv
import gzip
import io
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from wattle_gateway.errors import UsageError

# A month at 1 s, almost six years at 1 min.
MAX_ROWS = 3_000_000
# 512 MB of text: what those rows need, with room; a zipped file can hold more than memory.
MAX_BYTES = 1 << 29
# Some exports put a few lines about the meter above the names of the columns.
MAX_PREAMBLE_LINES = 50
_DELIMITERS = ",;\t|"
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True, slots=True)
class TextRow:
    """One row: its line in the file, and the wanted fields in the wanted order."""

    line: int
    fields: tuple[str, ...]


def read_table(path: Path, wanted: Sequence[str]) -> list[TextRow]:
    """The rows of a CSV file, plain or gzip, UTF-8 or UTF-16 with its mark, delimited by comma,
    semicolon, tab or bar; blank rows are left out.

    wanted: column names; one that is no column may be two joined by + (Date+Time), whose texts
    are joined by a space. Raises UsageError naming file, line and column.
    """
    text = _text(path)
    delimiter, names, header_line = _header(path, text, wanted)
    places = [_places(names, name) for name in wanted]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows: list[TextRow] = []
    try:
        for fields in reader:
            if reader.line_num <= header_line or not any(field.strip() for field in fields):
                continue
            if len(rows) >= MAX_ROWS:
                raise UsageError(f"{path}: more than {MAX_ROWS} rows")
            rows.append(_row(path, reader.line_num, fields, wanted, places))
    except csv.Error as error:
        raise UsageError(f"{path}: line {reader.line_num}: no CSV: {error}") from error
    return rows


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            # By content: files get renamed.
            zipped = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            source = gzip.GzipFile(fileobj=file) if zipped else file
            raw = source.read(MAX_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        why = getattr(error, "strerror", None) or error
        raise UsageError(f"{path}: cannot be read: {why}") from error
    if len(raw) > MAX_BYTES:
        raise UsageError(f"{path}: more than {MAX_BYTES} bytes")
    try:
        return raw.decode("utf-16" if raw.startswith(_UTF_16) else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise UsageError(f"{path}: line {line}: not UTF-8, expected UTF-8 or UTF-16") from error


def _header(path: Path, text: str, wanted: Sequence[str]) -> tuple[str, list[str], int]:
    """The delimiter under which all wanted columns are found, the names, and their last line."""
    seen: list[str] = []
    for delimiter in _DELIMITERS:
        for line, names in _first_rows(text, delimiter):
            if all(_places(names, name) for name in wanted):
                return delimiter, names, line
            if len(names) > len(seen):
                seen = names
    missing = next((name for name in wanted if not _places(seen, name)), wanted[0])
    problem = "is there twice" if seen.count(missing) > 1 else "is not there"
    columns = ", ".join(seen) or "none"
    raise UsageError(f"{path}: column {missing!r} {problem}; columns found: {columns}")


def _first_rows(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        for fields in reader:
            if reader.line_num > MAX_PREAMBLE_LINES:
                return
            yield reader.line_num, [field.strip() for field in fields]
    except csv.Error:
        return  # not this delimiter, or what reading the rows will tell with its line


def _places(names: Sequence[str], name: str) -> tuple[int, ...]:
    """Where a column is, or the columns of one that is joined by +; empty: nowhere, or twice."""
    parts = [name] if name in names else name.split("+")
    if any(names.count(part) != 1 for part in parts):
        return ()
    return tuple(names.index(part) for part in parts)


def _row(
    path: Path,
    line: int,
    fields: Sequence[str],
    wanted: Sequence[str],
    places: Sequence[tuple[int, ...]],
) -> TextRow:
    found = []
    for name, columns in zip(wanted, places, strict=True):
        if max(columns) >= len(fields):
            raise UsageError(
                f"{path}: line {line}: column {name!r}: the row ends after {len(fields)} fields"
            )
        found.append(" ".join(fields[at].strip() for at in columns))
    return TextRow(line, tuple(found))
