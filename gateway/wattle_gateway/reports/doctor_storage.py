"""What the doctor finds of encryption at rest."""

from collections.abc import Iterator
from contextlib import closing

from wattle_gateway import config
from wattle_gateway.archive.target import S3_SCHEME, store_of
from wattle_gateway.errors import ConfigError, HomeError, StorageKeyError, StoreError
from wattle_gateway.home import sealing
from wattle_gateway.home.identity import load_genesis
from wattle_gateway.home.paths import GatewayHome
from wattle_gateway.reports.doctor_finding import OK, PROBLEM, WARNING, Finding
from wattle_gateway.sealing import ring as rings
from wattle_gateway.sealing.row_seal import SEALS_A_KEY_MAX
from wattle_gateway.store import archive_rows, connection, schema


def _plain_in_archive(home: GatewayHome) -> Iterator[str]:
    """Names of files that the archive has in the clear beside a sealed folder. What is in a bucket
    is not asked for: that may be thousands of requests."""
    try:
        given = config.load(home.config).archive
        if not given.target or given.target.startswith(S3_SCHEME):
            return
        store = store_of(given, home)
        first = load_genesis(home).ledger_id
        with closing(connection.open_reader(home.database, schema.LEDGER, first)) as reader:
            for part in archive_rows.load(reader):
                for file in archive_rows.files_of(reader, part.number).values():
                    if store.has(file.name):
                        yield file.name
    except (ConfigError, HomeError, StoreError):
        return  # each has a finding of its own


def _archive(home: GatewayHome) -> Finding | None:
    """What is wrong with the archive of a sealed folder, as far as a thief of the box goes."""
    plain = sum(1 for _ in _plain_in_archive(home))
    if not plain:
        return None
    given = config.load(home.config).archive
    what = f"sealed, but {plain} files of the archive in {given.target} are in the clear"
    if given.plain:
        what += ", as archive.plain says"
        advice = "put it on another machine or an encrypted disk, or `plain = false`, then reseal"
        return Finding("storage", WARNING, what, advice)
    return Finding("storage", WARNING, what, "`wattle-gateway archive reseal`")


def storage(home: GatewayHome) -> Finding:
    """Whether the folder is sealed, wholly, and opens."""
    try:
        ring = rings.beside(home.config)
        plain = sealing.plain_keys(home)
        if ring is None and len(plain) < len(list(home.keys.glob("*.pem"))):
            lost = f"{rings.NAME} is gone, and private keys here are encrypted under it"
            return Finding("storage", PROBLEM, lost, "restore it from a backup")
        if ring is None:
            return Finding(
                "storage",
                OK,
                "not sealed: whoever copies the disk reads all of it, private keys too",
                "`wattle-gateway keys seal`, if the disk can be stolen",
            )
    except (StorageKeyError, ConfigError) as error:
        return Finding("storage", PROBLEM, str(error), "make the storage key readable here")
    except HomeError as error:
        return Finding("storage", PROBLEM, str(error), "restore a backup")
    if plain:
        return Finding(
            "storage",
            PROBLEM,
            f"sealed, but {', '.join(plain)} are not encrypted",
            "stop the gateway, then `wattle-gateway keys seal` again",
        )
    found = _archive(home)
    if found is not None:
        return found
    key = ring.keyring.keys[-1]
    share = 100 * key.seals // SEALS_A_KEY_MAX
    return Finding("storage", OK, f"sealed; data key {key.number} has {share} % of its seals")
