"""What a running gateway says of itself, gathered from its parts."""

import os
from dataclasses import asdict
from typing import TYPE_CHECKING

from wattle_gateway.admin.live_status import LiveStatus, candidate_rows

if TYPE_CHECKING:
    from wattle_gateway.app.gateway import Gateway


def live_status(gateway: "Gateway") -> LiveStatus:
    """The process, its links and counters, now."""
    broker, peering, clock = gateway.broker, gateway.peering, gateway.clock
    connections = gateway.presence.connections
    return LiveStatus(
        pid=os.getpid(),
        clock_ms=clock.now_ms(),
        clock_speed=clock.speed,
        clock_alarm=clock.alarmed,
        clock_jumps=clock.jumps,
        broker_kind=gateway.config.broker.kind,
        broker_running=None if broker is None else broker.running,
        broker_restarts=None if broker is None else broker.restarts,
        broker_refused_connections=None if broker is None else broker.refused_connections,
        link_up=gateway.link.up,
        link_connects=gateway.link.connects,
        acks_sent=gateway.acks.sent,
        worker_crashes=gateway.workers.crashes,
        write_failures=gateway.ledger.failures,
        online=sorted(kid.hex() for kid, found in connections.items() if found.online),
        counters=dict(gateway.desk.counters),
        peers=[] if peering is None else [asdict(peer) for peer in peering.links.status()],
        peer_strangers=0 if peering is None else peering.links.strangers,
        candidates=candidate_rows(gateway.candidates().values(), gateway.epoch.ledger_id),
        resources=gateway.resources.row(),
        alarms=gateway.alarms.rows(),
        alarm_counts=gateway.alarms.counts(),
        certificates=gateway.certificates.ends(),
    )
