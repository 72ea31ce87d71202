"""A reading as Prometheus metrics. `gateway/METRICS.md` lists them; a test compares.

Names by Prometheus' conventions: base units last (`_seconds`, `_bytes`), `_total` for what only
grows. Labels have few values: names that the code knows, and the members of the epoch (at most
`genesis.MEMBERS_MAX`); never meters, never guests, whose kids are theirs to choose.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from wattle_wire import downlink

from wattle_gateway.ingest import commands
from wattle_gateway.metrics import readiness, resource_families
from wattle_gateway.metrics.reading import LedgerReading, Reading
from wattle_gateway.metrics.shapes import counter, counters, gauge, gauges, info
from wattle_gateway.reports.status import REFUSED_PREFIX

# How `Desk` counts what became of samples that are sound.
SAMPLE_OUTCOMES = ("stored", "repeat", "fork", "dropped")
# What else it counts, shown from the start: a rate needs the 0 before the 1.
DOOR_EVENTS = (
    "births",
    "birth.refused",
    "birth.not_enrolled",
    "state.refused",
    "state.not_enrolled",
    "connections.flapped",
    "time.given",
    "time.not_given",
    "unknown_topic",
    "foreign_topic",
)
# Stands among the counters and counts nothing: the number of the next command to a meter.
_NO_COUNTER = commands.COUNTER
_MS = 1000


def families(reading: Reading) -> Iterator[Metric]:
    """Every metric of a reading, those without a value now left empty, in a fixed order."""
    yield from _process(reading)
    yield from resource_families.families(reading.live)
    if reading.live.waits:
        return  # a counter that is not known is not 0: its return would look like a burst
    yield from _door(reading)
    yield from _broker(reading)
    yield from _ledger(reading)
    yield from _peers(reading)


def _process(reading: Reading) -> Iterator[Metric]:
    live, disk = reading.live, reading.disk
    yield info("build_info", "1; the program's version", {"version": reading.version})
    yield info(
        "gateway_info",
        "1; the ledger and this gateway on it",
        {
            "ledger": reading.ledger_id,
            "gateway": reading.kid,
            "name": reading.members.get(reading.kid, ""),
        },
    )
    reasons = readiness.not_ready(reading)
    yield gauge("ready", "1 if /readyz answers 200", not reasons)
    yield gauges(
        "not_ready",
        "1 for each reason why /readyz answers 503",
        "reason",
        {name: name in reasons for name in readiness.REASONS},
    )
    yield gauge("clock_timestamp_seconds", "the gateway's clock, Unix time", live.clock_ms / _MS)
    yield gauge("clock_alarm", "1 while the wall clock is not followed", live.clock_alarm)
    yield counter("clock_jumps", "jumps of the wall clock", live.clock_jumps)
    yield gauges(
        "certificate_not_after_timestamp_seconds",
        "when a certificate ends, Unix time",
        "certificate",
        live.certificates,
    )
    yield gauge("disk_used_bytes", "bytes of the gateway's folder", disk.used_bytes)
    yield gauge("disk_free_bytes", "bytes free on its file system", disk.free_bytes)
    yield gauge("disk_size_bytes", "bytes of its file system", disk.size_bytes)


def _door(reading: Reading) -> Iterator[Metric]:
    live = reading.live
    counted = {name: count for name, count in live.counters.items() if name != _NO_COUNTER}
    refused = {
        name: counted.pop(f"{REFUSED_PREFIX}{name}", 0) for name in downlink.REFUSAL_NAMES.values()
    }
    samples = {name: counted.pop(name, 0) for name in SAMPLE_OUTCOMES}
    events = dict.fromkeys(DOOR_EVENTS, 0) | counted
    yield gauge("meters_enrolled", "meters on the ledger, not revoked", reading.meters)
    yield gauge("meters_online", "meters connected to this gateway", len(live.online))
    yield counters("samples", "sound samples by what became of them", "outcome", samples)
    yield counters("messages_refused", "refused messages of meters", "reason", refused)
    yield counters("door_events", "other events at the door", "event", events)
    yield counter("acks_sent", "acks sent to meters", live.acks_sent)
    yield counter("worker_crashes", "worker processes that died", live.worker_crashes)


def _broker(reading: Reading) -> Iterator[Metric]:
    live = reading.live
    yield gauge("broker_up", "1 while messages of meters reach us", live.link_up)
    yield counter("broker_connects", "connections made to the broker", live.link_connects)
    yield counter("broker_restarts", "embedded broker: restarts", live.broker_restarts)
    yield counter(
        "broker_refused_connections",
        "embedded broker: connections that it refused",
        live.broker_refused_connections,
    )


def _ledger(reading: Reading) -> Iterator[Metric]:
    found = reading.ledger
    yield gauge("ledger_answers", "1 if the ledger's thread has answered", found is not None)
    yield counter("store_write_failures", "failed writes", reading.live.write_failures)
    yield counter("ledger_leaves", "leaves of the log", _of(found, "leaves"))
    yield gauge("pool_entries", "durable entries that wait for a block", _of(found, "pool"))
    yield gauge("epoch", "number of the epoch in force", _of(found, "epoch"))
    yield gauge("epoch_voters", "voting members", _of(found, "voters"))
    yield gauge("epoch_quorum", "votes that decide", _of(found, "quorum"))
    yield counter("commits", "commits executed, the newest's index", _of(found, "commit"))
    commit_ms = _of(found, "commit_ms")
    yield gauge(
        "commit_timestamp_seconds",
        "time of the newest commit, Unix time of the members' clocks",
        None if commit_ms is None else commit_ms / _MS,
    )
    yield gauge("own_round", "round of our newest block in the epoch", _of(found, "own_round"))
    yield gauge("quorum_round", "highest round with blocks of a quorum", _of(found, "quorum_round"))
    yield gauge("votes", "1 if this gateway is a voting member", _of(found, "votes"))
    yield gauge("signing", "1 if it signs blocks, 0 if it follows", _of(found, "signing"))
    accused = (
        {}
        if found is None
        else {
            "two_blocks": len(found.consensus.twins),
            "other_checkpoint": len(found.consensus.differing),
        }
    )
    yield gauges("members_accused", "members seen to sign differently", "sign", accused)


def _of(found: LedgerReading | None, name: str) -> int | None:
    """A figure of the ledger or its consensus, None while it does not answer."""
    if found is None:
        return None
    return int(getattr(found if hasattr(found, name) else found.consensus, name))


def _peers(reading: Reading) -> Iterator[Metric]:
    live = reading.live
    rows = {row["kid"]: row for row in live.peers}
    others = {kid: rows.get(kid) for kid in reading.members if kid != reading.kid}
    linked = {kid: row for kid, row in others.items() if row and row["up_s"] is not None}
    known = {kid: row for kid, row in others.items() if row}
    info = GaugeMetricFamily("wattle_peer_info", "1; a member's name", labels=["peer", "name"])
    for kid in others:
        info.add_metric([kid, reading.members[kid]], 1)
    yield info
    yield gauges("peer_up", "1 while a link is up", "peer", {kid: kid in linked for kid in others})
    yield gauges(
        "peer_latency_seconds",
        "round trip",
        "peer",
        {kid: row["latency_ms"] / _MS for kid, row in linked.items()},
    )
    yield gauges("peer_quiet_seconds", "since its newest message", "peer", _row("heard_s", linked))
    yield gauges("peer_queued_bytes", "waiting to be sent", "peer", _row("queued_bytes", linked))
    yield counters("peer_sent_bytes", "sent, TLS included", "peer", _row("sent_bytes", known))
    yield counters(
        "peer_received_bytes", "received, TLS included", "peer", _row("received_bytes", known)
    )
    yield counters("peer_links", "links made", "peer", _row("links", known))
    yield counters("peer_faults", "breaches of the peers' rules", "peer", _row("faults", known))
    guests = [row for kid, row in rows.items() if kid not in others and row["up_s"] is not None]
    yield gauge("guests", "gateways linked that are no members", len(guests))
    yield gauge("candidates", "gateways that ask to become members", len(live.candidates))
    yield counter("strangers", "peer connections without a key we know", live.peer_strangers)


def _row(name: str, rows: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    return {kid: row[name] for kid, row in rows.items()}
