"""Names of archived files: partitions as Hive, Spark, DuckDB and Arrow know them."""

from wattle_gateway.store.archive_rows import Part


def file_name(ledger_id: bytes, kid: bytes, dataset: str, part: Part) -> str:
    """`<ledger id>/<gateway>/<dataset>/day=YYYY-MM-DD/<first commit>-<last commit>.parquet`."""
    commits = f"{part.first_commit:012d}-{part.last_commit:012d}"
    return f"{ledger_id.hex()}/{kid.hex()}/{dataset}/day={part.day}/{commits}.parquet"
