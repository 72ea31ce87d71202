"""What real gateways show over HTTP; dashboard, alerts and list of metrics are of it."""

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.metrics_core import Metric
from wattle_testkit.alliance import reading
from wattle_testkit.alliance_processes import AllianceProcesses
from wattle_testkit.gateway_process import GatewayProcess
from wattle_testkit.paper_meter import PaperMeter
from wattle_testkit.waiting import until
from wattle_testkit.watched_gateway import (
    configure,
    fetch,
    sample_labels,
    scrape,
    value,
    watch,
)

GATEWAY = Path(__file__).resolve().parents[2] / "gateway"
DEADLINE_S = 30.0
# Given by the scraping Prometheus itself.
SCRAPED = {"job", "instance"}
_SELECTOR = re.compile(r"(\w+)\{([^}]*)\}")
_GROUPING = re.compile(r"\b(on|by|ignoring|without|group_left|group_right)\s*\(([^)]*)\)")
_WORD = re.compile(r"(?<![\w.])[a-zA-Z_]\w*(?!\s*\()(?!\w)")
_OPERATORS = {"and", "or", "unless", "bool", "offset"}


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Metric]]:
    """A scrape of one of two members, which has a meter, a link, and a message that it refused."""
    alliance = AllianceProcesses(tmp_path_factory.mktemp("metrics"), voting=2)
    ports = [watch(gateway) for gateway in alliance]
    try:
        alliance.start()
        board = alliance.board("watched")
        alliance[0].enrol(board)
        at_ms = time.time_ns() // 1_000_000
        with PaperMeter(board, alliance[0]) as meter:
            meter.send(board.sample(1, [reading(at_ms, ei=1, p=2)]))
            meter.await_final(1)
            assert fetch(ports[0], "/readyz").json() == {"ready": True, "reasons": {}}
            yield scrape(ports[0])
    finally:
        alliance.kill()


def test_a_sample_shows_in_the_metrics(shown: dict[str, Metric]) -> None:
    assert value(shown, "wattle_samples_total", outcome="stored") == 1
    assert value(shown, "wattle_meters_enrolled") == 1
    assert value(shown, "wattle_meters_online") == 1
    assert value(shown, "wattle_commits_total") >= 1
    assert value(shown, "wattle_ledger_leaves_total") > value(shown, "wattle_commits_total")
    (link,) = shown["wattle_peer_up"].samples
    assert link.value == 1
    assert value(shown, "wattle_peer_received_bytes_total", **link.labels) > 0
    assert value(shown, "wattle_peer_info", **link.labels, name="gateway-2") == 1
    assert 0 <= time.time() - value(shown, "wattle_clock_timestamp_seconds") < DEADLINE_S


def test_names_have_base_units_and_say_total_only_of_counters(shown: dict[str, Metric]) -> None:
    for family in shown.values():
        assert not re.search(r"_(ms|millis|kb|mb|minutes|hours|percent)$", family.name), family.name
        totals = {sample.name.endswith("_total") for sample in family.samples}
        assert totals <= {family.type == "counter"}, family.name


def test_the_list_of_metrics_is_what_is_shown(shown: dict[str, Metric]) -> None:
    rows = re.findall(
        r"^\| `((?:wattle|process)_\w+)` \| (\w+) \| ([^|]*) \|",
        (GATEWAY / "METRICS.md").read_text(),
        re.MULTILINE,
    )
    listed = {name: (kind, set(re.findall(r"\w+", labels))) for name, kind, labels in rows}
    assert len(listed) == len(rows)
    labels = sample_labels(shown)
    found = {}
    for family in shown.values():
        name = f"{family.name}_total" if family.type == "counter" else family.name
        found[name] = (family.type, labels[name])
    assert listed == found


def expressions() -> list[str]:
    """Every expression of dashboard and alerts."""
    found: list[str] = []

    def collect(value: Any) -> None:
        if isinstance(value, dict):
            found.extend(text for key, text in value.items() if key == "expr")
            for inner in value.values():
                collect(inner)
        elif isinstance(value, list):
            for inner in value:
                collect(inner)

    collect(json.loads((GATEWAY / "deploy/grafana/wattle-gateway.json").read_text()))
    collect(yaml.safe_load((GATEWAY / "deploy/prometheus/alerts.yml").read_text()))
    return found


def named(expression: str) -> tuple[set[str], list[tuple[str, set[str]]], set[str]]:
    """Metric names of an expression, the labels selected on each, and those grouped by."""
    text = re.sub(r'"[^"]*"', '""', expression)
    selected = [
        (name, set(re.findall(r"(\w+)\s*(?:=|!)", inner)))
        for name, inner in _SELECTOR.findall(text)
    ]
    grouped = {word for _, inner in _GROUPING.findall(text) for word in re.findall(r"\w+", inner)}
    bare = re.sub(r"\[[^\]]*\]|\{[^}]*\}", " ", _GROUPING.sub(" ", text))
    return set(_WORD.findall(bare)) - _OPERATORS, selected, grouped


def test_the_parser_of_expressions_sees_names_and_labels() -> None:
    names, selected, grouped = named(
        'rate(a_x{l=~"q", m!="r"}[5m]) * on (i) group_left (n) b_x > 1e3'
    )
    assert names == {"a_x", "b_x"}
    assert selected == [("a_x", {"l", "m"})]
    assert grouped == {"i", "n"}


def test_dashboard_and_alerts_ask_for_what_is_shown(shown: dict[str, Metric]) -> None:
    labels = sample_labels(shown)
    labels["up"] = set()
    asked = expressions()
    assert len(asked) > 30
    for expression in asked:
        names, selected, grouped = named(expression)
        assert names, expression
        assert names <= set(labels), (expression, names - set(labels))
        for name, used in selected:
            assert used <= labels[name] | SCRAPED, expression
        assert grouped <= SCRAPED.union(*(labels[name] for name in names)), expression


def test_dashboard_panels_have_places_of_their_own() -> None:
    dashboard = json.loads((GATEWAY / "deploy/grafana/wattle-gateway.json").read_text())
    cells: set[tuple[int, int]] = set()
    for panel in dashboard["panels"]:
        at = panel["gridPos"]
        covered = {
            (at["x"] + column, at["y"] + row) for column in range(at["w"]) for row in range(at["h"])
        }
        assert not covered & cells, panel["title"]
        assert max(column for column, _ in covered) < 24, panel["title"]
        cells |= covered


def test_a_gateway_without_its_broker_lives_and_is_not_ready(tmp_path: Path) -> None:
    gateway = GatewayProcess(tmp_path / "alone")
    configure(gateway, "broker", kind="external")  # nobody listens on its port
    configure(gateway, "log", format="json")
    port = watch(gateway)
    gateway.begin()
    try:
        until(lambda: alive(port), DEADLINE_S, f"/healthz answers; {gateway.log}")
        answer = fetch(port, "/readyz")
        assert answer.status == 503
        reasons = {"broker": "not connected to the broker"}
        assert answer.json() == {"ready": False, "reasons": reasons}
        families = scrape(port)
        assert value(families, "wattle_ready") == 0
        assert value(families, "wattle_not_ready", reason="broker") == 1
        assert value(families, "wattle_broker_up") == 0
    finally:
        assert gateway.stop() == 0
    events = [json.loads(line)["event"] for line in gateway.log.read_text().splitlines()]
    assert {"serving metrics", "running", "stopping", "stopped"} <= set(events)
    with pytest.raises(ConnectionRefusedError):
        fetch(port, "/healthz")


def alive(port: int) -> bool:
    try:
        return fetch(port, "/healthz").json() == {"alive": True, "reasons": {}}
    except OSError:
        return False
