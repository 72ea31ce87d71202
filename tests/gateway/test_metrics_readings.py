"""A reading as readiness and as metrics: reasons, missing values, bounded labels."""

import math
from dataclasses import replace

import pytest
from prometheus_client.parser import text_string_to_metric_families
from wattle_gateway.ingest import commands
from wattle_gateway.metrics import exposition, readiness
from wattle_gateway.metrics.reading import Reading
from wattle_testkit.gateway_reading import (
    CONSENSUS,
    DISK,
    GUEST,
    LEDGER,
    LIVE,
    METER,
    NOW_MS,
    OTHER,
    PEER,
    READING,
)
from wattle_testkit.watched_gateway import sample_labels, value

LATE_MS = readiness.COMMIT_LATE_MS


def live(**changes: object) -> Reading:
    return replace(READING, live=replace(LIVE, **changes))  # type: ignore[arg-type]


def ledger(voters: int = 4, **changes: object) -> Reading:
    consensus = replace(CONSENSUS, **changes)  # type: ignore[arg-type]
    return replace(READING, ledger=replace(LEDGER, voters=voters, consensus=consensus))


def refusing(resource: str) -> Reading:
    assert LIVE.resources is not None
    return live(resources={**LIVE.resources, "steps": {"refuse_samples": [resource]}})


@pytest.mark.parametrize(
    "reading",
    [
        READING,
        live(broker_kind="external", broker_running=None),
        ledger(commit_ms=NOW_MS - LATE_MS),
        ledger(voters=1, commit_ms=NOW_MS - 2 * LATE_MS),
        ledger(votes=False, signing=False),
        replace(READING, disk=replace(DISK, free_bytes=readiness.DISK_FREE_BYTES_MIN)),
        replace(
            ledger(commit_ms=NOW_MS - 2 * LATE_MS),
            live=replace(LIVE, clock_speed=2),
        ),
    ],
    ids=["all well", "outside broker", "idle", "alone", "observer", "enough disk", "bench clock"],
)
def test_ready(reading: Reading) -> None:
    assert readiness.not_ready(reading) == {}


@pytest.mark.parametrize(
    ("reading", "reason", "says"),
    [
        (replace(READING, ledger=None), "ledger", "busy"),
        (replace(READING, ledger=None, ledger_trouble="stopped: x"), "ledger", "stopped: x"),
        (replace(READING, disk=replace(DISK, read_only=True)), "disk", "read-only"),
        (replace(READING, disk=replace(DISK, free_bytes=5)), "disk", "5 bytes are free, expected"),
        (refusing("disk"), "disk", "no new samples are taken in: nearly nothing is left"),
        (refusing("memory"), "memory", "no new samples are taken in: nearly all memory"),
        (live(broker_running=False, link_up=False), "broker", "does not run"),
        (live(link_up=False), "broker", "not connected"),
        (ledger(signing=False), "signing", "has signed"),
        (ledger(commit_ms=NOW_MS - LATE_MS - 1), "commits", "no commit for 600 s: are 3 members"),
    ],
)
def test_not_ready_says_why(reading: Reading, reason: str, says: str) -> None:
    found = readiness.not_ready(reading)
    assert list(found) == [reason]
    assert says in found[reason]


def test_a_new_epoch_has_time_for_its_first_commit() -> None:
    late = ledger(commit_ms=NOW_MS - 2 * LATE_MS)
    assert late.ledger is not None
    assert "commits" in readiness.not_ready(late)
    begun = replace(late, ledger=replace(late.ledger, created_ms=NOW_MS - 1_000))
    assert readiness.not_ready(begun) == {}


def rendered(reading: Reading, accept: str = "") -> str:
    return exposition.render(reading, accept)[1].decode()


def test_figures_are_those_of_the_status() -> None:
    text = rendered(READING)
    found = {family.name: family for family in text_string_to_metric_families(text)}
    assert value(found, "wattle_samples_total", outcome="stored") == 9
    assert value(found, "wattle_samples_total", outcome="fork") == 0
    assert value(found, "wattle_messages_refused_total", reason="busy") == 2
    assert value(found, "wattle_door_events_total", event="births") == 1
    assert value(found, "wattle_commit_timestamp_seconds") == (NOW_MS - 1_500) / 1000
    assert value(found, "wattle_members_accused", sign="two_blocks") == 1
    assert value(found, "wattle_peer_latency_seconds", peer=OTHER) == 0.02
    assert value(found, "wattle_peer_info", peer=OTHER, name='the "other"') == 1
    assert value(found, "wattle_guests") == 1
    assert value(found, "wattle_ready") == 1


def test_resources_and_alarms_are_metrics() -> None:
    found = {family.name: family for family in text_string_to_metric_families(rendered(READING))}
    assert value(found, "wattle_resource_level", resource="disk") == 1
    assert value(found, "wattle_disk_full_timestamp_seconds") == NOW_MS / 1000 + 86_400
    assert value(found, "wattle_memory_limit_bytes") == 256 << 20
    assert value(found, "wattle_memory_stalled_ratio") == 0.0015
    assert value(found, "wattle_cpu_used_cores") == 0.25
    assert value(found, "wattle_step_active", step="archive") == 1
    assert value(found, "wattle_step_active", step="slow_pace") == 0
    assert value(found, "wattle_steps_taken_total", step="archive") == 2
    assert value(found, "wattle_alarm_severity", alarm="disk") == 1
    assert value(found, "wattle_alarm_severity", alarm="clock") == 0
    assert value(found, "wattle_alarms_raised_total", alarm="disk") == 3
    assert value(found, "wattle_webhook_posts_total", outcome="sent") == 4


def test_what_is_not_known_yet_is_no_number() -> None:
    found = {
        family.name: family
        for family in text_string_to_metric_families(rendered(live(resources=None)))
    }
    for name in ("wattle_disk_growth_bytes_per_day", "wattle_cpu_used_cores"):
        assert math.isnan(value(found, name))
    assert math.isnan(value(found, "wattle_resource_level", resource="memory"))
    assert value(found, "wattle_step_active", step="archive") == 0


def test_neither_meters_nor_guests_become_labels() -> None:
    text = rendered(READING)
    assert METER not in text
    assert GUEST not in text
    assert commands.COUNTER not in text


def test_a_busy_ledger_leaves_its_values_out_and_their_names_in() -> None:
    text = rendered(replace(READING, ledger=None))
    found = {family.name: family for family in text_string_to_metric_families(text)}
    assert value(found, "wattle_ledger_answers") == 0
    assert value(found, "wattle_not_ready", reason="ledger") == 1
    assert "wattle_commits" in found
    assert "wattle_commits_total" not in sample_labels(found)


def test_a_member_without_a_link_is_down_and_not_missing() -> None:
    text = rendered(live(peers=[{**PEER, "up_s": None, "heard_s": None}]))
    found = {family.name: family for family in text_string_to_metric_families(text)}
    assert value(found, "wattle_peer_up", peer=OTHER) == 0
    assert value(found, "wattle_peer_sent_bytes_total", peer=OTHER) == 100
    assert "wattle_peer_quiet_seconds" not in sample_labels(found)


def test_openmetrics_is_written_for_who_asks() -> None:
    asked = "application/openmetrics-text; version=1.0.0,text/plain;q=0.5"
    content_type, body = exposition.render(READING, asked)
    assert content_type.startswith("application/openmetrics-text")
    assert body.endswith(b"# EOF\n")
    assert exposition.render(READING, "*/*")[0].startswith("text/plain")
