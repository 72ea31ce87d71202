"""`doctor`: what may keep a gateway from working, now or soon, and what to do about it."""

from collections.abc import Iterator
from contextlib import closing

from wattle_gateway import config as configuration
from wattle_gateway.errors import ConfigError, GatewayError, HomeError, SchemaVersionError
from wattle_gateway.home.identity import Identity, load_identity
from wattle_gateway.home.paths import GatewayHome
from wattle_gateway.ledger.epoch import first_epoch
from wattle_gateway.reports import doctor_archive, doctor_folder, doctor_running, doctor_storage
from wattle_gateway.reports.doctor_finding import OK, PROBLEM, Finding
from wattle_gateway.reports.doctor_host import Host
from wattle_gateway.reports.doctor_running import Live
from wattle_gateway.runtime.executed_ledger import ExecutedLedger
from wattle_gateway.store import connection, schema
from wattle_gateway.store.connection import store_errors_named


def examine(home: GatewayHome, host: Host, live: Live | None) -> Iterator[Finding]:
    """All findings; `live` what the running gateway answered, None if it is stopped."""
    yield from doctor_running.alarms(live)
    yield doctor_folder.permissions(home)
    yield from doctor_folder.certificates(home, host.now_ms())
    try:
        loaded = configuration.load(home.config)
        yield Finding("configuration", OK, str(home.config))
        yield doctor_running.broker(loaded.broker, host, live)
    except ConfigError as error:
        yield Finding("configuration", PROBLEM, str(error), "mend the file")
    found = doctor_storage.storage(home)
    yield found
    if found.level == PROBLEM:
        return  # nothing else can be opened
    try:
        identity = load_identity(home)
    except HomeError as error:
        yield Finding("identity", PROBLEM, str(error), "restore a backup")
        return
    if doctor_folder.is_full(home, host):
        yield doctor_folder.disk(home, host, 0, 0)
        return  # not even a sound database opens there
    yield from doctor_folder.databases(home, identity.genesis.ledger_id)
    archived = doctor_archive.archive(home)
    if archived is not None:
        yield archived
    yield from _ledger(home, identity, host, live)


def _ledger(
    home: GatewayHome, identity: Identity, host: Host, live: Live | None
) -> Iterator[Finding]:
    """What can be said only by who knows the newest commit and the members."""
    first = first_epoch(identity.genesis)
    try:
        reader = connection.open_reader(home.database, schema.LEDGER, first.ledger_id)
        with (
            closing(reader),
            store_errors_named(home.database),
            connection.snapshot(reader),
        ):
            ledger = ExecutedLedger(reader, first)
    except SchemaVersionError:
        return  # what to do, the finding of ledger.db has said
    except GatewayError as error:
        yield Finding("ledger", PROBLEM, str(error), "`wattle-gateway audit`, then `repair`")
        return
    commit_ms = ledger.head.time_ms
    yield doctor_running.clock(host, commit_ms, live)
    yield doctor_folder.disk(home, host, identity.genesis.created_ms, commit_ms)
    yield from doctor_running.peers(ledger.epoch, identity.kid, live)
