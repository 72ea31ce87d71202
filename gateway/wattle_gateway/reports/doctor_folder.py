"""What the doctor finds in a gateway's folder, running or not."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from wattle_gateway.errors import HomeError, SchemaVersionError, StoreError
from wattle_gateway.home import own_certificates
from wattle_gateway.home.paths import GatewayHome
from wattle_gateway.pki import authority
from wattle_gateway.reports import coverage
from wattle_gateway.reports.doctor_finding import OK, PROBLEM, WARNING, Finding
from wattle_gateway.reports.doctor_host import Host
from wattle_gateway.resources.levels import DISK_RESERVE_BYTES
from wattle_gateway.store import connection, own_rows, schema
from wattle_gateway.store.connection import store_errors_named

KEYS = ("authority", "block", "broker", "checkpoint", "gateway", "link", "peer")
# The running gateway renews its own when 240 days are left: with less than 30 something is wrong.
# To succeed a site authority takes a visit to each meter.
EXPIRY_WARNED = {
    "authority": timedelta(days=730),
    "broker": timedelta(days=30),
    "gateway": timedelta(days=30),
}
# The embedded broker may keep 256 MiB, the ledger's log 64: with less beside them the next write
# may be refused.
FREE_BYTES_LEAST = 512 << 20
# At the growth so far.
FREE_DAYS_WARNED = 90
# A ledger younger than this says nothing of its growth.
_GROWTH_FROM_MS = 86_400_000
_DAY_MS = 86_400_000


def permissions(home: GatewayHome) -> Finding:
    """Nobody but the folder's owner may read the keys, or look into it."""
    owner = home.folder.stat().st_uid
    commands = []
    for path in (home.folder, home.keys, *(home.key(name) for name in KEYS)):
        try:
            found = path.stat()
        except OSError as error:
            return Finding("permissions", PROBLEM, f"{path}: {error.strerror}", "restore a backup")
        if found.st_uid != owner:
            return Finding(
                "permissions",
                WARNING,
                f"{path} belongs to user {found.st_uid}, the folder to user {owner}",
                f"chown {owner} {path}",
            )
        if found.st_mode & 0o077:
            commands.append(f"chmod {'700' if path.is_dir() else '600'} {path}")
    if commands:
        return Finding(
            "permissions",
            PROBLEM,
            f"others may open {len(commands)} of the files that only the gateway may read",
            "; ".join(commands),
        )
    return Finding("permissions", OK, f"{len(KEYS)} keys that only their owner reads")


def certificates(home: GatewayHome, now_ms: int) -> Iterator[Finding]:
    """Each certificate that the gateway shows, and the site authority's."""
    now = datetime.fromtimestamp(now_ms / 1000, UTC)
    for name in own_certificates.ALL:
        check = f"certificate {name}"
        try:
            found = authority.load_certificate(home.certificate(name))
        except HomeError as error:
            yield Finding(check, PROBLEM, str(error), "restore a backup")
            continue
        until = found.not_valid_after_utc
        if name == own_certificates.PEER:
            yield Finding(check, OK, "pinned by its peer card, whatever its dates say")
        elif now > until:
            yield Finding(check, PROBLEM, f"expired on {until:%Y-%m-%d}", _RENEWAL[name])
        elif now < found.not_valid_before_utc:
            since = f"{found.not_valid_before_utc:%Y-%m-%d}"
            yield Finding(check, PROBLEM, f"valid from {since} on only", "set the clock")
        elif now > until - EXPIRY_WARNED[name]:
            yield Finding(check, WARNING, f"expires on {until:%Y-%m-%d}", _RENEWAL[name])
        else:
            yield Finding(check, OK, f"valid until {until:%Y-%m-%d}")


_ISSUED = (
    "a running gateway renews those of its own authority by itself: `wattle-gateway certificates "
    "show` says whose it is, `certificates renew` renews it now"
)
_RENEWAL = {
    "authority": "it stands in the ledger: join anew with a new folder, then `meters move` there",
    "broker": _ISSUED,
    "gateway": _ISSUED,
}


def databases(home: GatewayHome, ledger_id: bytes) -> Iterator[Finding]:
    """Whether SQLite finds both whole, and whether the ledger may go on."""
    for path, kind in ((home.database, schema.LEDGER), (home.operation, schema.OPERATION)):
        try:
            with (
                closing(connection.open_reader(path, kind, ledger_id)) as reader,
                store_errors_named(path),
            ):
                (whole,) = reader.execute("PRAGMA quick_check(1)").fetchone()
                if whole != "ok":
                    raise StoreError(f"{path}: {whole}")
                yield Finding(path.name, OK, "whole; `wattle-gateway audit` checks every byte")
                if kind is schema.LEDGER:
                    yield from _signed(reader)
        except SchemaVersionError as error:
            # What to do is in its words: start, upgrade, or install the newer program.
            yield Finding(path.name, PROBLEM, str(error))
        except StoreError as error:
            yield Finding(path.name, PROBLEM, str(error), _MENDING[path.name])


_MENDING = {
    "ledger.db": "stop the gateway, then `wattle-gateway repair`; if it is alone, `restore`",
    "operation.db": "stop the gateway and move the file away: the next start makes a new one",
}


def _signed(reader: sqlite3.Connection) -> Iterator[Finding]:
    begins = coverage.note(reader)
    if begins is not None:
        yield Finding("ledger", OK, begins)
    mark = own_rows.load(reader)
    if mark.stopped is not None:
        yield Finding(
            "ledger", PROBLEM, f"must not go on: {mark.stopped}", "`wattle-gateway audit`, `repair`"
        )
    elif mark.lost and mark.silent_epoch is None:
        yield Finding(
            "ledger",
            WARNING,
            "restored or lost: what its keys have signed is not known, it follows",
            "start it, and let all members be reachable",
        )


def is_full(home: GatewayHome, host: Host) -> bool:
    """Whether so little is free that databases may not open: what that looks like is not damage,
    and repairing it would need room, too."""
    try:
        return host.free_bytes(home.folder) < DISK_RESERVE_BYTES
    except OSError:
        return False


def disk(home: GatewayHome, host: Host, first_ms: int, commit_ms: int) -> Finding:
    """Free space, and for how long at the growth of the ledger so far: it began at `first_ms` and
    its newest commit is of `commit_ms` (Unix ms)."""
    try:
        free = host.free_bytes(home.folder)
    except OSError as error:
        return Finding("disk", PROBLEM, f"{home.folder}: {error.strerror}", "look at the disk")
    if free < FREE_BYTES_LEAST:
        return Finding(
            "disk",
            PROBLEM,
            f"{free >> 20} MiB free, expected at least {FREE_BYTES_LEAST >> 20}",
            "free space, or move the folder to a larger disk while the gateway is stopped",
        )
    age_ms = commit_ms - first_ms
    size = _size(home.database)
    if age_ms < _GROWTH_FROM_MS or not size:
        return Finding("disk", OK, f"{free >> 20} MiB free")
    days = free * age_ms // (size * _DAY_MS)
    text = f"{free >> 20} MiB free, {days} days at the growth so far"
    if days < FREE_DAYS_WARNED:
        return Finding("disk", WARNING, text, "plan a larger disk: a ledger only grows")
    return Finding("disk", OK, text)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0  # that it is missing, `databases` says
