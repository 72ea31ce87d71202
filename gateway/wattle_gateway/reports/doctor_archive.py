"""What the doctor finds of the archive: whether its folder is there, and is as sealed as it should
be. A bucket is asked nothing: that would be thousands of requests, and the store may be down."""

from contextlib import closing

from wattle_gateway import config
from wattle_gateway.archive.target import S3_SCHEME, store_of
from wattle_gateway.config import ArchiveConfig
from wattle_gateway.errors import ConfigError, HomeError, StoreError
from wattle_gateway.home.identity import load_genesis
from wattle_gateway.home.paths import GatewayHome
from wattle_gateway.reports.doctor_finding import OK, PROBLEM, WARNING, Finding
from wattle_gateway.store import archive_rows, connection, schema
from wattle_gateway.store.connection import store_errors_named


def archive(home: GatewayHome) -> Finding | None:
    """Whether old days can be had; before any have left, as `missing_folder`. None if the
    configuration or ledger.db, each with a finding of its own, cannot be read."""
    found = _noted(home)
    if found is None:
        return None
    given, names = found
    if not names:
        return missing_folder(home, given.target)
    days = f"{len(names)} files of old days"
    if not given.target:
        advice = "set archive.target in config.toml to where they are"
        return Finding("archive", PROBLEM, f'{days} have left, and archive.target is ""', advice)
    if given.target.startswith(S3_SCHEME):
        return Finding("archive", OK, f"{days} in {given.target}; `archive verify` reads them")
    folder = home.folder / given.target
    if not folder.is_dir():
        advice = "mount its disk, put it back, or set archive.target to where it is"
        return Finding("archive", PROBLEM, f"{days} are in {folder}: no such folder", advice)
    return Finding("archive", OK, f"{days} in {given.target}; `archive verify` reads them")


def missing_folder(home: GatewayHome, target: str) -> Finding | None:
    """That the folder is not there which `[archive] target` names, before anything has gone there:
    it may be days until something is due to, and nobody would say so."""
    folder = home.folder / target
    if not target or target.startswith(S3_SCHEME) or folder.is_dir():
        return None
    return Finding("archive", WARNING, f"{folder}: no such folder", "make it, or mount its disk")


def plain_files(home: GatewayHome) -> Finding | None:
    """Files of the archive, in a folder, that are in the clear while the gateway's own is sealed;
    None if there are none."""
    found = _noted(home)
    if found is None:
        return None
    given, names = found
    if not given.target or given.target.startswith(S3_SCHEME):
        return None
    store = store_of(given, home)
    plain = sum(1 for name in names if store.has(name))
    if not plain:
        return None
    what = f"sealed, but {plain} files of the archive in {given.target} are in the clear"
    if given.plain:
        what += ", as archive.plain says"
        advice = "put it on another machine or an encrypted disk, or `plain = false`, then reseal"
        return Finding("storage", WARNING, what, advice)
    return Finding("storage", WARNING, what, "`wattle-gateway archive reseal`")


def _noted(home: GatewayHome) -> tuple[ArchiveConfig, list[str]] | None:
    """The configuration, and the names of all files that ledger.db notes."""
    try:
        given = config.load(home.config).archive
        first = load_genesis(home).ledger_id
        with (
            closing(connection.open_reader(home.database, schema.LEDGER, first)) as reader,
            store_errors_named(home.database),
        ):
            parts = archive_rows.load(reader)
            files = [archive_rows.files_of(reader, part.number).values() for part in parts]
            return given, [file.name for one in files for file in one]
    except (ConfigError, HomeError, StoreError):
        return None
