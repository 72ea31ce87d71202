"""Names of archived files: partitions as Hive, Spark, DuckDB and Arrow know them."""

import re
from dataclasses import dataclass

from wattle_gateway.store.archive_rows import Part

_NAME = re.compile(
    r"[0-9a-f]{32}/[0-9a-f]{16}/(log|blocks|readings)/day=(\d{4}-\d\d-\d\d)/"
    r"(\d{12,})-(\d{12,})\.parquet"
)


@dataclass(frozen=True)
class Named:
    """What the name of a file says of its part."""

    day: str
    first_commit: int
    last_commit: int


def file_name(ledger_id: bytes, kid: bytes, dataset: str, part: Part) -> str:
    """`<ledger id>/<gateway>/<dataset>/day=YYYY-MM-DD/<first commit>-<last commit>.parquet`."""
    commits = f"{part.first_commit:012d}-{part.last_commit:012d}"
    return f"{ledger_id.hex()}/{kid.hex()}/{dataset}/day={part.day}/{commits}.parquet"


def parse(name: str, dataset: str) -> Named | None:
    """What `file_name` was told; None if this is no name of a file of `dataset`."""
    found = _NAME.fullmatch(name)
    if found is None or found[1] != dataset:
        return None
    return Named(found[2], int(found[3]), int(found[4]))
